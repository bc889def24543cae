/* test-dispatch-notice.c - who is told of a pause, when, and by which route */
#include "dispatch-double.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOLD "retry: {first: 1m, factor: 2, longest: 10m, give_up: 2h, "	\
	"warn_after: 1h, paused_longest: 5h}\n"				\
	"dsn: {to: it@ops.test}\n"
#define TWO TOLD "out: {domain: x.test}\nother: {}\n"
#define ONE TOLD "out: {}\n"

static void
refuses_us(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_AUTH, 535, "5.7.8", "Authentication failed");
	o->login = LOGIN_TOKEN;
}

/* Counting is a worker's. */
static void
settle_down(struct world *w)
{
	for (int i = 0; i < 3; i++) {
		workers_drain(w->workers);
		world_turn(w);
	}
}

static struct world *
paused_world(const char *yaml)
{
	struct world *w = world_new(yaml);

	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	w->manner = BACKEND_RELAY;
	for (struct outlet *o = w->d->outlets; o != NULL; o = o->next)
		o->manner = BACKEND_RELAY;
	w->waiting = 12;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_true(outlet_is_paused(outlet_find(w->d, "out")));
	return w;
}

static struct outlet *
out(const struct world *w)
{
	return outlet_find(w->d, "out");
}

/* The time has come. */
static void
notice_time(struct world *w)
{
	struct timer *t = &out(w)->notice.timer;

	assert_true(timer_runs(t));
	later(2 * MINUTE);
	timer_stop(t);
	t->fire(t);
	settle_down(w);
}

/* A message gets through as a probe, or because there is no pause. */
static void
gets_through(struct world *w)
{
	w->answer = NULL;
	later(20 * MINUTE);
	world_commit(w, world_again(w, "out", "b@x.test"));
	settle_down(w);
}

/* --- once ------------------------------------------------------------ */

static void
a_pause_is_told_after_a_while_and_once(void **state)
{
	static const char *const wanted[] = {
		"Subject: Route out is paused", "  Backend:   null\r\n",
		"  Mailbox:   box@here.test\r\n",
		"  Server:    mx.test[192.0.2.1]:25\r\n",
		"  Reason:    535 5.7.8 Authentication failed (while logging in)",
		"(postern login", "out)", "  Waiting:   12 messages, the oldest from ",
		"  Kept till: ", "postern queue retry --route out\r\n",
	};
	struct world *w = paused_world(TWO);

	(void)state;
	settle_down(w);
	assert_int_equal(w->notices, 0);
	notice_time(w);
	assert_int_equal(w->notices, 1);
	assert_string_equal(w->notice[0].to, "it@ops.test");
	assert_string_equal(w->notice[0].route, "other");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (strstr(w->notice[0].text, wanted[i]) == NULL)
			fail_msg("\"%s\" is not in %s", wanted[i],
				 w->notice[0].text);
	/* more messages, probes that fail: the same pause */
	for (int i = 0; i < 5; i++) {
		later(11 * MINUTE);
		world_commit(w, world_item(w, "out", "c@x.test"));
		settle_down(w);
		assert_false(timer_runs(&out(w)->notice.timer));
	}
	assert_true(w->job_count > 3);
	assert_int_equal(w->notices, 1);
	gets_through(w);
	assert_int_equal(w->notices, 2);
	assert_non_null(strstr(w->notice[1].text, "Subject: Route out works again"));
	assert_int_equal(out(w)->notice.state, NOTICE_QUIET);
}

static void
a_short_pause_tells_nobody(void **state)
{
	struct world *w = paused_world(TWO);

	(void)state;
	gets_through(w);
	assert_false(outlet_is_paused(out(w)));
	assert_false(timer_runs(&out(w)->notice.timer));
	assert_int_equal(w->notices, 0);
}

static void
the_next_pause_is_told_again(void **state)
{
	struct world *w = paused_world(TWO);

	(void)state;
	notice_time(w);
	gets_through(w);
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	notice_time(w);
	assert_int_equal(w->notices, 3);
	assert_non_null(strstr(w->notice[2].text, "is paused"));
}

