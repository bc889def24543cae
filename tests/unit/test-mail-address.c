/* test-mail-address.c - addresses, paths and domains, good and bad */
#include "mail/address.h"

#include "base/limits.h"
#include "base/macros.h"
#include "unit.h"

enum { N = ADDRESS_NULL, P = ADDRESS_POSTMASTER, U = ADDRESS_UTF8,
       D = ADDRESS_NO_DOMAIN };

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 A50 "aaaaaaaaaaaaa"
#define A128 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	unsigned flags;
	struct span in;
	bool good;
	const char *local, *domain;
} addresses[] = {
	{ 0, SPAN("a@b"), true, "a", "b" },
	{ 0, SPAN("user.name+tag@sub.example.org"), true, "user.name+tag", "sub.example.org" },
	{ 0, SPAN("!#$%&'*+-/=?^_`{|}~@b.c"), true, "!#$%&'*+-/=?^_`{|}~", "b.c" },
	{ 0, SPAN("\"a b\"@c.d"), true, "\"a b\"", "c.d" },
	{ 0, SPAN("\"a@b\"@c.d"), true, "\"a@b\"", "c.d" },
	{ 0, SPAN("\"a\\\"b\"@c.d"), true, "\"a\\\"b\"", "c.d" },
	{ 0, SPAN("\"\"@c.d"), true, "\"\"", "c.d" },
	{ 0, SPAN("a@[192.0.2.1]"), true, "a", "[192.0.2.1]" },
	{ 0, SPAN("a@[IPv6:2001:db8::1]"), true, "a", "[IPv6:2001:db8::1]" },
	{ 0, SPAN("a@[ipv6:::1]"), true, "a", "[ipv6:::1]" },
	{ 0, SPAN("a@[x-new:what.ever]"), true, "a", "[x-new:what.ever]" },
	{ 0, SPAN("root@192.168.1.5"), true, "root", "192.168.1.5" },
	{ 0, SPAN("ilo.@d.test"), true, "ilo.", "d.test" },
	{ 0, SPAN("a..b@d.test"), true, "a..b", "d.test" },
	{ 0, SPAN("a@my_host"), true, "a", "my_host" },
	{ 0, SPAN("a@" A63 ".test"), true, "a", A63 ".test" },
	{ 0, SPAN(A50 A50 "@b"), true, A50 A50, "b" },
	{ N, SPAN(""), true, "", "" },
	{ P, SPAN("Postmaster"), true, "Postmaster", "" },
	{ D, SPAN("scanner"), true, "scanner", "" },
	{ U, SPAN("j\xc3\xb6rg@example.org"), true, "j\xc3\xb6rg", "example.org" },
	{ U, SPAN("a@b\xc3\xbc" "cher.example"), true, "a", "b\xc3\xbc" "cher.example" },
	{ U, SPAN("\"\xe4\xbd\xa0 b\"@c"), true, "\"\xe4\xbd\xa0 b\"", "c" },

	{ 0, SPAN(""), false, NULL, NULL },
	{ 0, SPAN("a"), false, NULL, NULL },
	{ P, SPAN("root"), false, NULL, NULL },
	{ 0, SPAN("postmaster"), false, NULL, NULL },
	{ D, SPAN("a@"), false, NULL, NULL },
	{ D, SPAN("@b"), false, NULL, NULL },
	{ 0, SPAN("@"), false, NULL, NULL },
	{ 0, SPAN("a@b@c"), false, NULL, NULL },
	{ 0, SPAN("a@b,c@d"), false, NULL, NULL },
	{ 0, SPAN("a b@c"), false, NULL, NULL },
	{ 0, SPAN(" a@c"), false, NULL, NULL },
	{ 0, SPAN(".a@c"), false, NULL, NULL },
	{ 0, SPAN("a@c."), false, NULL, NULL },
	{ 0, SPAN("a@.c"), false, NULL, NULL },
	{ 0, SPAN("a@c..d"), false, NULL, NULL },
	{ 0, SPAN("a@-c"), false, NULL, NULL },
	{ 0, SPAN("a@c-.d"), false, NULL, NULL },
	{ 0, SPAN("a@c d"), false, NULL, NULL },
	{ 0, SPAN("a@c>"), false, NULL, NULL },
	{ 0, SPAN("a@d'"), false, NULL, NULL },
	{ 0, SPAN("User <u@d"), false, NULL, NULL },
	{ 0, SPAN("a\0b@c"), false, NULL, NULL },
	{ 0, SPAN("a@c\0d"), false, NULL, NULL },
	{ 0, SPAN("\0@c"), false, NULL, NULL },
	{ 0, SPAN("a\r\n@c"), false, NULL, NULL },
	{ 0, SPAN("\"a\nb\"@c"), false, NULL, NULL },
	{ 0, SPAN("\"a\0b\"@c"), false, NULL, NULL },
	{ 0, SPAN("\"a\\\0\"@c"), false, NULL, NULL },
	{ 0, SPAN("\"a"), false, NULL, NULL },
	{ 0, SPAN("\"a\\"), false, NULL, NULL },
	{ 0, SPAN("\"a\"b@c"), false, NULL, NULL },
	{ 0, SPAN("a@[192.0.2.1"), false, NULL, NULL },
	{ 0, SPAN("a@[192.0.2]"), false, NULL, NULL },
	{ 0, SPAN("a@[]"), false, NULL, NULL },
	{ 0, SPAN("a@["), false, NULL, NULL },
	{ 0, SPAN("a@[192.0.2.1]x"), false, NULL, NULL },
	{ 0, SPAN("a@[192.0.2.1\0]"), false, NULL, NULL },
	{ 0, SPAN("a@[IPv6:zz]"), false, NULL, NULL },
	{ 0, SPAN("a@[IPv6:]"), false, NULL, NULL },
	{ 0, SPAN("a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]"), false, NULL, NULL },
	{ 0, SPAN("a@[tag:]"), false, NULL, NULL },
	{ 0, SPAN("a@[:x]"), false, NULL, NULL },
	{ 0, SPAN("a@[t:a[b]"), false, NULL, NULL },
	{ 0, SPAN("a@" A63 "a.test"), false, NULL, NULL },
	{ 0, SPAN(A128 "a@b"), false, NULL, NULL },
	{ 0, SPAN("a@" A63 "." A63 "." A63 "." A63), false, NULL, NULL },
	{ 0, SPAN("j\xc3\xb6rg@example.org"), false, NULL, NULL },
	{ U, SPAN("j\xc3rg@example.org"), false, NULL, NULL },
	{ U, SPAN("a@b\xff.c"), false, NULL, NULL },
	{ U, SPAN("a@b\xc0\xae" "c"), false, NULL, NULL },
};

