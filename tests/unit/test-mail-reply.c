/* test-mail-reply.c - replies given and received, and outcomes made of them */
#include "mail/outcome.h"

#include "base/macros.h"
#include "unit.h"

#include <stdio.h>

static void
test_enhanced(void **state)
{
	static const struct { struct span in; const char *text, *rest; } rows[] = {
		{ SPAN("5.7.1 no"), "5.7.1", " no" },
		{ SPAN("2.0.0"), "2.0.0", "" },
		{ SPAN("5.7.509: denied"), "5.7.509", ": denied" },
		{ SPAN("5.7"), NULL, NULL }, { SPAN("5.7."), NULL, NULL },
		{ SPAN("5.7.1234"), NULL, NULL }, { SPAN("3.7.1"), NULL, NULL },
		{ SPAN("55.7.1"), NULL, NULL }, { SPAN("5.7.1.2"), NULL, NULL },
		{ SPAN("5.7.1th"), NULL, NULL }, { SPAN(""), NULL, NULL },
		{ SPAN("5\0.7.1"), NULL, NULL }, { SPAN("x.7.1"), NULL, NULL },
	};
	char buf[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span s = rows[i].in;
		struct enhanced e;
		bool ok = enhanced_parse(&s, &e);

		CHECK_ROW(i, ok == (rows[i].text != NULL));
		if (!ok) {
			CHECK_ROW(i, s.p == rows[i].in.p);
			continue;
		}
		CHECK_ROW(i, strcmp(enhanced_text(e, buf, sizeof(buf)),
				    rows[i].text) == 0);
		CHECK_ROW(i, span_eq(s, span_of(rows[i].rest)));
	}
	assert_string_equal(enhanced_text((struct enhanced){ .class = 0 }, buf,
					  sizeof(buf)), "");
}

static void
check_format(struct reply r, const char *want)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4096);

	assert_true(reply_format(&r, &b));
	assert_string_equal(buf_str(&b), want);
}

static void
test_format(void **state)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4096), small = BUF_MAX(20);
	struct reply r;
	struct error err;
	char text[600];

	(void)state;
	check_format(reply(250, "2.1.5", "ok"), "250 2.1.5 ok\r\n");
	check_format(reply(354, "", "go ahead"), "354 go ahead\r\n");
	check_format(reply(250, "", "a\nb\nc"), "250-a\r\n250-b\r\n250 c\r\n");
	check_format(reply(250, "", "a\nb\n"), "250-a\r\n250 b\r\n");
	check_format(reply(550, "5.7.1", "a\nb"), "550-5.7.1 a\r\n550 5.7.1 b\r\n");
	check_format(reply(250, "2.0.0", "%s", ""), "250 2.0.0\r\n");
	check_format(reply(250, "", "%s", ""), "250 \r\n");
	check_format(reply(501, "", "a\rb\tc\x1b\x7f\xff"), "501 a?b?c???\r\n");
	assert_true(reply(421, "4.3.2", "bye").closes);
	assert_true(reply(221, "2.0.0", "bye").closes);
	assert_false(reply(250, "2.0.0", "ok").closes);

	error_set(&err, ERROR_PROTOCOL, "two\nlines");
	error_hint(&err, "secret remedy");
	check_format(reply_error(501, "5.5.2", &err), "501 5.5.2 two lines\r\n");

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	r = reply(550, "5.123.123", "%s", text);
	assert_true(reply_format(&r, &b));
	assert_true(b.len <= 512);
	r = reply(250, "", "one line\nanother line");
	assert_false(reply_format(&r, &small));
	assert_int_equal(small.len, 0);
}

