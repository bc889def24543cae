/* config.c - the tables of listen:, tls:, relay: and limits:, and what they
 * mean */
#include "smtpd/config.h"

#include "base/macros.h"
#include "conf/network.h"
#include "mail/dot.h"
#include "mail/hostname.h"
#include "smtpd/lan.h"

#include <string.h>

const struct schema_key listen_keys[] = {
	{ .name = "address", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct listener_config, address),
	  .help = "The address and the port, such as 192.0.2.1:25. 0.0.0.0:25 "
		  "listens on all IPv4 addresses of this host. [::]:25 listens "
		  "on all IPv6 and all IPv4 addresses." },
	{ .name = "tls", .type = T_ENUM,
	  .words = "none|starttls|required|implicit",
	  .offset = offsetof(struct listener_config, tls),
	  .help = "How the listener uses TLS. none: there is no TLS. starttls: "
		  "TLS is offered. required: mail is taken after STARTTLS "
		  "only. implicit: TLS begins with the first byte, as on port "
		  "465. Default: starttls when `tls' names a certificate, else "
		  "none." },
	{ 0 },
};

const struct schema_key tls_keys[] = {
	KEY(smtpd_config, certificate, T_PATH, NULL,
	    "The file with the listeners' certificate, followed by the "
	    "certificates of its issuers (PEM). The gateway uses a renewed "
	    "certificate within a minute."),
	KEY(smtpd_config, key, T_PATH, NULL,
	    "The file with the private key of the certificate (PEM). Default: the "
	    "file of the certificate."),
	{ 0 },
};

const struct schema_key relay_keys[] = {
	{ .name = "networks", .type = T_STRINGS, .fallback = "loopback",
	  .offset = offsetof(struct smtpd_config, relay_networks),
	  .help = "The clients that may send mail through this gateway; the "
		  "entries are explained below." },
	{ 0 },
};

#define LIMIT(field, t, def, low, high, text) \
	{ .name = #field, .type = (t), .fallback = (def), .min = (low), \
	  .max = (high), .offset = offsetof(struct smtpd_config, field), \
	  .help = (text) }

#define GIB ((int64_t)1 << 30)

const struct schema_key limits_keys[] = {
	LIMIT(message_size, T_SIZE, "150M", 1024, 64 * GIB,
	      "The size of the largest message that the gateway accepts."),
	LIMIT(recipients, T_INT, "1000", 1, 100 * 1000,
	      "The number of recipients that one message may have."),
	LIMIT(sessions, T_INT, "2000", 1, 1000 * 1000,
	      "The number of SMTP sessions at the same time."),
	LIMIT(sessions_per_client, T_INT, "50", 1, 1000 * 1000,
	      "The number of SMTP sessions at the same time from one address."),
	LIMIT(memory, T_SIZE, "256M", 1024 * 1024, 1024 * GIB,
	      "The memory for messages that the gateway receives and delivers. "
	      "When the memory is used up, bodies go to files, further "
	      "recipients get the reply 452, and then sessions wait."),
	LIMIT(free_space, T_SIZE, "256M", 0, 1024 * 1024 * GIB,
	      "The disk space of the spool that must stay free. When less is "
	      "free, the gateway answers 452 to new mail."),
	{ 0 },
};

static const struct schema_key blocks[] = {
	{ .name = "listen", .type = T_BLOCKS, .keys = listen_keys,
	  .offset = offsetof(struct smtpd_config, listen),
	  .block_size = sizeof(struct listener_config),
	  .help = "The addresses on which the gateway accepts SMTP." },
	{ .name = "tls", .type = T_BLOCK, .keys = tls_keys,
	  .help = "The certificate and the key of the listeners." },
	{ .name = "relay", .type = T_BLOCK, .keys = relay_keys,
	  .help = "The clients that may send through this gateway." },
	{ .name = "limits", .type = T_BLOCK, .keys = limits_keys,
	  .help = "The limits of the gateway." },
	{ 0 },
};

/* --- listen ---------------------------------------------------------- */

static void
listen_default(struct smtpd_config *c, struct arena *arena)
{
	struct listener_config *l = ARENA_NEW(arena, struct listener_config);

	l->address = arena_strdup(arena, "127.0.0.1:2525");
	l->tls = c->certificate ? LISTENER_STARTTLS : LISTENER_PLAIN;
	endpoint_parse(span_of(l->address), &l->at);
	c->listen = (struct blocks){ .v = l, .n = 1 };
}

static bool
endpoint_eq(struct endpoint a, struct endpoint b)
{
	return a.port == b.port && a.port != 0 && ip_eq(a.ip, b.ip);
}

