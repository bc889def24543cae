/* test-dispatch-spool.c - dispatch and the real spool, in memory and in
 * SQLite: what each of them promises the other */
#include "capture.h"
#include "dispatch-double.h"

#include "base/clock.h"
#include "base/worker.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Quick pauses; a@here.test is told. */
#define QUICK "retry: {first: 50ms, longest: 50ms, give_up: 1h}\n" \
	"out: {connections: 2}\n"

static const char *scheme;		/* of the store under test */

static struct rig {
	struct world *w;
	struct workers *workers;
	struct spool *spool;
	struct budget budget;
	char dir[40], url[80];
	size_t accepts;			/* not yet home */
} rig;

/* --- the rig --------------------------------------------------------- */

static void
rig_open(const char *yaml)
{
	struct error err;
	struct spool_hooks hooks = {
		.committed = dispatch_committed, .work = dispatch_work,
	};
	struct spool_config c = { .url = rig.url, .budget = &rig.budget };

	rig.w = world_bare(yaml);
	clock_fake(-1, 0);
	rig.budget.limit = 16 * 1024 * 1024;
	rig.workers = c.workers = workers_new("worker", 1);
	hooks.arg = rig.w->d;
	rig.spool = spool_open(&c, &hooks, &err);
	if (rig.spool == NULL)
		fail_msg("%s", err.text);
	dispatch_set_spool(rig.w->d, rig.spool);
}

enum { ENOUGH = 2 };

static bool (*wanted)(void);
static unsigned was_so;			/* looks in a row */
static int64_t until_ms;

static void
on_look(struct timer *t)
{
	was_so = wanted() ? was_so + 1 : 0;
	if (was_so == ENOUGH || clock_now_ms() > until_ms)
		loop_stop(rig.w->loop);
	else
		timer_start(t, 5);
}

/* Runs the loop until it is so, and not for a moment only, for 20 s at most.
 * It goes on a little after that. */
static void
run_until(bool (*so)(void))
{
	struct timer t;

	wanted = so;
	was_so = 0;
	until_ms = clock_now_ms() + 20 * SEC;
	timer_init(&t, rig.w->loop, on_look);
	timer_start(&t, 1);
	loop_run(rig.w->loop);
	assert_int_equal(was_so, ENOUGH);
}

static struct spool_counts
counts(void)
{
	struct error err;
	struct spool_reader *r = spool_reader_open(rig.spool, &err);
	struct spool_counts ret;

	assert_non_null(r);
	assert_true(spool_count(r, clock_steady_ms(), &ret, &err));
	spool_reader_close(&r);
	return ret;
}

static bool
is_idle(void)
{
	return rig.accepts == 0 && rig.w->d->window.count == 0 &&
	       !rig.w->d->window.claiming;
}

static bool
is_empty(void)
{
	return is_idle() && counts().items == 0;
}

static bool stopped;

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

static bool
is_stopped(void)
{
	return stopped;
}

static void
rig_close(void)
{
	if (rig.w == NULL)
		return;
	stopped = false;
	rig.w->held = false;
	dispatch_stop(rig.w->d, 10 * SEC, on_stopped, NULL);
	for (size_t i = 0; i < rig.w->job_count; i++)
		world_finish(rig.w, i);
	run_until(is_stopped);
	spool_close(&rig.spool);
	workers_free(&rig.workers);
	assert_int_equal(rig.w->d->window.taken, 0);
	assert_int_equal(rig.budget.used, 0);
	world_free(&rig.w);
}

static void
on_accepted(struct spool_op *op)
{
	struct spool_accept *a = container_of(op, struct spool_accept, op);

	assert_int_equal(op->status, SPOOL_OK);
	rig.accepts--;
	mem_free(a);
}

