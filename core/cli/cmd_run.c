/* cmd_run.c - the gateway itself, in the foreground */
#include "cli/cli.h"
#include "daemon/app.h"

static int
run(const struct cli *cli, int argc, char **argv)
{
	if (argc > 0)
		return cli_usage(&cmd_run, "unexpected argument `%s'", argv[0]);
	return app_run(cli->config);
}

const struct cli_command cmd_run = {
	.name = "run", .arguments = "", .run = run,
	.summary = "run the gateway in the foreground",
	.help = "SIGTERM or Ctrl-C ends it: what is in flight is finished "
		"first; a second one ends\nit at once.  SIGHUP reads the "
		"configuration again.\n\nExit status: 0 after a stop, 78 for "
		"a wrong configuration, 71 when the system\nsays no.\n",
};
