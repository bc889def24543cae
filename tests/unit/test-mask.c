/* test-mask.c - secrets are in no excerpt, however wrong the YAML is */
#include "unit.h"

#include "conf-refusal.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/mask.h"

#include <stdio.h>

static void
lines_with_secrets_are_masked(void **state)
{
	static const struct { const char *line, *want; } rows[] = {
		{ "password: hunter2", "password: *******" },
		{ "a: 1", "a: 1" },
		{ "client_secret_file: /x", "client_secret_file: /x" },
		{ "{client_secret: ab, b: 1}", "{client_secret: **, b: 1}" },
		{ "\"token\" : \"a\\\"b, c\" # x", "\"token\" : ********* # x" },
		{ "Password: 'a, b', c: 1", "Password: ******, c: 1" },
		{ "password:", "password:" },
		{ "token_endpoint: http://x", "token_endpoint: http://x" },
		{ "x: password", "x: password" },
		{ "password: 'open", "password: *****" },
		{ "password: \"open\\", "password: ******" },
		{ "password hunter2", "password *******" },
		{ "- password = hunter2", "- password = *******" },
		{ "“password”: hunter2", "“password”: *******" },
		{ "password\u00a0: hunter2", "password\u00a0: *******" },
		{ "{password: hun #ter2, x", "{password: ************" },
		{ "# token token: hunter2", "# token token: *******" },
		{ "proxy: http://u:p@h:1", "proxy: **************" },
		{ "passwd: hunter2: x", "passwd: **********" },
		{ "pwd: hunter2: x", "pwd: **********" },
		{ "pasword = hunter2", "pasword = *******" },
		{ "{passwd: ,hunter2:, b: 1}", "{passwd: *********, b: 1}" },
		{ "{password: ,:hunter2:>, b: 1}", "{password: ***********, b: 1}" },
		{ "# the password is", "# the password is" },
		{ "password: 'it's123'", "password: *********" },
		{ "password: \"a\"b\"", "password: *****" },
		{ "password: 'a' # x", "password: *** # x" },
		{ "{password: hun,ter2, b: 1}", "{password: ********, b: 1}" },
		{ "{password: a}b, b: 1}", "{password: ***, b: 1}" },
		{ "a: [{password: ab}]", "a: [{password: **}]" },
		{ "{password: 'a', b: 1}", "{password: ***, b: 1}" },
		{ "{password: a, \"b\": 1}", "{password: *, \"b\": 1}" },
		{ "{password: hun,ter2", "{password: ********" },
		{ "pw: hunter2", "pw: *******" },
		{ "client_secre?: hunter2", "client_secre**********" },
		{ "client_secr{et: hunter2", "client_secr************" },
		{ "? password", "? password" },
		{ "? password hunter2", "? password *******" },
		{ "x: \"https://u:p@w@h/\" # y", "x: \"https://*****@h/\" # y" },
		{ "host: u:pw@h", "host: u:**@h" },
		{ "x: https://h/a", "x: https://h/a" },
		{ "to: [a@b, c@d]", "to: [a@b, c@d]" },
		{ "x: 2001:db8::1@5353", "x: 2001:db8::1@5353" },
		{ "x: 127.0.0.1@5353", "x: 127.0.0.1@5353" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line = mem_strdup(rows[i].line);

		mask_line(line, strlen(line));
		if (strcmp(line, rows[i].want) != 0)
			fail_msg("row %zu: %s", i, line);
		mem_free(line);
	}
}

/* What is wrong may stand in a line behind the one with the key. */
static void
secrets_of_several_lines_are_masked(void **state)
{
	static const char *const texts[] = {
		"password:\n  hunter2: x: y",
		"password: “hunter2”",
		"a: {password: hunter2, @}",
		"password: {!hunter2",
		"password: !hunter2",
		"password: *hunter2",
		"password: a\n  hunter2: x",
		"password: a\n\n  b\n  hunter2: x",
		"a:\n  password:\n    b\n    hunter2: x",
		"password: # comment\nhunter2: x: y",
		"password: \"a\n  hunter2\\q\"",
		"password: \"a\nhunter2\\q b\"",
		"password: \"a\nb: c\nhunter2: \\q\"",
		"password: \"a\\\"\nhunter2: \\q\"",
		"a: {password: \"b\n  hunter2\\q\"}",
		"a: {password: b\n  hunter2{, c: d}",
		"? password\n: \"hunter2\\q\"",
		"a:\n  password: |\n    b\n   hunter2: x",
		"a:\n  password: >\n    b\n hunter2\n",
		"password: |\n\thunter2\n",
		"- password: \"a\n  hunter2\\q\"",
		"password: \"a\"\n  hunter2: \"\\q\"",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *said = refusal(span_of(texts[i]), &out);

		if (strstr(said, "hunter2") || strcmp(said, "(accepted)") == 0)
			fail_msg("text %zu: %s", i, said);
	}
}

/* And what is behind the secret is shown. */
static void
lines_behind_a_secret_are_shown(void **state)
{
	static const char *const texts[] = {
		"password: a\nwrong: x: y",
		"password: \"a\n  b\"\nwrong: x: y",
		"a:\n  password: b\n  wrong: x: y",
		"a:\n  password: b\nc:\n  wrong: x: y",
		"- password: b\n- wrong: x: y",
		"# password: b\nc:\n    wrong: x: y",
		"password_file: b\n wrong: x: y",
		"password: 'a''b'\nwrong: x: y",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strstr(refusal(span_of(texts[i]), &out), "wrong: x"))
			fail_msg("text %zu: %s", i, buf_str(&out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_with_secrets_are_masked),
		cmocka_unit_test(secrets_of_several_lines_are_masked),
		cmocka_unit_test(lines_behind_a_secret_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
