/* gateway.c - from files to a snapshot; the same for check, start, reload */
#include "daemon/gateway_inside.h"

#include "base/file.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/macros.h"
#include "daemon/certificate.h"
#include "daemon/dns_config.h"
#include "daemon/hostname.h"
#include "daemon/signers.h"
#include "dispatch/config.h"
#include "mail/hostname.h"
#include "module/hooks.h"
#include "module/module.h"
#include "smtpd/config.h"

#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const struct schema_key log_keys[] = {
	{ .name = "format", .type = T_ENUM, .words = "text|json",
	  .fallback = "text", .offset = offsetof(struct gateway_config, log_format),
	  .help = "How a log line is written: as text or as a JSON object." },
	{ .name = "level", .type = T_ENUM, .words = "error|warning|info|debug",
	  .fallback = "info", .offset = offsetof(struct gateway_config, log_level),
	  .help = "The least severe level that is logged." },
	{ 0 },
};

static const struct schema_key outgoing_keys[] = {
	KEY(gateway_config, trust_file, T_PATH,
	    "/etc/ssl/certs/ca-certificates.crt",
	    "The certificate authorities that the gateway trusts (PEM), unless a "
	    "route has its own `trust_file'."),
	KEY(gateway_config, source, T_STRING, NULL,
	    "The local address of outgoing connections, unless a route has its "
	    "own `source'."),
	{ 0 },
};

const struct schema_key gateway_keys[] = {
	KEY(gateway_config, hostname, T_STRING, NULL,
	    "The gateway's own name in the greeting, in EHLO and in Received: "
	    "letters, digits, hyphens and dots. Many servers refuse a name "
	    "without a dot. With such a name EHLO has the gateway's address "
	    "instead, such as [192.0.2.1], a Message-ID ends in .localdomain, "
	    "and postern check warns. Default: the full name of this host."),
	KEY(gateway_config, user, T_STRING, NULL,
	    "The user that the gateway runs as. When root starts the gateway, "
	    "it changes to this user after it has bound its ports. Default: "
	    "postern, if this user exists."),
	KEY(gateway_config, spool, T_STRING, "sqlite:" POSTERN_STATE_DIR,
	    "The place of the queue: sqlite:FOLDER, or \"memory:\" for tests."),
	KEY(gateway_config, state, T_PATH, NULL,
	    "The folder of the control socket and of the sign-ins. Default: the "
	    "folder of the spool."),
	{ .name = "modules", .type = T_STRINGS, .flags = KEY_EXPANDED,
	  .offset = offsetof(struct gateway_config, modules),
	  .help = "The paths of further modules to load." },
	{ .name = "log", .type = T_BLOCK, .keys = log_keys,
	  .help = "What the gateway logs, and how." },
	{ .name = "outgoing", .type = T_BLOCK, .keys = outgoing_keys,
	  .help = "Defaults for connections to other servers." },
	{ .name = "stop_patience", .type = T_DURATION, .fallback = "25s",
	  .offset = offsetof(struct gateway_config, stop_patience),
	  .help = "When the gateway stops, running deliveries may still take "
		  "this long." },
	{ .name = "intake_threads", .type = T_INT, .fallback = "0",
	  .offset = offsetof(struct gateway_config, intake_threads),
	  .min = 0, .max = 64,
	  .help = "The number of threads that accept mail. 0: one for each "
		  "processor." },
	/* bound by their rooms, from the root */
	KEY(gateway_config, listen, T_NODE, NULL,
	    "The addresses on which the gateway accepts SMTP: a list of blocks; "
	    "see listen below."),
	KEY(gateway_config, tls, T_NODE, NULL,
	    "The certificate of the listeners: a block; see tls below."),
	KEY(gateway_config, relay, T_NODE, NULL,
	    "The clients that may send: a block; see relay below."),
	KEY(gateway_config, limits, T_NODE, NULL,
	    "The limits of the gateway: a block; see limits below."),
	KEY(gateway_config, retry, T_NODE, NULL,
	    "When the gateway retries mail and when it gives up: a block; see "
	    "retry below."),
	KEY(gateway_config, dsn, T_NODE, NULL,
	    "Who gets reports of failures: a block; see dsn below."),
	KEY(gateway_config, dns, T_NODE, NULL,
	    "How the gateway resolves names: a block; see dns below."),
	KEY(gateway_config, filters, T_NODE, NULL,
	    "The filters for every message: a list, such as [{tag: {header: "
	    "X-Relayed-By, value: postern}}]."),
	{ 0 },
};

/* --- who we are ------------------------------------------------------ */

