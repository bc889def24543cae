/* test-endwatch.c - the end has a limit, and what is in time is left alone */
#include "unit.h"

#include "base/log.h"
#include "daemon/endwatch.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status that a child ends with, and what it has logged. */
static int
ends_with(void (*end)(struct endwatch *e), char *said, size_t size)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct endwatch e = ENDWATCH_INIT;

		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		close(ends[0]);
		log_start();
		end(&e);
		endwatch_over(&e);
		log_stop();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + n, size - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
in_time(struct endwatch *e)
{
	endwatch_expect(e, "the sessions", 60 * 1000);
	endwatch_expect(e, "the deliveries", 60 * 1000);
	endwatch_goes_on(e, "the spool");
}

static void
hangs(struct endwatch *e)
{
	endwatch_expect(e, "the sessions", 60 * 1000);
	endwatch_expect(e, "the end", 20);
	endwatch_goes_on(e, "the spool");
	for (;;)
		pause();
}

/* Whoever waits longer than was thought says so. */
static void
is_given_more(struct endwatch *e)
{
	endwatch_expect(e, "the sessions", 200);
	endwatch_expect(e, "the deliveries", 60 * 1000);
	usleep(400 * 1000);
}

static void
never_begins(struct endwatch *e)
{
	(void)e;
}

static void
what_hangs_is_cut_off(void **state)
{
	static const struct {
		void (*end)(struct endwatch *e);
		int status;
		const char *says;
	} rows[] = {
		{ never_begins, 0, "" },
		{ in_time, 0, "" },
		{ is_given_more, 0, "" },
		{ hangs, 70, "error: gateway: stopping: the spool did not end" },
	};
	char said[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_ROW(i, ends_with(rows[i].end, said, sizeof(said)) ==
			  rows[i].status);
		CHECK_ROW(i, rows[i].says[0] != '\0'
			  ? strstr(said, rows[i].says) != NULL
			  : said[0] == '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hangs_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