static bool
listener_check(const struct smtpd_config *c, size_t i, struct diags *d)
{
	struct listener_config *all = c->listen.v, *l = &all[i];
	const struct mark *mark = schema_mark(c->listen.nodes[i], "address");

	if (!endpoint_parse(span_of(l->address), &l->at)) {
		diag_error(d, mark, "`%s' is not an address with a port",
			   l->address);
		return diag_hint(d, "write 0.0.0.0:25 for all addresses, "
				 "127.0.0.1:2525 or [::1]:2525 for one");
	}
	for (size_t k = 0; k < i; k++)
		if (endpoint_eq(all[k].at, l->at))
			return diag_error(d, mark,
					  "`%s' is listed twice", l->address);
	return true;
}

/* What is not to be had: offered it is left out, demanded an error. */
static bool
listener_tls_check(const struct smtpd_config *c, size_t i, struct diags *d)
{
	struct listener_config *l = (struct listener_config *)c->listen.v + i;
	const struct node *node = c->listen.nodes[i];
	const struct mark *mark = schema_mark(node, "tls");
	bool ok = true;

	if (node_get(node, "tls") == NULL) {
		l->tls = c->certificate ? LISTENER_STARTTLS : LISTENER_PLAIN;
		return true;
	}
	if (c->certificate != NULL || l->tls == LISTENER_PLAIN)
		return true;
	if (l->tls == LISTENER_STARTTLS) {
		l->tls = LISTENER_PLAIN;
		diag_warning(d, mark, "STARTTLS is not offered: there is no "
			     "certificate");
	} else {
		ok = diag_error(d, mark, "TLS is required, and there is no "
				"certificate");
	}
	diag_hint(d, "name one: `tls: {certificate: FILE, key: FILE}', beside "
		  "`listen'");
	return ok;
}

/* `tls: yes' beside `listen', where the certificate's block stands. */
static bool
tls_block_check(const struct node *root, struct diags *d)
{
	const struct node *n = root ? node_get(root, "tls") : NULL;

	if (n == NULL || n->kind != NODE_SCALAR || n->flawed ||
	    n->scalar.n == 0)
		return true;
	diag_error(d, &n->mark, "`tls' is a block with the files of the "
		   "listeners' certificate, not `%.*s'",
		   SPAN_ARG(span_sub(n->scalar, 0, 80)));
	return diag_hint(d, "write tls: {certificate: FILE, key: FILE}; whether "
			 "a listener speaks TLS is its own key, as in listen: "
			 "[{address: 0.0.0.0:25, tls: starttls}], with none, "
			 "starttls, required or implicit");
}

static bool
tls_check(const struct smtpd_config *c, const struct node *root,
	  struct diags *d)
{
	const struct node *block = root ? node_get(root, "tls") : NULL;

	if (c->key == NULL || c->certificate != NULL)
		return true;
	diag_error(d, schema_mark(block, "key"), "there is a key, and no "
		   "certificate");
	return diag_hint(d, "name it: `certificate: FILE', beside `key'");
}

static bool
has_ipv4_at(const struct listener_config *v, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].at.ip.family == 4 && v[i].at.port == port)
			return true;
	return false;
}

/* Other servers take IPv4 on [::], so administrators expect it.  IPv4 has a
 * socket of its own: no client has a mapped address, and an IPv4 address that
 * is listed for the same port decides alone. */
static void
listen_add_ipv4(struct smtpd_config *c, struct arena *arena)
{
	const struct listener_config *listed = c->listen.v;
	const struct ip any = { .family = 6 };
	struct listener_config *all;
	size_t n = c->listen.n;

	if (n == 0)
		return;			/* none of them could be read */
	all = arena_array(arena, 2 * n, sizeof(*all));
	memcpy(all, listed, n * sizeof(*all));
	for (size_t i = 0; i < c->listen.n; i++) {
		if (listed[i].at.port == 0 || !ip_eq(listed[i].at.ip, any) ||
		    has_ipv4_at(listed, c->listen.n, listed[i].at.port))
			continue;
		all[n] = listed[i];
		all[n++].at.ip = (struct ip){ .family = 4 };
	}
	c->listen.v = all;
	c->listen.n = n;
}

static bool
listen_check(struct smtpd_config *c, const struct node *root,
	     struct arena *arena, struct diags *d)
{
	const struct node *list = node_get(root, "listen");
	const struct listener_config *all = c->listen.v;
	bool ok = true;

	if (list == NULL) {
		listen_default(c, arena);
		return true;
	}
	if (list->kind == NODE_LIST && list->count == 0)
		return diag_error(d, &list->mark,
				  "`listen' needs at least one address");
	for (size_t i = 0; i < c->listen.n; i++) {
		if (all[i].address != NULL)	/* else told already */
			ok &= listener_check(c, i, d);
		ok &= listener_tls_check(c, i, d);
	}
	if (ok)
		listen_add_ipv4(c, arena);
	return ok;
}

/* --- relay ----------------------------------------------------------- */

/* Where the networks are gathered. */
struct gathering {
	struct smtpd_config *c;
	struct arena *arena;
	struct diags *d;
};

