/* test-dispatch-play.c - one item goes in, and what was settled comes out */
#include "dispatch-double.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

/* --- one attempt ----------------------------------------------------- */

static void
delivered_at_once(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 1);
	assert_int_equal(w->jobs[0].attempt, 1);
	assert_string_equal(w->jobs[0].destination, "x.test");
	assert_int_equal(w->settle_count, 1);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_DONE);
	assert_int_equal(s->reports, 0);
	assert_int_equal(w->d->window.count, 0);
	assert_int_equal(w->d->window.taken, 0);
	assert_int_equal(w->d->outlets->tally->delivered, 1);
}

static void
recipients_of_one_destination_share_a_job(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	world_commit(w, world_item(w, "out", "b@x.test c@X.TEST d@x.test"));
	assert_int_equal(w->job_count, 1);
	assert_int_equal(w->jobs[0].n, 3);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

/* A final result is settled at once, so that a crash repeats nothing. */
static void
destinations_are_settled_one_by_one(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->held = true;
	world_commit(w, world_item(w, "out", "b@x.test c@y.test"));
	assert_int_equal(w->job_count, 2);
	world_finish(w, 1);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(w->settles[0].fate, FATE_STAY);
	assert_int_equal(w->settles[0].n, 1);
	assert_int_equal(w->settles[0].rcpts[0].index, 1);
	assert_int_equal(w->settles[0].rcpts[0].state, RCPT_DELIVERED);
	world_turn(w);
	assert_int_equal(w->d->window.count, 1);
	world_finish(w, 0);
	assert_int_equal(w->settle_count, 2);
	assert_int_equal(w->settles[1].fate, FATE_DONE);
	world_turn(w);
	assert_int_equal(w->d->window.count, 0);
}

/* What only waits goes with the last settlement. */
static void
deferrals_cost_no_settlement_of_their_own(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	w->held = true;
	world_commit(w, world_item(w, "out", "busy@x.test c@y.test"));
	world_finish(w, 0);
	assert_int_equal(w->settle_count, 0);
	world_finish(w, 1);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(w->settles[0].fate, FATE_RELEASE);
	assert_int_equal(w->settles[0].n, 2);
}

static void
deferred(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "busy@x.test"));
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->attempts, 1);
	assert_true(due_in(s, MINUTE));
	assert_non_null(strstr(s->last, "try later"));
	assert_non_null(strstr(s->last, "while sending RCPT TO"));
	assert_int_equal(s->reports, 0);

	world_commit(w, world_again(w, "out", "busy@x.test"));
	assert_int_equal(w->jobs[1].attempt, 2);
	assert_int_equal(world_last(w)->attempts, 2);
	assert_true(due_in(world_last(w), 2 * MINUTE));
}

static void
one_of_two_waits(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "b@x.test busy@x.test"));
	assert_int_equal(w->settle_count, 1);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(s->rcpts[1].state, RCPT_QUEUED);
}

/* Only those that are still queued are tried. */
static void
delivered_recipients_are_left_alone(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "b@x.test c@x.test");

	(void)state;
	item->rcpts[0].state = RCPT_DELIVERED;
	world_commit(w, item);
	assert_int_equal(w->jobs[0].n, 1);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

static void
too_many_recipients(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "b@x.test many@x.test"));
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->due_ms, clock_wall_ms());
	assert_int_equal(s->attempts, 0);

	/* when nobody was taken it is a retry like any other */
	world_commit(w, world_item(w, "out", "many@x.test"));
	assert_true(due_in(world_last(w), MINUTE));
	assert_int_equal(world_last(w)->attempts, 1);
}

static void
long_lists_are_cut(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	char to[250 * 12] = "";
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 250; i++)
		n += (size_t)snprintf(to + n, sizeof(to) - n, "%su%u@x.test",
				      i ? " " : "", i);
	world_commit(w, world_item(w, "out", to));
	assert_int_equal(w->job_count, 3);
	assert_int_equal(w->jobs[0].n, LIMIT_JOB_RCPTS);
	assert_int_equal(w->jobs[2].n, 50);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

/* --- giving up ------------------------------------------------------- */

static void
nothing_expires_before_its_second_attempt(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "busy@x.test");
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	item->created_ms -= 100 * HOUR;
	item->warned_ms = 1;
	world_commit(w, item);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);

	item = world_again(w, "out", "busy@x.test");
	item->created_ms -= 100 * HOUR;
	world_commit(w, item);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_DONE);
	assert_int_equal(s->reports, 1);
	assert_non_null(strstr(s->report[0].text, "try later"));
}

/* --- reports --------------------------------------------------------- */