static void
test_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct address a = { .text = SPAN("untouched") };
		struct error err;
		bool ok = address_parse(addresses[i].in, addresses[i].flags,
					&a, &err);

		CHECK_ROW(i, ok == addresses[i].good);
		if (!ok) {
			CHECK_ROW(i, span_eq(a.text, SPAN("untouched")));
			continue;
		}
		CHECK_ROW(i, span_eq(a.text, addresses[i].in));
		CHECK_ROW(i, span_eq(a.local, span_of(addresses[i].local)));
		CHECK_ROW(i, span_eq(a.domain, span_of(addresses[i].domain)));
	}
}

static const struct {
	unsigned flags;
	struct span in;
	const char *text, *rest;	/* text NULL: refused */
} paths[] = {
	{ 0, SPAN("<a@b>"), "a@b", "" },
	{ 0, SPAN("<a@b> SIZE=1"), "a@b", " SIZE=1" },
	{ 0, SPAN(" <a@b>"), "a@b", "" },
	{ 0, SPAN("\t a@b"), "a@b", "" },
	{ 0, SPAN("a@b SIZE=1"), "a@b", " SIZE=1" },
	{ 0, SPAN("a@b\tX"), "a@b", "\tX" },
	{ 0, SPAN("< a@b >"), "a@b", "" },
	{ 0, SPAN("<\"a>b\"@c>"), "\"a>b\"@c", "" },
	{ 0, SPAN("<\"a\\\">b\"@c>"), "\"a\\\">b\"@c", "" },
	{ 0, SPAN("\"a b\"@c X"), "\"a b\"@c", " X" },
	{ 0, SPAN("<@x.test,@y.test:a@b>"), "a@b", "" },
	{ 0, SPAN("<@x.test:a@b>"), "a@b", "" },
	{ N, SPAN("<>"), "", "" },
	{ N, SPAN("<> X"), "", " X" },
	{ N, SPAN("< >"), "", "" },
	{ P, SPAN("<postmaster>"), "postmaster", "" },
	{ P, SPAN("<POSTMASTER@b>"), "POSTMASTER@b", "" },
	{ D, SPAN("root"), "root", "" },

	{ 0, SPAN("<>"), NULL, NULL },
	{ N, SPAN(""), NULL, NULL },
	{ N, SPAN("  "), NULL, NULL },
	{ N, SPAN("<"), NULL, NULL },
	{ N, SPAN("<a@b"), NULL, NULL },
	{ N, SPAN("a@b>"), NULL, NULL },
	{ N, SPAN("<User <u@d>>"), NULL, NULL },
	{ N, SPAN("User <u@d>"), NULL, NULL },
	{ N, SPAN("<'u@d'>"), NULL, NULL },
	{ N, SPAN("<<a@b>>"), NULL, NULL },
	{ N, SPAN("<\"a>"), NULL, NULL },
	{ N, SPAN("<@x.test a@b>"), NULL, NULL },
	{ N, SPAN("<@x.test:>x"), "", "x" },
	{ N, SPAN("<@:a@b>"), NULL, NULL },
	{ N, SPAN("<@x.test,y.test:a@b>"), NULL, NULL },
	{ N, SPAN("<a@b\0>"), NULL, NULL },
	{ N, SPAN("\0<a@b>"), NULL, NULL },
	{ N, SPAN("<a@b\0c>"), NULL, NULL },
};

