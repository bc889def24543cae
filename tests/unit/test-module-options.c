/* test-module-options.c - the keys of an SMTP client in a module's block, the
 * fingerprint of what was bound, and files that must be readable */
#include "test-module.h"

#include "module/loaded.h"
#include "smtpc/smtpc.h"

#include <fcntl.h>

struct relay {
	const char *host, *password, *ca, *note;
	int64_t number, pause;
	int32_t truth, colour;
	struct postern_strings list;
	const char *inner;
	struct postern_smtp_plan smtp;
};

static void
describe(const void *self, const char *recipient,
	 struct postern_destination *ret)
{
	(void)self, (void)recipient, (void)ret;
}

static void
deliver(void *self, postern_job *job)
{
	(void)self, (void)job;
}

static const struct postern_backend backend = { .describe = describe,
						.deliver = deliver };

#define OPT(f, t, ...) POSTERN_OPTION(struct relay, f, t, __VA_ARGS__)
static const struct postern_option inner_rows[] = {
	OPT(inner, POSTERN_PATH, .flags = POSTERN_READABLE, .help = "inside"),
	{ 0 },
};
static const struct postern_option relay_rows[] = {
	OPT(host, POSTERN_STRING, .fallback = "mx.test", .help = "host"),
	OPT(password, POSTERN_SECRET, .help = "password"),
	OPT(ca, POSTERN_PATH, .flags = POSTERN_READABLE, .help = "file"),
	OPT(note, POSTERN_PATH, .help = "a file that need not be there"),
	OPT(number, POSTERN_INT, .help = "number"),
	OPT(pause, POSTERN_DURATION, .help = "pause"),
	OPT(truth, POSTERN_BOOL, .help = "truth"),
	OPT(colour, POSTERN_ENUM, .words = "red|green|blue", .help = "colour"),
	OPT(list, POSTERN_STRINGS, .help = "list"),
	{ .key = "nested", .type = POSTERN_BLOCK, .block = inner_rows,
	  .help = "a block" },
	OPT(smtp, POSTERN_SMTP, .help = "smtp"),
	{ 0 },
};

static struct postern_module
table_of(const struct postern_option *rows)
{
	return (struct postern_module){
		.abi = POSTERN_ABI, .size = sizeof(struct postern_module),
		.sizes = POSTERN_SIZES_HERE, .name = "relay",
		.summary = "relays", .self_size = sizeof(struct relay),
		.options = rows, .backend = &backend,
	};
}

/* With fallbacks for the keys of the SMTP client; NULL with err. */
static struct module *
module_with(const char *fallback, struct error *err)
{
	const struct postern_option rows[] = {
		OPT(smtp, POSTERN_SMTP, .fallback = fallback, .help = "smtp"),
		{ 0 },
	};
	struct postern_module table = table_of(rows);

	return module_adopt(&table, "x.so", err);
}

static struct module *
relay_module(void)
{
	struct postern_module table = table_of(relay_rows);
	struct error err = { .text = "" };
	struct module *m = module_adopt(&table, "x.so", &err);

	if (m == NULL)
		fail_msg("%s", err.text);
	return m;
}

/* Binds; what was said is in yaml_said(y). */
static bool
bind(struct module *m, struct yaml *y, struct relay *self,
     const struct module_access *access, uint64_t *print)
{
	struct options_target to = { .what = "it", .self = self,
				     .arena = m->arena, .access = access };

	memset(self, 0, sizeof(*self));
	return options_bind(m, y->root, &to, print, y->d) &&
	       options_advise(&to, y->d);
}

/* --- values ---------------------------------------------------------- */

static const char *
or_none(const char *s)
{
	return s != NULL ? s : "-";
}

/* All of a plan on one line. */
static const char *
plan_text(const struct postern_smtp_plan *p)
{
	static char text[600];

	snprintf(text, sizeof(text), "port %u tls %d reuse %u idle %lld helo %s "
		 "source %s name %s cert %s key %s trust %s dot %lld auth %u",
		 p->port, p->tls, p->reuse, (long long)p->idle_ms,
		 or_none(p->helo), or_none(p->source), or_none(p->server_name),
		 or_none(p->certificate), or_none(p->key),
		 or_none(p->trust_file),
		 (long long)p->timeouts_ms[POSTERN_TIMEOUT_DOT], p->auth);
	return text;
}