static void
a_bounce_and_its_report_are_one(void **state)
{
	struct world *w = world_new("in: {domain: here.test}\n" ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	assert_int_equal(w->settle_count, 1);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_DONE);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->rcpts[0].state, RCPT_BOUNCED);
	assert_int_equal(s->reports, 1);
	assert_string_equal(s->report[0].route, "in");
	assert_string_equal(s->report[0].to, "a@here.test");
	assert_non_null(strstr(s->report[0].text, "Action: failed"));
	assert_non_null(strstr(s->report[0].text, "no such user"));
	assert_non_null(strstr(s->report[0].text, "Received: by gw.test"));
	assert_non_null(strstr(s->report[0].text, "Subject: scan"));
	assert_int_equal(w->d->window.taken, 0);
}

static void
failures_of_one_job_share_a_report(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "unknown@x.test c@x.test "
				   "unknown2@x.test busy@x.test"));
	assert_int_equal(w->settle_count, 1);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->n, 4);
	assert_int_equal(s->reports, 1);
	assert_non_null(strstr(s->report[0].text, "unknown@x.test"));
	assert_non_null(strstr(s->report[0].text, "unknown2@x.test"));
	assert_null(strstr(s->report[0].text, "busy@x.test"));
}

/* A bounce of one destination while another is under way. */
static void
a_report_does_not_wait_for_other_jobs(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	w->held = true;
	world_commit(w, world_item(w, "out", "unknown@x.test c@y.test"));
	world_finish(w, 0);
	world_turn(w);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(w->settles[0].fate, FATE_STAY);
	assert_int_equal(w->settles[0].reports, 1);
	assert_int_equal(w->settles[0].rcpts[0].state, RCPT_BOUNCED);
	world_finish(w, 1);
	world_turn(w);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(world_last(w)->reports, 0);
}

/* The last job ends while the report of the first is being written. */
static void
a_bounced_recipient_never_goes_before_its_report(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	w->held = true;
	world_commit(w, world_item(w, "out", "unknown@x.test c@y.test"));
	world_finish(w, 0);
	world_finish(w, 1);
	assert_int_equal(w->settle_count, 1);	/* c, and not the last */
	assert_int_equal(w->settles[0].fate, FATE_STAY);
	assert_int_equal(w->settles[0].n, 1);
	assert_int_equal(w->settles[0].rcpts[0].index, 1);
	world_turn(w);
	assert_int_equal(w->settle_count, 2);
	assert_int_equal(w->settles[1].fate, FATE_DONE);
	assert_int_equal(w->settles[1].reports, 1);
}

static void
no_report_to_a_null_sender(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "unknown@x.test");

	(void)state;
	w->answer = by_name;
	item->env->sender = (struct address){ .text = SPAN_NONE };
	world_commit(w, item);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(world_last(w)->reports, 0);
	assert_int_equal(world_last(w)->rcpts[0].state, RCPT_BOUNCED);
}

static void
the_operator_is_told_too(void **state)
{
	struct world *w = world_new("dsn: {to: it@ops.test, route: reports}\n"
				ONE_ROUTE "reports: {domain: nowhere.test}\n");
	struct item *item;
	const struct seen_settle *s;
	const char *text;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	s = world_last(w);
	assert_int_equal(s->reports, 2);
	assert_string_equal(s->report[0].to, "a@here.test");
	assert_string_equal(s->report[0].route, "reports");
	assert_string_equal(s->report[1].to, "it@ops.test");
	assert_string_equal(s->report[1].route, "reports");
	assert_non_null(strstr(s->report[0].text, "Your message could not"));
	text = s->report[1].text;
	assert_null(strstr(text, "our message"));
	assert_non_null(strstr(text, "Subject: A message from <a@here.test> "
			       "could not be delivered\r\n"));
	assert_non_null(strstr(text, "  From: a@here.test\r\n  Subject: scan\r\n"
			       "  Device: 192.0.2.7\r\n  Route: out\r\n"));
	assert_non_null(strstr(text, "The sender gets a report, too."));

	item = world_item(w, "out", "unknown@x.test");
	item->env->sender = (struct address){ .text = SPAN_NONE };
	world_commit(w, item);
	assert_int_equal(world_last(w)->reports, 1);
	assert_string_equal(world_last(w)->report[0].to, "it@ops.test");
}

static void
a_report_without_a_route_stops_nothing(void **state)
{
	struct world *w = world_new("out: {domain: x.test}\n");
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	s = world_last(w);
	assert_int_equal(s->fate, FATE_DONE);
	assert_int_equal(s->reports, 0);
	assert_int_equal(s->rcpts[0].state, RCPT_BOUNCED);
}

/* No room for the report: then it has not bounced. */
static void
without_its_report_a_recipient_waits(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	w->drafts_fail = true;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->reports, 0);
	assert_int_equal(s->attempts, 1);
	assert_true(due_in(s, MINUTE));
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(s->rcpts[i].state, RCPT_QUEUED);
}

static void
a_removed_message_gives_its_report_back(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	w->settles_gone = true;
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	assert_int_equal(world_last(w)->reports, 1);
	assert_int_equal(w->d->window.taken, 0);
}

