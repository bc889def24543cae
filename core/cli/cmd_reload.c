/* cmd_reload.c - read the configuration again */
#include "cli/control.h"

#include <stdio.h>

static int
run(const struct cli *cli, int argc, char **argv)
{
	/* its text has lines, which are kept */
	const struct cli raw = { .config = cli->config, .json = true };
	struct control *c;
	json_t *answer;
	int rc = 0;
	bool ok;

	if (argc > 0)
		return cli_usage(&cmd_reload, "unexpected argument `%s'", argv[0]);
	c = control_open(&raw, &rc);
	if (c == NULL)
		return rc;
	rc = control_ask(c, "/v1/reload", json_object(), &answer);
	control_close(&c);
	if (rc != 0)
		return rc;
	ok = json_is_true(json_object_get(answer, "ok"));
	if (cli->json) {
		print_json(answer);
		return ok ? 0 : 78;
	}
	print_lines(stderr,
		    json_string_value(json_object_get(answer, "text")));
	if (ok)
		puts("the new configuration is active");
	else
		fputs("the running configuration stays active\n", stderr);
	json_decref(answer);
	return ok ? 0 : 78;
}

const struct cli_command cmd_reload = {
	.name = "reload", .arguments = "", .run = run,
	.summary = "make the running gateway read its configuration again",
	.help = "When the new configuration has a mistake, this command "
		"shows all mistakes, and\n"
		"the running configuration stays active.\n"
		"\n"
		"Exit status: 0 when the new configuration is active, 78 "
		"when it has a mistake.\n",
};