static bool
hostname_refuse(struct load *l, const char *fault)
{
	diag_error(l->d, schema_mark(l->root, "hostname"),
		   "`%s' is not a host name: it %s", l->gateway->hostname, fault);
	return diag_hint(l->d, "write the name that others know this machine by, "
			 "as gw.example.org: letters, digits, hyphens and dots");
}

/* The machine's own name stops nothing. */
static void
hostname_of_machine(struct load *l)
{
	struct gateway_config *g = l->gateway;
	const char *fault;

	g->hostname = hostname_find(l->arena);
	fault = hostname_fault(span_of(g->hostname));
	if (fault != NULL) {
		diag_warning(l->d, NULL, "%s: there is no `hostname', and the "
			     "name of this machine, `%s', is not a host name: "
			     "it %s", l->path, g->hostname, fault);
		g->hostname = arena_strdup(l->arena, "localhost");
	} else if (!hostname_is_full(span_of(g->hostname))) {
		diag_warning(l->d, NULL, "%s: there is no `hostname', and the "
			     "name of this machine, `%s', has no dot: many "
			     "servers refuse such a name, so EHLO has the "
			     "address instead", l->path, g->hostname);
	} else {
		return;
	}
	diag_hint(l->d, "set `hostname' to the name that others know this "
		  "machine by, as gw.example.org");
}

static bool
hostname_check(struct load *l)
{
	struct gateway_config *g = l->gateway;
	const char *fault;

	if (g->hostname == NULL) {
		hostname_of_machine(l);
		return true;
	}
	fault = hostname_fault(span_of(g->hostname));
	if (fault != NULL)
		return hostname_refuse(l, fault);
	if (!hostname_is_full(span_of(g->hostname))) {
		diag_warning(l->d, schema_mark(l->root, "hostname"), "`%s' has "
			     "no dot: many servers refuse such a name, so EHLO "
			     "has the address instead", g->hostname);
		diag_hint(l->d, "write the full name that others know this "
			  "machine by, as gw.example.org");
	}
	return true;
}

static bool
folder_check(struct load *l, const char *key, const char *path)
{
	struct error err;

	if (path == NULL || file_folder_check(path, &err))
		return true;
	if (node_get(l->root, key) == NULL) {
		diag_warning(l->d, NULL, "`%s' is not set, and its default is "
			     "%s", key, err.text);
		diag_hint(l->d, "%s", err.hint);
		return true;
	}
	diag_error(l->d, schema_mark(l->root, key), "`%s': %s", key, err.text);
	return diag_hint(l->d, "%s", err.hint);
}

static bool
gateway_check(struct load *l)
{
	struct gateway_config *g = l->gateway;
	const char *folder = span_starts_nocase(span_of(g->spool),
		SPAN("sqlite:")) ? g->spool + strlen("sqlite:") : NULL;
	struct ip source;
	struct error err;
	bool ok = hostname_check(l);

	if (folder == NULL && strcmp(g->spool, "memory:") != 0) {
		diag_error(l->d, schema_mark(l->root, "spool"),
			   "`%s' is not a spool", g->spool);
		ok = diag_hint(l->d, "write sqlite:%s", g->spool[0] == '/'
			       ? g->spool : POSTERN_STATE_DIR);
	} else if (folder != NULL && folder[0] != '/') {
		diag_error(l->d, schema_mark(l->root, "spool"),
			   "the spool's folder must be an absolute path");
		ok = diag_hint(l->d, "write sqlite:" POSTERN_STATE_DIR);
	} else {
		ok = folder_check(l, "spool", folder) && ok;
	}
	ok = folder_check(l, "state", g->state) && ok;
	if (g->source != NULL && !ip_parse(span_of(g->source), &source)) {
		diag_error(l->d, schema_mark(node_get(l->root, "outgoing"),
					     "source"),
			   "`%s' is not an address", g->source);
		ok = diag_hint(l->d, "write an address of this host, or leave "
			       "it out");
	}
	if (g->user != NULL && getpwnam(g->user) == NULL) {
		diag_error(l->d, schema_mark(l->root, "user"),
			   "there is no user `%s' here", g->user);
		ok = diag_hint(l->d, "create it with `useradd --system %s'",
			       g->user);
	} else if (!identity_find(g->user, &l->who, &err)) {
		ok = diag_error(l->d, schema_mark(l->root, "user"), "%s",
				err.text);
	}
	if (g->state == NULL && folder != NULL)
		g->state = arena_strdup(l->arena, folder);
	return ok;
}

/* --- modules and rooms ----------------------------------------------- */