static void
keys_become_a_plan(void **state)
{
	static const struct { const char *fallback, *text, *plan; } rows[] = {
		{ NULL, "{}", "port 25 tls 1 reuse 100 idle 5000 helo - "
		  "source - name - cert - key - trust - dot 600000 auth 0" },
		{ NULL, "{port: 65535, tls: none}", "port 65535 tls 0 " },
		{ NULL, "tls: required", "tls 2 " },
		{ NULL, "tls: verify", "tls 3 " },
		{ NULL, "{tls: implicit, port: 465}", "port 465 tls 4 " },
		{ NULL, "{tls: verify, server_name: smtp.example.org}",
		  "name smtp.example.org " },
		{ NULL, "{tls: implicit, server_name: 192.0.2.7}",
		  "name 192.0.2.7 " },
		{ NULL, "{certificate: /c, key: /k, tls: opportunistic}",
		  "cert /c key /k " },
		{ NULL, "{certificate: /both.pem, tls: verify, trust_file: /t}",
		  "cert /both.pem key - trust /t" },
		{ NULL, "{source: 192.0.2.1}", "source 192.0.2.1 " },
		{ NULL, "{source: '2001:db8::1'}", "source 2001:db8::1 " },
		{ NULL, "{helo: gw.example.org}", "helo gw.example.org " },
		{ NULL, "{helo: '[192.0.2.1]'}", "helo [192.0.2.1] " },
		{ NULL, "{helo: '[IPv6:2001:db8::1]'}",
		  "helo [IPv6:2001:db8::1] " },
		{ NULL, "{idle: 0}", "idle -1 " },
		{ NULL, "{idle: 5m, reuse: 1}", "reuse 1 idle 300000 " },
		{ NULL, "timeouts: {dot: 1s}", "dot 1000 " },
		{ "port=587 tls=verify", "{}", "port 587 tls 3 " },
		{ "port=587 tls=verify", "{port: 25}", "port 25 tls 3 " },
		{ "tls=implicit port=465 idle=1m reuse=7 helo=a.test",
		  "{}", "port 465 tls 4 reuse 7 idle 60000 helo a.test " },
		{ "certificate=/c key=/k", "{}", "cert /c key /k " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i].text);
		struct error err = { .text = "" };
		struct module *m = module_with(rows[i].fallback, &err);
		struct relay self;
		uint64_t print;

		if (m == NULL)
			fail_msg("row %zu: %s", i, err.text);
		if (!bind(m, &y, &self, NULL, &print))
			fail_msg("row %zu: %s", i, yaml_said(&y));
		CHECK_HAS(plan_text(&self.smtp), rows[i].plan);
		yaml_free(&y);
		module_drop(&m);
	}
}

static void
what_is_wrong_is_said_at_its_key(void **state)
{
	static const struct { const char *text, *said; } rows[] = {
		{ "port: 0", "1:7: error: `port' must be a whole number, from 1 "
		  "to 65535" },
		{ "port: 65536", "from 1 to 65535, not `65536'" },
		{ "port: smtp", "`port' must be" },
		{ "tls: starttls", "1:6: error: `tls' must be none, "
		  "opportunistic, required, verify or implicit" },
		{ "tls: Verify", "must be none, " },
		{ "tls: off", "must be none, " },
		{ "source: eth0", "`source' must be an address of this host" },
		{ "source: 192.0.2.0/24", "`source' must be an address" },
		{ "{key: /k, tls: verify}", "1:7: error: `key' belongs to a "
		  "`certificate', and there is none" },
		{ "{tls: none, certificate: /c}", "1:26: error: `certificate' "
		  "is never sent with `tls: none'" },
		{ "{server_name: a.test}", "1:15: error: `server_name' is used "
		  "only with `tls: verify' or `implicit'" },
		{ "{tls: required, server_name: a.test}", "`server_name' is" },
		{ "{tls: required, trust_file: /t}", "`trust_file' is used only "
		  "with `tls: verify'" },
		{ "{tls: verify, server_name: 'mx test'}",
		  "`server_name' must be a host's name or an address" },
		{ "{tls: verify, server_name: ''}", "`server_name' must be" },
		{ "helo: ''", "`helo' must be a domain name, or an address in "
		  "brackets" },
		{ "helo: gw test", "`helo' must be" },
		{ "helo: 192.0.2.1 evil", "`helo' must be" },
		{ "helo: '[192.0.2.256]'", "`helo' must be" },
		{ "helo: '[192.0.2.1'", "`helo' must be" },
		{ "helo: \"gw.test\\r\\nMAIL FROM:<>\"", "`helo' must be" },
		{ "idle: 6m", "`idle' must be" },
		{ "idle: 5", "a unit" },
		{ "idle: -1s", "`idle' must be" },
		{ "reuse: 0", "`reuse' must be a whole number, from 1 to 100000" },
		{ "timeouts: {dot: 500ms}", "`dot' must be" },
		{ "timeouts: {dot: 25h}", "`dot' must be" },
		{ "timeouts: 5m", "`timeouts' of it must be a block of keys" },
		{ "timeouts: {lunch: 1h}", "unknown key `lunch'" },
		{ "certifcate: /c", "did you mean `certificate'?" },
		{ "{port: 0, reuse: 0}", "`reuse' must be" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i].text);
		struct error err;
		struct module *m = module_with(NULL, &err);
		struct relay self;
		uint64_t print;

		if (bind(m, &y, &self, NULL, &print))
			fail_msg("row %zu: %s is taken", i, rows[i].text);
		CHECK_HAS(yaml_said(&y), rows[i].said);
		yaml_free(&y);
		module_drop(&m);
	}
}

