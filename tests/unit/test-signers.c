/* test-signers.c - which of a route's keys sign, with doubles of keys */
#include "unit.h"

#include "base/macros.h"
#include "mail/signer.h"
#include "route/route.h"

#include <stdio.h>

struct signer_key {
	enum signer_algorithm algorithm;
	const char *domain;
	char name;
};

enum signer_algorithm
signer_key_algorithm(const struct signer_key *k)
{
	return k->algorithm;
}

const char *
signer_key_domain(const struct signer_key *k)
{
	return k->domain;
}

static const struct signer_key keys[] = {
	{ SIGNER_RSA, "example.org", 'a' },
	{ SIGNER_ED25519, "example.org", 'b' },
	{ SIGNER_RSA, "example.org", 'c' },
	{ SIGNER_RSA, "sub.example.org", 'd' },
	{ SIGNER_ED25519, "other.test", 'e' },
	{ SIGNER_RSA, "other.test", 'f' },
	{ SIGNER_RSA, "test", 'g' },
	{ SIGNER_ED25519, "deep.sub.example.org", 'h' },
};

static const struct { const char *domain, *picked; size_t max; } rows[] = {
	{ "example.org", "ab", 8 },
	{ "EXAMPLE.org", "ab", 8 },
	{ "mail.example.org", "ab", 8 },
	{ "sub.example.org", "d", 8 },
	{ "x.sub.example.org", "d", 8 },
	{ "deep.sub.example.org", "h", 8 },
	{ "notexample.org", "", 8 },
	{ "example.organic", "", 8 },
	{ "org", "", 8 },
	{ "other.test", "ef", 8 },
	{ "more.other.test", "ef", 8 },
	{ "another.test", "g", 8 },
	{ "test", "g", 8 },
	{ "", "", 8 },
	{ ".example.org", "ab", 8 },
	{ "example.org", "a", 1 },
	{ "example.org", "", 0 },
};

static void
the_nearest_domain_signs(void **state)
{
	const struct signer_key *v[ARRAY_SIZE(keys)], *got[8];
	const struct route r = { .signers = v, .signer_count = ARRAY_SIZE(v) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		v[i] = &keys[i];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char names[9] = "";
		size_t n = signers_pick(&r, span_of(rows[i].domain), got,
					rows[i].max);

		for (size_t j = 0; j < n; j++)
			names[j] = got[j]->name;
		CHECK_ROW(i, strcmp(names, rows[i].picked) == 0);
	}
}

static void
a_route_without_keys_signs_nothing(void **state)
{
	const struct route none = { .name = "r" };
	const struct signer_key *got[1];

	(void)state;
	assert_int_equal(signers_pick(&none, SPAN("example.org"), got, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_domain_signs),
		cmocka_unit_test(a_route_without_keys_signs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
