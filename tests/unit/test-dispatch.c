/* test-dispatch.c - what dispatch/ decides: pure functions and its blocks of
 * the configuration */
#include <stdio.h>
#include "dispatch-double.h"

#include "dispatch/retry.h"

enum { DAY = 24 * HOUR };

static const struct retry_policy policy = {
	.first = MINUTE, .factor = 2, .longest = HOUR, .give_up = 2 * DAY,
	.warn_after = HOUR,
};

/* --- retry ----------------------------------------------------------- */

static void
pauses(void **state)
{
	static const struct {
		unsigned n;
		int64_t age;
		double dice;
		int64_t want;
	} rows[] = {
		{ 1, 0, 0.5, MINUTE },
		{ 2, MINUTE, 0.5, 2 * MINUTE },
		{ 3, 3 * MINUTE, 0.5, 4 * MINUTE },
		{ 6, HOUR, 0.5, 32 * MINUTE },
		{ 7, HOUR, 0.5, HOUR },			/* capped */
		{ 4000000000u, HOUR, 0.5, HOUR },
		{ 1, 0, 0.0, 54 * SEC },		/* a tenth less */
		{ 1, 0, 1.0, 66 * SEC },		/* a tenth more */
		{ 9, 2 * DAY - 10 * MINUTE, 0.5, 10 * MINUTE }, /* ends with the time */
		{ 9, 2 * DAY, 0.5, -1 },		/* over */
		{ 9, 9 * DAY, 0.5, -1 },
		{ 2, 2 * DAY, 0.5, -1 },
		{ 1, 2 * DAY, 0.5, MINUTE },		/* never before the second */
		{ 1, 9 * DAY, 0.5, MINUTE },
		{ 1, -HOUR, 0.5, MINUTE },		/* the clock was set back */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(i, retry_pause(&policy, rows[i].n, rows[i].age,
					 rows[i].dice) == rows[i].want);
}

static void
pauses_of_a_constant_policy(void **state)
{
	struct retry_policy p = policy;

	(void)state;
	p.factor = 1;
	assert_int_equal(retry_pause(&p, 500, 0, 0.5), MINUTE);
	p.first = p.longest = 1;
	assert_int_equal(retry_pause(&p, 1, 0, 0), 1);	/* never 0 */
}

static void
rests(void **state)
{
	static const struct { unsigned n; int64_t want; } rows[] = {
		{ 1, SEC }, { 2, 2 * SEC }, { 5, 16 * SEC },
		{ 9, 256 * SEC }, { 10, 300 * SEC }, { 1000, 300 * SEC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(i, retry_rest(SEC, 300 * SEC, rows[i].n, 0.5) ==
			     rows[i].want);
}

/* --- verdicts -------------------------------------------------------- */

static const struct verdict_row {
	enum outcome_kind kind;
	enum phase phase;
	int code;
	const char *enhanced;
	bool others;
	enum verdict want;
} verdict_rows[] = {
	/* delivered is 2xx, wherever it comes from */
	{ OUTCOME_REPLY, PHASE_DOT, 250, "2.0.0", false, VERDICT_DELIVERED },
	{ OUTCOME_REPLY, PHASE_DOT, 250, NULL, false, VERDICT_DELIVERED },
	{ OUTCOME_REPLY, PHASE_NONE, 250, NULL, false, VERDICT_DELIVERED },
	{ OUTCOME_REPLY, PHASE_RCPT, 251, NULL, false, VERDICT_DELIVERED },

	/* permanent: about this recipient or this message */
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.1.1", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.1.10", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_RCPT, 552, "5.2.2", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_DOT, 550, "5.2.1", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_DOT, 552, "5.3.4", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_DOT, 554, "5.6.0", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.1.1", true, VERDICT_BOUNCE },
	{ OUTCOME_UNSUPPORTED, PHASE_MAIL, 0, "5.6.7", false, VERDICT_BOUNCE },
	{ OUTCOME_UNSUPPORTED, PHASE_EHLO, 0, "5.3.4", false, VERDICT_BOUNCE },
	/* too large, or of a kind that is not taken, said early */
	{ OUTCOME_REPLY, PHASE_MAIL, 552, "5.3.4", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_MAIL, 552, NULL, false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_MAIL, 550, "5.6.7", false, VERDICT_BOUNCE },
	/* answers of the DNS */
	{ OUTCOME_REPLY, PHASE_RESOLVE, 550, "5.1.2", false, VERDICT_BOUNCE },
	/* it has gone round, and would again */
	{ OUTCOME_REPLY, PHASE_DOT, 554, "5.4.6", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_MAIL, 554, "5.4.6", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.4.6", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_DOT, 554, "5.4.14", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_DOT, 554, "5.4.12", false, VERDICT_BOUNCE },
	{ OUTCOME_REPLY, PHASE_RESOLVE, 556, "5.1.10", false, VERDICT_BOUNCE },

	/* the same elsewhere, or with other words: not */
	{ OUTCOME_REPLY, PHASE_GREETING, 554, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_EHLO, 550, "5.1.8", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_STARTTLS, 501, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_AUTH, 535, "5.7.8", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_AUTH, 535, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_MAIL, 550, "5.1.8", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 454, "4.4.6", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_GREETING, 554, "5.4.6", false, VERDICT_RETRY },
	{ OUTCOME_LOCAL, PHASE_EHLO, 0, "4.4.6", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_MAIL, 451, "4.3.4", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DATA, 554, "5.6.0", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_BODY, 552, "5.3.4", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_NONE, 550, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.7.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 550, "5.7.515", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 550, "5.4.5", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.3.2", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.5.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "5.0.0", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, NULL, false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 554, NULL, false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 550, "4.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 450, "4.2.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 450, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 421, NULL, false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 354, NULL, false, VERDICT_RETRY },
	{ OUTCOME_UNSUPPORTED, PHASE_MAIL, 0, "4.6.7", false, VERDICT_RETRY },
	{ OUTCOME_NETWORK, PHASE_CONNECT, 0, NULL, false, VERDICT_RETRY },
	{ OUTCOME_NETWORK, PHASE_DOT, 0, NULL, false, VERDICT_RETRY },
	{ OUTCOME_NETWORK, PHASE_DOT, 0, "5.1.1", false, VERDICT_RETRY },
	{ OUTCOME_DNS, PHASE_RESOLVE, 0, NULL, false, VERDICT_RETRY },
	{ OUTCOME_LOCAL, PHASE_NONE, 0, NULL, false, VERDICT_RETRY },
	{ OUTCOME_SECURITY, PHASE_STARTTLS, 0, NULL, false, VERDICT_RETRY },

	/* too many recipients: at once, but only if that makes progress */
	{ OUTCOME_REPLY, PHASE_RCPT, 452, "4.5.3", true, VERDICT_RETRY_NOW },
	{ OUTCOME_REPLY, PHASE_RCPT, 452, NULL, true, VERDICT_RETRY_NOW },
	{ OUTCOME_REPLY, PHASE_RCPT, 451, "4.5.3", true, VERDICT_RETRY_NOW },
	{ OUTCOME_REPLY, PHASE_RCPT, 552, "5.5.3", true, VERDICT_RETRY_NOW },
	{ OUTCOME_REPLY, PHASE_RCPT, 452, "4.5.3", false, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 452, "4.2.2", true, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_RCPT, 451, NULL, true, VERDICT_RETRY },
	{ OUTCOME_REPLY, PHASE_DOT, 452, "4.5.3", true, VERDICT_RETRY },
};

static struct outcome
outcome_of(const struct verdict_row *r)
{
	struct outcome o = { .kind = r->kind, .phase = r->phase,
			     .code = r->code };
	struct span e = span_of(r->enhanced);

	if (r->enhanced != NULL)
		assert_true(enhanced_parse(&e, &o.enhanced));
	return o;
}

static void
verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdict_rows); i++) {
		struct outcome o = outcome_of(&verdict_rows[i]);
		struct verdict_facts f = {
			.policy = &policy, .age_ms = MINUTE, .attempts = 3,
			.others_accepted = verdict_rows[i].others,
		};

		CHECK_ROW(i, verdict_of(&o, &f) == verdict_rows[i].want);
	}
}

#define NEUTRAL BACKEND_NEUTRAL
#define RELAY BACKEND_RELAY
#define RECEIVER BACKEND_RECEIVERS

/* What a refusal means depends on whose it is. */
static void
verdicts_by_manner(void **state)
{
	static const struct {
		enum backend_manner manner;
		struct verdict_row row;
	} rows[] = {
		/* the one next hop refuses us */
		{ RELAY, { OUTCOME_REPLY, PHASE_GREETING, 554, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_EHLO, 550, "5.7.1", 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_STARTTLS, 502, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_AUTH, 535, "5.7.3", 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_AUTH, 535, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_MAIL, 530, "5.7.57", 0, VERDICT_PAUSE } },
		/* it is not what it must be, or we are not, or our files */
		{ RELAY, { OUTCOME_SECURITY, PHASE_STARTTLS, 0, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_SECURITY, PHASE_EHLO, 0, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_SECURITY, PHASE_AUTH, 0, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_SECURITY, PHASE_NONE, 0, NULL, 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_EHLO, 421, "4.7.1", 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_EHLO, 421, "4.3.2", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_GREETING, 421, "4.7.0", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_STARTTLS, 454, "4.7.0", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_NETWORK, PHASE_STARTTLS, 0, NULL, 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_AUTH, 454, "4.7.0", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_NETWORK, PHASE_AUTH, 0, NULL, 0, VERDICT_RETRY } },
		/* it is this gateway itself */
		{ RELAY, { OUTCOME_LOCAL, PHASE_EHLO, 0, "4.4.6", 0, VERDICT_PAUSE } },
		{ RELAY, { OUTCOME_LOCAL, PHASE_EHLO, 0, NULL, 0, VERDICT_RETRY } },
		/* but not for one message's sake */
		{ RELAY, { OUTCOME_REPLY, PHASE_DOT, 554, "5.4.6", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_MAIL, 553, "5.1.7", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_MAIL, 552, "5.3.4", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_DOT, 554, "5.2.252", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_DOT, 550, "5.7.60", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_MAIL, 550, "5.7.60", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_REPLY, PHASE_RCPT, 550, "5.7.1", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_DOT, 554, "5.7.0", 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_RCPT, 550, NULL, 0, VERDICT_RETRY } },
		{ RELAY, { OUTCOME_REPLY, PHASE_RCPT, 550, "5.1.1", 0, VERDICT_BOUNCE } },
		{ RELAY, { OUTCOME_DNS, PHASE_RESOLVE, 0, NULL, 0, VERDICT_RETRY } },
		/* a receiver's no is final, about its recipient and message */
		{ RECEIVER, { OUTCOME_REPLY, PHASE_RCPT, 550, "5.7.1", 0, VERDICT_BOUNCE } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_RCPT, 554, NULL, 0, VERDICT_BOUNCE } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_DOT, 550, "5.7.26", 0, VERDICT_BOUNCE } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_RCPT, 450, "4.7.1", 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_GREETING, 554, NULL, 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_MAIL, 550, "5.7.1", 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_DNS, PHASE_RESOLVE, 0, NULL, 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_NETWORK, PHASE_CONNECT, 0, NULL, 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_SECURITY, PHASE_STARTTLS, 0, NULL, 0, VERDICT_RETRY } },
		{ RECEIVER, { OUTCOME_REPLY, PHASE_EHLO, 421, "4.7.1", 0, VERDICT_RETRY } },
		/* and nothing of that where nothing is known */
		{ NEUTRAL, { OUTCOME_REPLY, PHASE_AUTH, 535, "5.7.3", 0, VERDICT_RETRY } },
		{ NEUTRAL, { OUTCOME_REPLY, PHASE_RCPT, 550, "5.7.1", 0, VERDICT_RETRY } },
		{ NEUTRAL, { OUTCOME_REPLY, PHASE_DOT, 550, "5.7.60", 0, VERDICT_RETRY } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].row);
		struct verdict_facts f = {
			.policy = &policy, .age_ms = MINUTE, .attempts = 3,
			.manner = rows[i].manner,
		};

		CHECK_ROW(i, verdict_of(&o, &f) == rows[i].row.want);
		/* age ends patience, but not with a paused route */
		f.age_ms = 100 * (int64_t)DAY;
		if (rows[i].row.want == VERDICT_PAUSE)
			CHECK_ROW(i, verdict_of(&o, &f) == VERDICT_PAUSE);
		/* while it is paused, what fails early fails for that */
		f.paused = true;
		if (rows[i].row.want == VERDICT_RETRY)
			CHECK_ROW(i, verdict_of(&o, &f) ==
				  (o.phase <= PHASE_AUTH ? VERDICT_PAUSE
							 : VERDICT_BOUNCE));
	}
}

