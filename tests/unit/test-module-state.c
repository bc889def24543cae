/* test-module-state.c - the small things that a module keeps, and what becomes
 * of them when nobody waits */
#include "module-ear.h"

#include <fcntl.h>
#include <sys/stat.h>

static void
small_things_are_kept(void **state)
{
	struct service_world w;
	struct stat st;
	char path[200];

	(void)state;
	ear_open(&w);
	assert_true(postern_state_get(me, "token", on_got, "none") != 0);
	/* asked in this order, done in this order */
	postern_state_put(me, "token", "one", 3, on_kept, "put");
	postern_state_put(me, "token", "two", 3, on_kept, "put");
	postern_state_get(me, "token", on_got, "get");
	postern_state_put(me, "other", "", 0, on_kept, "put");
	postern_state_get(me, "other", on_got, "empty");
	postern_state_put(me, "token", NULL, 0, on_kept, "remove");
	postern_state_get(me, "token", on_got, "gone");
	postern_state_put(me, "token", NULL, 0, on_kept, "again");
	CHECK_HEARD("");			/* not before it returns */
	service_settle(&w);
	CHECK_HEARD("none: -1. put: 1. put: 1. get: 3 two. put: 1. empty: 0. "
		    "remove: 1. gone: -1. again: 1. ");
	snprintf(path, sizeof(path), "%s/routes/test/other", w.state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/routes/test", w.state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	service_close(&w);
}

static void
keys_and_sizes_are_checked(void **state)
{
	static const char *const keys[] = {
		"", "a/b", "..", ".", "A", "a.b", "a b", "\xc3\xa4",
		"a2345678901234567890123456789012345678901234567890123456789012345",
	};
	static char large[LIMIT_STATE + 1];
	struct service_world w;

	(void)state;
	ear_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CHECK_ROW(i, postern_state_get(me, keys[i], on_got, "g") == 0);
		CHECK_ROW(i, postern_state_put(me, keys[i], "x", 1, on_kept,
					       "p") == 0);
		CHECK_HEARD("g: -2 not a valid key. p: 0 not a valid key. ");
	}
	memset(large, 'x', sizeof(large));
	assert_true(postern_state_put(me, "k", large, sizeof(large), on_kept,
				      "p") == 0);
	CHECK_HEARD("p: 0 it is too large to store. ");
	postern_state_put(me, "k_-9", large, LIMIT_STATE, on_kept, "p");
	service_settle(&w);
	CHECK_HEARD("p: 1. ");
	service_close(&w);
}

static void
what_cannot_be_kept_or_read_is_said(void **state)
{
	struct service_world w;
	char path[200], words[300];
	int fd;

	(void)state;
	ear_open(&w);
	postern_state_put(me, "k", "x", 1, on_kept, "p");
	service_settle(&w);
	CHECK_HEARD("p: 1. ");
	/* it has grown behind our back */
	snprintf(path, sizeof(path), "%s/routes/test/k", w.state);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, LIMIT_STATE + 1), 0);
	close(fd);
	postern_state_get(me, "k", on_got, "g");
	service_settle(&w);
	snprintf(words, sizeof(words), "g: -2 %s", path);
	CHECK_HAS(heard, words);
	heard[0] = '\0';
	/* a folder in its place */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	postern_state_get(me, "k", on_got, "g");
	postern_state_put(me, "k", "x", 1, on_kept, "p");
	postern_state_put(me, "k", NULL, 0, on_kept, "r");
	service_settle(&w);
	CHECK_HAS(heard, "g: -2 ");
	CHECK_HAS(heard, "p: 0 ");
	CHECK_HAS(heard, "r: 0 ");
	CHECK_HAS(heard, path);
	service_close(&w);
}