static void
relay_add(struct gathering *g, const struct network *v, size_t n)
{
	struct smtpd_config *c = g->c;
	struct network *all;

	all = arena_array(g->arena, c->relay_count + n, sizeof(*all));
	if (c->relay_count > 0)
		memcpy(all, c->relay, c->relay_count * sizeof(*all));
	if (n > 0)
		memcpy(all + c->relay_count, v, n * sizeof(*all));
	c->relay = all;
	c->relay_count += n;
}

static bool
relay_loopback(struct gathering *g, const struct mark *mark)
{
	static const struct network loopback[] = {
		{ { 4, { 127 } }, 8 },
		{ { 6, { [15] = 1 } }, 128 },
	};

	(void)mark;
	relay_add(g, loopback, ARRAY_SIZE(loopback));
	return true;
}

static bool
relay_lan(struct gathering *g, const struct mark *mark)
{
	struct network *found;
	struct error err;
	size_t n;

	if (!lan_networks(g->arena, &found, &n, &err))
		return diag_error(g->d, mark, "%s", err.text);
	if (n == 0) {
		diag_warning(g->d, mark, "`lan' is empty: no interface of "
			     "this host has a private address");
		diag_hint(g->d, "list the networks themselves, as in "
			  "192.0.2.0/24");
	}
	relay_add(g, found, n);
	return true;
}

static bool
relay_cidr(struct gathering *g, const char *text, const struct mark *mark)
{
	struct network n;

	if (!network_parse(span_of(text), &n)) {
		diag_error(g->d, mark, "`%s' is not a network", text);
		if (strpbrk(text, ",; ") != NULL)
			return diag_hint(g->d, "write several as a list: "
					 "networks: [192.168.10.0/24, ...]");
		return diag_hint(g->d, "write 192.168.10.0/24, an address, "
				 "`loopback' or `lan'");
	}
	if (n.prefix == 0) {
		diag_warning(g->d, mark, "`%s' lets the whole world send "
			     "through this gateway", text);
		diag_hint(g->d, "list your own networks only");
	}
	network_warn(n, text, mark, g->d);
	relay_add(g, &n, 1);
	return true;
}

static const struct {
	const char *word;
	bool (*add)(struct gathering *g, const struct mark *mark);
} relay_words[] = {
	{ "loopback", relay_loopback },
	{ "lan", relay_lan },
};

static bool
relay_one(struct gathering *g, size_t i)
{
	const struct strings *list = &g->c->relay_networks;
	const struct mark *mark = NULL;

	if (list->nodes != NULL && list->nodes[i] != NULL)
		mark = &list->nodes[i]->mark;
	for (size_t k = 0; k < ARRAY_SIZE(relay_words); k++)
		if (strcmp(list->v[i], relay_words[k].word) == 0)
			return relay_words[k].add(g, mark);
	return relay_cidr(g, list->v[i], mark);
}

static bool
relay_check(struct smtpd_config *c, struct arena *arena, struct diags *d)
{
	struct gathering g = { c, arena, d };
	bool ok = true;

	for (size_t i = 0; i < c->relay_networks.n; i++)
		ok &= relay_one(&g, i);
	return ok;
}

/* --- all of it ------------------------------------------------------- */

/* The blocks of ours out of the root, so that the table of this room can be
 * bound by itself; other keys are other rooms'. */
static void
root_pick(const struct node *root, struct node *map, struct node *copies)
{
	struct node **link = &map->first;

	*map = (struct node){ .kind = NODE_MAP };
	if (root == NULL)
		return;
	map->mark = root->mark;
	for (size_t i = 0; blocks[i].name != NULL; i++) {
		const struct node *n = node_get(root, blocks[i].name);

		if (n == NULL || (n->kind == NODE_SCALAR &&
				  blocks[i].keys == tls_keys))
			continue;	/* told by tls_block_check() */
		copies[i] = *n;
		copies[i].next = NULL;
		*link = &copies[i];
		link = &copies[i].next;
		map->count++;
	}
}

bool
smtpd_config_bind(struct smtpd_config *c, const struct node *root,
		  const char *hostname, struct arena *arena, struct diags *d)
{
	struct node map, copies[ARRAY_SIZE(blocks)];
	bool ok;

	root_pick(root, &map, copies);
	ok = schema_bind(blocks, &map, "the configuration", c, arena, d);
	ok &= tls_block_check(root, d);
	ok &= tls_check(c, root, d);
	ok &= listen_check(c, root, arena, d);
	ok &= relay_check(c, arena, d);
	c->hostname = hostname;
	c->full_name = hostname_full(hostname, arena);
	c->bare_lf = BARE_LF_REPAIR;
	c->filters = root == NULL ? NULL : node_get(root, "filters");
	return ok;
}

bool
smtpd_may_relay(const struct smtpd_config *c, struct ip client)
{
	for (size_t i = 0; i < c->relay_count; i++)
		if (network_contains(c->relay[i], client))
			return true;
	return false;
}
