/* test-mail-header.c - fields found and fields added */
#include "mail/header.h"

#include "base/macros.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

/* name NULL: no field, and s is not moved */
static const struct {
	struct span in;
	const char *name;
	struct span value, rest;
} fields[] = {
	{ SPAN("A: b\r\nC: d\r\n"), "A", SPAN(" b"), SPAN("C: d\r\n") },
	{ SPAN("A: b\nC: d\n"), "A", SPAN(" b"), SPAN("C: d\n") },
	{ SPAN("A:\r\n\r\n"), "A", SPAN(""), SPAN("\r\n") },
	{ SPAN("A: b"), "A", SPAN(" b"), SPAN("") },
	{ SPAN("A : b\r\n"), "A", SPAN(" b"), SPAN("") },
	{ SPAN("A: b\r\n c\r\n\td\r\nE:\r\n"), "A", SPAN(" b\r\n c\r\n\td"), SPAN("E:\r\n") },
	{ SPAN("A: b\r\n \r\n c\r\n\r\n"), "A", SPAN(" b\r\n \r\n c"), SPAN("\r\n") },
	{ SPAN("A: b:c\r\n"), "A", SPAN(" b:c"), SPAN("") },
	{ SPAN("A: b\0c\r\n"), "A", SPAN(" b\0c"), SPAN("") },
	{ SPAN("A: \xff\r\n"), "A", SPAN(" \xff"), SPAN("") },
	{ SPAN(""), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("hello\r\nA: b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("hello"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN(": b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN(" A: b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("From a@b Mon Nov 23 20:53:07\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("A\0: b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("\xc3\xb6: b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
	{ SPAN("A\r\n: b\r\n"), NULL, SPAN_NONE, SPAN_NONE },
};

static void
test_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct span s = fields[i].in;
		struct header_field f;
		bool ok = header_next(&s, &f);

		CHECK_ROW(i, ok == (fields[i].name != NULL));
		if (!ok) {
			CHECK_ROW(i, span_eq(s, fields[i].in));
			continue;
		}
		CHECK_ROW(i, span_eq(f.name, span_of(fields[i].name)));
		CHECK_ROW(i, span_eq(f.value, fields[i].value));
		CHECK_ROW(i, span_eq(s, fields[i].rest));
	}
}

static void
test_find(void **state)
{
	static const struct span section = SPAN(
		"Received: 1\r\nSubject: s\r\nreceived: 2\r\n\r\nReceived: body\r\n");
	struct header_field f;

	(void)state;
	assert_true(header_find(section, SPAN("RECEIVED"), 0, &f));
	assert_true(span_eq(f.value, SPAN(" 1")));
	assert_true(header_find(section, SPAN("received"), 1, &f));
	assert_true(span_eq(f.value, SPAN(" 2")));
	assert_false(header_find(section, SPAN("received"), 2, &f));
	assert_false(header_find(section, SPAN("Receive"), 0, &f));
	assert_false(header_find(SPAN(""), SPAN("A"), 0, &f));
}

static void
test_unfold(void **state)
{
	static const struct { struct span in, out; } rows[] = {
		{ SPAN(" a  b "), SPAN("a  b") },
		{ SPAN(" a\r\n b\r\n\t c"), SPAN("a b c") },
		{ SPAN(" a \r\n \r\n b \r\n"), SPAN("a b") },
		{ SPAN("\r\n a"), SPAN("a") },
		{ SPAN(" \r\n "), SPAN("") },
		{ SPAN(""), SPAN("") },
		{ SPAN("a\0b\n c"), SPAN("a\0b c") },
	};
	AUTO(buf_fini) struct buf b = BUF_MAX(100), small = BUF_MAX(3);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_clear(&b);
		CHECK_ROW(i, header_unfold(&b, rows[i].in));
		CHECK_ROW(i, span_eq(buf_span(&b), rows[i].out));
	}
	assert_false(header_unfold(&small, SPAN(" ab\r\n cd")));
	assert_true(span_eq(buf_span(&small), SPAN("ab ")));
}

static const struct {
	struct span in;
	unsigned received;
	bool date, id, from, complete;
	size_t length;
	const char *message_id;
} scans[] = {
	{ SPAN("\r\nbody"), 0, false, false, false, true, 2, "" },
	{ SPAN(""), 0, false, false, false, false, 0, "" },
	{ SPAN("Date: x\r\nFROM: y\r\nMessage-Id: <a@b>\r\n\r\nReceived: z\r\n"),
	  0, true, true, true, true, 39, "<a@b>" },
	{ SPAN("Received: a\r\nReceived: b\r\n c\r\nreceived: d\r\n"),
	  3, false, false, false, false, 43, "" },
	{ SPAN("Date: x\r\nbody without an empty line\r\n"),
	  0, true, false, false, false, 9, "" },
	{ SPAN("Date: x\n\nbody"), 0, true, false, false, true, 9, "" },
	{ SPAN("Message-ID:\r\n <a@b>\r\n\r\n"), 0, false, true, false, true, 23, "<a@b>" },
	{ SPAN("Message-ID: <a@b>x <c>\r\n\r\n"), 0, false, true, false, true, 26, "<a@b>" },
	{ SPAN("Message-ID: odd one\r\n\r\n"), 0, false, true, false, true, 23, "odd" },
	{ SPAN("Message-ID:\r\n\r\n"), 0, false, false, false, true, 15, "" },
	{ SPAN("Message-ID: <a>\r\nMessage-ID: <b>\r\n\r\n"),
	  0, false, true, false, true, 36, "<a>" },
	{ SPAN("Resent-Date: x\r\nReceived-SPF: y\r\n\r\n"), 0, false, false, false, true, 35, "" },
	{ SPAN("Date: x\r\n\r"), 0, true, false, false, false, 9, "" },
};

static void
test_scan(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scans); i++) {
		struct header_facts f;

		header_scan(scans[i].in, &f);
		CHECK_ROW(i, f.received == scans[i].received);
		CHECK_ROW(i, f.has_date == scans[i].date);
		CHECK_ROW(i, f.has_message_id == scans[i].id);
		CHECK_ROW(i, f.has_from == scans[i].from);
		CHECK_ROW(i, f.complete == scans[i].complete);
		CHECK_ROW(i, f.length == scans[i].length);
		CHECK_ROW(i, span_eq(f.message_id, span_of(scans[i].message_id)));
	}
}