static void
paces(void **state)
{
	struct pace p = { .most = 0 };

	(void)state;
	assert_int_equal(pace_wait_ms(&p, 0), 0);
	pace_note(&p, 0);		/* without a limit: nothing is kept */
	pace_set(&p, 3);
	for (int64_t i = 0; i < 3; i++) {
		assert_int_equal(pace_wait_ms(&p, 1000 + i), 0);
		pace_note(&p, 1000 + i);
	}
	assert_int_equal(pace_wait_ms(&p, 2000), 59000);
	assert_int_equal(pace_wait_ms(&p, 61000), 0);
	pace_note(&p, 61000);
	assert_int_equal(pace_wait_ms(&p, 61000), 1);
	/* never more than three in any minute, however it is called */
	for (int64_t now = 61000, n = 0; n < 50; n++) {
		now += pace_wait_ms(&p, now);
		pace_note(&p, now);
		assert_true(now >= 61000 + n / 3 * 60000);
	}
	/* a new limit knows what has been sent */
	pace_set(&p, 5);
	assert_int_equal(p.n, 3);
	pace_set(&p, 1);
	assert_int_equal(p.n, 1);
	assert_true(pace_wait_ms(&p, p.starts[0] + 1) > 0);
	pace_fini(&p);
}

/* Old age turns every retry into a bounce, and nothing else. */
static void
verdicts_of_old_age(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdict_rows); i++) {
		const struct verdict_row *r = &verdict_rows[i];
		struct outcome o = outcome_of(r);
		struct verdict_facts f = {
			.policy = &policy, .age_ms = 2 * DAY, .attempts = 2,
			.others_accepted = r->others,
		};
		enum verdict want = r->want == VERDICT_RETRY ? VERDICT_BOUNCE
							     : r->want;

		CHECK_ROW(i, verdict_of(&o, &f) == want);
		f.attempts = 1;
		CHECK_ROW(i, verdict_of(&o, &f) == r->want);
		f.attempts = 2;
		f.age_ms--;
		CHECK_ROW(i, verdict_of(&o, &f) == r->want);
	}
}

