/* cmd_login.c - signing in at a provider: the action `login' of a route
 *
 * The running gateway does it, since it has the route open; without one the
 * same action is run here, under the lock of the state folder.
 */
#include "cli/control.h"

#include "base/mem.h"
#include "cli/login.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 300 };

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

bool
login_interrupted(void)
{
	return interrupted != 0;
}

/* Ctrl-C breaks the sign-in off, not us in the middle of it. */
static void
signals_catch(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

void
login_show(const struct cli *cli, const char *line)
{
	if (cli->json) {
		print_json(json_pack("{s:s}", "line", line));
	} else {
		print_text(stdout, line);
		putchar('\n');
	}
	fflush(stdout);
}

int
login_status(enum action_end how)
{
	static const int statuses[] = {
		[ACTION_FAILED] = 1, [ACTION_DONE] = 0,
		[ACTION_UNPROVED] = 75,		/* EX_TEMPFAIL */
	};

	return statuses[how];
}

/* --- by the running gateway ------------------------------------------ */

/* 0 and the run's number, or the status to exit with. */
static int
run_begin(struct control *c, const char *route, json_int_t *number)
{
	char *folder = control_path(c, "/v1/routes/", route), *path;
	json_t *answer;
	int rc;

	path = mem_printf("%s/actions/login", folder);
	rc = control_ask(c, path, json_object(), &answer);
	mem_free(path);
	mem_free(folder);
	if (rc != 0)
		return rc;
	*number = json_integer_value(json_object_get(answer, "run"));
	json_decref(answer);
	return 0;
}

static void
run_cancel(struct control *c, json_int_t number)
{
	char *path = mem_printf("/v1/runs/%lld/cancel", (long long)number);
	json_t *answer;

	if (control_ask(c, path, json_object(), &answer) == 0)
		json_decref(answer);
	mem_free(path);
}

/* One look: -1 goes on, else the status to exit with. */
static int
run_look(const struct cli *cli, struct control *c, json_int_t number,
	 size_t *shown)
{
	char *path = mem_printf("/v1/runs/%lld?after=%zu", (long long)number,
				*shown);
	json_t *answer, *line;
	int rc = control_ask(c, path, NULL, &answer);
	size_t i;

	mem_free(path);
	if (rc != 0)
		return rc;
	json_array_foreach(json_object_get(answer, "lines"), i, line)
		login_show(cli, json_string_value(line));
	*shown += i;
	rc = -1;
	if (json_is_true(json_object_get(answer, "over")))
		rc = login_status(json_is_true(json_object_get(answer, "ok"))
			? ACTION_DONE
			: json_is_true(json_object_get(answer, "unproved"))
			? ACTION_UNPROVED : ACTION_FAILED);
	json_decref(answer);
	return rc;
}

static int
login_through(const struct cli *cli, struct control *c, const char *route)
{
	static const struct timespec pause = { 0, POLL_MS * 1000 * 1000 };
	json_int_t number = 0;
	size_t shown = 0;
	int rc = run_begin(c, route, &number);

	if (rc != 0)
		return rc;
	while ((rc = run_look(cli, c, number, &shown)) < 0) {
		nanosleep(&pause, NULL);
		if (login_interrupted()) {
			run_cancel(c, number);
			fprintf(stderr, "postern: the sign-in was cancelled\n");
			return 130;
		}
	}
	return rc;
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	struct control *c;
	int rc = 0;

	if (argc != 1)
		return cli_usage(&cmd_login, argc == 0 ? "name a route"
				 : "name only one route");
	c = control_open_quietly(cli, &rc);
	if (c == NULL && rc != 69)
		return rc;
	signals_catch();
	if (c == NULL)
		return login_alone(cli, argv[0]);
	rc = login_through(cli, c, argv[0]);
	control_close(&c);
	return rc;
}

const struct cli_command cmd_login = {
	.name = "login", .arguments = "ROUTE", .run = run,
	.summary = "sign in at the provider of a route (OAuth)",
	.help = "The command shows an address and a code, and waits.  Open "
		"the address on any\n"
		"device, enter the code, and sign in as the route's "
		"mailbox.  Then the gateway\n"
		"tries the sign-in at the route's server, without a "
		"message, and the command\n"
		"prints the server's answer.  The gateway stores the "
		"sign-in and sends the\n"
		"route's waiting mail.  No running gateway is needed.\n"
		"\n"
		"Exit status: 0 when the server accepted the sign-in, 1 "
		"when there is no sign-in\n"
		"or the server refused it, 65 when there is no such route "
		"with a sign-in, 75\n"
		"when the server could not be asked or gave no clear "
		"answer, 130 when you\n"
		"cancelled the command.\n",
};