/* As every path: variables are expanded, and it begins at its file's folder. */
static const char *
module_file(struct load *l, const char *written)
{
	AUTO(buf_fini) struct buf path = BUF_MAX(LIMIT_CONF_VALUE);
	const char *slash = strrchr(l->path, '/');
	struct span missing;

	if (!expand_variables(&path, span_of(written), &missing))
		return NULL;
	return buf_str(&path)[0] == '/' || slash == NULL
		? arena_strdup(l->arena, buf_str(&path))
		: arena_printf(l->arena, "%.*s/%s", (int)(slash - l->path),
			       l->path, buf_str(&path));
}

static bool
module_told(struct load *l, const struct mark *mark, const struct error *err)
{
	diag_error(l->d, mark, "%s", err->text);
	return diag_hint(l->d, "%s", err->hint[0] != '\0' ? err->hint
			 : "check that the file is a module of this Postern, and "
			   "check the path: a relative one begins at the folder "
			   "of postern.yaml");
}

static bool
modules_load(struct load *l)
{
	const struct strings *paths = &l->gateway->modules;
	struct error err;
	bool ok = true;

	for (size_t i = 0; i < paths->n; i++) {
		const struct mark *mark = &paths->nodes[i]->mark;
		const char *file = module_file(l, paths->v[i]);

		if (file == NULL)
			ok = diag_error(l->d, mark, "a variable in `%s' is not "
					"set", paths->v[i]);
		else if (module_load(file, &err) == NULL)
			ok = module_told(l, mark, &err);
	}
	return ok;
}

static bool
rooms_bind(struct load *l)
{
	struct smtpd_config *smtpd = ARENA_NEW(l->arena, struct smtpd_config);
	struct dispatch_config *dispatch = ARENA_NEW(l->arena,
						     struct dispatch_config);
	struct dns_config *dns = ARENA_NEW(l->arena, struct dns_config);
	bool ok;

	ok = smtpd_config_bind(smtpd, l->root, l->gateway->hostname, l->arena,
			       l->d);
	ok = certificate_check(smtpd, l->root, &l->who,
			       l->gateway->trust_file, l->d) && ok;
	ok = dispatch_config_bind(dispatch, l->root, l->gateway->hostname,
				  l->routes, l->arena, l->d) && ok;
	ok = dns_config_bind(dns, l->root, l->arena, l->d) && ok;
	ok = filters_check(node_get(l->root, "filters"), true, l->d) && ok;
	snapshot_set(l->snap, SLOT_DNS, dns);
	snapshot_set(l->snap, SLOT_SMTPD, smtpd);
	snapshot_set(l->snap, SLOT_DISPATCH, dispatch);
	return ok;
}

/* --- the whole ------------------------------------------------------- */

static bool
routes_check_files(struct load *l)
{
	bool ok = signers_load(l->routes, &l->who, l->snap, l->d);

	routes_check(l->routes, l->d);
	for (size_t i = 0; i < l->routes->n; i++)
		ok = load_route_modules(l, &l->routes->v[i]) && ok;
	return ok;
}

static bool
load_all(struct load *l)
{
	bool ok;

	ok = schema_bind(gateway_keys, l->root, "the gateway", l->gateway,
			 l->arena, l->d);
	l->root = schema_corrected(gateway_keys, l->root, l->arena);
	ok = (l->gateway->spool == NULL || gateway_check(l)) && ok;
	ok = modules_load(l) && ok;
	ok = load_routes(l) && ok;
	ok = routes_check_files(l) && ok;
	ok = rooms_bind(l) && ok;
	for (size_t i = 0; i < l->routes->n; i++)
		ok = load_route_listeners(l, &l->routes->v[i]) && ok;
	return load_hops(l) && ok;
}

/* Nothing can be made of postern.yaml, which is told; what is wrong with the
 * routes is told in the same run.  What only postern.yaml could say (the user
 * that must read the files, further modules) is not asked for. */
static bool
load_routes_alone(struct load *l)
{
	l->who = (struct identity){ .uid = geteuid(), .gid = getegid(),
				    .name = "" };
	load_routes(l);
	routes_check_files(l);
	return false;
}

bool
gateway_load(const char *path, struct diags *d, struct snapshot **ret)
{
	struct tree *root = tree_read(path, d);
	struct load l = { .d = d, .path = path };

	l.snap = snapshot_new();
	l.arena = snapshot_arena(l.snap);
	l.gateway = ARENA_NEW(l.arena, struct gateway_config);
	l.routes = ARENA_NEW(l.arena, struct routes);
	snapshot_set(l.snap, SLOT_GATEWAY, l.gateway);
	snapshot_set(l.snap, SLOT_ROUTES, l.routes);
	*ret = l.snap;
	if (root == NULL)
		return load_routes_alone(&l);
	l.root = tree_root(root);
	snapshot_keep_tree(l.snap, root);
	return load_all(&l) && diags_errors(d) == 0;
}
