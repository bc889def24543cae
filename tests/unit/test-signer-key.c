/* test-signer-key.c - DKIM keys and their records */
#include "signer-keys.h"

#include "base/macros.h"
#include "base/mem.h"

static const char short_pem[] =		/* 512 bits */
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIIBOgIBAAJBAMO7k5ZA8k6YiJTvucF0TffWPJh7Jl4U6QEKxzyU4dUY0NdFm7xD\n"
	"XLFKNn+NDZKslo5nYJky6mT9EsQTQn6KiiUCAwEAAQJANIc+kHBVluownWfIfjZs\n"
	"RjrkgDdskIskDPeLiKKcCMfr5ugO3iFzJxA50BYewQqjQSiG6st+YiIPfPeoyx4i\n"
	"cQIhAOi1q4pG4cjK73WsY8nnfGcRAneEzsMsc3aDQ1S87IJPAiEA11KCK+reGEm/\n"
	"Z8yzF2676a9o3lGMBI4syBut5tiDk0sCIQDGkY5olYdAAPpH3OvhcyeSAs+qEKcl\n"
	"n55+uA8SFYtyvQIgK5XmB6HJRz1WY1qKPgoKO6loHuh+4UUuR2ti7kGRkLUCIHf6\n"
	"Ee21blJ47is71wO+f4tFcoDmhCRjl0i1I4SCZPy1\n"
	"-----END RSA PRIVATE KEY-----\n";

#define EC_PEM "-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTI+7vuoQFs3lhzki\n" \
	"cavG3OihIUsomXibQziDr6Lvw16hRANCAASHFzbXxJrnqDXsyNcKpGJQ/8MlZDYC\n" \
	"2F6alN19fzS3Tl9Trl/rUXqXt9q08fpbo4y8qM/Wxs6bJ1nzxLJsLZQ7\n" \
	"-----END PRIVATE KEY-----\n"
#define ENCRYPTED_PEM "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" \
	"MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgM/uCKqcvFXQICCAAw\n" \
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEENnPYTH6moJS1QOLcHR5YCoEQKWb\n" \
	"lDBZadCqPtxSxOJ9Ixmq9MmgUVRLXCIOkdQBDLzlE+o+lUcaonh4Rr2VhS7I8jm0\n" \
	"pLHN6FGFdaMfq6w64uQ=\n" \
	"-----END ENCRYPTED PRIVATE KEY-----\n"
#define PUBLIC_PEM "-----BEGIN PUBLIC KEY-----\n" \
	"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n" \
	"-----END PUBLIC KEY-----\n"
#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

/* --- keys ------------------------------------------------------------ */