static void
blame(void **state)
{
	static const struct {
		struct verdict_row o;
		bool want;
	} rows[] = {
		{ { OUTCOME_NETWORK, PHASE_CONNECT, 0, NULL, 0, 0 }, true },
		{ { OUTCOME_NETWORK, PHASE_GREETING, 0, NULL, 0, 0 }, true },
		{ { OUTCOME_NETWORK, PHASE_STARTTLS, 0, NULL, 0, 0 }, true },
		{ { OUTCOME_DNS, PHASE_RESOLVE, 0, NULL, 0, 0 }, true },
		{ { OUTCOME_REPLY, PHASE_GREETING, 554, NULL, 0, 0 }, true },
		{ { OUTCOME_REPLY, PHASE_EHLO, 450, NULL, 0, 0 }, true },
		{ { OUTCOME_REPLY, PHASE_AUTH, 535, "5.7.8", 0, 0 }, true },
		{ { OUTCOME_REPLY, PHASE_RCPT, 421, "4.7.0", 0, 0 }, true },
		{ { OUTCOME_REPLY, PHASE_DOT, 421, NULL, 0, 0 }, true },
		/* may be this message's fault */
		{ { OUTCOME_NETWORK, PHASE_BODY, 0, NULL, 0, 0 }, false },
		{ { OUTCOME_NETWORK, PHASE_DOT, 0, NULL, 0, 0 }, false },
		{ { OUTCOME_REPLY, PHASE_MAIL, 451, NULL, 0, 0 }, false },
		{ { OUTCOME_REPLY, PHASE_RCPT, 450, "4.2.1", 0, 0 }, false },
		{ { OUTCOME_REPLY, PHASE_DOT, 250, NULL, 0, 0 }, false },
		{ { OUTCOME_REPLY, PHASE_NONE, 450, NULL, 0, 0 }, false },
		{ { OUTCOME_LOCAL, PHASE_NONE, 0, NULL, 0, 0 }, false },
		{ { OUTCOME_LOCAL, PHASE_CONNECT, 0, NULL, 0, 0 }, false },
		{ { OUTCOME_UNSUPPORTED, PHASE_EHLO, 0, "5.6.7", 0, 0 }, false },
		/* a file of our own: there was no host in it */
		{ { OUTCOME_SECURITY, PHASE_STARTTLS, 0, NULL, 0, 0 }, false },
	};
	static const struct verdict_row pauses[] = {
		{ OUTCOME_SECURITY, PHASE_STARTTLS, 0, NULL, 0, 0 },
		{ OUTCOME_REPLY, PHASE_EHLO, 421, "4.7.1", 0, 0 },
		{ OUTCOME_REPLY, PHASE_GREETING, 554, NULL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].o);

		CHECK_ROW(i, verdict_blames_host(&o, BACKEND_NEUTRAL) == rows[i].want);
	}
	/* what pauses a route need not let its one host rest, too */
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct outcome o = outcome_of(&pauses[i]);

		snprintf(o.host, sizeof(o.host), "mx.example.org");
		CHECK_ROW(i, verdict_blames_host(&o, BACKEND_RECEIVERS));
		CHECK_ROW(i, !verdict_blames_host(&o, BACKEND_RELAY));
	}
}