#define W30 "wwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
#define W100 W30 W30 W30 "wwwwwwwwww"

static void
test_add(void **state)
{
	static const struct { struct span name, value; const char *out; } rows[] = {
		{ SPAN("A"), SPAN("b"), "A: b\r\n" },
		{ SPAN("A"), SPAN(""), "A: \r\n" },
		{ SPAN("A"), SPAN("  b  c  "), "A: b  c\r\n" },
		{ SPAN("A"), SPAN(W30 " " W30 " " W30),
		  "A: " W30 " " W30 "\r\n " W30 "\r\n" },
		{ SPAN("A"), SPAN(W100 " b"), "A: " W100 "\r\n b\r\n" },
		{ SPAN("A"), SPAN("b " W100 " c"), "A: b\r\n " W100 "\r\n c\r\n" },
		{ SPAN("A"), SPAN("\xc3\xb6"), "A: \xc3\xb6\r\n" },
		{ SPAN(""), SPAN("b"), NULL },
		{ SPAN("A:"), SPAN("b"), NULL },
		{ SPAN("A B"), SPAN("b"), NULL },
		{ SPAN("A\r\nB"), SPAN("b"), NULL },
		{ SPAN("\xff"), SPAN("b"), NULL },
		{ SPAN("A"), SPAN("b\r\nBcc: x"), NULL },
		{ SPAN("A"), SPAN("b\rc"), NULL },
		{ SPAN("A"), SPAN("b\nc"), NULL },
		{ SPAN("A"), SPAN("b\0c"), NULL },
	};
	AUTO(buf_fini) struct buf b = BUF_MAX(1000), small = BUF_MAX(7);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool ok;

		buf_clear(&b);
		ok = header_add(&b, rows[i].name, rows[i].value);
		CHECK_ROW(i, ok == (rows[i].out != NULL));
		CHECK_ROW(i, span_eq(buf_span(&b), span_of(rows[i].out)));
	}
	assert_false(header_add(&small, SPAN("Name"), SPAN("value")));
	assert_int_equal(small.len, 0);
}

static void
check_received(const struct received *r, const char *want)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(2000);
	struct header_field f;
	struct span s;

	assert_true(header_add_received(&b, r));
	assert_string_equal(buf_str(&b), want);
	s = buf_span(&b);
	assert_true(header_next(&s, &f));
	assert_int_equal(s.n, 0);
}

static void
test_received(void **state)
{
	AUTO(buf_fini) struct buf small = BUF_MAX(60);
	struct received r = {
		.helo = SPAN("medea"), .client = SPAN("192.0.2.7"),
		.by = SPAN("gw.example.org"), .with = SPAN("ESMTPS"),
		.tls = SPAN("TLS1.3 with cipher AES-256-GCM"),
		.id = SPAN("1M5Z8K3QXA"), .for_ = SPAN("\"a b\"@c.test"),
		.wall_ms = 1795467187000,
	};

	(void)state;
	check_received(&r,
		"Received: from medea ([192.0.2.7])\r\n"
		"\t(using TLS1.3 with cipher AES-256-GCM)\r\n"
		"\tby gw.example.org with ESMTPS id 1M5Z8K3QXA\r\n"
		"\tfor <\"a b\"@c.test>;\r\n"
		"\tMon, 23 Nov 2026 20:53:07 +0000\r\n");
	assert_false(header_add_received(&small, &r));
	assert_int_equal(small.len, 0);

	r = (struct received){
		.helo = SPAN("a b)(;\r\nBcc: x\0\xff"),
		.client = SPAN("IPv6:2001:db8::1"), .by = SPAN("gw"),
		.with = SPAN("SMTP"), .for_ = SPAN("\xc3\xb6@c"),
		.wall_ms = 1795467187000,
	};
	check_received(&r,
		"Received: from a?b?????Bcc:?x?? ([IPv6:2001:db8::1])\r\n"
		"\tby gw with SMTP;\r\n"
		"\tMon, 23 Nov 2026 20:53:07 +0000\r\n");
	r.helo = SPAN_NONE;
	r.client = SPAN_NONE;
	r.with = SPAN("UTF8SMTP");
	check_received(&r,
		"Received: from unknown\r\n\tby gw with UTF8SMTP\r\n"
		"\tfor <\xc3\xb6@c>;\r\n"
		"\tMon, 23 Nov 2026 20:53:07 +0000\r\n");
	r.for_ = SPAN("a\r\nBcc: x@c");
	assert_false(header_add_received(&small, &r));
	assert_int_equal(small.len, 0);
}

static int
in_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_unfold),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_received),
	};

	return cmocka_run_group_tests(tests, in_utc, NULL);
}
