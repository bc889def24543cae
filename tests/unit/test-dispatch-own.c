/* test-dispatch-own.c - our own mail: which way it goes, and what is said when
 * it does not arrive */
#include "dispatch-double.h"

#include "capture.h"
#include "dispatch/verdict.h"

#include <stdio.h>

static struct capture capture;

/* --- which way ------------------------------------------------------- */

#define WAYS "retry: {warn_after: 1m}\n"				\
	"out: {domain: x.test}\nfirst: {}\nsecond: {domain: here.test}\n"

/* A report of a failure on `out', with these routes paused. */
static void
reported_by(const char *yaml, const char *const *paused, const char *want)
{
	struct world *w = world_new(yaml);

	w->answer = by_name;
	for (; *paused != NULL; paused++)
		outlet_pause(outlet_find(w->d, *paused), "no sign-in");
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	assert_int_equal(world_last(w)->reports, 1);
	assert_string_equal(world_last(w)->report[0].route, want);
	world_free(&world);
}

static void
a_paused_route_is_passed_over(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const first[] = { "first", NULL };
	static const char *const both[] = { "first", "second", NULL };

	(void)state;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	reported_by(WAYS, none, "first");
	reported_by(WAYS, first, "second");
	reported_by(WAYS, both, "first");
	reported_by(WAYS "dsn: {route: second}\n", none, "second");
	reported_by(WAYS "dsn: {route: first}\n", first, "second");
	reported_by(WAYS "dsn: {route: second}\n", both, "second");
}

/* --- how many -------------------------------------------------------- */

/* An item for so many, which is more than a job takes. */
static struct item *
item_for(struct world *w, const char *name, size_t n)
{
	static char to[8000];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(to + len, sizeof(to) - len,
					"%s%s%zu@x.test", i ? " " : "", name, i);
	return world_item(w, "out", to);
}

static size_t
all_reports(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->settle_count; i++)
		n += w->settles[i].reports;
	return n;
}

static void
jobs_of_one_destination_share_a_report(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = by_name;
	w->held = true;
	world_commit(w, item_for(w, "unknown", 120));
	assert_int_equal(w->active, 2);
	world_finish(w, 0);
	world_turn(w);
	assert_int_equal(w->settle_count, 0);
	world_finish(w, 1);
	world_turn(w);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(world_last(w)->n, 120);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(world_last(w)->reports, 1);
	assert_non_null(strstr(world_last(w)->report[0].text, "and 100 more"));
}

static void
taken(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_DOT, 250, "2.0.0", "ok");
}

/* The other one ends without a failure, or in no attempt at all. */
static void
a_report_waits_no_longer_than_the_last(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = world_new(ONE_ROUTE);
		bool stopped = false;

		w->per_minute = i == 0 ? 0 : 1;
		w->answer = by_name;
		w->held = true;
		world_commit(w, item_for(w, "unknown", 120));
		CHECK_ROW(i, w->active == (i == 0 ? 2u : 1u));
		world_finish(w, 0);
		world_turn(w);
		CHECK_ROW(i, w->settle_count == 0);
		w->answer = taken;
		if (i == 0)
			world_finish(w, 1);
		else
			dispatch_stop(w->d, 1000 * 1000, NULL, &stopped);
		world_turn(w);
		CHECK_ROW(i, all_reports(w) == 1);
		CHECK_ROW(i, world_last(w)->fate ==
			     (i == 0 ? FATE_DONE : FATE_RELEASE));
		world_free(&world);
	}
}

/* All who wait are told, not those of the first job alone. */
static void
a_delay_is_told_for_all_of_them(void **state)
{
	struct world *w = world_new(WAYS);
	struct item *item = world_item(w, "out", "busy@x.test busy@y.test");

	(void)state;
	w->answer = by_name;
	item->created_ms -= HOUR;
	world_commit(w, item);
	assert_int_equal(all_reports(w), 2);
	item = world_again(w, "out", "busy@x.test busy@y.test");
	item->created_ms -= 2 * HOUR;
	world_commit(w, item);
	assert_int_equal(all_reports(w), 2);
}

