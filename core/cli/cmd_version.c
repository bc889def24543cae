/* cmd_version.c - who we are */
#include "cli/cli.h"

#include "postern-plugin.h"

#include <stdio.h>

static int
run(const struct cli *cli, int argc, char **argv)
{
	if (argc > 0)
		return cli_usage(&cmd_version, "unexpected argument `%s'", argv[0]);
	if (cli->json)
		printf("{\"version\":\"%s\",\"abi\":%d}\n", PACKAGE_VERSION,
		       POSTERN_ABI);
	else
		printf("postern %s (module ABI %d)\n", PACKAGE_VERSION,
		       POSTERN_ABI);
	return 0;
}

const struct cli_command cmd_version = {
	.name = "version", .arguments = "", .help = "", .run = run,
	.summary = "print the version and the number of the module ABI",
};
