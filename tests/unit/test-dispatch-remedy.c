/* test-dispatch-remedy.c - words: whom they blame, and what is said to whoever
 * can mend it */
#include "unit.h"

#include "dispatch/remedy.h"
#include "dispatch/verdict.h"

#include <stdio.h>

#define MINUTE (60 * 1000)
#define DAY (24 * 60 * (int64_t)MINUTE)

static const struct retry_policy policy = {
	.first = MINUTE, .factor = 2, .longest = 60 * MINUTE,
	.give_up = 2 * DAY, .warn_after = 60 * MINUTE,
};

struct said {
	enum phase phase;
	int code;
	const char *enhanced, *text;	/* enhanced NULL: none */
};

static struct outcome
outcome_of(const struct said *r)
{
	struct outcome o = { .kind = OUTCOME_REPLY, .phase = r->phase,
			     .code = r->code };
	struct span e = span_of(r->enhanced);

	if (r->enhanced != NULL)
		assert_true(enhanced_parse(&e, &o.enhanced));
	snprintf(o.text, sizeof(o.text), "%s", r->text);
	return o;
}

static void
check(size_t row, const char *remedy, const char *has)
{
	CHECK_ROW(row, (remedy != NULL) == (has != NULL));
	CHECK_ROW(row, remedy == NULL || strstr(remedy, has) != NULL);
}