/* --- who is told ----------------------------------------------------- */

static struct item *
told_item(const char *sender, const char *to, unsigned notify)
{
	struct mail_command mail = { .size = 0 };
	struct rcpt_command r = { .notify = notify };
	struct item *item = item_new();
	struct error err;

	address_parse(span_of(sender), ADDRESS_NULL, &mail.sender, &err);
	address_parse(span_of(to), 0, &r.recipient, &err);
	item->env = envelope_new(&mail);
	envelope_add(item->env, &r, 1);
	envelope_freeze(item->env);
	item->origin.client = mem_strdup("192.0.2.7");
	return item;
}

static void
audiences(void **state)
{
	enum { N = TOLD_NOBODY, S = TOLD_SENDER, O = TOLD_OPERATOR };
	static const struct {
		const char *sender, *to, *dsn_to;
		unsigned notify;
		enum dsn_action action;
		unsigned want;
	} rows[] = {
		{ "a@x", "b@y", NULL, 0, DSN_FAILED, S },
		{ "a@x", "b@y", NULL, 0, DSN_DELAYED, S },
		{ "a@x", "b@y", NULL, 0, DSN_RELAYED, N },
		{ "a@x", "b@y", NULL, 0, DSN_DELIVERED, N },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_SUCCESS, DSN_RELAYED, S },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_SUCCESS, DSN_DELIVERED, S },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_SUCCESS, DSN_FAILED, N },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_NEVER, DSN_FAILED, N },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_FAILURE, DSN_DELAYED, N },
		{ "a@x", "b@y", NULL, DSN_NOTIFY_DELAY, DSN_DELAYED, S },
		/* a null sender is never told */
		{ "", "b@y", NULL, 0, DSN_FAILED, N },
		{ "", "b@y", NULL, 0, DSN_DELAYED, N },
		{ "", "b@y", NULL, DSN_NOTIFY_SUCCESS, DSN_RELAYED, N },
		/* dsn.to hears of each failure, of nothing else */
		{ "a@x", "b@y", "it@x", 0, DSN_FAILED, S | O },
		{ "a@x", "b@y", "it@x", DSN_NOTIFY_NEVER, DSN_FAILED, O },
		{ "", "b@y", "it@x", 0, DSN_FAILED, O },
		{ "a@x", "b@y", "it@x", 0, DSN_DELAYED, S },
		{ "a@x", "b@y", "it@x", DSN_NOTIFY_SUCCESS, DSN_RELAYED, S },
		/* but once, and not about itself */
		{ "it@x", "b@y", "IT@X", 0, DSN_FAILED, S },
		{ "", "it@x", "it@x", 0, DSN_FAILED, N },
		{ "it@x", "b@y", "it@x", DSN_NOTIFY_NEVER, DSN_FAILED, O },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct item *item = told_item(rows[i].sender, rows[i].to,
					      rows[i].notify);
		char to[40];
		struct dispatch_config c = { .dsn_to = NULL };

		if (rows[i].dsn_to != NULL)
			c.dsn_to = to;
		snprintf(to, sizeof(to), "%s", rows[i].dsn_to ? rows[i].dsn_to : "");
		CHECK_ROW(i, report_audience(item, 0, rows[i].action, &c) ==
			     rows[i].want);
		/* what a report was about has been told before it */
		mem_free(item->origin.client);
		item->origin.client = NULL;
		CHECK_ROW(i, rows[i].sender[0] != '\0' ||
			     report_audience(item, 0, rows[i].action, &c) == N);
		item_free(&item);
	}
}