/* --- what a server refuses ------------------------------------------- */

static void
refusals_of_the_null_sender(void **state)
{
	enum { R = VERDICT_RETRY, B = VERDICT_BOUNCE, P = VERDICT_PAUSE };
	static const struct retry_policy policy = {
		.first = MINUTE, .factor = 2, .longest = HOUR,
		.give_up = 48 * HOUR, .paused_longest = 100 * HOUR,
	};
	static const struct {
		enum phase phase;
		int code;
		const char *enhanced, *text;
		/* of mail with a sender, without one, and of ours */
		int named, null, own;		/* enum verdict */
		bool told;		/* that it is the null sender's matter */
	} rows[] = {
		{ PHASE_MAIL, 501, NULL, "Invalid MAIL FROM address", R, B, B, true },
		{ PHASE_MAIL, 550, "5.7.60", "not as this sender", B, B, B, true },
		{ PHASE_DOT, 550, "5.7.60", "not as this sender", B, B, B, true },
		{ PHASE_DOT, 554, "5.2.252", "SendAsDenied", B, B, B, true },
		{ PHASE_MAIL, 553, "5.7.1", "<>: not owned by user scan", R, B, B, true },
		{ PHASE_MAIL, 554, "5.7.1", "<>: Sender address rejected", P, B, B, true },
		{ PHASE_DOT, 554, NULL, "Email address is not verified: "
		  "MAILER-DAEMON@gw.test", R, R, B, true },
		{ PHASE_MAIL, 554, "5.7.1", "Access denied", P, B, B, true },
		/* these are about us */
		{ PHASE_MAIL, 530, "5.7.0", "Authentication required", P, P, P, false },
		{ PHASE_MAIL, 530, NULL, "Must login", P, P, P, false },
		{ PHASE_MAIL, 554, "5.7.57", "not authenticated to send", P, P, P, false },
		{ PHASE_DOT, 554, "5.2.0", "SubmissionQuotaExceeded", P, P, P, false },
		{ PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful", P, P, P, false },
		{ PHASE_GREETING, 554, NULL, "go away", P, P, P, false },
		/* and these are no answer */
		{ PHASE_MAIL, 451, NULL, "try later", R, R, R, false },
		{ PHASE_MAIL, 0, NULL, "cut off", R, R, R, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict_facts f = {
			.policy = &policy, .age_ms = MINUTE, .attempts = 1,
			.manner = BACKEND_RELAY,
		};
		struct outcome o = { .code = 0 };
		const char *remedy;

		say(&o, rows[i].phase, rows[i].code, rows[i].enhanced,
		    rows[i].text);
		CHECK_ROW(i, (int)verdict_of(&o, &f) == rows[i].named);
		f.null_sender = true;
		CHECK_ROW(i, (int)verdict_of(&o, &f) == rows[i].null);
		f.own = true;
		CHECK_ROW(i, (int)verdict_of(&o, &f) == rows[i].own);
		remedy = remedy_of_own(&o, BACKEND_RELAY);
		CHECK_ROW(i, (remedy != NULL &&
			      strstr(remedy, "set dsn.route") != NULL) == rows[i].told);
		CHECK_ROW(i, remedy == NULL || strstr(remedy, "Send As") == NULL);
	}
}

/* --- names in a remedy ----------------------------------------------- */

static void
names_are_filled_in(void **state)
{
	static const struct { const char *remedy, *address, *want; } rows[] = {
		{ NULL, "a@b", "" }, { "", "a@b", "" }, { "None.", "a@b", "None." },
		{ "postern login ROUTE", "a@b", "postern login m365" },
		{ "(--route ROUTE).", "a@b", "(--route m365)." },
		{ "Grant ADDRESS to MAILBOX!", "a+x@b.test",
		  "Grant a+x@b.test to scan@b.test!" },
		/* no words of their own */
		{ "ROUTES, REROUTE, MAILBOXES", "a@b", "ROUTES, REROUTE, MAILBOXES" },
		/* what a stranger may have chosen, for a shell to obey */
		{ "Grant ADDRESS", "a`id`@b", "Grant ADDRESS" },
		{ "Grant ADDRESS", "$(id)@b", "Grant ADDRESS" },
		{ "Grant ADDRESS", "-x@b", "Grant ADDRESS" },
		{ "Grant ADDRESS", "", "Grant ADDRESS" },
	};
	char buf[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct remedy_names names = {
			.route = "m365", .mailbox = "scan@b.test",
			.address = span_of(rows[i].address),
		};

		CHECK_ROW(i, strcmp(remedy_fill(rows[i].remedy, &names, buf,
						sizeof(buf)), rows[i].want) == 0);
		for (size_t size = 1; size < sizeof(buf); size++)
			CHECK_ROW(i, strlen(remedy_fill(rows[i].remedy, &names,
							buf, size)) < size);
	}
}

/* --- what reached nobody --------------------------------------------- */

static void
no_null_sender_here(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_MAIL, 501, "5.1.7", "Invalid MAIL FROM");
}

/* An item of ours with that text. */
static struct item *
own_item_of(struct world *w, const char *text)
{
	struct item *item = world_item(w, "out", "a@here.test");

	item->env->sender = (struct address){ .text = SPAN_NONE };
	mem_free(item->origin.client);
	item->origin.client = NULL;
	item->body->bytes.max = 100000;
	buf_clear(&item->body->bytes);
	buf_add_str(&item->body->bytes, text);
	item->body->size = item->body->bytes.len;
	buf_clear(&item->prefix);
	return item;
}

static void
a_report_that_is_refused_is_counted_and_told(void **state)
{
	static const char *const wanted[] = {
		"a report to a@here.test could not be delivered",
		"about message ", " from <a@here.test> to <unknown@x.test>, with",
		"550 5.1.1 no such user", "the report failed with",
		"501 5.1.7 Invalid MAIL FROM", "set dsn.route",
	};
	struct world *w = world_new("dsn: {to: it@ops.test}\n" ONE_ROUTE);
	struct dispatch_reports r;
	struct outlet *out = w->d->outlets;
	char report[8000];
	const char *text;

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	snprintf(report, sizeof(report), "%s", world_last(w)->report[0].text);
	dispatch_reports(w->d, &r);
	assert_int_equal(r.undelivered, 0);
	assert_null(r.last);

	out->manner = BACKEND_RELAY;
	w->answer = no_null_sender_here;
	capture_begin(&capture);
	world_commit(w, own_item_of(w, report));
	text = capture_end(&capture);
	assert_false(outlet_is_paused(out));
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(world_last(w)->reports, 0);
	dispatch_reports(w->d, &r);
	assert_int_equal(r.undelivered, 1);
	assert_true(r.last_ms > 0);
	assert_non_null(strstr(r.last, "to a@here.test by route `out': 501"));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (strstr(text, wanted[i]) == NULL)
			fail_msg("\"%s\" is not in: %s", wanted[i], text);
	assert_null(strstr(text, "Send As"));

	/* one that is none of those */
	capture_begin(&capture);
	world_commit(w, own_item_of(w, "Subject: Route x is paused\r\n\r\n"));
	text = capture_end(&capture);
	assert_non_null(strstr(text, "Route x is paused"));
	dispatch_reports(w->d, &r);
	assert_int_equal(r.undelivered, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(a_paused_route_is_passed_over),
		PLAY(jobs_of_one_destination_share_a_report),
		PLAY(a_report_waits_no_longer_than_the_last),
		PLAY(a_delay_is_told_for_all_of_them),
		cmocka_unit_test(refusals_of_the_null_sender),
		cmocka_unit_test(names_are_filled_in),
		PLAY(a_report_that_is_refused_is_counted_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
