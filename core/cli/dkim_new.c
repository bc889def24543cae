/* dkim_new.c - making a key, and telling what to do with it */
#include "cli/dkim.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "cli/control.h"
#include "mail/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *opt_type, *opt_bits, *opt_out;

static const struct cli_option options[] = {
	{ .name = "type", .value = &opt_type, .argument = "rsa or ed25519" },
	{ .name = "bits", .value = &opt_bits, .argument = "a number" },
	{ .name = "out", .value = &opt_out, .argument = "a file" },
	{ 0 },
};

enum { USAGE = 64, CANNOT_CREATE = 73 };	/* as in sysexits.h */

/* What is asked for. */
struct wish {
	const char *domain;
	char *selector;
	enum signer_algorithm algorithm;
	unsigned bits;
};

static void
wish_fini(struct wish *w)
{
	mem_free(w->selector);
}

static int
failed(const struct error *err)
{
	fprintf(stderr, "postern dkim: %s\n", err->text);
	if (err->hint[0] != '\0')
		fprintf(stderr, "  hint: %s\n", err->hint);
	return error_exit_status(err);
}

/* --- the wish -------------------------------------------------------- */

static int
wish_kind(struct wish *w)
{
	uint64_t bits = 2048;

	w->algorithm = SIGNER_RSA;
	if (opt_type != NULL && strcmp(opt_type, "ed25519") == 0)
		w->algorithm = SIGNER_ED25519;
	else if (opt_type != NULL && strcmp(opt_type, "rsa") != 0)
		return cli_usage(&cmd_dkim, "`--type' must be rsa or ed25519, "
				 "not `%s'", opt_type);
	if (opt_bits != NULL && w->algorithm != SIGNER_RSA)
		return cli_usage(&cmd_dkim, "`--bits' is for RSA alone");
	if (opt_bits != NULL && !span_u64(span_of(opt_bits), 1 << 20, &bits))
		return cli_usage(&cmd_dkim, "`--bits': `%s' is not a number",
				 opt_bits);
	w->bits = (unsigned)bits;
	return 0;
}

/* p2026, e2026: a year tells when to make the next one, and the letter lets
 * both kinds be used at once. */
static char *
selector_default(enum signer_algorithm a)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	return mem_printf("%c%d", a == SIGNER_RSA ? 'p' : 'e',
			  tm.tm_year + 1900);
}

static int
wish_fill(struct wish *w, int argc, char **argv)
{
	int rc = cli_options(&cmd_dkim, options, &argc, argv);

	if (rc == 0 && argc != 1 && argc != 2)
		rc = cli_usage(&cmd_dkim, "new needs a domain, and takes one "
			       "selector");
	if (rc == 0)
		rc = wish_kind(w);
	if (rc != 0)
		return rc;
	w->domain = argv[0];
	w->selector = argc > 1 ? mem_strdup(argv[1])
			       : selector_default(w->algorithm);
	return 0;
}

/* --- telling --------------------------------------------------------- */

static void
tell(const struct cli *cli, const struct dkim_row *row)
{
	const char *name = signer_key_selector(row->key);

	if (cli->json) {
		print_json(dkim_json(row));
		return;
	}
	printf("%s is the new key.  Publish this record in the DNS:\n\n",
	       row->file);
	dkim_print_record(row);
	printf("\nWhen `postern dkim check --key %s --domain %s --selector "
	       "%s'\nfinds it there, let the route sign:\n\n", row->file,
	       signer_key_domain(row->key), name);
	dkim_print_route(row);
}

static int
make(const struct cli *cli, const struct wish *w)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_KEY_FILE);
	struct signer_key *k = NULL;
	struct dkim_row row;
	struct error err;
	char *path, *full;
	int rc = 0;

	if (signer_generate(w->algorithm, w->bits, &pem, &err))
		k = signer_key_new(buf_span(&pem), w->domain, w->selector,
				   &err);
	if (k == NULL) {
		rc = failed(&err);
		/* the command line is wrong, not the configuration */
		return err.kind == ERROR_CONFIG ? USAGE : rc;
	}
	path = opt_out != NULL ? mem_strdup(opt_out)
			       : dkim_file_name(cli->config, k);
	if (dkim_file_make(cli->config, path, buf_span(&pem), &err)) {
		/* relative paths in a route's file begin at its folder */
		full = realpath(path, NULL);
		row = (struct dkim_row){ k, full != NULL ? full : path };
		tell(cli, &row);
		free(full);
	} else {
		rc = failed(&err);
		/* no configuration is wrong when the file is there */
		rc = err.kind == ERROR_CONFIG ? CANNOT_CREATE : rc;
	}
	mem_free(path);
	signer_key_free(&k);
	return rc;
}

int
dkim_new(const struct cli *cli, int argc, char **argv)
{
	AUTO(wish_fini) struct wish w = { 0 };
	int rc = wish_fill(&w, argc, argv);

	return rc == 0 ? make(cli, &w) : rc;
}