static void
what_nobody_waits_for_is_written_all_the_same(void **state)
{
	struct service_world w;
	uint64_t get, put;

	(void)state;
	ear_open(&w);
	put = postern_state_put(me, "k", "one", 3, on_kept, "p");
	get = postern_state_get(me, "k", on_got, "g");
	postern_give_up(me, put);
	postern_give_up(me, get);
	postern_give_up(me, get);
	service_settle(&w);
	CHECK_HEARD("");
	postern_state_get(me, "k", on_got, "later");
	service_settle(&w);
	CHECK_HEARD("later: 3 one. ");
	service_close(&w);
}

/* A sign-in is kept although its route is closed in the very moment. */
static void
closing_waits_for_nothing_and_loses_nothing(void **state)
{
	struct service_world w;
	char path[200], got[10] = "";
	int fd;

	(void)state;
	ear_open(&w);
	postern_state_put(me, "k", "last", 4, on_kept, "p");
	postern_state_get(me, "k", on_got, "g");
	backend_close(&w.backend);
	service_settle(&w);
	CHECK_HEARD("");
	snprintf(path, sizeof(path), "%s/routes/test/k", w.state);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, sizeof(got) - 1), 4);
	assert_string_equal(got, "last");
	close(fd);
	service_close(&w);
}

static struct backend *
open_next(struct service_world *w)
{
	static const struct backend_events nobody = { .answered = NULL };
	struct backend_place place = {
		.route = "test", .hostname = "gw.test", .host = &w->host,
		.events = &nobody, .state_later = true,
	};
	struct backend *ret = backend_open(w->module, NULL, &place, NULL);

	assert_non_null(ret);
	return ret;
}

static void
the_state_has_one_owner_at_a_time(void **state)
{
	struct service_world w;
	struct backend *next;
	postern_instance *old, *new;
	uint64_t get;

	(void)state;
	ear_open(&w);
	old = me;
	next = open_next(&w);
	new = me;
	postern_state_get(new, "k", on_got, "new");
	get = postern_state_get(new, "k", on_got, "given up");
	postern_state_put(new, "k", "two", 3, on_kept, "new");
	postern_give_up(new, get);
	assert_true(backend_busy(next));
	postern_state_put(old, "k", "one", 3, on_kept, "old");
	assert_true(backend_busy(w.backend));
	service_settle(&w);
	CHECK_HEARD("old: 1. ");
	assert_false(backend_busy(w.backend));
	assert_int_equal(w.answers, 1);
	backend_retire(w.backend);
	backend_leave_state(w.backend);
	backend_take_state(next);
	assert_true(postern_state_put(old, "k", "x", 1, on_kept, "late") == 0);
	CHECK_HEARD("late: 0 the route has a newer instance, which owns the "
		    "state now. ");
	service_settle(&w);
	CHECK_HEARD("new: 3 one. new: 1. ");
	postern_state_get(new, "k", on_got, "now");
	service_settle(&w);
	CHECK_HEARD("now: 3 two. ");
	backend_close(&next);
	service_close(&w);
}

/* What waits for its turn is not lost either, if that never comes. */
static void
closing_before_its_turn(void **state)
{
	struct service_world w;
	struct backend *next;

	(void)state;
	ear_open(&w);
	next = open_next(&w);
	postern_state_get(me, "k", on_got, "g");
	postern_state_put(me, "k", "kept", 4, on_kept, "p");
	backend_close(&next);
	service_settle(&w);
	CHECK_HEARD("");
	next = open_next(&w);
	backend_take_state(next);
	postern_state_get(me, "k", on_got, "g");
	service_settle(&w);
	CHECK_HEARD("g: 4 kept. ");
	backend_close(&next);
	service_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_things_are_kept),
		cmocka_unit_test(keys_and_sizes_are_checked),
		cmocka_unit_test(what_cannot_be_kept_or_read_is_said),
		cmocka_unit_test(what_nobody_waits_for_is_written_all_the_same),
		cmocka_unit_test(closing_waits_for_nothing_and_loses_nothing),
		cmocka_unit_test(the_state_has_one_owner_at_a_time),
		cmocka_unit_test(closing_before_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
