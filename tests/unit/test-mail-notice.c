/* test-mail-notice.c - the mail about a route that is paused, in words */
#include "mail/notice.h"

#include "base/macros.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

#define DAY (INT64_C(24) * 60 * 60 * 1000)

static struct notice_facts
facts(enum notice_kind kind)
{
	return (struct notice_facts){
		.kind = kind, .hostname = SPAN("gw.example.com"),
		.to = SPAN("it@example.com"), .route = SPAN("m365"),
		.backend = SPAN("oauth"), .mailbox = SPAN("scan@example.com"),
		.host = SPAN("smtp.example.net[192.0.2.1]:587"),
		.reason = SPAN("535 5.7.3 Authentication unsuccessful (while "
			       "logging in)"),
		.remedy = SPAN("Sign in as the mailbox (postern login m365)."),
		.now_ms = 1795470787000, .since_ms = 1795470667000,
		.counted = true, .waiting = 12, .oldest_ms = 1795467187000,
		.keeps_ms = 16 * DAY, .number = 7,
	};
}

static const char *
written(struct buf *out, const struct notice_facts *f)
{
	struct span s, line;

	buf_clear(out);
	assert_true(notice_write(out, f));
	s = buf_span(out);
	assert_false(span_has_8bit(s));
	s.n--;
	for (size_t i = 0; span_split(&s, '\n', &line); i++) {
		CHECK_ROW(i, line.n > 0 && line.n <= 80);
		CHECK_ROW(i, line.p[line.n - 1] == '\r');
	}
	return buf_str(out);
}

static void
check_has(const char *text, const char *const *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, wanted[i]) == NULL)
			fail_msg("\"%s\" is missing in:\n%s", wanted[i], text);
}

static int
set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static void
a_pause_is_told_with_all_that_helps(void **state)
{
	static const char *const wanted[] = {
		"Date: Mon, 23 Nov 2026 21:53:07 +0000\r\n",
		"From: Mail Delivery System <MAILER-DAEMON@gw.example.com>\r\n",
		"To: it@example.com\r\n",
		"Subject: Route m365 is paused, its mail waits\r\n",
		"Auto-Submitted: auto-generated\r\n",
		"Content-Type: text/plain; charset=us-ascii\r\n",
		"  Route:     m365\r\n", "  Backend:   oauth\r\n",
		"  Mailbox:   scan@example.com\r\n",
		"  Server:    smtp.example.net[192.0.2.1]:587\r\n",
		"  Since:     Mon, 23 Nov 2026 21:51:07 +0000\r\n",
		"  Reason:    535 5.7.3 Authentication unsuccessful (while "
		"logging in)\r\n",
		"  Remedy:    Sign in as the mailbox (postern login m365).\r\n",
		"  Waiting:   12 messages, the oldest from Mon, 23 Nov 2026 "
		"20:53:07 +0000\r\n",
		"  Kept till: Wed, 9 Dec 2026 20:53:07 +0000\r\n",
		"  postern queue retry --route m365\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct notice_facts f = facts(NOTICE_PAUSED);

	(void)state;
	check_has(written(&out, &f), wanted, ARRAY_SIZE(wanted));
}

static void
what_is_not_known_is_left_out(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct notice_facts f = facts(NOTICE_PAUSED);
	const char *text;

	(void)state;
	f.mailbox = f.host = f.remedy = SPAN_NONE;
	f.waiting = 0;
	text = written(&out, &f);
	assert_null(strstr(text, "Mailbox"));
	assert_null(strstr(text, "Server"));
	assert_null(strstr(text, "Remedy"));
	assert_non_null(strstr(text, "  Waiting:   no message yet\r\n"));
	assert_non_null(strstr(text, "  Kept for:  16 days from the arrival of "
			       "each message on\r\n"));
	f.counted = false;
	assert_non_null(strstr(written(&out, &f), "could not be read"));
	f.counted = true;
	f.waiting = 1;
	assert_non_null(strstr(written(&out, &f), "  Waiting:   1 message, the"));
}

static void
a_long_or_hostile_reason_stays_in_its_place(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct notice_facts f = facts(NOTICE_PAUSED);
	const char *text;

	(void)state;
	f.reason = SPAN("550 no\r\nBcc: x@y\r\n\r\n.\r\nEmpf\xc3\xa4nger \xff and much "
			"more of the kind that goes on and on until it is wrapped");
	text = written(&out, &f);
	assert_null(strstr(text, "\r\nBcc"));
	assert_non_null(strstr(text, "quoted-printable"));
	assert_non_null(strstr(text, "Empf=C3=A4nger \\xff"));
	assert_non_null(strstr(text, "\r\n             "));
}

static void
its_end_is_told(void **state)
{
	static const char *const wanted[] = {
		"Subject: Route m365 works again\r\n",
		"  Paused:    Mon, 23 Nov 2026 21:51:07 +0000\r\n",
		"  Works:     Mon, 23 Nov 2026 21:53:07 +0000\r\n",
		"  Lasted:    2 minutes\r\n",
	};
	static const struct { int64_t ms; const char *want; } rows[] = {
		{ -5, "0 seconds" }, { 1000, "1 second" }, { 90000, "90 seconds" },
		{ 120000, "2 minutes" }, { 90 * 60000, "90 minutes" },
		{ 47 * 3600000L, "47 hours" }, { 3 * DAY + 1, "3 days" },
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct notice_facts f = facts(NOTICE_RESUMED);

	(void)state;
	check_has(written(&out, &f), wanted, ARRAY_SIZE(wanted));
	assert_null(strstr(buf_str(&out), "Reason"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f.since_ms = f.now_ms - rows[i].ms;
		CHECK_ROW(i, strstr(written(&out, &f), rows[i].want) != NULL);
	}
}

static void
it_is_all_or_nothing(void **state)
{
	AUTO(buf_fini) struct buf whole = BUF_MAX(100000);
	struct notice_facts f = facts(NOTICE_PAUSED);

	(void)state;
	assert_true(notice_write(&whole, &f));
	for (size_t max = 1; max < whole.len; max++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(max);

		buf_add_char(&out, '!');
		CHECK_ROW(max, !notice_write(&out, &f) && out.len == 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pause_is_told_with_all_that_helps),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(a_long_or_hostile_reason_stays_in_its_place),
		cmocka_unit_test(its_end_is_told),
		cmocka_unit_test(it_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