/* --- configuration --------------------------------------------------- */

static bool
config_bind(const char *yaml, struct dispatch_config *c, struct arena *a,
     struct buf *words)
{
	struct route route[] = { { .name = "office" }, { .name = "direct" } };
	struct routes routes = { .v = route, .n = ARRAY_SIZE(route) };
	struct diags *d = diags_new();
	struct tree *t = tree_parse("postern.yaml", span_of(yaml), d);
	bool ok;

	memset(c, 0, sizeof(*c));
	assert_non_null(t);
	ok = dispatch_config_bind(c, tree_root(t), "gw.test", &routes, a, d);
	diags_show(d, words);
	assert_true(ok == (diags_errors(d) == 0));
	diags_free(&d);
	tree_free(&t);
	return ok;
}

static void
config_defaults(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(buf_fini) struct buf words = BUF_MAX(10000);
	struct dispatch_config c;

	(void)state;
	assert_true(config_bind("", &c, a, &words));
	assert_int_equal(words.len, 0);
	assert_int_equal(c.retry.first, MINUTE);
	assert_true(c.retry.factor == 2);
	assert_int_equal(c.retry.longest, HOUR);
	assert_int_equal(c.retry.give_up, 2 * DAY);
	assert_int_equal(c.retry.warn_after, HOUR);
	assert_null(c.dsn_to);
	assert_null(c.dsn_route);
	assert_string_equal(c.hostname, "gw.test");
	assert_true(config_bind("dsn: {to: it@x.test, route: direct}\n"
			 "retry: {first: 100ms, give_up: 5s, longest: 1s, "
			 "warn_after: 0}", &c, a, &words));
	assert_int_equal(words.len, 0);
	assert_string_equal(c.dsn_to, "it@x.test");
	assert_string_equal(c.dsn_route, "direct");
	assert_int_equal(c.retry.first, 100);
}

