/* test-mail-address-list.c - the grammar of RFC 5322, row by row */
#include "mail/address_list.h"

#include "base/buf.h"
#include "base/macros.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* out: the addresses with a blank between them; "!" at its end: then the list
 * is bad */
static const struct {
	struct span in;
	const char *out;
} rows[] = {
	/* 3.4: mailboxes, lists and groups */
	{ SPAN(""), "" },
	{ SPAN(" \r\n "), "" },
	{ SPAN("a@b.test"), "a@b.test" },
	{ SPAN(" <a@b.test>\r\n"), "a@b.test" },
	{ SPAN("Anna <a@b.test>"), "a@b.test" },
	{ SPAN("\"Muster, Anna\" <a@b.test>, c@d.test"), "a@b.test c@d.test" },
	{ SPAN("Team: a@b.test, Bo <c@d.test>;, e@f.test"), "a@b.test c@d.test e@f.test" },
	{ SPAN("Undisclosed recipients:;"), "" },
	{ SPAN("Empty:(nobody)\r\n ; , a@b.test"), "a@b.test" },
	{ SPAN("Team: a@b.test"), "a@b.test" },
	/* 3.2.2: folds, blanks and comments */
	{ SPAN("anna@\r\n yourcompany.test"), "anna@yourcompany.test" },
	{ SPAN("anna\r\n @yourcompany.test"), "anna@yourcompany.test" },
	{ SPAN("anna @ yourcompany.test"), "anna@yourcompany.test" },
	{ SPAN("anna@(at home)yourcompany.test"), "anna@yourcompany.test" },
	{ SPAN("anna(x@no.test)@yourcompany.test"), "anna@yourcompany.test" },
	{ SPAN("anna (a (b \\) c) d)\r\n\t@\r\n\t(e)yourcompany (f) . (g) test (h)"), "anna@yourcompany.test" },
	{ SPAN("(x, y@no.test) a@b.test (z@no.test)"), "a@b.test" },
	{ SPAN("A\r\n B\r\n <a@\r\n b.test\r\n >"), "a@b.test" },
	{ SPAN("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), "pete@silly.test" },
	{ SPAN("a@b.test (unfinished"), "!" },
	{ SPAN("(a@no.test"), "!" },
	{ SPAN("(a\\"), "!" },
	/* 3.2.4, 3.4.1: quotes, literals */
	{ SPAN("\"a b\"@c.test"), "\"a b\"@c.test" },
	{ SPAN("\"a@no.test\"@b.test"), "\"a@no.test\"@b.test" },
	{ SPAN("\"a\\\"b\\\\\"@c.test"), "\"a\\\"b\\\\\"@c.test" },
	{ SPAN("\"anna\"@b.test"), "anna@b.test" },
	{ SPAN("\"a\r\n b\"@c.test"), "\"a b\"@c.test" },
	{ SPAN("\"\"@c.test"), "\"\"@c.test" },
	{ SPAN("\"x <y@no.test>, \" <a@b.test>"), "a@b.test" },
	{ SPAN("\"x\\\"\" <a@b.test>"), "a@b.test" },
	{ SPAN("a@[192.0.2.1]"), "a@[192.0.2.1]" },
	{ SPAN("a@ [ 192.0.2.1\r\n ]"), "a@[192.0.2.1]" },
	{ SPAN("a@[IPv6:2001:db8::1]"), "a@[IPv6:2001:db8::1]" },
	{ SPAN("\"a@no.test"), "!" },
	{ SPAN("\"a\\"), "!" },
	{ SPAN("\"a\0\"@b.test"), "!" },
	{ SPAN("a@[no.test]"), "!" },
	{ SPAN("a@[192.0.2.1"), "!" },
	/* 4.4: obsolete forms */
	{ SPAN(", ,a@b.test,, (x) ,c@d.test,"), "a@b.test c@d.test" },
	{ SPAN("<@x.test:a@b.test>"), "a@b.test" },
	{ SPAN("A <@x.test, @y.test (z) :a@b.test>"), "a@b.test" },
	{ SPAN("<,@x.test,,@y.test,:a@b.test>"), "a@b.test" },
	{ SPAN("J. R. Muster <a@b.test>"), "a@b.test" },
	{ SPAN("anna . muster@b.test"), "anna.muster@b.test" },
	{ SPAN("anna.\"m\".x@b.test"), "anna.m.x@b.test" },
	{ SPAN("anna.\"m n\".x@b.test"), "\"anna.m n.x\"@b.test" },
	{ SPAN("<@x.test a@b.test>"), "!" },
	{ SPAN("<@:a@b.test>"), "!" },
	{ SPAN("<@x.test>"), "!" },
	/* RFC 6532 */
	{ SPAN("J\xc3\xbcrgen <j\xc3\xbc@b\xc3\xbc" "cher.test>"), "j\xc3\xbc@b\xc3\xbc" "cher.test" },
	{ SPAN("J\xfcrgen <a@b.test>"), "a@b.test" },
	{ SPAN("a@\xff\xfe.test"), "!" },
	/* what devices write */
	{ SPAN("scan@copier <a@b.test>"), "a@b.test" },
	{ SPAN("x@no.test<a@b.test>"), "a@b.test" },
	{ SPAN("Muster, Anna <a@b.test>"), "a@b.test" },
	{ SPAN("[Scanner] #2: 1st floor <a@b.test>"), "a@b.test" },
	{ SPAN("[[[ <a@b.test>"), "a@b.test" },
	{ SPAN("O'Neil; sons <a@b.test>"), "a@b.test" },
	{ SPAN("a@b.test; c@d.test"), "a@b.test c@d.test" },
	{ SPAN("=?utf-8?q?J=C3=BCrgen?= <a@b.test>"), "a@b.test" },
	{ SPAN("<a@b.test"), "a@b.test" },
	{ SPAN("<a@b.test> Anna"), "a@b.test" },
	{ SPAN("scanner"), "" },
	{ SPAN("Scanner scan@b.test"), "scan@b.test" },
	{ SPAN("Scanner, 2nd floor: \"x\" a.b@c.test (x), d@e.test"), "a.b@c.test d@e.test" },
	{ SPAN("(x@y) Old [scanner] a . \"b\" @ c . test"), "a.b@c.test" },
	{ SPAN("a..b.@c.test"), "a..b.@c.test" },
	/* what has more than one reading, or none */
	{ SPAN("<>"), "!" },
	{ SPAN("x@no.test <>"), "!" },
	{ SPAN("<a>"), "!" },
	{ SPAN("a@b@no.test"), "!" },
	{ SPAN("a@b.test c@no.test"), "!" },
	{ SPAN("a b@no.test c"), "!" },
	{ SPAN("a b@ <"), "!" },
	{ SPAN("<a@b.test> <c@no.test>"), "!" },
	{ SPAN("<a@b.test> c@no.test"), "!" },
	{ SPAN("<a@b.test, c@no.test>"), "!" },
	{ SPAN("x> <a@b.test>"), "!" },
	{ SPAN("<<a@b.test>>"), "!" },
	{ SPAN("a@"), "!" },
	{ SPAN("@b.test"), "!" },
	{ SPAN("a@.test"), "!" },
	{ SPAN("a@b..test"), "!" },
	{ SPAN("a@b.test."), "!" },
	{ SPAN("a@-b.test"), "!" },
	{ SPAN("a@b\\.test"), "!" },
	{ SPAN("a\0@b.test"), "!" },
	{ SPAN("a@b.test, c@@no.test"), "a@b.test !" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(1000);
		struct address_list_reader r = { .rest = rows[i].in };
		char room[LIMIT_PATH];
		struct error err = { .text = "" };
		struct address a;
		enum address_list got;

		while ((got = address_list_next(&r, room, &a, &err)) ==
		       ADDRESS_LIST_ONE) {
			buf_addf(&out, "%s%.*s", out.len ? " " : "",
				 SPAN_ARG(a.text));
			CHECK_ROW(i, a.text.p == room);
			CHECK_ROW(i, a.local.n + 1 + a.domain.n == a.text.n);
			CHECK_ROW(i, a.local.p == room && a.domain.p ==
				  room + a.local.n + 1);
		}
		if (got == ADDRESS_LIST_BAD) {
			CHECK_ROW(i, err.text[0] != '\0');
			buf_add_str(&out, out.len ? " !" : "!");
		}
		if (!span_eq(buf_span(&out), span_of(rows[i].out)))
			fail_msg("%.*s: %s", SPAN_ARG(rows[i].in),
				 buf_str(&out));
	}
}

/* What the processor did, whatever else the machine does. */
static double
seconds_used(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* A hostile field takes time that grows as it does: milliseconds.  With its
 * square it would be seconds. */
static void
test_long(void **state)
{
	static const char *const bytes[] = {
		"[", "(", "\"", "a", ",", "@", "<", ".", ":", ";", "\\", "()",
		"[]", "[\\", "(\\", "a.", "<,", "a@b,", " ", "a:", "(),", "[ ",
	};
	enum { LONG = 256 * 1024 };
	char *s = malloc(LONG);

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct address_list_reader r = { .rest = { s, LONG } };
		char room[LIMIT_PATH];
		size_t n = strlen(bytes[i]);
		double began = seconds_used();
		struct error err;
		struct address a;

		for (size_t at = 0; at < LONG; at++)
			s[at] = bytes[i][at % n];
		while (address_list_next(&r, room, &a, &err) ==
		       ADDRESS_LIST_ONE)
			;
		if (seconds_used() - began > 1)
			fail_msg("%s: %.1f s", bytes[i],
				 seconds_used() - began);
	}
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