/* A module's author hears of it when it is loaded, not its user. */
static void
fallbacks_are_checked(void **state)
{
	static const struct { const char *fallback, *text; } rows[] = {
		{ "", "names a key that no SMTP client has" },
		{ "port", "names a key that no SMTP client has" },
		{ "prot=25", "names a key that no SMTP client has" },
		{ "port=25 dot=1m", "names a key that no SMTP client has" },
		{ "port=", "`smtp': the fallback `' is not a value for `port'" },
		{ "port=0", "the fallback `0' is not a value for `port'" },
		{ "port=smtp", "the fallback `smtp' is not a value for `port'" },
		{ "tls=starttls", "`starttls' is not a value for `tls'" },
		{ "port=25 idle=9", "the fallback `9' is not a value for `idle'" },
		{ "idle=10m", "is not a value for `idle'" },
		{ "reuse=0", "is not a value for `reuse'" },
		{ "trust_file=${HOME}/ca", "is not a value for `trust_file'" },
		{ "timeouts=1m", "is not a value for `timeouts'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { .text = "" };
		struct module *m = module_with(rows[i].fallback, &err);

		if (m != NULL)
			fail_msg("row %zu: %s is taken", i, rows[i].fallback);
		CHECK_HAS(err.text, rows[i].text);
	}
}

/* --- the fingerprint ------------------------------------------------- */

static void
secret_file(const char *path, const char *secret)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, secret, strlen(secret)), strlen(secret));
	close(fd);
}

static uint64_t
print_of(const char *text)
{
	struct module *m = relay_module();
	struct yaml y = yaml(text);
	struct relay self;
	uint64_t print;

	if (!bind(m, &y, &self, NULL, &print))
		fail_msg("%s: %s", text, yaml_said(&y));
	yaml_free(&y);
	module_drop(&m);
	return print;
}