/* rest: what must be left in the input; NULL text: PARSE_BAD */
static const struct {
	struct span in;
	enum parse parse;
	int code;
	const char *enhanced, *text, *rest;
} replies[] = {
	{ SPAN("250 2.1.5 fine\r\n"), PARSE_OK, 250, "2.1.5", "fine", "" },
	{ SPAN("250 fine\r\n"), PARSE_OK, 250, "", "fine", "" },
	{ SPAN("250\r\n"), PARSE_OK, 250, "", "", "" },
	{ SPAN("250 \r\n"), PARSE_OK, 250, "", "", "" },
	{ SPAN("250 fine\n"), PARSE_OK, 250, "", "fine", "" },
	{ SPAN("250 a\r\n250 b\r\n"), PARSE_OK, 250, "", "a", "250 b\r\n" },
	{ SPAN("250-h\r\n250-SIZE 10\r\n250 DSN\r\n"), PARSE_OK, 250, "", "h\nSIZE 10\nDSN", "" },
	{ SPAN("250-\r\n250 x\r\n"), PARSE_OK, 250, "", "\nx", "" },
	{ SPAN("550-5.7.26 a\r\n550 5.7.26 b\r\n"), PARSE_OK, 550, "5.7.26", "a\nb", "" },
	{ SPAN("550-5.7.26 a\r\n550 b\r\n"), PARSE_OK, 550, "5.7.26", "a\nb", "" },
	{ SPAN("550-a\r\n550 5.1.1 b\r\n"), PARSE_OK, 550, "5.1.1", "a\nb", "" },
	{ SPAN("550 4.7.1 odd\r\n"), PARSE_OK, 550, "", "4.7.1 odd", "" },
	{ SPAN("250-a\r\n550 5.1.1 b\r\n"), PARSE_OK, 550, "5.1.1", "a\nb", "" },
	{ SPAN("550-5.1.1 a\r\n250 b\r\n"), PARSE_OK, 250, "", "a\nb", "" },
	{ SPAN("250 a\0b\r\n"), PARSE_OK, 250, "", NULL, "" },
	{ SPAN("334 VXNlcm5hbWU6\r\n"), PARSE_OK, 334, "", "VXNlcm5hbWU6", "" },
	{ SPAN(""), PARSE_MORE, 0, "", NULL, NULL },
	{ SPAN("250"), PARSE_MORE, 0, "", NULL, NULL },
	{ SPAN("250-a\r\n"), PARSE_MORE, 0, "", NULL, NULL },
	{ SPAN("250-a\r\n250 b\r"), PARSE_MORE, 0, "", NULL, NULL },
	{ SPAN("\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("HTTP/1.1 400 Bad\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("25\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("250x\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("2500 x\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("150 x\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("650 x\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("\0\0\0\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("foo\r\n250 a\r\n"), PARSE_BAD, 0, "", NULL, NULL },
	{ SPAN("250 a\r\nfoo\r\n"), PARSE_OK, 250, "", "a", "foo\r\n" },
	{ SPAN("250-a\r\nfoo\r\n"), PARSE_MORE, 0, "", NULL, NULL },
	{ SPAN("250-a\r\nfoo\r\n\r\n25\r\n250\r\n"), PARSE_OK, 250, "", "a\nfoo\n\n25\n", "" },
	{ SPAN("250\ta\r\n"), PARSE_OK, 250, "", "a", "" },
	{ SPAN("250-a\r\r\n250\r\r\n"), PARSE_OK, 250, "", "a\n", "" },
	{ SPAN("220-a\r\n521 5.7.1 b\r\n"), PARSE_OK, 521, "5.7.1", "a\nb", "" },
};

static void
check_reply(size_t i, enum parse parse, const struct smtp_reply *r,
	    const struct error *why)
{
	char buf[24];

	CHECK_ROW(i, parse == replies[i].parse);
	if (parse == PARSE_BAD)
		CHECK_ROW(i, why->text[0] != '\0');
	if (parse != PARSE_OK)
		return;
	CHECK_ROW(i, r->code == replies[i].code);
	CHECK_ROW(i, strcmp(enhanced_text(r->enhanced, buf, sizeof(buf)),
			    replies[i].enhanced) == 0);
	if (replies[i].text != NULL)
		CHECK_ROW(i, span_eq(r->text, span_of(replies[i].text)));
}

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		AUTO(buf_fini) struct buf in = BUF_MAX(1000), slow = BUF_MAX(1000);
		AUTO(reply_parser_fini) struct reply_parser p, q;
		enum parse parse;
		struct smtp_reply r;
		struct error why;

		reply_parser_init(&p);
		reply_parser_init(&q);
		buf_add(&in, replies[i].in);
		parse = reply_parse(&p, &in, &r, &why);
		check_reply(i, parse, &r, &why);
		if (parse == PARSE_OK)
			CHECK_ROW(i, span_eq(buf_span(&in),
					     span_of(replies[i].rest)));
		/* the same, byte by byte */
		parse = PARSE_MORE;
		for (size_t k = 0; k < replies[i].in.n && parse == PARSE_MORE; k++) {
			buf_add_char(&slow, replies[i].in.p[k]);
			parse = reply_parse(&q, &slow, &r, &why);
		}
		check_reply(i, parse, &r, &why);
	}
}

static void
test_parse_sequence(void **state)
{
	AUTO(buf_fini) struct buf in = BUF_MAX(1000);
	AUTO(reply_parser_fini) struct reply_parser p;
	struct smtp_reply r;
	struct error why;

	(void)state;
	reply_parser_init(&p);
	buf_add(&in, SPAN("550-5.1.1 a\r\n550 b\r\n250 c\r\n354 d"));
	assert_int_equal(reply_parse(&p, &in, &r, &why), PARSE_OK);
	assert_int_equal(r.enhanced.class, 5);
	assert_int_equal(reply_parse(&p, &in, &r, &why), PARSE_OK);
	assert_int_equal(r.enhanced.class, 0);
	assert_true(span_eq(r.text, SPAN("c")));
	assert_int_equal(reply_parse(&p, &in, &r, &why), PARSE_MORE);
	assert_true(span_eq(buf_span(&in), SPAN("354 d")));
}

static void
test_parse_limits(void **state)
{
	AUTO(buf_fini) struct buf in = BUF_MAX(3 * LIMIT_REPLY);
	AUTO(reply_parser_fini) struct reply_parser p;
	struct smtp_reply r;
	struct error why;

	(void)state;
	reply_parser_init(&p);
	buf_add_str(&in, "250 ");
	while (in.len < LIMIT_REPLY)
		buf_add_char(&in, 'x');
	assert_int_equal(reply_parse(&p, &in, &r, &why), PARSE_BAD);

	buf_clear(&in);
	while (in.len < 2 * LIMIT_REPLY)
		buf_add_str(&in, "250-twenty bytes here\r\n");
	assert_int_equal(reply_parse(&p, &in, &r, &why), PARSE_BAD);
}

static void
test_outcome(void **state)
{
	struct smtp_reply r = {
		.code = 550, .enhanced = { 5, 1, 1 },
		.text = SPAN("no such\r\nuser\x1b[31m\0!"),
	};
	struct outcome o = { .host = "mx.test" };
	char buf[600], big[3 * LIMIT_OUTCOME_TEXT];

	(void)state;
	outcome_reply(&o, PHASE_RCPT, &r);
	assert_string_equal(o.text, "no such user\\x1b[31m\\x00!");
	assert_string_equal(o.host, "mx.test");
	assert_string_equal(outcome_text(&o, buf, sizeof(buf)),
			    "550 5.1.1 no such user\\x1b[31m\\x00! "
			    "(while sending RCPT TO)");
	assert_false(outcome_delivered(&o));

	r = (struct smtp_reply){ .code = 250, .text = SPAN("ok") };
	outcome_reply(&o, PHASE_DOT, &r);
	assert_true(outcome_delivered(&o));
	assert_int_equal(o.enhanced.class, 0);

	outcome_set(&o, OUTCOME_NETWORK, PHASE_CONNECT, "connection %s", "refused");
	assert_string_equal(outcome_text(&o, buf, sizeof(buf)),
			    "connection refused (while connecting)");
	assert_int_equal(o.code, 0);
	assert_false(outcome_delivered(&o));
	o.host[0] = '\0';
	assert_string_equal(outcome_text_at(&o, buf, sizeof(buf)),
			    "connection refused (while connecting)");
	snprintf(o.host, sizeof(o.host), "mx.test[192.0.2.1]:25");
	assert_string_equal(outcome_text_at(&o, buf, sizeof(buf)),
			    "mx.test[192.0.2.1]:25: connection refused "
			    "(while connecting)");
	assert_string_equal(outcome_text_at(&o, buf, 6), "mx.te");
	r = (struct smtp_reply){ .code = 554, .text = SPAN("no") };
	outcome_reply(&o, PHASE_GREETING, &r);
	assert_string_equal(outcome_text_at(&o, buf, sizeof(buf)),
			    "mx.test[192.0.2.1]:25: 554 no (while waiting for "
			    "the greeting)");
	outcome_reply(&o, PHASE_RCPT, &r);
	assert_string_equal(outcome_text_at(&o, buf, sizeof(buf)),
			    "554 no (while sending RCPT TO)");
	outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "stopped");
	assert_string_equal(outcome_text(&o, buf, sizeof(buf)), "stopped");

	memset(big, '\x01', sizeof(big));
	r.text = (struct span){ big, sizeof(big) };
	outcome_reply(&o, PHASE_DOT, &r);
	assert_true(strlen(o.text) > LIMIT_OUTCOME_TEXT - 20);
	assert_string_equal(o.text + strlen(o.text) - 3, "...");
}

static void
test_phases(void **state)
{
	(void)state;
	for (int p = 0; p < PHASE_COUNT; p++) {
		CHECK_ROW(p, phase_words((enum phase)p)[0] != '\0');
		CHECK_ROW(p, phase_name((enum phase)p)[0] != '\0');
	}
	assert_string_equal(phase_words(PHASE_GREETING), "waiting for the greeting");
	assert_string_equal(phase_name(PHASE_GREETING), "greeting");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enhanced),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_sequence),
		cmocka_unit_test(test_parse_limits),
		cmocka_unit_test(test_outcome),
		cmocka_unit_test(test_phases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
