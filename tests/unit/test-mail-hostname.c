/* test-mail-hostname.c - our own name: what cannot be one */
#include "unit.h"

#include "base/macros.h"
#include "mail/hostname.h"

#include <string.h>

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define PART SIXTY "abc"		/* 63 */

static void
what_can_be_a_name(void **state)
{
	static const struct {
		const char *name, *fault;	/* NULL: none */
	} rows[] = {
		{ "gw.example.org", NULL },
		{ "gw", NULL },
		{ "3f2a9c0b1d4e", NULL },
		{ "localhost", NULL },
		{ "GW-2.Example.ORG", NULL },
		{ "10.example.org", NULL },
		{ "a--b.test", NULL },
		{ "xn--mller-kva.example", NULL },
		{ "no.example.org", NULL },
		{ PART ".org", NULL },
		{ PART "." PART "." PART "." SIXTY "a", NULL },	/* 253 */

		{ "", "dot" },
		{ "no", "word of YAML" },
		{ "YES", "word of YAML" },
		{ "off", "word of YAML" },
		{ "null", "word of YAML" },
		{ "~", "word of YAML" },
		{ "10", "ends with a number" },
		{ "192.0.2.1", "ends with a number" },
		{ "gw.example.7", "ends with a number" },
		{ "gw_1", "underscore" },
		{ "gw_1.example.org", "underscore" },
		{ "-gw.example.org", "hyphen" },
		{ "gw-.example.org", "hyphen" },
		{ "gw.example.org-", "hyphen" },
		{ ".example.org", "dot" },
		{ "gw..example.org", "dot" },
		{ "gw.example.org.", "dot" },
		{ ".", "dot" },
		{ "gw example.org", "no letter" },
		{ "gw.example.org:25", "no letter" },
		{ "[192.0.2.1]", "no letter" },
		{ "https://gw.example.org", "no letter" },
		{ "m\xc3\xbcller.example", "xn--" },
		{ PART "d.org", "more than 63" },
		{ PART "." PART "." PART "." SIXTY "ab", "more than 253" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *fault = hostname_fault(span_of(rows[i].name));

		CHECK_ROW(i, (fault != NULL) == (rows[i].fault != NULL));
		CHECK_ROW(i, fault == NULL ||
			     strstr(fault, rows[i].fault) != NULL);
	}
}

static void
a_name_with_a_domain(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_true(hostname_is_full(SPAN("gw.example.org")));
	assert_false(hostname_is_full(SPAN("gw")));
	assert_string_equal(hostname_full("gw.example.org", a),
			    "gw.example.org");
	assert_string_equal(hostname_full("gw", a), "gw.localdomain");
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_a_name),
		cmocka_unit_test(a_name_with_a_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
