/* test-mail-dsn.c - reports: what must stand in them, and what must not */
#include "dsn-facts.h"

static void
test_failed(void **state)
{
	static const char *const wanted[] = {
		"To: it@example.com\r\n",
		"From: Mail Delivery System <MAILER-DAEMON@gw.example.com>\r\n",
		"Subject: Your message could not be delivered\r\n",
		"Auto-Submitted: auto-replied\r\n",
		"In-Reply-To: <1@a.test>\r\n",
		"report-type=delivery-status;\r\n",
		"could not be delivered to:\r\n\r\n  <bob@example.org>\r\n"
		"    mx1.example.org[192.0.2.1]:25 answered:\r\n"
		"    550 5.1.1 no such user here, and we have looked in every corner of the\r\n"
		"    house, the cellar as well (while sending RCPT TO)\r\n",
		"This is final",
		"  <carol@example.net>\r\n"
		"    connection refused (while connecting)\r\n",
		"The gateway stops trying after Wed, 25 Nov 2026 20:53:07 +0000.\r\n",
		"1M5Z8K3QXA", "tried 3 times",
		"Content-Type: message/delivery-status\r\n",
		"\r\nOriginal-Envelope-Id: QQ+1\r\n"
		"Reporting-MTA: dns; gw.example.com\r\n"
		"Arrival-Date: Mon, 23 Nov 2026 20:53:07 +0000\r\n"
		"X-Postern-Queue-Id: 1M5Z8K3QXA\r\n\r\n"
		"Original-Recipient: rfc822; Bob+x@example.org\r\n"
		"Final-Recipient: rfc822; bob@example.org\r\n"
		"Action: failed\r\nStatus: 5.1.1\r\n"
		"Remote-MTA: dns; mx1.example.org\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user here",
		"\r\n\r\nFinal-Recipient: rfc822; carol@example.net\r\n"
		"Action: delayed\r\nStatus: 4.4.1\r\n"
		"Diagnostic-Code: x-postern; connection refused (while connecting)\r\n",
		"Will-Retry-Until: Wed, 25 Nov 2026 20:53:07 +0000\r\n",
		"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
		ORIGINAL "\r\n--=_report_",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	assert_true(dsn_write(&out, &f));
	check_lines(buf_span(&out));
	check_has(buf_str(&out), wanted, ARRAY_SIZE(wanted));
	assert_int_equal(count(buf_str(&out), "\r\n--=_report_"), 4);
	assert_int_equal(count(buf_str(&out), "Will-Retry-Until"), 1);
}

static void
test_headers_only(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	f.whole = false;
	assert_true(dsn_write(&out, &f));
	assert_non_null(strstr(buf_str(&out), "Content-Type: text/rfc822-headers\r\n"));
	assert_null(strstr(buf_str(&out), "the body"));
	assert_non_null(strstr(buf_str(&out), "\r\nFrom: scanner@a.test\r\n"));

	/* RET=FULL does not hold for a mere delay (RFC 3461 section 4.3) */
	buf_clear(&out);
	f.whole = true;
	f.rcpts++;
	f.rcpt_count--;
	assert_true(dsn_write(&out, &f));
	assert_null(strstr(buf_str(&out), "the body"));
	assert_non_null(strstr(buf_str(&out), "Subject: Your message is delayed"));

	buf_clear(&out);
	f.original = SPAN_NONE;
	assert_true(dsn_write(&out, &f));
	check_lines(buf_span(&out));
}

static void
test_delivered(void **state)
{
	static const struct dsn_rcpt both[] = {
		{ .address = SPAN("a@b"), .action = DSN_DELIVERED, .outcome = &done },
		{ .address = SPAN("c@d"), .action = DSN_RELAYED },
	};
	static const char *const wanted[] = {
		"Your message was delivered to:\r\n", "no confirmations",
		"Action: delivered\r\nStatus: 2.0.0\r\n",
		"Action: relayed\r\nStatus: 2.0.0\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	f.rcpts = both;
	assert_true(dsn_write(&out, &f));
	check_has(buf_str(&out), wanted, ARRAY_SIZE(wanted));
}

/* A message and an answer that try to break out of their parts. */
static void
test_hostile(void **state)
{
	struct dsn_rcpt r = { .address = SPAN("a\r\nBcc: x@y\0\xc3\xb6@b"),
			      .orcpt = SPAN("rfc822;a+0D+0ABcc:+20x"),
			      .action = DSN_FAILED, .outcome = &refused_ipv6 };
	static const char *const wanted[] = {
		"Remote-MTA: dns; [IPv6:2001:db8::1]\r\n", "Status: 5.0.0\r\n",
		"boundary=\"=_report_19a_1\"", "x \\xff\\x{F6}\r\n",
		"Original-Recipient: rfc822; a\\r\\nBcc: x\r\n",
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nX: =FF\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	f.now_ms = 0x19a;
	f.rcpts = &r;
	f.rcpt_count = 1;
	f.ret = DSN_RET_NONE;
	f.original = SPAN("X: \xff\nMessage-ID: <a\r\n b>\r\n"
			  "Y: --=_report_19a_0\r\n\r\n");
	assert_true(dsn_write(&out, &f));
	check_lines(buf_span(&out));
	check_has(buf_str(&out), wanted, ARRAY_SIZE(wanted));
	assert_int_equal(count(buf_str(&out), "\r\nBcc:"), 0);
	assert_int_equal(count(buf_str(&out), "\r\n--=_report_19a_1"), 4);
	assert_int_equal(count(buf_str(&out), "In-Reply-To"), 0);
}

static void
test_smtputf8(void **state)
{
	static const struct dsn_rcpt r = {
		.address = SPAN("j\xc3\xb6rg@b.test"), .action = DSN_FAILED,
		.orcpt = SPAN("utf-8;j\\x{F6}rg@b.test"), .outcome = &cut_off,
	};
	static const char *const wanted[] = {
		"report-type=global-delivery-status;",
		"Content-Type: message/global-delivery-status\r\n",
		"Content-Type: message/global\r\n",
		"Content-Type: text/plain; charset=utf-8\r\n",
		"Final-Recipient: utf-8; j\xc3\xb6rg@b.test\r\n",
		"Original-Recipient: utf-8; j\\x{F6}rg@b.test\r\n",
		"  <j\xc3\xb6rg@b.test>\r\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	f.smtputf8 = true;
	f.rcpts = &r;
	f.rcpt_count = 1;
	assert_true(dsn_write(&out, &f));
	check_has(buf_str(&out), wanted, ARRAY_SIZE(wanted));
	f.ret = DSN_RET_HDRS;
	buf_clear(&out);
	assert_true(dsn_write(&out, &f));
	assert_non_null(strstr(buf_str(&out), "message/global-headers\r\n"));
}

/* Whatever the room, it is all or nothing. */
static void
test_no_room(void **state)
{
	AUTO(buf_fini) struct buf whole = BUF_MAX(100000);
	struct dsn_facts f = facts();

	(void)state;
	assert_true(dsn_write(&whole, &f));
	for (size_t max = 1; max < whole.len; max += 7) {
		AUTO(buf_fini) struct buf out = BUF_MAX(max);

		buf_add_char(&out, '!');
		CHECK_ROW(max, !dsn_write(&out, &f));
		CHECK_ROW(max, out.len == 1);
	}
}

static void
test_wanted(void **state)
{
	static const struct { unsigned notify; bool failed, delayed, success; } rows[] = {
		{ 0, true, true, false },
		{ DSN_NOTIFY_NEVER, false, false, false },
		{ DSN_NOTIFY_FAILURE, true, false, false },
		{ DSN_NOTIFY_DELAY, false, true, false },
		{ DSN_NOTIFY_SUCCESS, false, false, true },
		{ DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE, true, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ROW(i, dsn_wanted(rows[i].notify, DSN_FAILED) == rows[i].failed);
		CHECK_ROW(i, dsn_wanted(rows[i].notify, DSN_DELAYED) == rows[i].delayed);
		CHECK_ROW(i, dsn_wanted(rows[i].notify, DSN_RELAYED) == rows[i].success);
		CHECK_ROW(i, dsn_wanted(rows[i].notify, DSN_DELIVERED) == rows[i].success);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_headers_only),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_smtputf8),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
