/* cli.h - the subcommands of `postern': one file for each
 *
 * A command gets what stands behind its name, and returns an exit status of
 * sysexits(3).  It prints what was asked for to standard output and what went
 * wrong to standard error.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

struct cli {
	const char *config;		/* -c FILE, or the default */
	bool json;			/* --json */
};

struct cli_command {
	const char *name;
	const char *arguments;		/* for its usage line */
	const char *summary;		/* one line */
	const char *help;		/* the rest of --help */
	int (*run)(const struct cli *cli, int argc, char **argv);
};

extern const struct cli_command cmd_run, cmd_check, cmd_explain, cmd_reload,
	cmd_dkim, cmd_status, cmd_login, cmd_queue, cmd_module, cmd_send, cmd_version;

/* "postern: WORDS" and a hint to --help; returns 64 (EX_USAGE). */
int cli_usage(const struct cli_command *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One of a command's own options, from a table: --client ADDRESS. */
struct cli_option {
	const char *name;		/* without the dashes; NULL ends */
	const char **value;		/* where it goes; or */
	bool *given;			/* a switch without a value */
	bool list;			/* may be repeated: values are joined
					 * by commas */
	const char *argument, *help;	/* for --help */
};
/* Takes the options out of argv; *argc is what is left.  0, or the status
 * to return. */
int cli_options(const struct cli_command *c, const struct cli_option *table,
		int *argc, char **argv);

#endif