/* A quota of so many in a day lets one through now and then. */
static void
a_route_that_flaps_is_told_three_times_an_hour(void **state)
{
	struct world *w = paused_world(TWO);

	(void)state;
	for (int i = 0; i < 3; i++) {
		notice_time(w);
		w->answer = NULL;
		later(3 * MINUTE);
		world_commit(w, world_again(w, "out", "b@x.test"));
		settle_down(w);
		/* a reload begins no other hour */
		assert_true(world_configure(w, i % 2 ? TWO : TOLD "out: {domain: "
				"x.test, block: {a: b}}\nother: {}\n"));
		out(w)->manner = BACKEND_RELAY;
		w->answer = refuses_us;
		world_commit(w, world_item(w, "out", "b@x.test"));
	}
	assert_int_equal(w->notices, 6);
	notice_time(w);
	assert_int_equal(w->notices, 6);
	/* it still lasts when the hour is over */
	later(HOUR);
	notice_time(w);
	assert_int_equal(w->notices, 7);
	assert_non_null(strstr(w->notice[6].text, "is paused"));
}

static void
nobody_to_tell(void **state)
{
	struct world *w = paused_world("out: {}\n");

	(void)state;
	notice_time(w);
	assert_int_equal(w->notices, 0);
}

/* Of a pause that goes on, the backend says so, and no other begins. */
static void
somebody_to_tell_after_a_reload(void **state)
{
	struct world *w = world_new("out: {}\nother: {}\n");

	(void)state;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	w->events = NULL;
	w->looks_again = true;
	outlet_pause(out(w), "nobody has signed in");
	out(w)->pause.by_backend = true;
	notice_time(w);
	assert_int_equal(w->notices, 0);
	assert_true(world_configure(w, TOLD "out: {}\nother: {}\n"));
	assert_true(outlet_is_paused(out(w)));
	notice_time(w);
	assert_int_equal(w->notices, 1);
}

/* --- what the null sender hears --------------------------------------- */

static void
refuses_all_at_mail(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_MAIL, 550, "5.7.1", "Client host rejected: Access denied");
}

/* A report is returned for it, as it may be its own matter; but nobody can
 * tell, so the route does not work again by that. */
static void
a_refused_null_sender_proves_nothing(void **state)
{
	struct world *w = paused_world(TWO);
	struct item *item;

	(void)state;
	notice_time(w);
	w->answer = refuses_all_at_mail;
	later(20 * MINUTE);
	item = world_item(w, "out", "b@x.test");
	item->env->sender = (struct address){ .text = SPAN_NONE };
	world_commit(w, item);
	settle_down(w);
	assert_int_equal(w->job_count, 2);
	assert_int_equal(world_last(w)->rcpts[0].state, RCPT_BOUNCED);
	assert_true(outlet_is_paused(out(w)));
	assert_int_equal(w->notices, 1);
	gets_through(w);
	assert_int_equal(w->notices, 2);
}

/* --- what proves nothing --------------------------------------------- */

static void
nothing_more(struct dispatch_act *act)
{
	(void)act;
}

/* A reload, or the operator's wish, and then it is refused again. */
static void
the_same_trouble_is_told_once(void **state)
{
	static const char *const reloads[] = {
		TWO, TOLD "out: {domain: x.test, block: {a: b}}\nother: {}\n", NULL,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reloads); i++) {
		struct world *w = paused_world(TWO);
		struct dispatch_act act = { .verb = SPOOL_RETRY,
					    .route = (char *)"out",
					    .done = nothing_more };

		notice_time(w);
		if (reloads[i] != NULL)
			assert_true(world_configure(w, reloads[i]));
		else
			dispatch_act(w->d, &act);
		settle_down(w);
		CHECK_ROW(i, !outlet_is_paused(out(w)));
		CHECK_ROW(i, w->notices == 1);
		out(w)->manner = BACKEND_RELAY;
		world_commit(w, world_item(w, "out", "b@x.test"));
		CHECK_ROW(i, outlet_is_paused(out(w)));
		CHECK_ROW(i, !timer_runs(&out(w)->notice.timer));
		gets_through(w);
		CHECK_ROW(i, w->notices == 2);
		CHECK_ROW(i, strstr(w->notice[1].text, "works again") != NULL);
		world_free(&world);
	}
}

