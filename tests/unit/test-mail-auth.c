/* test-mail-auth.c - what each mechanism says, and base64 around it */
#include "mail/auth.h"

#include "base/base64.h"
#include "base/macros.h"
#include "unit.h"

/* The first two are the vectors that the providers publish. */
static const char contoso[] =
	"dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBb"
	"DNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";
static const char google[] =
	"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxb"
	"VRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==";

static void
mechanisms_say_what_they_must(void **state)
{
	static const struct {
		enum auth_mechanism m;
		unsigned step;
		const char *user, *secret, *want;	/* in base64 */
		enum auth_say say;
	} rows[] = {
		{ AUTH_XOAUTH2, 0, "test@contoso.onmicrosoft.com",
		  "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA", contoso,
		  AUTH_RESPONSE },
		{ AUTH_XOAUTH2, 0, "someuser@example.com",
		  "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", google,
		  AUTH_RESPONSE },
		{ AUTH_XOAUTH2, 1, "u", "t", "", AUTH_AFTER_ERROR },
		{ AUTH_XOAUTH2, 2, "u", "t", "", AUTH_CANCEL },
		/* n,a=user@example.com,^Ahost=h^Aport=587^Aauth=Bearer t^A^A */
		{ AUTH_OAUTHBEARER, 0, "user@example.com", "t",
		  "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9aAFwb3J0PTU4NwFhdXRoPUJl"
		  "YXJlciB0AQE=", AUTH_RESPONSE },
		/* n,a==3D=2C, ... */
		{ AUTH_OAUTHBEARER, 0, "=,", "t",
		  "bixhPT0zRD0yQywBaG9zdD1oAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHQBAQ==",
		  AUTH_RESPONSE },
		{ AUTH_OAUTHBEARER, 1, "u", "t", "AQ==", AUTH_AFTER_ERROR },
		{ AUTH_OAUTHBEARER, 2, "u", "t", "", AUTH_CANCEL },
		{ AUTH_PLAIN, 0, "tim", "tanstaaftanstaaf",
		  "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", AUTH_RESPONSE },
		{ AUTH_PLAIN, 1, "tim", "x", "", AUTH_CANCEL },
		{ AUTH_LOGIN, 0, "tim", "x", "dGlt", AUTH_RESPONSE },
		{ AUTH_LOGIN, 1, "tim", "x", "eA==", AUTH_RESPONSE },
		{ AUTH_LOGIN, 2, "tim", "x", "", AUTH_CANCEL },
		{ 3, 0, "tim", "x", "", AUTH_CANCEL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_wipe) struct buf said = BUF_MAX(1000);
		AUTO(buf_wipe) struct buf text = BUF_MAX(2000);
		struct auth_credentials c = {
			.user = rows[i].user, .secret = rows[i].secret,
			.host = "h", .port = 587,
		};

		CHECK_ROW(i, auth_respond(rows[i].m, rows[i].step, &c, &said)
			     == rows[i].say);
		CHECK_ROW(i, encode_base64(&text, buf_span(&said)));
		CHECK_ROW(i, strcmp(buf_str(&text), rows[i].want) == 0);
	}
}

static void
the_best_that_is_offered_is_chosen(void **state)
{
	char buf[60], small[8];

	(void)state;
	assert_int_equal(auth_by_name(SPAN("xoauth2")), AUTH_XOAUTH2);
	assert_int_equal(auth_by_name(SPAN("XOAUTH")), 0);
	assert_int_equal(auth_choose(AUTH_PLAIN | AUTH_LOGIN,
				     AUTH_LOGIN | AUTH_XOAUTH2), AUTH_LOGIN);
	assert_int_equal(auth_choose(AUTH_PLAIN | AUTH_LOGIN,
				     AUTH_LOGIN | AUTH_PLAIN), AUTH_PLAIN);
	assert_int_equal(auth_choose(AUTH_XOAUTH2, AUTH_PLAIN), 0);
	assert_string_equal(auth_names(AUTH_LOGIN | AUTH_XOAUTH2, buf,
				       sizeof(buf)), "XOAUTH2 LOGIN");
	assert_string_equal(auth_names(0, buf, sizeof(buf)), "none");
	assert_string_equal(auth_names(15, small, sizeof(small)), "XOAUTH2");
	assert_null(auth_name(3));
}

static void
base64_is_strict(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" },
		{ "Zm9v", "foo" }, { "Zm9vYmFy", "foobar" },
		{ "Zg", NULL }, { "Zg=", NULL }, { "Z", NULL },
		{ "Zm9v Zm9v", NULL }, { "Zm9v\n", NULL }, { "Zm9*", NULL },
		{ "====", NULL }, { "Zg==Zg==", NULL },
	};
	AUTO(buf_fini) struct buf tiny = BUF_MAX(3);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(100);
		bool ok = decode_base64(&b, span_of(rows[i].text));

		CHECK_ROW(i, ok == (rows[i].want != NULL));
		CHECK_ROW(i, strcmp(buf_str(&b),
				    rows[i].want ? rows[i].want : "") == 0);
	}
	assert_false(encode_base64(&tiny, SPAN("x")));
	assert_int_equal(tiny.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mechanisms_say_what_they_must),
		cmocka_unit_test(the_best_that_is_offered_is_chosen),
		cmocka_unit_test(base64_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
