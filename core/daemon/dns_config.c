/* dns_config.c - the block dns of postern.yaml */
#include "daemon/dns_config.h"

#include "base/macros.h"
#include "io/dns_anchor.h"
#include "io/dns_record.h"

struct stub {
	char *zone, *server;
};

enum { DNS_PORT = 53 };

static const struct schema_key stub_keys[] = {
	{ .name = "zone", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct stub, zone),
	  .help = "A domain. Its subdomains are included." },
	{ .name = "server", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct stub, server),
	  .help = "The name server of the domain: ADDRESS or ADDRESS@PORT." },
	{ 0 },
};

const struct schema_key dns_keys[] = {
	KEY(dns_config, servers, T_STRINGS, NULL,
	    "The resolvers to ask, each as ADDRESS or ADDRESS@PORT. Default: the "
	    "resolvers in /etc/resolv.conf."),
	{ .name = "dnssec", .type = T_ENUM, .words = "auto|on|off",
	  .fallback = "auto", .offset = offsetof(struct dns_config, dnssec),
	  .help = "Whether DNSSEC validates answers; the words are explained "
		  "below." },
	KEY(dns_config, trust_anchor_file, T_PATH, NULL,
	    "A file with the DS or DNSKEY records that validation begins with. "
	    "Default: the keys of the DNS root."),
	{ .name = "special_names", .type = T_BOOL, .fallback = "false",
	  .offset = offsetof(struct dns_config, special_names),
	  .help = "Whether to ask the resolver for names that exist on no "
		  "public server: .test, .onion, .invalid, .home.arpa and the "
		  "reverse names of private addresses. With false, the gateway "
		  "answers itself that these names do not exist." },
	{ .name = "stubs", .type = T_BLOCKS, .keys = stub_keys,
	  .offset = offsetof(struct dns_config, stubs),
	  .block_size = sizeof(struct stub),
	  .help = "The domains that have a name server of their own." },
	{ 0 },
};

/* "192.0.2.1", "192.0.2.1@5353", "2001:db8::1@53" */
static bool
server_parse(const char *text, struct endpoint *ret)
{
	struct span s = span_of(text);
	size_t at = span_rfind(s, '@');
	uint64_t port = DNS_PORT;

	if (at < s.n && (!span_u64(span_from(s, at + 1), 65535, &port) ||
			 port == 0))
		return false;
	ret->port = (uint16_t)port;
	return ip_parse(span_sub(s, 0, at), &ret->ip);
}

static bool
server_check(const char *text, const struct mark *mark, struct endpoint *ret,
	     struct diags *d)
{
	if (server_parse(text, ret))
		return true;
	diag_error(d, mark, "`%s' is not an address of a name server", text);
	return diag_hint(d, "write 192.0.2.1, 2001:db8::1, or "
			 "127.0.0.1@5353 for a port other than 53");
}

static bool
servers_check(struct dns_config *c, struct arena *arena, struct diags *d)
{
	struct endpoint *all = arena_array(arena, c->servers.n + 1,
					   sizeof(*all));
	bool ok = true;

	for (size_t i = 0; i < c->servers.n; i++)
		ok &= server_check(c->servers.v[i], &c->servers.nodes[i]->mark,
				   &all[i], d);
	c->settings.servers = all;
	c->settings.server_count = c->servers.n;
	return ok;
}

static bool
zone_check(const char *zone, const struct mark *mark, struct diags *d)
{
	struct error err;

	if (dns_name_check(dns_name_trim(span_of(zone)), &err))
		return true;
	diag_error(d, mark, "`%s' is not a zone: %s", zone, err.text);
	return diag_hint(d, "write a domain, such as example.org");
}

static bool
stubs_check(struct dns_config *c, struct arena *arena, struct diags *d)
{
	const struct stub *v = c->stubs.v;
	struct dns_stub *all = arena_array(arena, c->stubs.n + 1,
					   sizeof(*all));
	bool ok = true;

	for (size_t i = 0; i < c->stubs.n; i++) {
		const struct node *at = c->stubs.nodes[i];

		if (v[i].zone == NULL || v[i].server == NULL)
			continue;	/* told already */
		ok &= zone_check(v[i].zone, schema_mark(at, "zone"), d);
		ok &= server_check(v[i].server, schema_mark(at, "server"),
				   &all[i].server, d);
		all[i].zone = v[i].zone;
	}
	c->settings.stubs = all;
	c->settings.stub_count = c->stubs.n;
	return ok;
}

static bool
anchors_check(const struct dns_config *c, const struct node *map,
	      struct diags *d)
{
	AUTO(buf_fini) struct buf owner = BUF_MAX(DNS_NAME_MAX);
	const struct mark *mark = schema_mark(map, "trust_anchor_file");
	struct error err = { .hint = "" };

	if (c->trust_anchor_file == NULL)
		return true;
	if (c->dnssec == DNSSEC_OFF) {
		diag_warning(d, mark, "`trust_anchor_file' is not used with "
			     "`dnssec: off'");
		return true;
	}
	if (dns_anchor_read(c->trust_anchor_file, &owner, &err))
		return true;
	diag_error(d, mark, "%s", err.text);
	return diag_hint(d, "%s", err.hint[0] ? err.hint
			 : "it must be readable by the service's user");
}

bool
dns_config_bind(struct dns_config *c, const struct node *root,
		struct arena *arena, struct diags *d)
{
	const struct node *map = root ? node_get(root, "dns") : NULL;
	bool ok = schema_bind(dns_keys, map, "`dns'", c, arena, d);

	ok &= servers_check(c, arena, d);
	ok &= stubs_check(c, arena, d);
	ok &= anchors_check(c, map, d);
	c->settings.dnssec = (enum dns_dnssec)c->dnssec;
	c->settings.trust_anchor_file = c->trust_anchor_file;
	c->settings.special_names = c->special_names;
	return ok;
}
