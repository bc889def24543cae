/* test-oauth-wire.c - forms, what token endpoints answer, and what is hidden */
#include "unit.h"

#include "../../backends/oauth/wire.h"

#include <postern-plugin.h>

#include <stdio.h>

static struct postern_http_answer
answer(int status, const char *type, const char *body)
{
	return (struct postern_http_answer){
		.status = status, .type = type, .retry_after_ms = -1,
		.why = "no route to host",
		.body = body, .body_size = body ? strlen(body) : 0,
	};
}

/* --- forms ------------------------------------------------------------ */

static void
forms_are_encoded(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{ NULL, NULL },
		{ "", "a=1&v=" },
		{ "AZaz09-._~", "a=1&v=AZaz09-._~" },
		{ "a b+c&d=e", "a=1&v=a%20b%2Bc%26d%3De" },
		{ "https://x/.default", "a=1&v=https%3A%2F%2Fx%2F.default" },
		{ "\xc3\xa4\n\x7f", "a=1&v=%C3%A4%0A%7F" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct form f = { NULL, 0, 0 };

		form_add(&f, "a", "1");
		form_add(&f, "v", rows[i].value);
		CHECK_ROW(i, f.n == strlen(rows[i].text ? rows[i].text : "a=1"));
		assert_memory_equal(f.text, rows[i].text ? rows[i].text : "a=1",
				    f.n);
		form_free(&f);
		CHECK_ROW(i, f.text == NULL && f.n == 0);
	}
}

static void
forms_grow(void **state)
{
	static char value[100001];
	struct form f = { NULL, 0, 0 };

	(void)state;
	memset(value, '&', sizeof(value) - 1);
	form_add(&f, "v", value);
	assert_int_equal(f.n, 2 + 3 * (sizeof(value) - 1));
	assert_memory_equal(f.text + f.n - 3, "%26", 3);
	form_free(&f);
}

/* --- what is hidden --------------------------------------------------- */

