/* test-log-reader.c - the reader of the log stops reading: nobody waits for him
 * for long, and what he has missed is counted */
#include "unit.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/put.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 10 * 1000 };	/* under load; the limits are a tenth of it */

struct reader {
	int from, old;
	int64_t began_ms;
	uint64_t lost;
};

/* Standard error is a pipe that is full, or nearly so. */
static struct reader
reader_begin(bool full)
{
	struct reader r = { .began_ms = clock_awake_ms(), .lost = log_lost() };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
	if (full) {
		struct span all = { NULL, 1 << 20 };
		char *bytes = calloc(1, all.n);

		all.p = bytes;
		assert_int_equal(put_write(ends[1], &all, 0), PUT_LATE);
		free(bytes);
	}
	r.from = ends[0];
	r.old = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return r;
}

static bool
is_soon(const struct reader *r)
{
	return clock_awake_ms() - r->began_ms < SOON_MS;
}

static void
reader_end(struct reader *r)
{
	dup2(r->old, STDERR_FILENO);
	close(r->old);
	close(r->from);
}

/* All that there is to read, within a moment. */
static void
read_all(const struct reader *r, char *to, size_t size)
{
	size_t n = 0;
	ssize_t got;

	fcntl(r->from, F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 50; ) {
		got = read(r->from, to + n, size - 1 - n);
		if (got > 0)
			n += (size_t)got;
		quiet = got > 0 ? 0 : quiet + 1;
		if (got <= 0)
			usleep(2000);
	}
	to[n] = '\0';
}

/* --- the end ---------------------------------------------------------- */

static void
the_end_is_not_held_up(void **state)
{
	struct reader r = reader_begin(true);

	(void)state;
	log_start();
	log_info(NULL, "nobody reads this");
	usleep(20 * 1000);
	log_info(NULL, "nor this");
	log_stop();
	assert_true(is_soon(&r));
	/* and nothing that is said after it waits again and again */
	for (int i = 0; i < 100; i++)
		log_info(NULL, "after the end");
	assert_true(is_soon(&r));
	reader_end(&r);
	assert_true(log_lost() - r.lost == 102);
}

static void
the_start_is_not_held_up(void **state)
{
	struct reader r = reader_begin(true);

	(void)state;
	for (int i = 0; i < 100; i++)
		log_info(NULL, "before the start");
	log_plain(SPAN("two\nlines\n"));
	assert_true(is_soon(&r));
	reader_end(&r);
	assert_true(log_lost() - r.lost == 102);
}

static void
two_may_stop_it(void **state)
{
	struct reader r = reader_begin(true);

	(void)state;
	log_start();
	log_info(NULL, "nobody reads this");
	log_stop();
	log_stop();
	assert_true(is_soon(&r));
	reader_end(&r);
}

/* An abort comes, too. */
static void
a_bug_ends_the_program(void **state)
{
	static const struct rlimit no_core = { 0, 0 };
	struct reader r = reader_begin(true);
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		log_start();
		log_info(NULL, "nobody reads this");
		bug("found");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(is_soon(&r));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	reader_end(&r);
}

/* --- while it runs ------------------------------------------------------ */

static void
he_is_told_what_he_missed(void **state)
{
	static char words[LIMIT_LOG_LINE / 2], said[3 * LIMIT_LOG_QUEUE];
	struct reader r = reader_begin(false);
	unsigned n = 4 * LIMIT_LOG_QUEUE / sizeof(words);
	uint64_t lost;
	char want[40];

	(void)state;
	memset(words, 'x', sizeof(words) - 1);
	log_start();
	for (unsigned i = 0; i < n; i++)
		log_info(NULL, "%s", words);
	assert_true(is_soon(&r));	/* nobody waited */
	lost = log_lost() - r.lost;
	assert_true(lost > n / 4 && lost < n);
	log_configure(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	read_all(&r, said, sizeof(said));
	snprintf(want, sizeof(want), "\"lost\":%llu}\n",
		 (unsigned long long)lost);
	assert_non_null(strstr(said, want));
	log_info(NULL, "he reads again");
	read_all(&r, said, sizeof(said));
	assert_non_null(strstr(said, "he reads again"));
	log_stop();
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	reader_end(&r);
	assert_true(log_lost() - r.lost == lost);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_is_not_held_up),
		cmocka_unit_test(the_start_is_not_held_up),
		cmocka_unit_test(two_may_stop_it),
		cmocka_unit_test(a_bug_ends_the_program),
		cmocka_unit_test(he_is_told_what_he_missed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
