/* cmd_check.c - is the configuration right? */
#include "cli/cli.h"

#include "base/macros.h"
#include "cli/print.h"
#include "daemon/gateway.h"
#include "route/route.h"

#include <stdio.h>

static void
print_verdict(const struct snapshot *snap, const struct diags *d)
{
	const struct routes *routes = snapshot_get(snap, SLOT_ROUTES);

	printf("the configuration is right: %zu route%s", routes->n,
	       routes->n == 1 ? "" : "s");
	for (size_t i = 0; i < routes->n; i++)
		printf("%s%s", i ? ", " : ": ", routes->v[i].name);
	printf("%s\n", diags_warnings(d) ? " (with warnings)" : "");
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(1024 * 1024);
	struct diags *d;
	struct snapshot *snap;
	bool ok;

	if (argc > 0)
		return cli_usage(&cmd_check, "unexpected argument `%s'", argv[0]);
	d = diags_new();
	ok = gateway_load(cli->config, d, &snap);
	if (cli->json) {
		diags_json(d, &text);
		puts(buf_str(&text));
	} else {
		diags_show(d, &text);
		if (!ok) {
			diags_count(d, &text);
			buf_add_char(&text, '\n');
		}
		print_lines(stderr, buf_str(&text));
		if (ok)
			print_verdict(snap, d);
	}
	diags_free(&d);
	snapshot_unref(&snap);
	return ok ? 0 : 78;
}

const struct cli_command cmd_check = {
	.name = "check", .arguments = "[--json]", .run = run,
	.summary = "check the configuration, without starting anything",
	.help = "Runs the same checks as each start and each reload, and "
		"shows all mistakes at\n"
		"once.\n"
		"\n"
		"Exit status: 0 when the configuration is right, 78 when "
		"it is wrong.\n",
};
