/* manual.c - a tool of the build: fills the tables of a manual page
 *
 * Copies standard input to standard output; a line `@KEYS name@' becomes the
 * table of that name as mdoc(7), so that no key lacks its documentation.
 */
#include "base/macros.h"
#include "conf/schema.h"
#include "daemon/dns_config.h"
#include "daemon/gateway.h"
#include "dispatch/config.h"
#include "module/smtp_options.h"
#include "route/match.h"
#include "route/route.h"
#include "smtpd/config.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const struct schema_key *keys;
} tables[] = {
	{ "gateway", gateway_keys }, { "listen", listen_keys },
	{ "tls", tls_keys },
	{ "relay", relay_keys },     { "limits", limits_keys },
	{ "retry", retry_keys },     { "dsn", dsn_keys },
	{ "route", route_keys },     { "match", match_keys },
	{ "dns", dns_keys },
};

/* Those of an option POSTERN_SMTP are made, not written. */
static const struct schema_key *
table_find(const char *name, size_t n, struct arena *arena)
{
	struct schema_key *smtp;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (strlen(tables[i].name) == n &&
		    strncmp(tables[i].name, name, n) == 0)
			return tables[i].keys;
	if (n == 4 && strncmp(name, "smtp", n) == 0 &&
	    smtp_options_schema(NULL, 0, arena, &smtp))
		return smtp;
	return NULL;
}

static bool
print_table(const char *name, size_t n)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1024 * 1024);
	AUTO(arena_free) struct arena *arena = arena_new();
	const struct schema_key *keys = table_find(name, n, arena);

	if (keys == NULL) {
		fprintf(stderr, "manual: there is no table %.*s\n", (int)n,
			name);
		return false;
	}
	schema_manual(keys, "", &out);
	fputs(buf_str(&out), stdout);
	return true;
}

int
main(void)
{
	char line[1000];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strncmp(line, "@KEYS ", 6) != 0)
			fputs(line, stdout);
		else if (!print_table(line + 6, strcspn(line + 6, "@")))
			return 1;
	}
	return 0;
}
