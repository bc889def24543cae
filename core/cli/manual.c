/* manual.c - a tool of the build: fills the tables of a manual page
 *
 * Copies standard input to standard output; a line `@KEYS name@' becomes the
 * table of that name as mdoc(7), so that no key lacks its documentation.
 */
#include "base/macros.h"
#include "conf/schema.h"
#include "daemon/gateway.h"
#include "dispatch/config.h"
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
	{ "relay", relay_keys },     { "limits", limits_keys },
	{ "retry", retry_keys },     { "dsn", dsn_keys },
	{ "route", route_keys },     { "match", match_keys },
};

static bool
print_table(const char *name, size_t n)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1024 * 1024);

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (strlen(tables[i].name) != n ||
		    strncmp(tables[i].name, name, n) != 0)
			continue;
		schema_manual(tables[i].keys, "", &out);
		fputs(buf_str(&out), stdout);
		return true;
	}
	fprintf(stderr, "manual: there is no table %.*s\n", (int)n, name);
	return false;
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