static void
a_delay_is_told_once(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "busy@x.test");
	const struct seen_settle *s;

	(void)state;
	w->answer = by_name;
	item->created_ms -= HOUR - 1;
	world_commit(w, item);
	assert_int_equal(world_last(w)->reports, 0);
	assert_int_equal(world_last(w)->warned_ms, 0);

	item = world_again(w, "out", "busy@x.test");
	item->created_ms -= HOUR;
	world_commit(w, item);
	s = world_last(w);
	assert_int_equal(s->reports, 1);
	assert_int_equal(s->warned_ms, clock_wall_ms());
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_non_null(strstr(s->report[0].text, "Action: delayed"));

	item = world_again(w, "out", "busy@x.test");
	item->created_ms -= 2 * HOUR;
	world_commit(w, item);
	assert_int_equal(world_last(w)->reports, 0);
	assert_int_not_equal(world_last(w)->warned_ms, 0);
}

static void
success_is_told_to_who_asked(void **state)
{
	static const struct {
		const char *to;
		unsigned notify;
		const char *want;
	} rows[] = {
		{ "b@x.test", DSN_NOTIFY_SUCCESS, "Action: relayed" },
		{ "box@x.test", DSN_NOTIFY_SUCCESS, "Action: delivered" },
		{ "passed@x.test", DSN_NOTIFY_SUCCESS, NULL },
		{ "b@x.test", DSN_NOTIFY_FAILURE, NULL },
		{ "b@x.test", 0, NULL },
	};
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct item *item = world_item(w, "out", rows[i].to);

		item->env->rcpts[0].notify = rows[i].notify;
		world_commit(w, item);
		CHECK_ROW(i, world_last(w)->fate == FATE_DONE);
		CHECK_ROW(i, world_last(w)->reports == (rows[i].want ? 1 : 0));
		if (rows[i].want != NULL)
			CHECK_ROW(i, strstr(world_last(w)->report[0].text,
					    rows[i].want) != NULL);
	}
}

/* --- the log line ---------------------------------------------------- */

/* What is logged while the item goes through. */
static void
logged(struct world *w, struct item *item, char *to, size_t size)
{
	int was = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	world_commit(w, item);
	dup2(was, STDERR_FILENO);
	close(was);
	rewind(f);
	n = fread(to, 1, size - 1, f);
	to[n] = '\0';
	fclose(f);
}

static size_t
lines_in(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
one_line_tells_an_attempt(void **state)
{
	static const char *const want[] = {
		"route=out", "destination=x.test", "from=a@here.test",
		"host=mx.test[192.0.2.1]:25", "to=busy@x.test",
		"status=deferred", "code=450", "enhanced=4.2.1",
		"reply=\"try later\"", "phase=\"sending RCPT TO\"",
		"attempt=1", "delay_ms=5000", "in_queue_ms=5000",
		"connect_ms=", "setup_ms=", "transfer_ms=", "retry_ms=",
	};
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "busy@x.test");
	char text[4000];

	(void)state;
	w->answer = by_name;
	later(5 * SEC);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	logged(w, item, text, sizeof(text));
	assert_int_equal(lines_in(text), 1);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		CHECK_ROW(i, strstr(text, want[i]) != NULL);
	assert_null(strstr(text, "rcpts="));
}

static void
one_line_for_each_group(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	char text[4000];

	(void)state;
	w->answer = by_name;
	log_configure(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	logged(w, world_item(w, "out", "b@x.test c@x.test busy@x.test "
			     "unknown@x.test"), text, sizeof(text));
	assert_int_equal(lines_in(text), 3);
	assert_non_null(strstr(text, "\"to\":\"b@x.test,c@x.test\""));
	assert_non_null(strstr(text, "\"rcpts\":2"));
	assert_non_null(strstr(text, "\"status\":\"delivered\""));
	assert_non_null(strstr(text, "\"status\":\"bounced\""));
	assert_non_null(strstr(text, "\"level\":\"warning\""));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(delivered_at_once),
		PLAY(recipients_of_one_destination_share_a_job),
		PLAY(destinations_are_settled_one_by_one),
		PLAY(deferrals_cost_no_settlement_of_their_own),
		PLAY(deferred),
		PLAY(one_of_two_waits),
		PLAY(delivered_recipients_are_left_alone),
		PLAY(too_many_recipients),
		PLAY(long_lists_are_cut),
		PLAY(nothing_expires_before_its_second_attempt),
		PLAY(a_bounce_and_its_report_are_one),
		PLAY(failures_of_one_job_share_a_report),
		PLAY(a_report_does_not_wait_for_other_jobs),
		PLAY(a_bounced_recipient_never_goes_before_its_report),
		PLAY(no_report_to_a_null_sender),
		PLAY(the_operator_is_told_too),
		PLAY(a_report_without_a_route_stops_nothing),
		PLAY(without_its_report_a_recipient_waits),
		PLAY(a_removed_message_gives_its_report_back),
		PLAY(a_delay_is_told_once),
		PLAY(success_is_told_to_who_asked),
		PLAY(one_line_tells_an_attempt),
		PLAY(one_line_for_each_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