static void
test_keys(void **state)
{
	static const struct {
		const char *pem, *domain, *selector;
		enum signer_algorithm algorithm;
		unsigned bits;
		const char *error;	/* NULL: it is a key */
	} rows[] = {
		{ ED_PEM, "Example.ORG", "s1", SIGNER_ED25519, 256, NULL },
		{ rsa_pem, "example.org", "a.b-c", SIGNER_RSA, 1024, NULL },
		{ "text before\n" ED_PEM, "example.org", "s", SIGNER_ED25519, 256, NULL },
		{ short_pem, "example.org", "s", 0, 0, "512 bits is too short" },
		{ EC_PEM, "example.org", "s", 0, 0, "cannot sign mail" },
		{ ENCRYPTED_PEM, "example.org", "s", 0, 0, "encrypted" },
		{ PUBLIC_PEM, "example.org", "s", 0, 0, "public key" },
		{ "", "example.org", "s", 0, 0, "no private key" },
		{ "hello\n", "example.org", "s", 0, 0, "no private key" },
		{ "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n"
		  "-----END PRIVATE KEY-----\n", "example.org", "s", 0, 0, "no private key" },
		{ ED_PEM, "", "s", 0, 0, "is not a domain" },
		{ ED_PEM, "exa mple.org", "s", 0, 0, "is not a domain" },
		{ ED_PEM, "example.org.", "s", 0, 0, "is not a domain" },
		{ ED_PEM, "example.org; x=y", "s", 0, 0, "is not a domain" },
		{ ED_PEM, "b\xc3\xbc" "cher.example", "s", 0, 0, "is not a domain" },
		{ ED_PEM, "example.org", "", 0, 0, "is not a selector" },
		{ ED_PEM, "example.org", "a;b", 0, 0, "is not a selector" },
		{ ED_PEM, L63 "." L63 "." L63, L63, 0, 0, "longer than a name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { .text = "" };
		struct signer_key *k = signer_key_new(span_of(rows[i].pem),
			rows[i].domain, rows[i].selector, &err);

		CHECK_ROW(i, (k != NULL) == (rows[i].error == NULL));
		if (k == NULL) {
			CHECK_ROW(i, strstr(err.text, rows[i].error) != NULL);
			continue;
		}
		CHECK_ROW(i, signer_key_algorithm(k) == rows[i].algorithm);
		CHECK_ROW(i, signer_key_bits(k) == rows[i].bits);
		CHECK_ROW(i, strcasecmp(signer_key_domain(k), rows[i].domain) == 0);
		CHECK_ROW(i, strcmp(signer_key_selector(k), rows[i].selector) == 0);
		signer_key_free(&k);
		assert_null(k);
	}
}

/* Any byte of the numbers that is wrong is noticed, or does not matter. */
static void
test_damaged_key(void **state)
{
	struct signer_key *good = key_of(rsa_pem, "example.org", "s");
	unsigned refused = 0;

	(void)state;
	for (size_t at = 80; at + 60 < sizeof(rsa_pem); at += 53) {
		char *copy = mem_strdup(rsa_pem);
		struct error err;
		struct signer_key *k;

		copy[at] = copy[at] == 'A' ? 'B' : 'A';
		k = signer_key_new(span_of(copy), "example.org", "s", &err);
		CHECK_ROW(at, k == NULL || signer_key_number(k) ==
			  signer_key_number(good));
		refused += k == NULL;
		signer_key_free(&k);
		mem_free(copy);
	}
	assert_true(refused > 5);
	signer_key_free(&good);
}

static void
test_numbers(void **state)
{
	struct signer_key *keys[] = {
		key_of(ED_PEM, "example.org", "s"),
		key_of(ED_PEM, "example.org", "t"),
		key_of(ED_PEM, "example.net", "s"),
		key_of(rsa_pem, "example.org", "s"),
	};
	struct signer_key *again = key_of(ED_PEM, "EXAMPLE.org", "s");

	(void)state;
	assert_true(signer_key_number(again) == signer_key_number(keys[0]));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (size_t j = 0; j < i; j++)
			CHECK_ROW(i, signer_key_number(keys[i]) !=
				  signer_key_number(keys[j]));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		signer_key_free(&keys[i]);
	signer_key_free(&again);
}

static void
test_generate(void **state)
{
	static const struct { enum signer_algorithm a; unsigned bits; bool ok; } rows[] = {
		{ SIGNER_ED25519, 0, true },	{ SIGNER_ED25519, 2048, true },
		{ SIGNER_RSA, 1024, true },	{ SIGNER_RSA, 2048, true },
		{ SIGNER_RSA, 1023, false },	{ SIGNER_RSA, 0, false },
		{ SIGNER_RSA, 4097, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_wipe) struct buf pem = BUF_MAX(16 * 1024);
		struct error err;
		struct signer_key *k;

		CHECK_ROW(i, signer_generate(rows[i].a, rows[i].bits, &pem,
					     &err) == rows[i].ok);
		if (!rows[i].ok)
			continue;
		CHECK_ROW(i, span_starts_nocase(buf_span(&pem),
			SPAN("-----BEGIN PRIVATE KEY-----\n")));
		k = key_of(buf_str(&pem), "example.org", "s");
		CHECK_ROW(i, signer_key_algorithm(k) == rows[i].a);
		CHECK_ROW(i, rows[i].a == SIGNER_ED25519 ||
			  signer_key_bits(k) == rows[i].bits);
		signer_key_free(&k);
	}
}

/* --- records --------------------------------------------------------- */

static void
test_record(void **state)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4096), small = BUF_MAX(20);
	struct signer_key *ed = key_of(ED_PEM, "example.org", "s");
	struct signer_key *rsa = key_of(rsa_pem, "example.org", "s");
	struct error err;

	(void)state;
	assert_true(signer_key_record(ed, &b));
	assert_string_equal(buf_str(&b), "v=DKIM1; k=ed25519; p=" ED_P);
	assert_true(signer_key_matches(ed, buf_span(&b), &err));
	assert_false(signer_key_matches(rsa, buf_span(&b), &err));
	buf_clear(&b);
	assert_true(signer_key_record(rsa, &b));
	assert_true(span_starts_nocase(buf_span(&b),
				       SPAN("v=DKIM1; k=rsa; p=MIGf")));
	assert_true(signer_key_matches(rsa, buf_span(&b), &err));
	assert_false(signer_key_record(ed, &small));
	signer_key_free(&ed);
	signer_key_free(&rsa);
}

