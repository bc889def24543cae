/* cmd_dkim.c - DKIM keys: making, showing and checking them */
#include "cli/dkim.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "cli/control.h"
#include "daemon/dns_config.h"
#include "daemon/gateway.h"
#include "mail/signer.h"
#include "route/dkim.h"

#include <stdio.h>
#include <string.h>

static const char *opt_key, *opt_domain, *opt_selector;
static const char *opt_server;

static const struct cli_option options[] = {
	{ .name = "key", .value = &opt_key, .argument = "a file" },
	{ .name = "domain", .value = &opt_domain, .argument = "a domain" },
	{ .name = "selector", .value = &opt_selector, .argument = "a selector" },
	{ .name = "server", .value = &opt_server, .argument = "an address" },
	{ 0 },
};

/* The keys that it is about, and who owns them. */
struct listed {
	struct dkim_row *v;
	size_t n;
	struct signer_key *own;		/* of the line; or */
	struct snapshot *snap;		/* the configuration's */
};

static void
listed_fini(struct listed *l)
{
	mem_free(l->v);
	signer_key_free(&l->own);
	snapshot_unref(&l->snap);
}

/* Routes may share a key. */
static void
listed_add(struct listed *l, const struct signer_key *k, const char *file)
{
	for (size_t i = 0; i < l->n; i++)
		if (signer_key_number(l->v[i].key) == signer_key_number(k))
			return;
	l->v = mem_resize(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct dkim_row){ k, file };
}

static int
list_file(struct listed *l)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_KEY_FILE);
	struct error err;

	if (opt_key == NULL || opt_domain == NULL || opt_selector == NULL)
		return cli_usage(&cmd_dkim, "use `--key', `--domain' and "
				 "`--selector' together");
	if (!file_read(&pem, opt_key, &err)) {
		fprintf(stderr, "postern dkim: %s\n", err.text);
		return 66;
	}
	l->own = signer_key_new(buf_span(&pem), opt_domain, opt_selector, &err);
	if (l->own == NULL) {
		fprintf(stderr, "postern dkim: %s: %s\n  hint: %s\n", opt_key,
			err.text, err.hint);
		return 78;
	}
	listed_add(l, l->own, opt_key);
	return 0;
}

static int
list_config(const struct cli *cli, struct listed *l)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(1024 * 1024);
	struct diags *d = diags_new();
	bool ok = gateway_load(cli->config, d, &l->snap);
	const struct routes *routes;

	diags_show(d, &text);
	if (!ok)
		fputs(buf_str(&text), stderr);
	diags_free(&d);
	if (!ok)
		return 78;
	routes = snapshot_get(l->snap, SLOT_ROUTES);
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *r = &routes->v[i];
		const struct dkim_entry *e = r->dkim.v;

		for (size_t k = 0; k < r->signer_count; k++)
			listed_add(l, r->signers[k], e[k].key);
	}
	if (l->n > 0)
		return 0;
	fprintf(stderr, "postern dkim: no route has a key\n  hint: make one "
		"with `postern dkim new DOMAIN'\n");
	return 65;
}

/* As the gateway would ask; NULL for a key that no configuration names. */
static const struct dns_settings *
dns_of(const struct listed *l)
{
	const struct dns_config *c = l->snap != NULL
		? snapshot_get(l->snap, SLOT_DNS) : NULL;

	return c != NULL ? &c->settings : NULL;
}

static void
record(const struct cli *cli, const struct listed *l)
{
	json_t *all = cli->json ? json_array() : NULL;

	for (size_t i = 0; i < l->n; i++) {
		if (all != NULL) {
			json_array_append_new(all, dkim_json(&l->v[i]));
			continue;
		}
		if (i > 0)
			printf("\n");
		dkim_print_record(&l->v[i]);
	}
	if (all != NULL)
		print_json(all);
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	AUTO(listed_fini) struct listed l = { 0 };
	bool check = argc > 0 && strcmp(argv[0], "check") == 0;
	int rc;

	if (argc > 0 && strcmp(argv[0], "new") == 0)
		return dkim_new(cli, argc - 1, argv + 1);
	if (!check && (argc == 0 || strcmp(argv[0], "record") != 0))
		return cli_usage(&cmd_dkim, "name one of: new, record, check");
	rc = cli_options(&cmd_dkim, options, &argc, argv);
	if (rc != 0)
		return rc;
	if (argc > 1)
		return cli_usage(&cmd_dkim, "unexpected argument `%s'", argv[1]);
	if (!check && opt_server != NULL)
		return cli_usage(&cmd_dkim, "record takes no `--server'");
	rc = opt_key || opt_domain || opt_selector ? list_file(&l)
						   : list_config(cli, &l);
	if (rc != 0)
		return rc;
	if (check)
		return dkim_check(cli, l.v, l.n, dns_of(&l), opt_server);
	record(cli, &l);
	return 0;
}

const struct cli_command cmd_dkim = {
	.name = "dkim", .run = run,
	.arguments = "new DOMAIN [SELECTOR] | record | check",
	.summary = "make a DKIM key, show its DNS record, or check that it is "
		   "published",
	.help = "new DOMAIN [SELECTOR]\n"
		"  --type rsa|ed25519   the type of the key (default: rsa; "
		"all receivers know it)\n"
		"  --bits NUMBER        the size of an RSA key, 1024 to "
		"4096 (default: 2048)\n"
		"  --out FILE           the new file (default: "
		"dkim/DOMAIN.SELECTOR.pem beside\n"
		"                       the configuration)\n"
		"\n"
		"record, check\n"
		"  --key FILE --domain DOMAIN --selector SELECTOR\n"
		"                       this key instead of the keys of "
		"the routes\n"
		"  --server ADDRESS     only check: the name server to ask\n"
		"\n"
		"The default of SELECTOR is a letter and the year.  An "
		"existing file is never\n"
		"overwritten.\n"
		"\n"
		"Exit status of check: 0 when all records are right, 75 "
		"when some lookups had no\n"
		"answer and all other records are right, 65 when a record "
		"is missing or\n"
		"different.\n",
};