static void
pieces_of_secrets_are_hidden(void **state)
{
	static const struct {
		const char *words, *secret, *hidden;
	} rows[] = {
		{ "nothing here", "0123456789abcdef", "nothing here" },
		{ "bad token 0123456789abcdef!", "0123456789abcdef",
		  "bad token ****************!" },
		/* cut off by whoever repeats it */
		{ "bad 3456789abcdef...", "0123456789abcdef",
		  "bad *************..." },
		{ "twice 0123456789abc 3456789abcdef", "0123456789abcdef",
		  "twice ************* *************" },
		/* so little of a long one may be chance */
		{ "the 0123456789a", "0123456789abcdef", "the 0123456789a" },
		{ "short: pass", "pass", "short: ****" },
		{ "none", NULL, "none" },
		{ "empty", "", "empty" },
		{ "", "0123456789abcdef", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char words[80];

		snprintf(words, sizeof(words), "%s", rows[i].words);
		words_hide(words, rows[i].secret);
		if (strcmp(words, rows[i].hidden) != 0)
			fail_msg("row %zu: %s", i, words);
	}
}

/* --- tokens ----------------------------------------------------------- */

static void
tokens_are_taken(void **state)
{
	static const struct {
		const char *body;
		const char *access, *refresh;
		int64_t expires_s;
	} rows[] = {
		{ "{\"access_token\":\"a\",\"expires_in\":3599}", "a", NULL,
		  3599 },
		{ "{\"access_token\":\"a\",\"refresh_token\":\"r\"}", "a", "r",
		  3600 },
		{ "{\"access_token\":\"a\",\"expires_in\":\"60\"}", "a", NULL,
		  60 },
		{ "{\"access_token\":\"a\",\"expires_in\":-5}", "a", NULL,
		  3600 },
		{ "{\"access_token\":\"a\",\"expires_in\":null}", "a", NULL,
		  3600 },
		{ "{\"access_token\":\"a\",\"expires_in\":99999999999}", "a",
		  NULL, 7 * 24 * 3600 },
		{ "{\"access_token\":\"a\",\"refresh_token\":7}", "a", NULL,
		  3600 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct postern_http_answer a = answer(200, "application/json",
						      rows[i].body);
		struct token_reply r;

		token_reply_parse(&a, &r);
		CHECK_ROW(i, r.kind == REPLY_TOKEN);
		CHECK_ROW(i, r.why[0] == '\0');
		assert_string_equal(r.access, rows[i].access);
		CHECK_ROW(i, (r.refresh == NULL) == (rows[i].refresh == NULL));
		if (r.refresh != NULL)
			assert_string_equal(r.refresh, rows[i].refresh);
		CHECK_ROW(i, r.expires_s == rows[i].expires_s);
		token_reply_free(&r);
		CHECK_ROW(i, r.access == NULL && r.refresh == NULL);
	}
}

#define JSON "application/json"

static void
refusals_are_told_from_trouble(void **state)
{
	static const struct {
		int status;
		const char *type, *body;
		enum reply_kind kind;
		const char *why;
	} rows[] = {
		{ 400, JSON, "{\"error\":\"invalid_grant\",\"error_description\":"
		  "\"AADSTS70043: expired\\r\\nTrace ID: 1\"}", REPLY_REFUSED,
		  "invalid_grant: AADSTS70043: expired  Trace ID: 1" },
		{ 401, JSON, "{\"error\":\"invalid_client\"}", REPLY_REFUSED,
		  "invalid_client" },
		{ 400, JSON, "{\"error\":\"brand_new\"}", REPLY_REFUSED,
		  "brand_new" },
		{ 400, JSON, "{\"error\":\"authorization_pending\"}",
		  REPLY_PENDING,
		  "authorization_pending" },
		{ 400, JSON, "{\"error\":\"slow_down\"}", REPLY_SLOW_DOWN,
		  "slow_down" },
		{ 400, JSON, "{\"error\":\"temporarily_unavailable\"}",
		  REPLY_WAIT,
		  "temporarily_unavailable" },
		/* the same words with another number are trouble */
		{ 429, JSON, "{\"error\":\"invalid_grant\"}", REPLY_WAIT,
		  "invalid_grant" },
		{ 500, JSON, "{\"error\":\"invalid_grant\"}", REPLY_WAIT,
		  "invalid_grant" },
		{ 200, JSON, "{\"error\":\"invalid_grant\"}", REPLY_WAIT,
		  "invalid_grant" },
		{ 0, NULL, NULL, REPLY_WAIT,
		  "no route to host" },
		{ 503, "text/html", "<html>{}</html>", REPLY_WAIT,
		  "the token endpoint answered 503 with text/html instead of "
		  "JSON" },
		{ 403, "text/\033[31mred", "no", REPLY_WAIT,
		  "the token endpoint answered 403 with text/ [31mred instead "
		  "of JSON" },
		{ 200, "", "", REPLY_WAIT,
		  "the token endpoint answered 200 with something instead of "
		  "JSON" },
		{ 403, JSON, "{\"message\":\"no\"}", REPLY_WAIT,
		  "the token endpoint answered 403 with JSON that holds "
		  "neither a token nor an error" },
		{ 200, JSON, "{\"access_token\":\"\"}", REPLY_WAIT,
		  "the token endpoint answered 200 with JSON that holds "
		  "neither a token nor an error" },
		{ 200, JSON, "[\"access_token\"]", REPLY_WAIT,
		  "the token endpoint answered 200 with application/json "
		  "instead of JSON" },
		{ 200, JSON, "{\"access_token\":\"a\",\"access_token\":\"b\"}",
		  REPLY_WAIT,
		  "the token endpoint answered 200 with "
		  "application/json instead of JSON" },
		{ 400, JSON, "{\"error\":\"\"}", REPLY_WAIT,
		  "the token endpoint answered 400 with JSON that holds "
		  "neither a token nor an error" },
		{ 400, JSON, "{\"error\":\"in\\u001b[2Jvalid\"}", REPLY_REFUSED,
		  "in [2Jvalid" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct postern_http_answer a = answer(rows[i].status,
						      rows[i].type,
						      rows[i].body);
		struct token_reply r;

		token_reply_parse(&a, &r);
		CHECK_ROW(i, r.kind == rows[i].kind);
		CHECK_ROW(i, r.access == NULL && r.refresh == NULL);
		if (strcmp(r.why, rows[i].why) != 0)
			fail_msg("row %zu: %s", i, r.why);
		token_reply_free(&r);
	}
}

/* The payloads, in base64url:
 *   {"upn":"scan@contoso.test"}
 *   {"preferred_username":"a?b@c","upn":"other@x"} */
#define UPN "eyJ1cG4iOiJzY2FuQGNvbnRvc28udGVzdCJ9"
#define BOTH "eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhP2JAYyIsInVwbiI6Im90aGVyQHgifQ"

static void
whom_a_token_is_for(void **state)
{
	static const struct {
		const char *body, *who;
	} rows[] = {
		{ "{\"access_token\":\"opaque\"}", "" },
		{ "{\"access_token\":\"h." UPN ".s\"}", "scan@contoso.test" },
		{ "{\"access_token\":\"h." BOTH ".s\"}", "a?b@c" },
		{ "{\"access_token\":\"h." UPN ".s\",\"id_token\":\"h." BOTH
		  ".s\"}", "a?b@c" },
		{ "{\"access_token\":\"h." UPN "\"}", "" },
		{ "{\"access_token\":\"h.%%%%.s\"}", "" },
		{ "{\"access_token\":\"h..s\"}", "" },
		{ "{\"access_token\":\"..\"}", "" },
		{ "{\"access_token\":\"h." UPN ".s\",\"id_token\":\"h.e.s\"}",
		  "scan@contoso.test" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct postern_http_answer a = answer(200, JSON, rows[i].body);
		struct token_reply r;

		token_reply_parse(&a, &r);
		if (strcmp(r.who, rows[i].who) != 0)
			fail_msg("row %zu: %s", i, r.who);
		token_reply_free(&r);
	}
}

/* --- devices ---------------------------------------------------------- */

static void
device_codes_are_taken(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *code;	/* NULL: none */
		const char *uri;	/* or why */
		int64_t expires_s, interval_s;
	} rows[] = {
		{ 200, "{\"device_code\":\"d\",\"user_code\":\"AB-CD\","
		  "\"verification_uri\":\"https://m/d\",\"expires_in\":900,"
		  "\"interval\":5}", "d", "https://m/d", 900, 5 },
		{ 200, "{\"device_code\":\"d\",\"user_code\":\"AB-CD\","
		  "\"verification_url\":\"https://g/d\"}", "d", "https://g/d",
		  900, 5 },
		{ 200, "{\"device_code\":\"d\",\"user_code\":\"AB-CD\","
		  "\"verification_uri\":\"https://m/d\",\"expires_in\":999999,"
		  "\"interval\":9999}", "d", "https://m/d", 86400, 300 },
		{ 200, "{\"device_code\":\"d\",\"user_code\":\"AB-CD\"}", NULL,
		  "the token endpoint answered 200 with JSON that holds "
		  "neither a token nor an error", 0, 0 },
		{ 400, "{\"error\":\"unauthorized_client\"}", NULL,
		  "unauthorized_client", 0, 0 },
		{ 502, "bad gateway", NULL, "the token endpoint answered 502 "
		  "with application/json instead of JSON", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct postern_http_answer a = answer(rows[i].status, JSON,
						      rows[i].body);
		struct device_reply r;

		device_reply_parse(&a, &r);
		CHECK_ROW(i, (r.device_code == NULL) == (rows[i].code == NULL));
		if (r.device_code != NULL) {
			assert_string_equal(r.device_code, rows[i].code);
			assert_string_equal(r.user_code, "AB-CD");
			assert_string_equal(r.uri, rows[i].uri);
		} else if (strcmp(r.why, rows[i].uri) != 0) {
			fail_msg("row %zu: %s", i, r.why);
		}
		CHECK_ROW(i, r.expires_s == rows[i].expires_s);
		CHECK_ROW(i, r.interval_s == rows[i].interval_s);
		device_reply_free(&r);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_encoded),
		cmocka_unit_test(forms_grow),
		cmocka_unit_test(pieces_of_secrets_are_hidden),
		cmocka_unit_test(tokens_are_taken),
		cmocka_unit_test(refusals_are_told_from_trouble),
		cmocka_unit_test(whom_a_token_is_for),
		cmocka_unit_test(device_codes_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
