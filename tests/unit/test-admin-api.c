/* test-admin-api.c - actions by the control socket: three threads, HTTP, and
 * a loop that may not answer */
#include "admin-double.h"

#include "admin/api.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

struct world {
	struct dispatch dispatch;
	struct admin *admin;
	char folder[64], socket[80];
	pthread_t thread;
	bool ended;			/* the loop */
};

static struct world w;

/* --- the loop, on a thread of its own --------------------------------- */

static void *
loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static char *
describe(void *arg)
{
	(void)arg;
	return mem_strdup("{}");
}

static int
begin(void **state)
{
	struct admin_deps deps = { .dispatch = &w.dispatch,
				   .describe = describe };
	struct error err = { .text = "" };

	(void)state;
	memset(&w, 0, sizeof(w));
	snprintf(w.folder, sizeof(w.folder), "/tmp/postern-unit-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(w.socket, sizeof(w.socket), "%s/control", w.folder);
	w.dispatch.loop = deps.loop = loop_new("test");
	deps.socket = w.socket;
	w.admin = admin_start(&deps, &err);
	if (w.admin == NULL)
		fail_msg("%s", err.text);
	w.thread = thread_start("loop", loop_main, w.dispatch.loop);
	return 0;
}

static void
loop_end(void)
{
	if (w.ended)
		return;
	loop_stop(w.dispatch.loop);
	pthread_join(w.thread, NULL);
	w.ended = true;
}

static int
finish(void **state)
{
	(void)state;
	loop_end();
	admin_stop(&w.admin);
	loop_free(&w.dispatch.loop);
	assert_int_equal(rmdir(w.folder), 0);
	return 0;
}

/* --- asking ----------------------------------------------------------- */

/* "200 {...}", or "closed" without an answer; until the next call. */
static const char *
ask(const char *method, const char *path)
{
	static char answer[64 * 1024], text[64 * 1024];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t got;
	char *body;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", w.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	dprintf(fd, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n", method, path);
	while ((got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	answer[n] = '\0';
	body = strstr(answer, "\r\n\r\n");
	if (body == NULL)
		return "closed";
	snprintf(text, sizeof(text), "%.3s %s", answer + strlen("HTTP/1.1 "),
		 body + 4);
	return text;
}

static unsigned long
run_begin(const char *action)
{
	char path[100];
	const char *answer;

	snprintf(path, sizeof(path), "/v1/routes/office/actions/%s", action);
	answer = ask("POST", path);
	if (strncmp(answer, "200 {\"run\":", 11) != 0)
		fail_msg("%s: %s", path, answer);
	return strtoul(answer + 11, NULL, 10);
}

static const char *
run_ask(const char *method, unsigned long number, const char *more)
{
	char path[100];

	snprintf(path, sizeof(path), "/v1/runs/%lu%s", number, more);
	return ask(method, path);
}

static void
an_action_from_beginning_to_end(void **state)
{
	unsigned long slow, test;
	const char *seen = "";

	(void)state;
	slow = run_begin("slow");
	test = run_begin("test");
	assert_true(slow != test);
	assert_string_equal(run_ask("GET", test, ""), "200 {\"lines\":[\"hello\""
			    ",\"well\"],\"over\":true,\"ok\":true,\"unproved\":false}");
	assert_string_equal(run_ask("GET", test, "?after=1"),
			    "200 {\"lines\":[\"well\"],\"over\":true,"
			    "\"ok\":true,\"unproved\":false}");
	assert_string_equal(run_ask("GET", test, "?after=4294967295"),
			    "200 {\"lines\":[],\"over\":true,\"ok\":true,\"unproved\":false}");
	for (int i = 0; i < unit_slowly(6000) && strstr(seen, "moment") == NULL; i++) {
		usleep(5000);
		seen = run_ask("GET", slow, "?after=1");
	}
	assert_string_equal(seen, "200 {\"lines\":[\"after a moment\"],\"over\""
			    ":true,\"ok\":true,\"unproved\":false}");
}

static void
an_action_is_broken_off(void **state)
{
	unsigned long login = run_begin("login");

	(void)state;
	assert_string_equal(run_ask("GET", login, ""), "200 {\"lines\":[\"hello"
			    "\"],\"over\":false,\"ok\":false,\"unproved\":false}");
	assert_string_equal(run_ask("POST", login, "/cancel"), "200 {}");
	assert_true(w.dispatch.runs[0].abandoned);
	assert_string_equal(run_ask("POST", login, "/cancel"), "404 {\"error\":"
			    "\"there is no such run, or not any more\"}");
	assert_string_equal(run_ask("GET", login, ""), "404 {\"error\":\"there "
			    "is no such run, or not any more\"}");
}

static void
what_is_wrong_with_a_request(void **state)
{
	static const struct { const char *method, *path, *answer; } rows[] = {
		{ "POST", "/v1/routes/home/actions/login",
		  "404 {\"error\":\"there is no route `home'\"}" },
		{ "POST", "/v1/routes/office/actions/nothing", "404 {\"error\":"
		  "\"no action `nothing'; it has `login'\"}" },
		{ "POST", "/v1/routes/office", "404 {\"error\":\"write /v1/"
		  "routes/NAME/actions/ACTION\"}" },
		{ "POST", "/v1/routes//actions/login", "404 {\"error\":\"write" },
		{ "POST", "/v1/routes/office/actions", "404 {\"error\":\"write" },
		{ "GET", "/v1/routes/office/actions/login", "405 " },
		{ "GET", "/v1/runs/", "404 " },
		{ "GET", "/v1/runs/seven", "400 {\"error\":\"a run and its lines" },
		{ "GET", "/v1/runs/-1", "400 " },
		{ "GET", "/v1/runs/1/lines", "400 " },
		{ "GET", "/v1/runs/99999999999999999999", "400 " },
		{ "GET", "/v1/runs/9223372036854775808", "400 " },
		{ "GET", "/v1/runs/9223372036854775807", "404 " },
		{ "GET", "/v1/runs/7", "404 {\"error\":\"there is no such run" },
		{ "GET", "/v1/runs/7?after=x", "400 " },
		{ "GET", "/v1/runs/7?after=-1", "400 " },
		{ "GET", "/v1/runs/7?after=4294967296", "400 " },
		{ "GET", "/v1/runs/7?after=", "400 " },
		{ "POST", "/v1/runs/7", "404 {\"error\":\"write /v1/runs/NUMBER/"
		  "cancel\"}" },
		{ "POST", "/v1/runs/x/cancel", "404 " },
		{ "POST", "/v1/runs/7/cancel/", "404 " },
		{ "POST", "/v1/runs/7/cancel", "404 {\"error\":\"there is no" },
		{ "DELETE", "/v1/runs/7", "405 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *answer = ask(rows[i].method, rows[i].path);

		if (strncmp(answer, rows[i].answer, strlen(rows[i].answer)))
			fail_msg("row %zu: wanted %s, got %s", i,
				 rows[i].answer, answer);
	}
	assert_int_equal(w.dispatch.n, 0);
}

static void
too_many_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i++)
		run_begin("login");
	assert_string_equal(ask("POST", "/v1/routes/office/actions/login"),
			    "503 {\"error\":\"16 actions are already "
			    "running\"}");
}

/* --- a loop that does not answer -------------------------------------- */

static sem_t held, let_go;

static void
wait_for(sem_t *s)
{
	while (sem_wait(s) < 0 && errno == EINTR)
		;
}

static void
on_hold(struct letter *l)
{
	(void)l;
	sem_post(&held);
	wait_for(&let_go);
}

/* Nobody waits for the answer when it comes, and nothing is lost by that. */
static void
patience_has_an_end(void **state)
{
	static const char *const asked[][2] = {
		{ "POST", "/v1/routes/office/actions/login" },
		{ "GET", "/v1/runs/1" },
		{ "POST", "/v1/runs/1/cancel" },
		{ "GET", "/v1/status" },
	};
	static const char late[] = "503 {\"error\":\"the delivery loop has not "
		"answered for 10 seconds\"}";
	struct letter hold = { .deliver = on_hold };
	size_t told = 0;

	(void)state;
	sem_init(&held, 0, 0);
	sem_init(&let_go, 0, 0);
	run_begin("login");
	mailbox_post(loop_mailbox(w.dispatch.loop), &hold);
	wait_for(&held);
	be_impatient(true);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		told += strcmp(ask(asked[i][0], asked[i][1]), late) == 0;
	be_impatient(false);
	sem_post(&let_go);
	assert_int_equal(told, ARRAY_SIZE(asked));
	/* what was asked is done all the same: begun, looked at, broken off */
	assert_string_equal(run_ask("GET", 1, ""), "404 {\"error\":\"there is no "
			    "such run, or not any more\"}");
	assert_true(w.dispatch.runs[0].abandoned);
	assert_int_equal(w.dispatch.n, 2);
	sem_destroy(&held);
	sem_destroy(&let_go);
}

static void *
ask_for_status(void *answer)
{
	snprintf(answer, 100, "%s", ask("GET", "/v1/status"));
	return NULL;
}

static bool
somebody_waits(void)
{
	bool waits;

	pthread_mutex_lock(&w.admin->asks.lock);
	waits = w.admin->asks.first != NULL;
	pthread_mutex_unlock(&w.admin->asks.lock);
	return waits;
}

/* Neither does a stop wait for it, nor is the question ever looked at. */
static void
nobody_waits_for_a_loop_that_stopped(void **state)
{
	char answer[100];
	pthread_t asker;

	(void)state;
	loop_end();
	asker = thread_start("asker", ask_for_status, answer);
	while (!somebody_waits())
		usleep(1000);
	admin_stop(&w.admin);
	pthread_join(asker, NULL);
	/* the server may end before it has sent the answer */
	if (strcmp(answer, "closed") != 0)
		assert_string_equal(answer, "503 {\"error\":\"the gateway is "
				    "stopping\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_action_from_beginning_to_end,
						begin, finish),
		cmocka_unit_test_setup_teardown(an_action_is_broken_off,
						begin, finish),
		cmocka_unit_test_setup_teardown(what_is_wrong_with_a_request,
						begin, finish),
		cmocka_unit_test_setup_teardown(too_many_at_once, begin,
						finish),
		cmocka_unit_test_setup_teardown(patience_has_an_end, begin,
						finish),
		cmocka_unit_test_setup_teardown(
			nobody_waits_for_a_loop_that_stopped, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