/* The time runs on from the first of them. */
static void
a_reload_does_not_begin_anew(void **state)
{
	struct world *w = paused_world(TWO);
	int64_t since_ms = out(w)->notice.since_ms;

	(void)state;
	later(MINUTE);
	assert_true(world_configure(w, TOLD "out: {domain: x.test, "
				    "block: {a: b}}\nother: {}\n"));
	out(w)->manner = BACKEND_RELAY;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(out(w)->notice.since_ms, since_ms);
	notice_time(w);
	assert_int_equal(w->notices, 1);
}

static void
a_backend_that_is_ready_proves_it(void **state)
{
	struct world *w = world_new(ONE);

	(void)state;
	w->events->paused(w->events_arg, "nobody has signed in: run `postern "
			  "login out'");
	notice_time(w);
	assert_int_equal(w->notices, 1);
	assert_non_null(strstr(w->notice[0].text, "`postern"));
	w->events->ready(w->events_arg);
	settle_down(w);
	assert_int_equal(w->notices, 2);
	assert_non_null(strstr(w->notice[1].text, "works again"));
}

/* --- which way ------------------------------------------------------- */

static void
the_paused_one_has_it_only_where_no_other_takes_it(void **state)
{
	struct world *w = paused_world(ONE);
	struct seen_notice *n = w->notice;

	(void)state;
	notice_time(w);
	assert_int_equal(w->notices, 1);
	assert_string_equal(n->route, "out");
	assert_string_equal(out(w)->notice.by, "out");
}

static void
no_route_takes_it(void **state)
{
	struct world *w = paused_world(TOLD "out: {domain: x.test}\n");
	struct dispatch_reports r;

	(void)state;
	notice_time(w);
	assert_int_equal(w->notices, 0);
	dispatch_reports(w->d, &r);
	assert_int_equal(r.no_route, 1);
	assert_false(timer_runs(&out(w)->notice.timer));
}

static void
what_could_not_be_kept_is_made_again(void **state)
{
	struct world *w = paused_world(TWO);

	(void)state;
	w->accepts_fail = true;
	notice_time(w);
	assert_int_equal(w->notices, 1);
	w->accepts_fail = false;
	w->drafts_fail = true;
	notice_time(w);
	assert_int_equal(w->notices, 1);
	w->drafts_fail = false;
	notice_time(w);
	assert_int_equal(w->notices, 2);
	assert_int_equal(out(w)->notice.state, NOTICE_TOLD);
	assert_string_equal(out(w)->notice.by, "other");
	assert_int_equal(w->d->window.taken, 0);
}

/* --- at the end ------------------------------------------------------ */

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

/* What a worker counts must find everything where it was. */
static void
a_stop_waits_for_what_is_under_way(void **state)
{
	struct world *w = paused_world(TWO);
	struct timer *t = &out(w)->notice.timer;
	bool stopped = false;
	sem_t counted;

	(void)state;
	sem_init(&counted, 0, 0);
	w->reads_wait = &counted;
	later(2 * MINUTE);
	timer_stop(t);
	t->fire(t);
	dispatch_stop(w->d, 1000 * 1000, on_stopped, &stopped);
	world_turn(w);
	assert_int_equal(w->d->notices, 1);
	assert_false(stopped);
	sem_post(&counted);
	settle_down(w);
	assert_int_equal(w->d->notices, 0);
	assert_true(stopped);
	assert_int_equal(w->notices, 0);
}

/* --- over a restart -------------------------------------------------- */

static struct world *
kept_world(const char *folder)
{
	struct world *w = world_bare("out: {}\n");

	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	w->manner = BACKEND_RELAY;
	w->host.files = w->workers;
	w->host.state = folder;
	assert_true(world_configure(w, "first: {domain: z}\n"));
	assert_true(world_configure(w, TWO));
	dispatch_set_spool(w->d, (struct spool *)w);
	settle_down(w);
	w->answer = refuses_us;
	return w;
}

