/* test-mail-command.c - command lines, good and bad */
#include "mail/command.h"
#include "mail/xtext.h"

#include "base/buf.h"
#include "base/macros.h"
#include "unit.h"

static void
test_split(void **state)
{
	static const struct { struct span line; const char *verb, *args; } rows[] = {
		{ SPAN("MAIL FROM:<a@b>"), "MAIL", "FROM:<a@b>" },
		{ SPAN("QUIT"), "QUIT", "" },
		{ SPAN("QUIT  "), "QUIT", "" },
		{ SPAN("  NOOP\t x y \t"), "NOOP", "x y" },
		{ SPAN(""), "", "" },
		{ SPAN("   "), "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span verb, args;

		command_split(rows[i].line, &verb, &args);
		CHECK_ROW(i, span_eq(verb, span_of(rows[i].verb)));
		CHECK_ROW(i, span_eq(args, span_of(rows[i].args)));
	}
}

static void
test_hello(void **state)
{
	static const struct { struct span in; const char *name; } rows[] = {
		{ SPAN(""), "" }, { SPAN("   "), "" },
		{ SPAN("medea "), "medea" }, { SPAN("[192.168.1.21]"), "[192.168.1.21]" },
		{ SPAN("Copier 3rd floor!"), "Copier 3rd floor!" },
		{ SPAN("\xfc\xfc"), "\xfc\xfc" },
		{ SPAN("a\0b"), NULL }, { SPAN("a\rb"), NULL }, { SPAN("\x7f"), NULL },
	};
	char longest[257];
	struct span ret;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool ok = command_hello(rows[i].in, &ret, &err);

		CHECK_ROW(i, ok == (rows[i].name != NULL));
		if (ok)
			CHECK_ROW(i, span_eq(ret, span_of(rows[i].name)));
	}
	memset(longest, 'x', sizeof(longest));
	assert_true(command_hello((struct span){ longest, 255 }, &ret, &err));
	assert_false(command_hello((struct span){ longest, 256 }, &ret, &err));
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X100 X50 X50
#define X500 X100 X100 X100 X100 X100

/* What the parameters became: size body utf8 ret envid auth */
static const struct {
	struct span in;
	int code;			/* 0: taken */
	const char *enhanced;
	const char *sender;
	struct mail_command want;
} mails[] = {
	{ SPAN("FROM:<a@b>"), 0, "", "a@b", { .size = 0 } },
	{ SPAN("from: a@b"), 0, "", "a@b", { .size = 0 } },
	{ SPAN("From :<a@b>"), 0, "", "a@b", { .size = 0 } },
	{ SPAN("FROM:<>"), 0, "", "", { .size = 0 } },
	{ SPAN("FROM:<a@b>  SIZE=12 \t body=8bitmime"), 0, "", "a@b",
	  { .size = 12, .body = BODY_8BITMIME } },
	{ SPAN("FROM:a@b size=12"), 0, "", "a@b", { .size = 12 } },
	{ SPAN("FROM:<a@b> BODY=7bit"), 0, "", "a@b", { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=99999999999999999999"), 0, "", "a@b",
	  { .size = UINT64_MAX } },
	{ SPAN("FROM:<a@b> SIZE=18446744073709551615"), 0, "", "a@b",
	  { .size = UINT64_MAX } },
	{ SPAN("FROM:<\xc3\xb6@b> SMTPUTF8"), 0, "", "\xc3\xb6@b", { .smtputf8 = true } },
	{ SPAN("FROM:<a@b> Ret=Full EnvId=QQ+2B1 AUTH=<>"), 0, "", "a@b",
	  { .ret = DSN_RET_FULL, .envid = SPAN("QQ+2B1"), .auth = SPAN("<>") } },
	{ SPAN("FROM:<a@b> RET=HDRS AUTH=e+3Dmc2@example.com"), 0, "", "a@b",
	  { .ret = DSN_RET_HDRS, .auth = SPAN("e+3Dmc2@example.com") } },
	{ SPAN("FROM:<a@b> ENVID=" X100), 0, "", "a@b", { .envid = SPAN(X100) } },

	{ SPAN(""), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("<a@b>"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM <a@b>"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("TO:<a@b>"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:"), 501, "5.1.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<a>"), 501, "5.1.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b"), 501, "5.1.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<a\0@b>"), 501, "5.1.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<\xc3\xb6@b>"), 553, "5.6.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<\xf6@b> SMTPUTF8"), 501, "5.1.7", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b>SIZE=1"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE="), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=-1"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=1k"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=999999999999999999999"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=9999999999999999999x"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=1 SIZE=2"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> BODY=9BIT"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> BODY=BINARYMIME"), 555, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SMTPUTF8=1"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SMTPUTF8="), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE="), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> RET=ALL"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> ENVID=a+2"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> ENVID=a=b"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> ENVID=x" X100), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> AUTH=\xc3\xb6"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> FOO"), 555, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=1 FOO=BAR"), 555, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> NOTIFY=NEVER"), 555, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> =1"), 555, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SI\0ZE=1"), 501, "5.5.4", NULL, { .size = 0 } },
	{ SPAN("FROM:<a@b> SIZE=1\0"), 501, "5.5.4", NULL, { .size = 0 } },
};

