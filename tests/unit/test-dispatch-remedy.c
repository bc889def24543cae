/* test-dispatch-remedy.c - what is said to whoever can mend it */
#include "unit.h"

#include "dispatch/remedy.h"

#include <stdio.h>

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
	} rows[] = {
		{ { PHASE_DOT, 554, "5.2.252", "SendAsDenied; a not allowed to send as b" }, "Send As" },
		{ { PHASE_DOT, 550, "5.7.60", "SMTP; Client does not have permissions" }, "Send As" },
		{ { PHASE_DOT, 554, "5.2.0", "STOREDRV; sendasdeniedexception" }, "Send As" },
		{ { PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful [x]" }, "New-ServicePrincipal" },
		{ { PHASE_AUTH, 535, "5.7.3", "something else" }, NULL },
		{ { PHASE_AUTH, 535, "5.7.8", "Authentication failed." }, "postern login" },
		{ { PHASE_DOT, 550, "5.1.90", "daily limit" }, "in a day" },
		{ { PHASE_DOT, 554, "5.2.0", "SubmissionQuotaExceededException" }, "in a day" },
		{ { PHASE_DOT, 550, "5.4.5", "Daily limit" }, "in a day" },
		{ { PHASE_DOT, 554, "5.2.2", "mailbox full; QuotaExceededException" }, "Sent Items" },
		{ { PHASE_RCPT, 550, "5.2.2", "mailbox full" }, NULL },
		{ { PHASE_DOT, 550, "5.1.8", "bad outbound sender" }, "blocked" },
		{ { PHASE_RCPT, 550, "5.1.8", "bad sender" }, NULL },
		{ { PHASE_MAIL, 550, "5.7.750", "unregistered domain" }, "accepted domains" },
		{ { PHASE_RCPT, 550, "5.7.64", "TenantAttribution; Relay Access Denied" }, "connector" },
		{ { PHASE_RCPT, 550, "5.1.1", "no such user" }, NULL },
		{ { PHASE_DOT, 550, NULL, "no" }, NULL },
		{ { PHASE_DOT, 250, "2.0.0", "ok" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(&rows[i].reply);

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
		{ { PHASE_GREETING, 554, "5.7.1", "no" }, SHOWN_NOTHING, "admit this host" },
		{ { PHASE_GREETING, 554, NULL, "no" }, SHOWN_NOTHING, "admit this host" },
		{ { PHASE_GREETING, 421, NULL, "later" }, SHOWN_NOTHING, NULL },
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_that_are_known),
		cmocka_unit_test(refusals_of_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