static void
test_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct span s = paths[i].in;
		struct address a;
		struct error err;
		bool ok = path_parse(&s, paths[i].flags, &a, &err);

		CHECK_ROW(i, ok == (paths[i].text != NULL));
		if (!ok) {
			CHECK_ROW(i, s.p == paths[i].in.p && err.text[0]);
			continue;
		}
		CHECK_ROW(i, span_eq(a.text, span_of(paths[i].text)));
		CHECK_ROW(i, span_eq(s, span_of(paths[i].rest)));
	}
}

static void
test_domain(void **state)
{
	(void)state;
	assert_true(domain_valid(SPAN("example.org"), false));
	assert_true(domain_valid(SPAN("1.2.3.4"), false));
	assert_true(domain_valid(SPAN("b\xc3\xbc" "cher.example"), true));
	assert_false(domain_valid(SPAN("b\xc3\xbc" "cher.example"), false));
	assert_false(domain_valid(SPAN(""), true));
	assert_false(domain_valid(SPAN("[192.0.2.1]"), true));
	assert_false(domain_valid(SPAN("a b"), true));
}

static struct address
parsed(struct span s)
{
	struct address a;
	struct error err;

	assert_true(address_parse(s, ~0u, &a, &err));
	return a;
}

static void
test_equal(void **state)
{
	(void)state;
	assert_true(address_eq(parsed(SPAN("a@B.c")), parsed(SPAN("a@b.C"))));
	assert_false(address_eq(parsed(SPAN("A@b.c")), parsed(SPAN("a@b.c"))));
	assert_false(address_eq(parsed(SPAN("a@b.c")), parsed(SPAN("a@b.d"))));
	assert_false(address_eq(parsed(SPAN("a@b.c")), parsed(SPAN("a"))));
	assert_true(address_eq(parsed(SPAN("")), parsed(SPAN(""))));
	assert_true(address_needs_utf8(SPAN("\xc3\xb6@b")));
	assert_false(address_needs_utf8(SPAN("\0\x7f@b")));
}

static void
test_plain(void **state)
{
	static const struct { struct span in; const char *plain; } rows[] = {
		{ SPAN("a@b.c"), "a@b.c" },
		{ SPAN("\"a\"@b.c"), "a@b.c" },
		{ SPAN("\"\\a\\b\"@B.c"), "ab@B.c" },
		{ SPAN("\"a.b\"@b.c"), "a.b@b.c" },
		{ SPAN("\".a\"@b.c"), "\".a\"@b.c" },
		{ SPAN("\"\"@b.c"), "\"\"@b.c" },
		{ SPAN("\"a\\ b\"@b.c"), "\"a b\"@b.c" },
		{ SPAN("\"\\a\\\"\\\\\"@[192.0.2.1]"), "\"a\\\"\\\\\"@[192.0.2.1]" },
		{ SPAN("\"a@b\"@b.c"), "\"a@b\"@b.c" },
		{ SPAN("\"\xc3\xbc\"@b.c"), "\xc3\xbc@b.c" },
		{ SPAN("\"" A50 "\""), A50 },
		{ SPAN(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char room[LIMIT_PATH];
		struct address a = address_plain(parsed(rows[i].in), room);
		struct address again = parsed(a.text);

		CHECK_ROW(i, span_eq(a.text, span_of(rows[i].plain)));
		CHECK_ROW(i, span_eq(a.local, again.local));
		CHECK_ROW(i, span_eq(a.domain, again.domain));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
