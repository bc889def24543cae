/* main.c - finding the subcommand */
#include "cli/cli.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "cli/print.h"
#include "conf/diag.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_command *const commands[] = {
	&cmd_run, &cmd_check, &cmd_explain, &cmd_reload, &cmd_status,
	&cmd_login, &cmd_queue, &cmd_dkim, &cmd_module, &cmd_send, &cmd_version,
};

static void
print_help(FILE *to)
{
	fprintf(to, "postern - a relay gateway for devices that speak plain "
		"SMTP\n\nusage: postern [-c FILE] COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s %s\n", commands[i]->name,
			commands[i]->summary);
	fprintf(to, "\n  -c FILE   the configuration (default: "
		"%s/postern.yaml);\n            the routes are in conf.d beside "
		"it\n  --json    print JSON; run and send ignore this option\n"
		"  --help    show how a command is used\n\n`postern COMMAND "
		"--help' explains a command; see also postern(8) and\n"
		"postern.yaml(5).\n", POSTERN_SYSCONF_DIR);
}

static void
print_command_help(const struct cli_command *c)
{
	printf("usage: postern [-c FILE] %s%s%s\n\n%s\n", c->name,
	       c->arguments[0] ? " " : "", c->arguments, c->summary);
	if (c->help[0] != '\0')
		printf("\n%s", c->help);
}

int
cli_usage(const struct cli_command *c, const char *fmt, ...)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(64 * 1024);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&words, fmt, ap);
	va_end(ap);
	fprintf(stderr, "postern %s: ", c->name);
	print_text(stderr, buf_str(&words));
	putc('\n', stderr);
	print_hint("`postern %s --help' shows how the command is used", c->name);
	return 64;
}

static const struct cli_command *
find_command(const char *name)
{
	const char *names[ARRAY_SIZE(commands)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
		names[i] = commands[i]->name;
	}
	print_error("there is no command `%s'", name);
	near = nearest_name(span_of(name), names, ARRAY_SIZE(names));
	if (near != NULL)
		print_hint("did you mean `%s'?", near);
	else
		print_hint("`postern --help' lists them");
	return NULL;
}

/* --- a command's own options ----------------------------------------- */

static const struct cli_option *
find_option(const struct cli_option *table, const char *arg)
{
	struct span name = span_of(arg + 2);

	name = span_sub(name, 0, span_find(name, '='));
	for (; table->name != NULL; table++)
		if (span_eq(name, span_of(table->name)))
			return table;
	return NULL;
}

/* The values of a list are joined; they live as long as the program. */
static bool
take_value(const struct cli_option *o, char *value)
{
	if (*o->value == NULL)
		*o->value = value;
	else if (o->list)
		*o->value = mem_printf("%s,%s", *o->value, value);
	else
		return false;
	return true;
}

int
cli_options(const struct cli_command *c, const struct cli_option *table,
	    int *argc, char **argv)
{
	int left = 0;

	for (int i = 0; i < *argc; i++) {
		const struct cli_option *o;
		char *equals = strchr(argv[i], '=');

		if (strncmp(argv[i], "--", 2) != 0) {
			argv[left++] = argv[i];
			continue;
		}
		o = find_option(table, argv[i]);
		if (o == NULL)
			return cli_usage(c, "there is no option `%s'", argv[i]);
		if (o->given != NULL) {
			*o->given = true;
			continue;
		}
		if (equals == NULL && i + 1 == *argc)
			return cli_usage(c, "`%s' needs %s", argv[i],
					 o->argument);
		if (!take_value(o, equals != NULL ? equals + 1 : argv[++i]))
			return cli_usage(c, "`--%s' is given twice",
					 o->name);
	}
	*argc = left;
	return 0;
}

/* --- the line -------------------------------------------------------- */

/* -c and --json may stand anywhere; --help wins. */
static bool
take_common(struct cli *cli, int *argc, char **argv, bool *help)
{
	int left = 0;

	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			cli->json = true;
		} else if (strcmp(argv[i], "--help") == 0 ||
			   strcmp(argv[i], "-h") == 0) {
			*help = true;
		} else if (strcmp(argv[i], "-c") == 0) {
			if (i + 1 == *argc) {
				print_error("-c needs a file");
				return false;
			}
			cli->config = argv[++i];
		} else {
			argv[left++] = argv[i];
		}
	}
	*argc = left;
	return true;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .config = POSTERN_SYSCONF_DIR "/postern.yaml" };
	const struct cli_command *c;
	bool help = false;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	argc--, argv++;
	if (!take_common(&cli, &argc, argv, &help))
		return 64;
	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		help = true;
		argc--, argv++;
	}
	if (argc == 0) {
		print_help(help ? stdout : stderr);
		return help ? 0 : 64;
	}
	if (strcmp(argv[0], "--version") == 0)
		argv[0] = (char *)"version";
	c = find_command(argv[0]);
	if (c == NULL)
		return 64;
	if (help) {
		print_command_help(c);
		return 0;
	}
	return c->run(&cli, argc - 1, argv + 1);
}