static void
test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mails); i++) {
		const struct mail_command *want = &mails[i].want;
		struct command_error err = { .code = 0 };
		struct mail_command m;
		bool ok = command_mail(mails[i].in, &m, &err);

		CHECK_ROW(i, ok == (mails[i].code == 0));
		CHECK_ROW(i, err.code == mails[i].code);
		if (!ok) {
			CHECK_ROW(i, strcmp(err.enhanced, mails[i].enhanced) == 0);
			CHECK_ROW(i, err.why.text[0] != '\0');
			continue;
		}
		CHECK_ROW(i, span_eq(m.sender.text, span_of(mails[i].sender)));
		CHECK_ROW(i, m.size == want->size && m.body == want->body);
		CHECK_ROW(i, m.smtputf8 == want->smtputf8 && m.ret == want->ret);
		CHECK_ROW(i, span_eq(m.envid, want->envid));
		CHECK_ROW(i, span_eq(m.auth, want->auth));
	}
}

static const struct {
	struct span in;
	bool utf8;
	int code;
	const char *enhanced;
	const char *to;
	unsigned notify;
	struct span orcpt;
} rcpts[] = {
	{ SPAN("TO:<a@b>"), false, 0, "", "a@b", 0, SPAN_NONE },
	{ SPAN("to: a@b"), false, 0, "", "a@b", 0, SPAN_NONE },
	{ SPAN("TO:<Postmaster>"), false, 0, "", "Postmaster", 0, SPAN_NONE },
	{ SPAN("TO:<@r.test:a@b>"), false, 0, "", "a@b", 0, SPAN_NONE },
	{ SPAN("TO:<a@b> NOTIFY=NEVER"), false, 0, "", "a@b", DSN_NOTIFY_NEVER, SPAN_NONE },
	{ SPAN("TO:<a@b> notify=success,DELAY,failure"), false, 0, "", "a@b",
	  DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY | DSN_NOTIFY_FAILURE, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=rfc822;A+2BB@c"), false, 0, "", "a@b", 0,
	  SPAN("rfc822;A+2BB@c") },
	{ SPAN("TO:<a@b> ORCPT=utf-8;\xc3\xb6@c"), true, 0, "", "a@b", 0,
	  SPAN("utf-8;\xc3\xb6@c") },
	{ SPAN("TO:<a@b> ORCPT=utf-8;\\x{F6}@c"), false, 0, "", "a@b", 0,
	  SPAN("utf-8;\\x{F6}@c") },
	{ SPAN("TO:<\xc3\xb6@b>"), true, 0, "", "\xc3\xb6@b", 0, SPAN_NONE },

	{ SPAN("TO:<>"), false, 501, "5.1.3", NULL, 0, SPAN_NONE },
	{ SPAN("TO:"), false, 501, "5.1.3", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<root>"), false, 501, "5.1.3", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b,c@d>"), false, 501, "5.1.3", NULL, 0, SPAN_NONE },
	{ SPAN("FROM:<a@b>"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<\xc3\xb6@b>"), false, 553, "5.6.7", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> SIZE=1"), false, 555, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> NOTIFY=NEVER,DELAY"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> NOTIFY=DELAY,"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> NOTIFY=,"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> NOTIFY=ALWAYS"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=a@b"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=;a@b"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=rfc822;"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=rfc822;a+zz"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=utf-8;\xc3\xb6@c"), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=utf-8;\xf6@c"), true, 501, "5.5.4", NULL, 0, SPAN_NONE },
	{ SPAN("TO:<a@b> ORCPT=rfc822;" X500), false, 501, "5.5.4", NULL, 0, SPAN_NONE },
};

