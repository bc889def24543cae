/* test-spool-restart.c - the store on disk: what was acknowledged outlives
 * whoever wrote it, and no two write at once */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- restarts ----------------------------------------------------------- */

static void
claims_of_another_boot_are_uncertain(void **state)
{
	struct world *w = *state;
	int64_t later = clock_steady_ms() + 1000000;
	uint64_t ours = world_put(w, 3000, true, 0);
	uint64_t large = world_put(w, 200000, true, 0);
	uint64_t waits = world_put(w, 3000, false, later);
	uint64_t held = world_put(w, 3000, false, 5);
	struct spool_claim c;
	struct item *item;

	assert_int_equal(world_act(w, SPOOL_HOLD, held), 1);
	world_restart(w);
	item = world_look(w, waits);
	assert_false(item->uncertain);
	assert_int_equal(item->due_ms, later);
	item_free(&item);
	item = world_look(w, held);
	assert_true(item->held && !item->uncertain);
	item_free(&item);

	assert_int_equal(world_claim(w, 9, clock_steady_ms(), &c), SPOOL_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0]->id, ours);
	assert_int_equal(c.items[1]->id, large);
	for (size_t i = 0; i < c.n; i++) {
		assert_true(c.items[i]->uncertain);
		assert_true(world_whole(w, c.items[i]));
		item_free(&c.items[i]);
	}
	mem_free(c.items);
	assert_int_equal(c.next_due_ms, later);

	/* settled once, it is certain again */
	assert_int_equal(world_end(w, ours, FATE_RELEASE, 7), SPOOL_OK);
	item = world_look(w, ours);
	assert_false(item->uncertain);
	item_free(&item);
}

static void
work_is_announced_at_the_start(void **state)
{
	struct world *w = *state;
	int64_t later = clock_steady_ms() + 1000000;
	struct spool_claim c;

	world_restart(w);
	assert_int_equal(world_claim(w, 1, 0, &c), SPOOL_OK);
	mem_free(c.items);
	assert_int_equal(w->due_ms, -1);
	world_put(w, 10, false, later);
	world_restart(w);
	assert_int_equal(world_claim(w, 1, 0, &c), SPOOL_OK);
	mem_free(c.items);
	assert_int_equal(w->due_ms, later);
}

static void
ids_rise_over_a_restart(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 10, false, 0);

	world_restart(w);
	assert_true(message_id_next() > item_message(id));
}

/* Accepts without end, and says to the pipe what was acknowledged. */
static void
accept_until_killed(struct world *w, int to)
{
	struct error err;

	if (!world_open(w, &err))
		_exit(1);
	for (unsigned i = 0;; i++) {
		uint64_t id = world_put(w, i % 3 ? 3000 : 150000, i % 2, 0);

		if (id == 0 || write(to, &id, sizeof(id)) != sizeof(id))
			_exit(1);
		if (i % 4 == 3) {
			world_end(w, id, FATE_DONE, 0);
			id = 0;	/* of the one before: it may be gone */
			if (write(to, &id, sizeof(id)) != sizeof(id))
				_exit(1);
		}
		while (w->got_count > 0)
			item_free(&w->got[--w->got_count]);
	}
}

/* Those that were not to be settled next; how many. */
static size_t
check_survivors(struct world *w, int from, size_t round)
{
	uint64_t id, last = 0;
	struct item *item;
	size_t checked = 0;

	while (read(from, &id, sizeof(id)) == sizeof(id)) {
		if (last != 0 && id != 0) {
			item = world_look(w, last);
			CHECK_ROW(round, item && world_whole(w, item));
			item_free(&item);
			checked++;
		}
		last = id;
	}
	return checked;
}

static void
a_kill_at_any_moment_loses_nothing(void **state)
{
	struct world *w = *state;
	struct error err;
	size_t orphans = 1, checked = 0;

	/* more of them where it is slow, until something had been accepted */
	for (unsigned round = 0; round < 8 || (checked == 0 && round < 60);
	     round++) {
		int ends[2], status;
		pid_t pid;

		world_close(w);		/* no threads while forking */
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			accept_until_killed(w, ends[1]);
		close(ends[1]);
		usleep(40000 + round * 7000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (!world_open(w, &err))
			fail_msg("%s", err.text);
		checked += check_survivors(w, ends[0], round);
		close(ends[0]);
	}
	assert_true(checked > 0);
	for (int i = 0; i < 200 && orphans > 0; i++) {
		world_files(w, &orphans);
		usleep(5000);
	}
	assert_int_equal(orphans, 0);
}

/* --- the lock ----------------------------------------------------------- */

static void
two_gateways_on_one_spool(void **state)
{
	struct world *w = *state, *other = world_new("sqlite:", "");
	char pid[32];
	struct error err;

	snprintf(other->url, sizeof(other->url), "%s", w->url);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_false(world_open(other, &err));
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, w->dir));
	assert_string_not_equal(err.hint, "");
	/* and the first one does not notice */
	assert_int_not_equal(world_put(w, 10, true, 0), 0);
	world_close(w);
	assert_true(world_open(other, &err));
	world_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(claims_of_another_boot_are_uncertain),
		CONTRACT_TEST(work_is_announced_at_the_start),
		CONTRACT_TEST(ids_rise_over_a_restart),
		CONTRACT_TEST(a_kill_at_any_moment_loses_nothing),
		CONTRACT_TEST(two_gateways_on_one_spool),
	};

	return cmocka_run_group_tests(tests, contract_on_sqlite, NULL);
}
