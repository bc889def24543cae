/* test-mail-report.c - reports: who reads them, what they return, and letters
 * that are not ASCII's */
#include "dsn-facts.h"

#include "mail/mime.h"

/* --- what is named, grouped, explained ------------------------------- */

#define NAMED								\
	"Received: from x\r\n"						\
	"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe=2C?=\r\n =?UTF-8?B?IDMgcGFnZXM=?=\r\n" \
	"To: bob@example.org,\r\n\tcarol@example.net\r\n"		\
	"Date: Mon, 23 Nov 2026 20:53:01 +0000\r\n\r\npages\r\n"

static const char *
written(struct buf *out, const struct dsn_facts *f)
{
	buf_clear(out);
	assert_true(dsn_write(out, f));
	check_lines(buf_span(out));
	return buf_str(out);
}

static void
a_message_is_named_by_subject_to_and_date(void **state)
{
	static const char *const wanted[] = {
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
		"This report is about your message:\r\n\r\n"
		"  Subject: Gr=C3=BC=C3=9Fe, 3 pages\r\n"
		"  To: bob@example.org, carol@example.net\r\n"
		"  Date: Mon, 23 Nov 2026 20:53:01 +0000\r\n\r\n"
		"Your message could not be delivered to:\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	f.original = SPAN(NAMED);
	check_has(written(&out, &f), wanted, ARRAY_SIZE(wanted));
	/* nothing there: the id */
	f.original = SPAN("X: y\r\n\r\n");
	assert_non_null(strstr(written(&out, &f),
			       "your message:\r\n\r\n  Id: 1M5Z8K3QXA\r\n"));
}

static void
one_text_serves_those_that_fared_alike(void **state)
{
	static char names[120][20];
	static struct dsn_rcpt all[122];
	AUTO(buf_fini) struct buf out = BUF_MAX(500000);
	struct dsn_facts f = facts();
	struct outcome same = refused;
	const char *text;

	(void)state;
	f.original = SPAN(NAMED);
	f.rcpts = all;
	f.rcpt_count = 122;
	all[0] = rcpts[1];
	for (size_t i = 0; i < 120; i++) {
		snprintf(names[i], sizeof(names[i]), "r%zu@example.org", i);
		all[i + 1] = rcpts[0];
		all[i + 1].address = span_of(names[i]);
		all[i + 1].outcome = i % 2 ? &refused : &same;
	}
	all[121] = rcpts[0];
	all[121].remedy = "Ask him.";
	text = written(&out, &f);
	/* in the text once for the 120, once for him; and for programs all */
	assert_int_equal(count(text, "mx1.example.org[192.0.2.1]:25 answered"), 2);
	assert_int_equal(count(text, "Action: failed"), 121);
	assert_non_null(strstr(text, "  <r0@example.org>\r\n  <r1@"));
	assert_non_null(strstr(text, "  <r19@example.org>\r\n  and 100 more; "
			       "the second part of this report lists all of them"));
	assert_null(strstr(text, "  <r20@example.org>"));
	assert_non_null(strstr(text, "Final-Recipient: rfc822; r119@example.org"));
	assert_int_equal(count(text, "This is final"), 1);
}

/* Many servers repeat whom they refuse. */
static void
an_address_in_the_answer_makes_no_other_text(void **state)
{
	static const char *const names[] = { "a@b.test", "Cc@b.test", "d@b.test" };
	static const char *const texts[] = {
		"<a@b.test>: no mailbox of a@b.test here",
		"<cc@b.test>: no mailbox of Cc@b.test here",
		"<x@b.test>: no mailbox of d@b.test here",
	};
	struct outcome each[3];
	struct dsn_rcpt all[3];
	AUTO(buf_fini) struct buf out = BUF_MAX(500000);
	struct dsn_facts f = facts();
	const char *text;

	(void)state;
	f.rcpts = all;
	f.rcpt_count = 3;
	for (size_t i = 0; i < 3; i++) {
		each[i] = refused;
		snprintf(each[i].text, sizeof(each[i].text), "%s", texts[i]);
		all[i] = rcpts[0];
		all[i].outcome = &each[i];
		all[i].address = span_of(names[i]);
	}
	text = written(&out, &f);
	assert_non_null(strstr(text, "  <a@b.test>\r\n  <Cc@b.test>\r\n"
			       "    mx1.example.org[192.0.2.1]:25 answered:\r\n"
			       "    550 5.1.1 <...>: no mailbox of ... here"));
	/* alone, or with another's address, it stands as it was said */
	assert_non_null(strstr(text, "550 5.1.1 <x@b.test>: no mailbox of d@b.test here"));
	assert_non_null(strstr(text, "smtp; 550 5.1.1 <cc@b.test>: no mailbox"));
}

/* As many reasons as recipients: the text stays short. */
static void
reasons_are_bounded(void **state)
{
	static struct outcome each[200];
	static struct dsn_rcpt all[200];
	AUTO(buf_fini) struct buf out = BUF_MAX(500000);
	struct dsn_facts f = facts();
	const char *text;

	(void)state;
	f.rcpts = all;
	f.rcpt_count = 200;
	for (size_t i = 0; i < 200; i++) {
		outcome_set(&each[i], OUTCOME_NETWORK, PHASE_CONNECT,
			    "reason %zu", i);
		all[i] = rcpts[0];
		all[i].outcome = &each[i];
	}
	text = written(&out, &f);
	assert_int_equal(count(text, "\r\n    reason "), 30);
	assert_non_null(strstr(text, "170 other reasons are in the second part"));
	assert_int_equal(count(text, "Diagnostic-Code: x-postern; reason"), 200);
}

static void
the_operator_has_a_text_of_its_own(void **state)
{
	static const char *const wanted[] = {
		"To: it@example.com\r\n",
		"Subject: A message from <scanner@a.test> could not be delivered\r\n",
		"Auto-Submitted: auto-generated\r\n",
		"report-type=delivery-status",
		"dsn.to", "  From: scanner@a.test\r\n",
		"  Subject: Gr=C3=BC=C3=9Fe, 3 pages\r\n",
		"  Device: 192.168.1.40, which calls itself KM-1234, logged in as scan,\r\n"
		"  connected to 0.0.0.0:25\r\n",
		"  Route: accounting\r\n",
		"  Accepted: Mon, 23 Nov 2026 20:53:07 +0000\r\n"
		"  Id: 1M5Z8K3QXA\r\n\r\n",
		"The message could not be delivered to:\r\n\r\n  <bob@example.org>\r\n",
		"\r\n\r\n    Make him known there.\r\n",
		"The sender gets a report, too.\r\n",
		"X-Postern-Sender: rfc822; scanner@a.test\r\n",
		"X-Postern-Queue-Id: 1M5Z8K3QXA\r\n",
		/* the whole message was the sender's wish */
		"Content-Type: text/rfc822-headers\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();
	struct dsn_rcpt one = rcpts[0];
	const char *text;

	(void)state;
	one.remedy = "Make him known there.";
	f.reader = DSN_FOR_OPERATOR;
	f.original = SPAN(NAMED);
	f.sender = SPAN("scanner@a.test");
	f.client = SPAN("192.168.1.40");
	f.helo = SPAN("KM-1234");
	f.user = SPAN("scan");
	f.listener = SPAN("0.0.0.0:25");
	f.route = SPAN("accounting");
	f.sender_told = true;
	f.rcpts = &one;
	f.rcpt_count = 1;
	text = written(&out, &f);
	check_has(text, wanted, ARRAY_SIZE(wanted));
	assert_null(strcasestr(text, "your message"));
	assert_null(strstr(text, "\r\npages\r\n"));
	f.sender_told = false;
	assert_non_null(strstr(written(&out, &f), "did not ask to be told"));
	f.sender = SPAN_NONE;
	text = written(&out, &f);
	assert_non_null(strstr(text, "A message from <> could not"));
	assert_non_null(strstr(text, "no sender (<>), so nobody else"));
}

/* --- what is returned ------------------------------------------------ */

static void
what_no_report_can_hold_is_not_returned(void **state)
{
	static char line[1200];
	static const struct {
		const char *head, *tail;
		size_t x, nul;		/* so many in the body's line */
		bool whole, full;
		const char *words;
	} rows[] = {
		{ "A: b\r\n\r\n", "\r\n", 998, 0, true, true, NULL },
		{ "A: b\r\n\r\n", "\r\n", 999, 0, true, false,
		  "holds NUL" },
		{ "A: b\r\n\r\n", "\n", 999, 0, true, false, "holds NUL" },
		{ "A: b\r\n\r\n", "\r\n", 9, 1, true, false, "holds NUL" },
		{ "A: b\r\n\r\n", "\r\n", 9, 0, false, false, "larger than 32 KiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(100000);
		AUTO(buf_fini) struct buf in = BUF_MAX(100000);
		struct dsn_facts f = facts();
		const char *text;

		memset(line, 'x', sizeof(line));
		buf_add_str(&in, rows[i].head);
		buf_add(&in, (struct span){ line, rows[i].x });
		for (size_t k = 0; k < rows[i].nul; k++)
			buf_add_char(&in, '\0');
		buf_add_str(&in, rows[i].tail);
		f.original = buf_span(&in);
		f.whole = rows[i].whole;
		assert_true(dsn_write(&out, &f));
		text = buf_str(&out);
		CHECK_ROW(i, strlen(text) == out.len);
		CHECK_ROW(i, (strstr(text, "message/rfc822\r\n") != NULL) ==
			     rows[i].full);
		CHECK_ROW(i, (strstr(text, "text/rfc822-headers\r\n") == NULL) ==
			     rows[i].full);
		CHECK_ROW(i, (strstr(text, "You asked for the whole") == NULL) ==
			     rows[i].full);
		CHECK_ROW(i, rows[i].words == NULL ||
			     strstr(text, rows[i].words) != NULL);
		f.ret = DSN_RET_HDRS;
		buf_clear(&out);
		assert_true(dsn_write(&out, &f));
		CHECK_ROW(i, strstr(buf_str(&out), "You asked for") == NULL);
	}
}

/* NUL, and a field that is too long: quoted-printable holds them. */
static void
a_header_that_is_odd_is_encoded(void **state)
{
	static char field[1100];
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	AUTO(buf_fini) struct buf in = BUF_MAX(100000);
	struct dsn_facts f = facts();
	const char *returned;

	(void)state;
	memset(field, 'y', sizeof(field));
	buf_add_str(&in, "Subject: ");
	buf_add(&in, (struct span){ field, sizeof(field) });
	buf_add(&in, (struct span){ "\r\nA: b\0c= \r\n\r\n", 13 });
	f.original = buf_span(&in);
	f.whole = false;
	written(&out, &f);
	assert_int_equal(strlen(buf_str(&out)), out.len);
	assert_non_null(strstr(buf_str(&out), "Content-Type: text/rfc822-headers\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: yyy"));
	assert_non_null(strstr(buf_str(&out), "y=\r\ny"));
	/* as long as RFC 2045 section 6.7 lets a line be */
	returned = strstr(buf_str(&out), "text/rfc822-headers");
	field[75] = '\0';
	assert_non_null(strstr(returned, field));
	field[75] = 'y';
	field[76] = '\0';
	assert_null(strstr(returned, field));
	assert_non_null(strstr(buf_str(&out), "\r\nA: b=00c=3D=20\r\n"));
}

static void
a_header_is_cut_between_fields(void **state)
{
	static const struct { const char *text, *kept, *gone; bool whole; } rows[] = {
		{ "One: 1\r\nTwo: 2\r\n 3\r\nThree: 4", "\r\nTwo: 2\r\n 3\r\n", "Three: ", false },
		{ "One: 1\r\nTwo: 2\r\n 3\r\n", "\r\nOne: 1\r\n", "Two: ", false },
		{ "One: 1\r\nTwo: 2\r\n 3\r\n", "\r\nTwo: 2\r\n 3\r\n", "larger", true },
		{ "One: 1\r\nTwo: 2\r\n\r\n", "\r\nTwo: 2\r\n", "larger", false },
		{ "One: 1\r\nTwo: 2\r\n\r\nbody", "\r\nTwo: 2\r\n", "larger", false },
		{ "One: 1111", "text/rfc822-headers", "One: ", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(100000);
		struct dsn_facts f = facts();
		const char *text;

		f.ret = DSN_RET_HDRS;
		f.original = span_of(rows[i].text);
		f.whole = rows[i].whole;
		text = written(&out, &f);
		CHECK_ROW(i, strstr(text, rows[i].kept) != NULL);
		CHECK_ROW(i, strstr(text, rows[i].gone) == NULL);
		CHECK_ROW(i, (strstr(text, "header is larger than 32 KiB") != NULL) ==
			     (strcmp(rows[i].gone, "larger") != 0));
	}
}

/* --- names and letters ----------------------------------------------- */

static void
an_address_is_a_literal(void **state)
{
	static const struct { const char *host, *want; } rows[] = {
		{ "127.0.0.1[127.0.0.1]:25", "Remote-MTA: dns; [127.0.0.1]\r\n" },
		{ "[127.0.0.1]:25", "Remote-MTA: dns; [127.0.0.1]\r\n" },
		{ "::1[::1]:25", "Remote-MTA: dns; [IPv6:::1]\r\n" },
		{ "[::1]:25", "Remote-MTA: dns; [IPv6:::1]\r\n" },
		{ "mx.test[::1]:25", "Remote-MTA: dns; mx.test\r\n" },
		{ "mx.test:25", "Remote-MTA: dns; mx.test\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(100000);
		struct dsn_facts f = facts();
		struct outcome o = refused;
		struct dsn_rcpt r = rcpts[0];

		snprintf(o.host, sizeof(o.host), "%s", rows[i].host);
		r.outcome = &o;
		f.rcpts = &r;
		f.rcpt_count = 1;
		CHECK_ROW(i, strstr(written(&out, &f), rows[i].want) != NULL);
	}
}

static void
letters_of_a_reply_are_not_lost(void **state)
{
	static const char *const wanted[] = {
		"550 Empf=C3=A4nger unbekannt =E2=82=AC",
		"Diagnostic-Code: smtp; 550 Empf\\x{E4}nger unbekannt \\x{20AC}\r\n",
		"Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@b.test\r\n",
		"  <j=C3=B6rg+x@b.test>\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct smtp_reply reply = { .code = 550,
		.text = SPAN("Empf\xc3\xa4nger unbekannt \xe2\x82\xac") };
	struct outcome o = { .code = 0 };
	struct dsn_rcpt r = { .address = SPAN("j\xc3\xb6rg+x@b.test"),
			      .outcome = &o };
	struct dsn_facts f = facts();

	(void)state;
	outcome_reply(&o, PHASE_DOT, &reply);
	f.rcpts = &r;
	f.rcpt_count = 1;
	check_has(written(&out, &f), wanted, ARRAY_SIZE(wanted));
	assert_false(span_has_8bit(buf_span(&out)));
}

static void
what_was_not_sent_is_not_told(void **state)
{
	struct outcome o = { .code = 0 };
	char text[200];

	(void)state;
	outcome_set(&o, OUTCOME_UNSUPPORTED, PHASE_MAIL, "too large");
	assert_string_equal(outcome_text(&o, text, sizeof(text)), "too large");
	outcome_set(&o, OUTCOME_NETWORK, PHASE_MAIL, "cut off");
	assert_string_equal(outcome_text(&o, text, sizeof(text)),
			    "cut off (while sending MAIL FROM)");
}

static void
encoded_words(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "plain", "plain" }, { "", "" }, { " a  b ", " a  b " },
		{ "=?utf-8?q?a_b=3D?=", "a b=" },
		{ "x =?utf-8?q?a?= =?utf-8?q?b?= y", "x ab y" },
		{ "=?iso-8859-1?Q?=FCber?=", "\xc3\xbc" "ber" },
		{ "=?UTF-8*de?B?w7w=?=", "\xc3\xbc" },
		{ "=?koi8-r?B?w7w=?=", "=?koi8-r?B?w7w=?=" },
		{ "=?utf-8?B?w7w?=", "=?utf-8?B?w7w?=" },
		{ "=?utf-8?q?a=4?=", "=?utf-8?q?a=4?=" },
		{ "=?utf-8?q?a", "=?utf-8?q?a" }, { "=?", "=?" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" }, { "=?=?=?=", "=?=?=?=" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(200);

		CHECK_ROW(i, mime_words(&b, span_of(rows[i].in)));
		CHECK_ROW(i, strcmp(buf_str(&b), rows[i].out) == 0);
	}
}

/* --- read again ------------------------------------------------------ */

static void
a_report_tells_what_it_was_about(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();
	struct dsn_rcpt two[2];
	struct dsn_story story;

	(void)state;
	f.sender = SPAN("scanner@a.test");
	written(&out, &f);
	assert_true(dsn_read(buf_span(&out), &story));
	assert_string_equal(story.id, "1M5Z8K3QXA");
	assert_string_equal(story.sender, "scanner@a.test");
	assert_string_equal(story.rcpt, "bob@example.org");
	assert_int_equal(story.rcpts, 2);
	assert_string_equal(story.why, "550 5.1.1 no such user here, and we have "
			    "looked in every corner of the house, the cellar as well");
	/* cut anywhere it does no harm */
	for (size_t n = 0; n < out.len; n++)
		dsn_read(span_sub(buf_span(&out), 0, n), &story);
	/* of the first one nothing was said: what was said of another is not
	 * taken for it */
	two[0] = f.rcpts[0];
	two[0].outcome = NULL;
	two[1] = f.rcpts[0];
	f.rcpts = two;
	buf_clear(&out);
	written(&out, &f);
	assert_true(dsn_read(buf_span(&out), &story));
	assert_string_equal(story.rcpt, "bob@example.org");
	assert_string_equal(story.why, "");
	assert_false(dsn_read(SPAN("Subject: x\r\n\r\ny\r\n"), &story));
	assert_false(dsn_read(SPAN_NONE, &story));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_named_by_subject_to_and_date),
		cmocka_unit_test(one_text_serves_those_that_fared_alike),
		cmocka_unit_test(an_address_in_the_answer_makes_no_other_text),
		cmocka_unit_test(reasons_are_bounded),
		cmocka_unit_test(the_operator_has_a_text_of_its_own),
		cmocka_unit_test(what_no_report_can_hold_is_not_returned),
		cmocka_unit_test(a_header_that_is_odd_is_encoded),
		cmocka_unit_test(a_header_is_cut_between_fields),
		cmocka_unit_test(an_address_is_a_literal),
		cmocka_unit_test(letters_of_a_reply_are_not_lost),
		cmocka_unit_test(what_was_not_sent_is_not_told),
		cmocka_unit_test(encoded_words),
		cmocka_unit_test(a_report_tells_what_it_was_about),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