/* As a session does it; claimed: room in the window is asked for. */
static uint64_t
submit(const char *to, bool claimed)
{
	struct spool_accept *a = NEW(struct spool_accept);
	struct item *item = world_item(rig.w, "out", to);
	uint64_t id;

	item->body->id = message_id_next();
	id = item->id = item->body->id * ITEM_ORDINALS;
	item->claimed = claimed && dispatch_window(rig.w->d, &item, 1);
	a->items[a->n++] = item;
	a->op.home = loop_mailbox(rig.w->loop);
	a->op.done = on_accepted;
	rig.accepts++;
	spool_accept(rig.spool, a);
	return id;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/postern-dispatch-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.url, sizeof(rig.url), "%s%s", scheme,
		 strcmp(scheme, "sqlite:") == 0 ? rig.dir : "");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_close();
	nftw(rig.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static size_t
jobs_to(const char *destination)
{
	size_t n = 0;

	for (size_t i = 0; i < rig.w->job_count; i++)
		if (strcmp(rig.w->jobs[i].destination, destination) == 0)
			n++;
	return n;
}

/* --- plays ----------------------------------------------------------- */

static void
everything_is_delivered(void **state)
{
	(void)state;
	rig_open(QUICK);
	for (int i = 0; i < 500; i++)
		submit("b@x.test c@y.test", i % 5 != 0);
	run_until(is_empty);
	assert_int_equal(rig.w->job_count, 1000);
	assert_true(rig.w->most_active <= 4);
}

static void
a_deferred_one_comes_back(void **state)
{
	(void)state;
	rig_open(QUICK);
	rig.w->answer = by_name;
	submit("b@x.test busy@x.test", true);
	run_until(is_idle);
	assert_int_equal(rig.w->job_count, 1);
	assert_int_equal(counts().items, 1);
	rig.w->answer = NULL;
	run_until(is_empty);
	assert_int_equal(rig.w->job_count, 2);
	assert_int_equal(rig.w->jobs[1].n, 1);
	assert_int_equal(rig.w->jobs[1].attempt, 2);
}

static void
a_bounce_is_reported(void **state)
{
	(void)state;
	rig_open(QUICK);
	rig.w->answer = by_name;
	submit("unknown@x.test b@x.test", true);
	run_until(is_empty);
	assert_int_equal(jobs_to("x.test"), 1);
	assert_int_equal(jobs_to("here.test"), 1);
}

static void
many_at_first(struct world *w, const char *rcpt, struct outcome *o)
{
	by_name(w, w->job_count > 1 ? "b" : rcpt, o);
}

static void
many_recipients_go_in_several_attempts(void **state)
{
	(void)state;
	rig_open("retry: {first: 1h, longest: 1h}\nout: {}\n");
	rig.w->answer = many_at_first;
	submit("many@x.test b@x.test", true);
	run_until(is_empty);		/* at once, not in an hour */
	assert_int_equal(rig.w->job_count, 2);
	assert_int_equal(rig.w->jobs[1].attempt, 1);
}

static bool acted;

static void
on_acted(struct dispatch_act *a)
{
	assert_false(a->failed);
	acted = true;
}

static bool
was_acted(void)
{
	return acted;
}

static struct dispatch_act
act(enum spool_verb verb, uint64_t *id)
{
	static struct dispatch_act a;

	a = (struct dispatch_act){ .verb = verb, .ids = id, .n = 1,
				   .done = on_acted };
	acted = false;
	dispatch_act(rig.w->d, &a);
	run_until(was_acted);
	return a;
}

static bool
twentyfive_are_here(void)
{
	return rig.accepts == 0 && rig.w->d->window.count == 25;
}

static void
act_of_anna(enum spool_verb verb, uint64_t *id, const char *route)
{
	static char name[20];
	static struct dispatch_act a;

	snprintf(name, sizeof(name), "%s", route ? route : "");
	a = (struct dispatch_act){
		.verb = verb, .ids = id, .n = 1, .route = route ? name : NULL,
		.done = on_acted,
		.by = { .kind = WHO_USER, .uid = 1000, .user = "anna" },
	};
	acted = false;
	dispatch_act(rig.w->d, &a);
	run_until(was_acted);
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text++;
		n++;
	}
	return n;
}

/* One line for each act, with ids, from, to and by whom; of what is removed
 * every message is named. */
static void
acts_are_told_with_by_whom(void **state)
{
	static struct capture captured;
	uint64_t last = 0;
	char id[ITEM_TEXT], want[300];
	const char *log;

	(void)state;
	rig_open("out: {connections: 1}\n");
	rig.w->held = true;
	for (int i = 0; i < 25; i++)
		last = submit("c@x.test d@x.test", true);
	run_until(twentyfive_are_here);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	act_of_anna(SPOOL_HOLD, &last, NULL);
	act_of_anna(SPOOL_HOLD, NULL, NULL);
	act(SPOOL_HOLD, &last);		/* the gateway's own: no line */
	act_of_anna(SPOOL_REMOVE, NULL, "out");
	log = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	snprintf(want, sizeof(want), "dispatch: queue hold ids=%s "
		 "from=a@here.test to=\"c@x.test d@x.test\" changed=1 uid=1000 "
		 "user=anna\n", item_id_text(last, id));
	if (strstr(log, want) == NULL)
		fail_msg("`%s' is not in %s", want, log);
	assert_int_equal(count(log, "queue hold route=(all) ids="), 1);
	assert_int_equal(count(log, " changed=25 uid=1000 user=anna\n"), 1);
	assert_int_equal(count(log, "queue hold"), 2);
	log = strstr(log, "queue remove");
	assert_non_null(log);
	/* 20 of them and 4; one is in delivery */
	assert_int_equal(count(log, "queue remove route=out ids="), 2);
	assert_int_equal(count(log, "c@x.test d@x.test"), 24);
	assert_int_equal(count(log, " changed=24 busy=1 uid=1000 user=anna\n"),
			 1);
	rig.w->held = false;
	world_finish(rig.w, 0);
	run_until(is_idle);
}