static void
refusals_that_are_known(void **state)
{
	static const struct {
		struct said reply;
		const char *has;
		enum login login;
	} rows[] = {
		{ { PHASE_DOT, 554, "5.2.252", "SendAsDenied; a not allowed to send as b" }, "Send As", LOGIN_NONE },
		{ { PHASE_DOT, 550, "5.7.60", "SMTP; Client does not have permissions" }, "Send As", LOGIN_NONE },
		{ { PHASE_DOT, 554, "5.2.0", "STOREDRV; sendasdeniedexception" }, "Send As", LOGIN_NONE },
		{ { PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful [x]" }, "New-ServicePrincipal", LOGIN_TOKEN },
		/* a password is not told of tokens, nor the other way round */
		{ { PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful [x]" }, "`password' of the route.", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, "5.7.8", "Authentication failed." }, "postern login", LOGIN_TOKEN },
		{ { PHASE_AUTH, 535, "5.7.8", "Authentication failed." }, "check `user' and `password' of the route.", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, NULL, "Authentication failed." }, "check `user'", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, NULL, "Authentication failed." }, "postern login", LOGIN_TOKEN },
		{ { PHASE_AUTH, 534, "5.7.9", "needs an app password" }, "check `user'", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, "5.7.139", "basic authentication is disabled." }, "oauth", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, "5.7.139", "SmtpClientAuthentication is disabled" }, "Set-CASMailbox", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 535, "5.7.139", "basic authentication is disabled." }, "Set-CASMailbox", LOGIN_TOKEN },
		{ { PHASE_AUTH, 535, "5.7.30", "Basic authentication" }, "oauth", LOGIN_PASSWORD },
		{ { PHASE_AUTH, 504, "5.5.4", "unknown mechanism" }, NULL, LOGIN_PASSWORD },
		{ { PHASE_MAIL, 535, "5.7.3", "something else" }, NULL, LOGIN_NONE },
		{ { PHASE_DOT, 554, "5.4.6", "too many hops" }, "in a circle", LOGIN_NONE },
		{ { PHASE_DOT, 550, "5.1.90", "daily limit" }, "daily limit", LOGIN_NONE },
		{ { PHASE_DOT, 554, "5.2.0", "SubmissionQuotaExceededException" }, "daily limit", LOGIN_NONE },
		{ { PHASE_DOT, 550, "5.4.5", "Daily limit" }, "daily limit", LOGIN_NONE },
		{ { PHASE_DOT, 554, "5.2.2", "mailbox full; QuotaExceededException" }, "Sent Items", LOGIN_NONE },
		{ { PHASE_RCPT, 550, "5.2.2", "mailbox full" }, NULL, LOGIN_NONE },
		{ { PHASE_DOT, 550, "5.1.8", "bad outbound sender" }, "blocked", LOGIN_NONE },
		{ { PHASE_RCPT, 550, "5.1.8", "bad sender" }, NULL, LOGIN_NONE },
		{ { PHASE_MAIL, 550, "5.7.750", "unregistered domain" }, "accepted domains", LOGIN_NONE },
		{ { PHASE_RCPT, 550, "5.7.64", "TenantAttribution; Relay Access Denied" }, "connector", LOGIN_NONE },
		{ { PHASE_RCPT, 550, "5.1.1", "no such user" }, NULL, LOGIN_NONE },
		{ { PHASE_DOT, 550, NULL, "no" }, NULL, LOGIN_NONE },
		{ { PHASE_DOT, 250, "2.0.0", "ok" }, NULL, LOGIN_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].reply);

		o.login = rows[i].login;
		check(i, remedy_of(&o, BACKEND_RELAY), rows[i].has);
		/* what was found out on the spot goes before all tables */
		snprintf(o.hint, sizeof(o.hint), "mend it");
		check(i, remedy_of(&o, BACKEND_RELAY), "mend it");
	}
}

/* By a server that may know us by a certificate. */
static void
refusals_of_a_certificate(void **state)
{
	static const struct {
		struct said reply;
		enum shown shown;
		const char *has;
	} rows[] = {
		{ { PHASE_RCPT, 554, "5.7.1", "denied" }, SHOWN_MISSING, "`certificate' and `key'" },
		{ { PHASE_MAIL, 554, "5.7.1", "denied" }, SHOWN_EXPIRED, "expired" },
		{ { PHASE_EHLO, 421, "4.7.1", "no" }, SHOWN_CERTIFICATE, "issuers" },
		{ { PHASE_RCPT, 550, "5.7.1", "no" }, SHOWN_NOT_ASKED, "did not ask" },
		{ { PHASE_MAIL, 550, NULL, "no Certificate" }, SHOWN_EXPIRED, "expired" },
		/* before it could be shown anything */
		{ { PHASE_GREETING, 554, "5.7.1", "no" }, SHOWN_NOTHING, "admit the gateway" },
		{ { PHASE_GREETING, 554, NULL, "no" }, SHOWN_NOTHING, "admit the gateway" },
		{ { PHASE_GREETING, 421, NULL, "later" }, SHOWN_NOTHING, NULL },
		{ { PHASE_EHLO, 550, "5.7.1", "no" }, SHOWN_NOTHING, "admit the gateway" },
		{ { PHASE_MAIL, 554, "5.7.1", "no" }, SHOWN_NOTHING, "admit the gateway" },
		{ { PHASE_MAIL, 554, "5.7.1", "Sender rejected" }, SHOWN_NOTHING, NULL },
		{ { PHASE_MAIL, 550, "5.1.8", "no" }, SHOWN_NOTHING, NULL },
		/* of anything else */
		{ { PHASE_MAIL, 550, NULL, "no" }, SHOWN_EXPIRED, NULL },
		{ { PHASE_RCPT, 550, "5.1.1", "no" }, SHOWN_MISSING, NULL },
		{ { PHASE_RCPT, 550, "5.7.1", "no" }, SHOWN_NOTHING, NULL },
		{ { PHASE_DOT, 550, "5.7.1", "spam" }, SHOWN_CERTIFICATE, NULL },
		{ { PHASE_RCPT, 250, "2.7.0", "ok" }, SHOWN_MISSING, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].reply);

		o.shown = rows[i].shown;
		check(i, remedy_of(&o, BACKEND_RELAY), rows[i].has);
		/* those know nobody, and some ask everybody */
		check(i, remedy_of(&o, BACKEND_RECEIVERS), NULL);
	}
}

/* One code, two things: whom the words blame. */
static void
verdicts_by_words(void **state)
{
	static const struct {
		struct said reply;
		enum verdict want;
	} rows[] = {
		/* a message's own */
		{ { PHASE_DOT, 554, "5.2.0",
		    "STOREDRV.Submission.Exception:SendAsDeniedException" }, VERDICT_BOUNCE },
		{ { PHASE_RCPT, 550, "5.2.2",
		    "mailbox full" }, VERDICT_BOUNCE },
		{ { PHASE_RCPT, 550, "5.1.8",
		    "Bad sender's system address" }, VERDICT_BOUNCE },
		{ { PHASE_MAIL, 554, "5.7.1",
		    "<a@b.test>: Sender address rejected: NOT OWNED BY user" }, VERDICT_RETRY },
		{ { PHASE_MAIL, 553, NULL,
		    "not owned by user" }, VERDICT_RETRY },
		{ { PHASE_MAIL, 501, "5.5.4",
		    "Invalid arguments" }, VERDICT_RETRY },
		{ { PHASE_MAIL, 555, NULL,
		    "no such parameter" }, VERDICT_RETRY },
		{ { PHASE_DOT, 550, NULL,
		    "Too many \"Received\" headers - suspected mail loop" }, VERDICT_BOUNCE },
		{ { PHASE_DOT, 554, NULL,
		    "too many hops, this message is looping (#5.4.6)" }, VERDICT_BOUNCE },
		/* the account's */
		{ { PHASE_DOT, 550, "5.1.90",
		    "you've reached your daily limit for message recipients" }, VERDICT_PAUSE },
		{ { PHASE_DOT, 554, "5.2.0",
		    "STOREDRV; SubmissionQuotaExceededException" }, VERDICT_PAUSE },
		{ { PHASE_DOT, 550, "5.2.2",
		    "Submission quota exceeded" }, VERDICT_PAUSE },
		{ { PHASE_DOT, 554, "5.2.2",
		    "mailbox full; STOREDRV.QuotaExceededException" }, VERDICT_PAUSE },
		{ { PHASE_MAIL, 550, "5.1.8",
		    "Access denied, bad outbound sender" }, VERDICT_PAUSE },
		{ { PHASE_DOT, 550, "5.4.5",
		    "Daily user sending limit exceeded" }, VERDICT_PAUSE },
		{ { PHASE_RCPT, 550, "5.7.705",
		    "tenant has exceeded threshold" }, VERDICT_PAUSE },
		{ { PHASE_MAIL, 530, NULL,
		    "authentication required" }, VERDICT_PAUSE },
		{ { PHASE_MAIL, 554, "5.7.1",
		    "<a@b.test>: Sender address rejected: Access denied" }, VERDICT_PAUSE },
		/* before a message is spoken of, it is us */
		{ { PHASE_AUTH, 535, "5.7.60",
		    "no" }, VERDICT_PAUSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].reply);
		struct verdict_facts f = {
			.policy = &policy, .age_ms = MINUTE, .attempts = 3,
			.manner = BACKEND_RELAY,
		};

		CHECK_ROW(i, verdict_of(&o, &f) == rows[i].want);
	}
}

/* Who is broken off does not pay for it, however old. */
static void
a_stop_bounces_nothing(void **state)
{
	const struct outcome ours = { .kind = OUTCOME_LOCAL,
				      .phase = PHASE_DOT };
	const struct outcome theirs = { .kind = OUTCOME_REPLY,
					.phase = PHASE_DOT, .code = 450 };
	struct verdict_facts f = {
		.policy = &policy, .age_ms = 100 * DAY,
		.attempts = 9, .stopping = true,
	};

	(void)state;
	assert_int_equal(verdict_of(&ours, &f), VERDICT_RETRY);
	assert_int_equal(verdict_of(&theirs, &f), VERDICT_BOUNCE);
	f.stopping = false;
	assert_int_equal(verdict_of(&ours, &f), VERDICT_BOUNCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_that_are_known),
		cmocka_unit_test(refusals_of_a_certificate),
		cmocka_unit_test(verdicts_by_words),
		cmocka_unit_test(a_stop_bounces_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