static void
other_values_have_another_fingerprint(void **state)
{
	static const struct { const char *one, *other; bool same; } rows[] = {
		{ "{}", "{}", true },
		{ "{}", "{host: mx.test, port: 25, idle: 5s}", true },
		{ "{number: 1, truth: yes}", "{truth: on, number: 1}", true },
		{ "{pause: 60s}", "{pause: 1m}", true },
		{ "{list: a}", "{list: [a]}", true },
		{ "{password: a, host: b}", "{host: b, password: a}", true },
		{ "{port: 25, nested: {inner: /i}}",
		  "{nested: {inner: /i}, port: 25} # same", true },
		{ "{}", "{host: mx2.test}", false },
		{ "{host: a, note: /b}", "{host: b, note: /a}", false },
		{ "{password: one}", "{password: two}", false },
		{ "{password: one}", "{password: One}", false },
		{ "{password: one}", "{password: one1}", false },
		{ "{}", "{password: one}", false },
		{ "{note: /a}", "{note: /b}", false },
		{ "{note: /a}", "{ca: /a}", false },
		{ "{number: 1}", "{number: 2}", false },
		{ "{number: 1}", "{pause: 1ms}", false },
		{ "{truth: yes}", "{truth: no}", false },
		{ "{colour: red}", "{colour: blue}", false },
		{ "{list: [a, b]}", "{list: [b, a]}", false },
		{ "{list: [a, b]}", "{list: [ab]}", false },
		{ "{list: [a, b]}", "{list: [a, b, '']}", false },
		{ "{nested: {inner: /i}}", "{nested: {inner: /j}}", false },
		{ "{port: 25}", "{port: 26}", false },
		{ "{tls: none}", "{tls: required}", false },
		{ "{helo: a.test}", "{source: 192.0.2.1}", false },
		{ "{certificate: /a, key: /b}", "{certificate: /b, key: /a}",
		  false },
		{ "{tls: verify, server_name: a}", "{tls: verify, server_name: b}",
		  false },
		{ "{tls: verify, trust_file: /a}", "{tls: verify}", false },
		{ "{idle: 4s}", "{idle: 5s}", false },
		{ "{reuse: 4}", "{reuse: 5}", false },
		{ "{timeouts: {dot: 5m}}", "{timeouts: {data: 5m}}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((print_of(rows[i].one) == print_of(rows[i].other)) !=
		    rows[i].same)
			fail_msg("row %zu: %s, %s", i, rows[i].one,
				 rows[i].other);
}

static void
a_secret_in_a_file_is_a_value(void **state)
{
	char path[] = "/tmp/postern-unit-XXXXXX", text[100];
	uint64_t before, after;

	(void)state;
	close(mkstemp(path));
	secret_file(path, "one\n");
	snprintf(text, sizeof(text), "password_file: %s", path);
	before = print_of(text);
	assert_true(before == print_of(text));
	/* where it stands is all the same */
	assert_true(before == print_of("password: one"));
	secret_file(path, "two\n");
	after = print_of(text);
	assert_true(after != before);
	assert_true(after == print_of("password: two"));
	unlink(path);
}

static void
a_check_gives_the_fingerprint(void **state)
{
	struct module *m = relay_module();
	struct yaml y = yaml("{password: one}"), other = yaml("{password: two}");
	struct module_found first, second;

	(void)state;
	assert_true(module_check(m, y.root, "it", NULL, &first, y.d));
	assert_true(first.print == print_of("{password: one}"));
	assert_true(module_check(m, other.root, "it", NULL, &second, other.d));
	assert_true(first.print != second.print);
	yaml_free(&y);
	yaml_free(&other);
	module_drop(&m);
}

/* --- files that must be readable ------------------------------------- */

struct asked {
	char paths[300];		/* "/a /b " */
	const char *refused;		/* this one cannot be read */
};

static bool
can_read(void *arg, const char *path, struct error *err)
{
	struct asked *a = arg;
	size_t n = strlen(a->paths);

	snprintf(a->paths + n, sizeof(a->paths) - n, "%s ", path);
	if (a->refused == NULL || strcmp(path, a->refused) != 0)
		return true;
	error_set(err, ERROR_CONFIG, "%s is not for you", path);
	return error_hint(err, "ask nicely");
}

static bool
can_show(void *arg, const struct module_certificate *c, struct diags *d)
{
	const char *key = c->key != NULL ? c->key : c->file;
	struct asked *a = arg;
	size_t n = strlen(a->paths);

	snprintf(a->paths + n, sizeof(a->paths) - n, "%s+%s ", c->file, key);
	if (a->refused != NULL && strcmp(c->file, a->refused) == 0)
		return diag_error(d, c->mark, "%s is no proof", c->file);
	if (a->refused != NULL && strcmp(key, a->refused) == 0)
		return diag_error(d, c->key_mark, "%s is no proof", key);
	return true;
}

static void
readable_files_are_tried(void **state)
{
	static const struct {
		const char *text, *refused;
		const char *paths, *said;	/* said NULL: it is well */
	} rows[] = {
		{ "{}", "", "", NULL },
		{ "{note: /n, host: /h, password_file: /etc/hostname}", NULL,
		  "/etc/hostname ", NULL },
		{ "{password_file: /etc/hostname}", "/etc/hostname",
		  "/etc/hostname ",
		  "1:17: error: `password_file': /etc/hostname is not" },
		{ "{password: word}", "", "", NULL },
		{ "{ca: /a, note: /n}", NULL, "/a ", NULL },
		{ "{ca: /a, nested: {inner: /i}}", NULL, "/a /i ", NULL },
		{ "{ca: /a}", "/a", "/a ",
		  "1:6: error: `ca': /a is not for you" },
		{ "{ca: /a}", "/a", "/a ", "hint: ask nicely" },
		{ "{nested: {inner: /i}}", "/i", "/i ",
		  "1:18: error: `inner': /i is not for you" },
		{ "{certificate: /c, key: /k, tls: verify, trust_file: /t}",
		  NULL, "/c+/k /t ", NULL },
		{ "{certificate: /c}", NULL, "/c+/c ", NULL },
		{ "{certificate: /c, key: /k}", "/c", "/c+/k ",
		  "1:15: error: /c is no proof" },
		{ "{certificate: /c, key: /k}", "/k", "/c+/k ",
		  "1:24: error: /k is no proof" },
		{ "{tls: verify, trust_file: /t}", "/t", "/t ",
		  "1:27: error: `trust_file': /t is not" },
		/* all that is wrong is said together */
		{ "{ca: /x, certificate: /x, nested: {inner: /x}}", "/x",
		  "/x /x /x+/x ", "/x is no proof" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asked asked = { .refused = rows[i].refused };
		const struct module_access access = {
			can_read, can_show, NULL, &asked,
		};
		struct module *m = relay_module();
		struct yaml y = yaml(rows[i].text);
		struct relay self;
		uint64_t print;
		bool ok = bind(m, &y, &self, &access, &print);

		if (ok != (rows[i].said == NULL))
			fail_msg("row %zu: %s", i, yaml_said(&y));
		assert_string_equal(asked.paths, rows[i].paths);
		if (!ok)
			CHECK_HAS(yaml_said(&y), rows[i].said);
		yaml_free(&y);
		module_drop(&m);
	}
}

/* A certificate is shown in TLS alone, which may not come about. */
static void
a_certificate_wants_tls(void **state)
{
	static const struct {
		const char *text;
		bool warned;
	} rows[] = {
		{ "{certificate: /c}", true },
		{ "{certificate: /c, tls: opportunistic}", true },
		{ "{certificate: /c, tls: required}", false },
		{ "{certificate: /c, tls: verify}", false },
		{ "{certificate: /c, tls: implicit, port: 465}", false },
		{ "{tls: opportunistic}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asked asked = { .refused = NULL };
		const struct module_access access = {
			can_read, can_show, NULL, &asked,
		};
		struct module *m = relay_module();
		struct yaml y = yaml(rows[i].text);
		struct relay self;
		uint64_t print;

		CHECK_ROW(i, bind(m, &y, &self, &access, &print));
		CHECK_ROW(i, diags_warnings(y.d) == rows[i].warned);
		if (rows[i].warned)
			CHECK_HAS(yaml_said(&y), "1:15: warning: with `tls: "
				  "opportunistic' the mail may go");
		yaml_free(&y);
		module_drop(&m);
	}
}

static void
readable_is_for_paths_alone(void **state)
{
	static const struct postern_option rows[] = {
		OPT(host, POSTERN_STRING, .flags = POSTERN_READABLE,
		    .help = "h"),
		{ 0 },
	};
	static const struct postern_option hop[] = {
		OPT(pause, POSTERN_DURATION, .flags = POSTERN_NEXT_HOP,
		    .help = "h"),
		{ 0 },
	};
	static const struct postern_option required[] = {
		OPT(smtp, POSTERN_SMTP, .flags = POSTERN_REQUIRED,
		    .help = "h"),
		{ 0 },
	};
	static const struct postern_option twice[] = {
		OPT(smtp, POSTERN_SMTP, .help = "h"),
		OPT(number, POSTERN_INT, .help = "h"),
		{ .key = "port", .offset = offsetof(struct relay, pause),
		  .type = POSTERN_INT, .help = "h" },
		{ 0 },
	};
	static const struct {
		const struct postern_option *rows;
		const char *text;
	} tables[] = {
		{ rows, "option `host': only a path can be readable" },
		{ hop, "option `pause': only a text can name the next hop" },
		{ required, "option `smtp' stands for several keys" },
		{ twice, "option `port' is there twice" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct postern_module table = table_of(tables[i].rows);
		struct error err = { .text = "" };

		CHECK_ROW(i, module_adopt(&table, "x.so", &err) == NULL);
		CHECK_HAS(err.text, tables[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_become_a_plan),
		cmocka_unit_test(what_is_wrong_is_said_at_its_key),
		cmocka_unit_test(fallbacks_are_checked),
		cmocka_unit_test(other_values_have_another_fingerprint),
		cmocka_unit_test(a_secret_in_a_file_is_a_value),
		cmocka_unit_test(a_check_gives_the_fingerprint),
		cmocka_unit_test(readable_files_are_tried),
		cmocka_unit_test(a_certificate_wants_tls),
		cmocka_unit_test(readable_is_for_paths_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