static void
a_restart_does_not_tell_it_again(void **state)
{
	char folder[] = "/tmp/postern-unit-XXXXXX", command[100];
	struct world *w;

	(void)state;
	assert_non_null(mkdtemp(folder));
	w = kept_world(folder);
	world_commit(w, world_item(w, "out", "b@x.test"));
	notice_time(w);
	assert_int_equal(w->notices, 1);
	world_free(&world);

	w = kept_world(folder);
	assert_int_equal(out(w)->notice.state, NOTICE_TOLD);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_true(outlet_is_paused(out(w)));
	assert_false(timer_runs(&out(w)->notice.timer));
	world_free(&world);

	/* not even where the time has come before the record was read */
	w = world_bare("out: {}\n");
	w->host.files = w->workers;
	w->host.state = folder;
	assert_true(world_configure(w, "first: {domain: z}\n"));
	assert_true(world_configure(w, TWO));
	dispatch_set_spool(w->d, (struct spool *)w);
	outlet_pause(out(w), "it still is");
	notice_time(w);
	assert_int_equal(out(w)->notice.state, NOTICE_TOLD);
	assert_int_equal(w->notices, 0);
	world_free(&world);

	/* it works at once: that is told, and then there is nothing more */
	w = kept_world(folder);
	w->answer = NULL;
	world_commit(w, world_item(w, "out", "b@x.test"));
	settle_down(w);
	assert_int_equal(w->notices, 1);
	assert_non_null(strstr(w->notice[0].text, "works again"));
	world_free(&world);

	w = kept_world(folder);
	assert_int_equal(out(w)->notice.state, NOTICE_QUIET);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_true(timer_runs(&out(w)->notice.timer));
	world_free(&world);

	/* what was told long ago was another trouble */
	snprintf(command, sizeof(command), "echo 1 1 > %s/routes/out/.paused",
		 folder);
	assert_int_equal(system(command), 0);
	w = kept_world(folder);
	assert_int_equal(out(w)->notice.state, NOTICE_QUIET);
	world_free(&world);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

/* --- senders --------------------------------------------------------- */

static void
a_delay_is_told_while_the_route_is_paused(void **state)
{
	struct world *w = paused_world(TWO);
	const struct seen_settle *s = world_last(w);
	struct item *item;
	char until[100], date[64];

	(void)state;
	for (int i = 0; i < 20 && world_last(w)->reports == 0; i++) {
		int64_t created_ms = INT64_C(1700000000000);

		s = world_last(w);
		item = world_again(w, "out", "b@x.test");
		item->created_ms = created_ms;
		later(s->due_ms - clock_steady_ms());
		assert_true(clock_steady_ms() <= created_ms + HOUR);
		world_commit(w, item);
	}
	s = world_last(w);
	/* at the very time, once, and by a route that works */
	assert_int_equal(s->reports, 1);
	assert_int_equal(s->warned_ms, INT64_C(1700000000000) + HOUR);
	assert_string_equal(s->report[0].route, "other");
	assert_string_equal(s->report[0].to, "a@here.test");
	assert_non_null(strstr(s->report[0].text, "the route is paused: 535"));
	/* as long as it may wait for the route, and then be tried */
	snprintf(until, sizeof(until), "Will-Retry-Until: %s\r\n",
		 clock_rfc5322(INT64_C(1700000000000) + (5 + 2) * (int64_t)HOUR,
			       date, sizeof(date)));
	assert_non_null(strstr(s->report[0].text, until));
	item = world_again(w, "out", "b@x.test");
	item->created_ms -= HOUR;
	world_commit(w, item);
	assert_int_equal(world_last(w)->reports, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(a_pause_is_told_after_a_while_and_once),
		PLAY(a_short_pause_tells_nobody),
		PLAY(the_next_pause_is_told_again),
		PLAY(a_route_that_flaps_is_told_three_times_an_hour),
		PLAY(nobody_to_tell),
		PLAY(somebody_to_tell_after_a_reload),
		PLAY(a_refused_null_sender_proves_nothing),
		PLAY(the_same_trouble_is_told_once),
		PLAY(a_reload_does_not_begin_anew),
		PLAY(a_backend_that_is_ready_proves_it),
		PLAY(the_paused_one_has_it_only_where_no_other_takes_it),
		PLAY(no_route_takes_it),
		PLAY(what_could_not_be_kept_is_made_again),
		PLAY(a_stop_waits_for_what_is_under_way),
		PLAY(a_restart_does_not_tell_it_again),
		PLAY(a_delay_is_told_while_the_route_is_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