static bool
three_are_here(void)
{
	return rig.accepts == 0 && rig.w->d->window.count == 3;
}

static void
the_operator_has_his_way(void **state)
{
	uint64_t active, held, removed;
	struct dispatch_act a;

	(void)state;
	rig_open("out: {connections: 1}\n");
	rig.w->held = true;
	active = submit("b@x.test", true);
	held = submit("c@x.test", true);
	removed = submit("d@x.test", true);
	run_until(three_are_here);

	a = act(SPOOL_REMOVE, &active);
	assert_int_equal(a.busy, 1);
	assert_int_equal(a.changed, 0);
	a = act(SPOOL_REMOVE, &removed);
	assert_int_equal(a.busy, 0);
	assert_int_equal(a.changed, 1);
	a = act(SPOOL_HOLD, &held);
	assert_int_equal(a.changed, 1);
	assert_int_equal(counts().items, 2);
	assert_int_equal(counts().held, 1);
	rig.w->held = false;
	world_finish(rig.w, 0);
	run_until(is_idle);
	assert_int_equal(counts().items, 1);
	assert_int_equal(rig.w->job_count, 1);
	act(SPOOL_RELEASE, &held);
	run_until(is_empty);
	assert_int_equal(rig.w->job_count, 2);
}

/* What is in delivery can be held: it is not tried after this attempt. */
static void
a_hold_reaches_what_is_in_delivery(void **state)
{
	uint64_t id;

	(void)state;
	rig_open("retry: {first: 1ms, longest: 1ms}\nout: {}\n");
	rig.w->answer = by_name;
	rig.w->held = true;
	id = submit("busy@x.test", true);
	while (rig.w->job_count == 0)
		ev_run(loop_ev(rig.w->loop), EVRUN_ONCE);
	assert_int_equal(act(SPOOL_HOLD, &id).changed, 1);
	world_finish(rig.w, 0);
	rig.w->answer = NULL;
	rig.w->held = false;
	run_until(is_idle);
	usleep(20 * 1000);
	run_until(is_idle);
	assert_int_equal(rig.w->job_count, 1);
	assert_int_equal(counts().held, 1);
	act(SPOOL_RELEASE, &id);
	run_until(is_empty);
}

static void
a_retry_is_made_at_once(void **state)
{
	uint64_t id;

	(void)state;
	rig_open("retry: {first: 1h, longest: 1h}\nout: {}\n");
	rig.w->answer = by_name;
	id = submit("busy@x.test", true);
	run_until(is_idle);
	assert_int_equal(counts().items, 1);
	rig.w->answer = NULL;
	act(SPOOL_RETRY, &id);
	run_until(is_empty);
}

static bool
all_are_here(void)
{
	return rig.accepts == 0 && rig.w->d->window.count == 20;
}

/* A stop gives back what waits: after it nothing is uncertain. */
static void
a_stop_leaves_nothing_in_doubt(void **state)
{
	(void)state;
	rig_open("out: {connections: 2}\n");
	rig.w->held = true;
	for (int i = 0; i < 20; i++)
		submit("b@x.test", true);
	run_until(all_are_here);
	rig_close();			/* two are delivered */
	rig_open("out: {connections: 2}\n");
	run_until(is_empty);
	assert_int_equal(rig.w->job_count, 18);
	assert_int_equal(rig.w->jobs[0].attempt, 1);
}

#define STORE_PLAY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_PLAY(everything_is_delivered),
		STORE_PLAY(a_deferred_one_comes_back),
		STORE_PLAY(a_bounce_is_reported),
		STORE_PLAY(many_recipients_go_in_several_attempts),
		STORE_PLAY(acts_are_told_with_by_whom),
		STORE_PLAY(the_operator_has_his_way),
		STORE_PLAY(a_hold_reaches_what_is_in_delivery),
		STORE_PLAY(a_retry_is_made_at_once),
	};
	static const struct CMUnitTest durable[] = {
		STORE_PLAY(a_stop_leaves_nothing_in_doubt),
	};
	int failed;

	scheme = "memory:";
	failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
	scheme = "sqlite:";
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("sqlite, over a restart",
						    durable, NULL, NULL);
}
