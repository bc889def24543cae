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
	.help = "SIGTERM or Ctrl-C stops the gateway: running sessions and "
		"deliveries finish\n"
		"first.  A second signal stops the gateway at once.  "
		"SIGHUP reloads the\n"
		"configuration.\n"
		"\n"
		"Exit status: 0 after a stop, 70 when something did not "
		"end in time, 71 when the\n"
		"system refuses something, 78 when the configuration is wrong.\n",
};
