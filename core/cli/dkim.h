/* dkim.h - what the parts of `postern dkim' share */
#ifndef CLI_DKIM_H
#define CLI_DKIM_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/cli.h"

#include <jansson.h>

struct dns_settings;
struct signer_key;

/* A key, and where it is from. */
struct dkim_row {
	const struct signer_key *key;
	const char *file;
};

/* For people; and as an object, which is the caller's. */
void dkim_print_record(const struct dkim_row *row);
void dkim_print_route(const struct dkim_row *row);
json_t *dkim_json(const struct dkim_row *row);
/* "p2026._domainkey.example.org" */
void dkim_name(const struct signer_key *k, struct buf *out);

/* The file of a new key, in dkim_file.c: where it is unless it is said, which
 * is the caller's; and making it, with a warning to standard error where the
 * gateway will not be able to read it. */
char *dkim_file_name(const char *config, const struct signer_key *k);
bool dkim_file_make(const char *config, const char *path, struct span pem,
		    struct error *err);

/* The subcommands; argv is what stands behind their names. */
int dkim_new(const struct cli *cli, int argc, char **argv);
/* settings: how to ask, as configured, or NULL; server, or NULL, outdoes them */
int dkim_check(const struct cli *cli, const struct dkim_row *rows, size_t n,
	       const struct dns_settings *settings, const char *server);

extern const struct cli_command cmd_dkim;

#endif