static void
test_matches(void **state)
{
	static const struct { const char *record, *reason; bool testing; } rows[] = {
		{ "v=DKIM1; k=ed25519; p=" ED_P, NULL, false },
		{ "v=DKIM1;k=ed25519;p=" ED_P ";", NULL, false },
		{ "k=ed25519; p=" ED_P, NULL, false },
		{ " v = DKIM1 ;\r\n k = ed25519 ; p = 11qYAYKxCrfVS/7TyWQH Og7hcvPapiMlrwIaaPcHURo= ; ", NULL, false },
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", NULL, false },
		{ "v=DKIM1; t=y; k=ed25519; p=" ED_P, NULL, true },
		{ "v=DKIM1; t=s:y; k=ed25519; p=" ED_P, NULL, true },
		{ "v=DKIM1; t=s; k=ed25519; p=" ED_P, NULL, false },
		{ "v=DKIM1; n=y; s=email; h=sha256; k=ed25519; p=" ED_P, NULL, false },
		{ "v=DKIM1; s=*; h=sha1:sha256; k=ed25519; p=" ED_P, NULL, false },
		{ "v=DKIM1; s=tlsrpt; k=ed25519; p=" ED_P, "s= does not allow email", false },
		{ "v=DKIM1; h=sha1; k=ed25519; p=" ED_P, "h= does not allow sha256", false },
		{ "v=DKIM1; k=ed25519; p=", "revoked", false },
		{ "v=DKIM1; p=", "revoked", false },
		{ "v=DKIM1; k=ed25519", "no p=", false },
		{ "v=DKIM1; p=" ED_P, "k= is rsa, and the key is ed25519", false },
		{ "v=DKIM1; k=rsa; p=" ED_P, "k= is rsa", false },
		{ "v=DKIM1; k=ed25519; p=21qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "another key", false },
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR", "another key", false },
		{ "v=DKIM2; k=ed25519; p=" ED_P, "begin with v=DKIM1", false },
		{ "k=ed25519; v=DKIM1; p=" ED_P, "begin with v=DKIM1", false },
		{ "v=DKIM1; k=ed25519; p=" ED_P "; p=" ED_P, "p= twice", false },
		{ "v=spf1 include:example.net -all", "begin with v=DKIM1", false },
		{ "v=spf1", "begin with v=DKIM1", false },
		{ "hello", "not a list of tags", false },
		{ "v=DKIM1; hello; k=ed25519; p=" ED_P, "not a list of tags", false },
		{ "", "no p=", false },
		{ ";", "no p=", false },
	};
	struct signer_key *k = key_of(ED_PEM, "example.org", "s");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error why = { .text = "" };

		CHECK_ROW(i, signer_key_matches(k, span_of(rows[i].record),
			  &why) == (rows[i].reason == NULL));
		CHECK_ROW(i, rows[i].reason == NULL ||
			  strstr(why.text, rows[i].reason) != NULL);
		CHECK_ROW(i, signer_record_testing(span_of(rows[i].record)) ==
			  rows[i].testing);
	}
	signer_key_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_damaged_key),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