static void
test_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rcpts); i++) {
		struct command_error err = { .code = 0 };
		struct rcpt_command r;
		bool ok = command_rcpt(rcpts[i].in, rcpts[i].utf8, &r, &err);

		CHECK_ROW(i, ok == (rcpts[i].code == 0));
		CHECK_ROW(i, err.code == rcpts[i].code);
		if (!ok) {
			CHECK_ROW(i, strcmp(err.enhanced, rcpts[i].enhanced) == 0);
			continue;
		}
		CHECK_ROW(i, span_eq(r.recipient.text, span_of(rcpts[i].to)));
		CHECK_ROW(i, r.notify == rcpts[i].notify);
		CHECK_ROW(i, span_eq(r.orcpt, rcpts[i].orcpt));
	}
}

static void
test_bdat(void **state)
{
	static const struct { struct span in; bool good; uint64_t size; bool last; } rows[] = {
		{ SPAN("86"), true, 86, false }, { SPAN("0 LAST"), true, 0, true },
		{ SPAN("86  last "), true, 86, true },
		{ SPAN("9223372036854775807"), true, INT64_MAX, false },
		{ SPAN(""), false, 0, false }, { SPAN("LAST"), false, 0, false },
		{ SPAN("-1"), false, 0, false }, { SPAN("86 FIRST"), false, 0, false },
		{ SPAN("86 LAST x"), false, 0, false }, { SPAN("8\0"), false, 0, false },
		{ SPAN("9223372036854775808"), false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct command_error err = { .code = 0 };
		uint64_t size;
		bool last, ok = command_bdat(rows[i].in, &size, &last, &err);

		CHECK_ROW(i, ok == rows[i].good);
		if (ok)
			CHECK_ROW(i, size == rows[i].size && last == rows[i].last);
		else
			CHECK_ROW(i, err.code == 501);
	}
}

static void
test_xtext(void **state)
{
	static const struct { struct span plain, xtext; } rows[] = {
		{ SPAN("a@b.c"), SPAN("a@b.c") },
		{ SPAN("a+b=c d"), SPAN("a+2Bb+3Dc+20d") },
		{ SPAN("\0\xff"), SPAN("+00+FF") },
		{ SPAN(""), SPAN("") },
	};
	static const struct span bad[] = {
		SPAN("+"), SPAN("+2"), SPAN("+2G"), SPAN("a b"), SPAN("a=b"),
		SPAN("a\0b"), SPAN("\xff"),
	};
	AUTO(buf_fini) struct buf b = BUF_MAX(100);
	AUTO(buf_fini) struct buf small = BUF_MAX(5);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_clear(&b);
		CHECK_ROW(i, xtext_encode(&b, rows[i].plain));
		CHECK_ROW(i, span_eq(buf_span(&b), rows[i].xtext));
		buf_clear(&b);
		CHECK_ROW(i, xtext_decode(&b, rows[i].xtext));
		CHECK_ROW(i, span_eq(buf_span(&b), rows[i].plain));
	}
	buf_clear(&b);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ROW(i, !xtext_decode(&b, bad[i]) && b.len == 0);
	assert_true(xtext_decode(&b, SPAN("+2b")));
	assert_false(xtext_encode(&small, SPAN("ab++")));
	assert_int_equal(small.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