static void
config_mistakes(void **state)
{
	static const struct { const char *yaml, *words; bool ok; } rows[] = {
		{ "retry: {first: 2h}", "`first' is longer than `longest'", false },
		{ "retry: {factor: 0.5}", "must be at least 1", false },
		{ "retry: {first: 10s, give_up: 5s, warn_after: 0}",
		  "`give_up' comes before", false },
		{ "retry: {give_up: 1h}", "no delay is ever reported", true },
		{ "retry: {first: 0}", "first", false },
		{ "retry: {frist: 1m}", "did you mean `first'", false },
		{ "dsn: {to: nobody}", "`nobody' is not an address", false },
		{ "dsn: {route: drect}", "did you mean `direct'", false },
		{ "dsn: {route: zzzzzzzzzzzzz}", "name one of the routes", false },
		/* both told at once */
		{ "retry: {first: 2h}\ndsn: {route: drect}", "no route `drect'", false },
		{ "retry: {first: 2h, factor: 0.5}", "is longer", false },
		{ "dsn: {tu: x, route: drect}", "no route `drect'", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		AUTO(buf_fini) struct buf words = BUF_MAX(10000);
		struct dispatch_config c;

		CHECK_ROW(i, config_bind(rows[i].yaml, &c, a, &words) ==
			     rows[i].ok);
		if (strstr(buf_str(&words), rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, buf_str(&words));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses),
		cmocka_unit_test(pauses_of_a_constant_policy),
		cmocka_unit_test(rests),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(verdicts_of_old_age),
		cmocka_unit_test(verdicts_by_manner),
		cmocka_unit_test(paces),
		cmocka_unit_test(blame),
		cmocka_unit_test(audiences),
		cmocka_unit_test(config_defaults),
		cmocka_unit_test(config_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
