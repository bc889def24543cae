/* test-module-load.c - which files are modules, and what their options say */
#include "test-module.h"

#include "module/loaded.h"

static void
finds_loads_and_lists(void **state)
{
	struct error err;
	struct module *m = module_find("maildir", &err);

	(void)state;
	assert_non_null(m);
	assert_true(module_find("maildir", &err) == m);
	assert_true(module_is_backend(m) && module_blocks(m));
	assert_false(module_is_filter(m));
	assert_string_equal(module_table(m)->name, "maildir");
	CHECK_HAS(module_path(m), "/backends/maildir/.libs/maildir.so");
	/* by path it is the same */
	assert_true(module_load("backends/maildir/.libs/maildir.so", &err) == m);
}

static void
refuses_what_is_no_module(void **state)
{
	static const struct {
		const char *name, *text, *hint;
	} rows[] = {
		{ "maildri", "there is no module `maildri' in backends, ",
		  "did you mean `maildir'?" },
		{ "xyzzy", "in backends, plugins, tests/unit/modules/.libs, /",
		  "`modules:'" },
		{ "../null", "there is no module `../null'", "" },
		{ "bad-abi", "was built for ABI 4711, this Postern has 0",
		  "postern-plugin.h" },
		{ "bad-entry", "has no postern_module_entry", "POSTERN_MODULE" },
		{ "bad-name", "is called `other', not `bad-name'", "" },
		{ "bad-symbol", "undefined symbol: nobody_has_this", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { .text = "" };

		CHECK_ROW(i, module_find(rows[i].name, &err) == NULL);
		CHECK_ROW(i, err.kind == ERROR_CONFIG);
		CHECK_HAS(err.text, rows[i].text);
		CHECK_HAS(err.hint, rows[i].hint);
		CHECK_HAS(err.text, rows[i].name);
	}
}

static void
refuses_paths(void **state)
{
	struct error err;
	struct module *m = module_find("null", &err);

	(void)state;
	assert_non_null(m);
	assert_null(module_load("tests/unit/modules/.libs/none.so", &err));
	CHECK_HAS(err.text, "none.so: No such file");
	/* the file says that it is `null', which is taken */
	assert_null(module_load("tests/unit/modules/.libs/bad-twin.so", &err));
	CHECK_HAS(err.text, "bad-twin.so: a module called `null' is loaded from ");
	CHECK_HAS(err.text, module_path(m));
	assert_true(module_find("null", &err) == m);
}

static void
note_name(void *arg, const struct module *m)
{
	struct buf *b = arg;

	buf_addf(b, "%s ", module_table(m)->name);
}

static void
lists_all(void **state)
{
	AUTO(buf_fini) struct buf names = BUF_MAX(1000);

	(void)state;
	module_each(note_name, &names);
	assert_string_equal(buf_str(&names), "ask connector direct fault "
			    "maildir null oauth probe slow tag ");
}

/* --- tables ---------------------------------------------------------- */

struct fields {
	const char *text, *path;
	int32_t truth, word;
	int64_t number, bytes, pause, inner, last;
	struct postern_strings list;
	int narrow;
};

static postern_verdict
on_message(void *self, postern_txn *txn)
{
	(void)self, (void)txn;
	return POSTERN_CONTINUE;
}

static void
deliver(void *self, postern_job *job)
{
	(void)self, (void)job;
}

static const struct postern_filter filter = { .on_message = on_message };
static const struct postern_backend no_describe = { .deliver = deliver };

/* rows override what they are about */
#pragma GCC diagnostic ignored "-Woverride-init"
#define TABLE(...)							\
	{ .abi = POSTERN_ABI, .size = sizeof(struct postern_module),	\
	  .sizes = POSTERN_SIZES_HERE, .name = "good", .summary = "is good", \
	  .self_size = sizeof(struct fields), __VA_ARGS__ }
#define ROWS(...) ((const struct postern_option[]){ __VA_ARGS__, { 0 } })
#define OPT(f, t, ...) POSTERN_OPTION(struct fields, f, t, __VA_ARGS__)

static void
refuses_bad_tables(void **state)
{
	static struct postern_option endless[2];
	const struct {
		struct postern_module table;
		const char *text;
	} rows[] = {
		{ TABLE(.filter = &filter), NULL },
		{ TABLE(.name = "Big", .filter = &filter), "name" },
		{ TABLE(.name = NULL, .filter = &filter), "name" },
		{ TABLE(.summary = "", .filter = &filter), "no summary" },
		{ TABLE(.name = "good"), "neither a backend nor a filter" },
		{ TABLE(.backend = &no_describe), "without describe()" },
		{ TABLE(.filter = &filter, .flags = POSTERN_BLOCKING),
		  "for backends" },
		{ TABLE(.filter = &filter, .flags = 64), "flags are 0x40" },
		{ TABLE(.filter = &filter, .size = 8), "a table of 8 octets" },
		{ TABLE(.filter = &filter, .sizes = { 4 }),
		  "struct postern_option of 4 octets, this Postern has" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, POSTERN_INT, .help = "h"))), NULL },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(narrow, POSTERN_INT, .help = "h"))),
		  "option `narrow': the field has 4 octets, the type 8" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, POSTERN_INT))), "`number' has no help" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, 99, .help = "h"))), "no type 99" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, POSTERN_INT, .help = "h"),
			OPT(number, POSTERN_INT, .help = "h"))),
		  "`number' is there twice" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, POSTERN_INT, .fallback = "ten", .help = "h"))),
		  "the fallback `ten' is not a value" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(number, POSTERN_INT, .min = 1, .max = 5,
			    .fallback = "9", .help = "h"))),
		  "the fallback `9' is not a value" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(pause, POSTERN_DURATION, .fallback = "9",
			    .help = "h"))), "the fallback `9' is not a value" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(word, POSTERN_ENUM, .words = "a|b", .fallback = "c",
			    .help = "h"))), "the fallback `c' is not a value" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(word, POSTERN_ENUM, .help = "h"))), "no words" },
		{ TABLE(.filter = &filter, .options = ROWS(
			OPT(text, POSTERN_STRING, .flags = POSTERN_REQUIRED,
			    .fallback = "x", .help = "h"))),
		  "required and has a fallback" },
		{ TABLE(.filter = &filter, .options = ROWS(
			{ .key = "far", .offset = sizeof(struct fields),
			  .type = POSTERN_INT, .help = "h" })),
		  "`far': the field is outside of self" },
		{ TABLE(.filter = &filter, .options = ROWS(
			{ .key = "odd", .offset = 1, .type = POSTERN_INT,
			  .help = "h" })), "not aligned" },
		{ TABLE(.filter = &filter, .options = ROWS(
			{ .key = "Bad Key", .type = POSTERN_INT, .help = "h" })),
		  "a key consists of" },
		{ TABLE(.filter = &filter, .options = ROWS(
			{ .key = "block", .type = POSTERN_BLOCK, .help = "h" })),
		  "a block has rows" },
		{ TABLE(.filter = &filter, .options = endless), "does not end" },
	};

	(void)state;
	endless[0] = (struct postern_option){ .key = "again",
		.type = POSTERN_BLOCK, .block = endless, .help = "h" };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { .text = "" };
		struct module *m = module_adopt(&rows[i].table, "x.so", &err);

		CHECK_ROW(i, (m != NULL) == (rows[i].text == NULL));
		if (m != NULL)
			module_drop(&m);
		else
			CHECK_HAS(err.text, rows[i].text);
	}
}

/* --- binding --------------------------------------------------------- */

static const struct postern_option inner_rows[] = {
	OPT(inner, POSTERN_DURATION, .fallback = "2m", .help = "inside"),
	{ 0 },
};
static const struct postern_option rows_of_fields[] = {
	OPT(text, POSTERN_STRING, .help = "text"),
	OPT(truth, POSTERN_BOOL, .fallback = "yes", .help = "truth"),
	OPT(number, POSTERN_INT, .fallback = "-3", .help = "number"),
	OPT(bytes, POSTERN_SIZE, .fallback = "4K", .help = "bytes"),
	{ .key = "timeouts", .type = POSTERN_BLOCK, .block = inner_rows,
	  .help = "a block" },
	OPT(pause, POSTERN_DURATION, .fallback = "90s", .help = "pause"),
	OPT(word, POSTERN_ENUM, .words = "red|green|blue", .help = "colour"),
	OPT(path, POSTERN_PATH, .help = "path"),
	OPT(list, POSTERN_STRINGS, .fallback = "[x, y]", .help = "list"),
	OPT(last, POSTERN_INT, .min = 1, .max = 9, .fallback = "9",
	    .help = "the last"),
	{ 0 },
};

static struct module *
fields_module(void)
{
	static const struct postern_module table
		= TABLE(.filter = &filter, .options = rows_of_fields);
	struct error err;

	return module_adopt(&table, "x.so", &err);
}

static void
fills_defaults(void **state)
{
	struct module *m = fields_module();
	struct fields f = { .text = NULL };
	struct options_target to = { .what = "it", .self = &f,
				     .arena = m->arena };
	struct diags *d = diags_new();
	uint64_t print;

	(void)state;
	assert_true(options_bind(m, NULL, &to, &print, d));
	assert_null(f.text);
	assert_null(f.path);
	assert_int_equal(f.truth, 1);
	assert_int_equal(f.number, -3);
	assert_int_equal(f.bytes, 4096);
	assert_int_equal(f.inner, 120000);
	assert_int_equal(f.pause, 90000);
	assert_int_equal(f.word, 0);
	assert_int_equal(f.list.n, 2);
	assert_string_equal(f.list.v[1], "y");
	assert_int_equal(f.last, 9);
	diags_free(&d);
	module_drop(&m);
}

static void
fills_what_is_written(void **state)
{
	struct module *m = fields_module();
	struct fields f = { .text = NULL };
	struct options_target to = { .what = "it", .self = &f,
				     .arena = m->arena };
	uint64_t print;
	struct yaml y = yaml("text: hello\ntruth: no\nnumber: 7\nbytes: 2M\n"
		"timeouts: {inner: 5s}\npause: 0\nword: blue\npath: /a/b\n"
		"list: [p, q, r]\nlast: 1\n");

	(void)state;
	assert_true(options_bind(m, y.root, &to, &print, y.d));
	yaml_free(&y);		/* the instance outlives the file */
	assert_string_equal(f.text, "hello");
	assert_string_equal(f.path, "/a/b");
	assert_int_equal(f.truth, 0);
	assert_int_equal(f.number, 7);
	assert_int_equal(f.bytes, 2 * 1024 * 1024);
	assert_int_equal(f.inner, 5000);
	assert_int_equal(f.pause, 0);
	assert_int_equal(f.word, 2);
	assert_int_equal(f.list.n, 3);
	assert_string_equal(f.list.v[2], "r");
	assert_int_equal(f.last, 1);
	module_drop(&m);
}

static void
says_what_is_wrong(void **state)
{
	static const struct { const char *module, *text, *said; } rows[] = {
		{ "maildir", "x: 1\n", "test.yaml:1:1: error: unknown key `x'" },
		{ "maildir", "{}\n", "`path' is missing" },
		{ "connector", "{host: h, port: 0}\n", "1:17: error: `port' must "
		  "be a whole number, from 1 to 65535" },
		{ "connector", "{host: h, timeouts: {dott: 1m}}\n",
		  "did you mean `dot'?" },
		{ "connector", "{host: h, timeouts: {dot: 1}}\n", "a unit" },
		{ "connector", "host: a@b\n", "`host' must be a name or an "
		  "address" },
		{ "connector", "host: 'u:hunter2@h'\n", "name or an address, "
		  "without `@'" },
		{ "connector", "{host: h, auth: login}\n", "hint: the keys here" },
		{ "connector", "{host: h, auth: 5s}\n", "hint: it belongs to the "
		  "block `timeouts'" },
		{ "connector", "host: mail.example.org:25\n", "test.yaml:1:7: "
		  "error: module `connector': `host' must be a name or an "
		  "address alone, not `mail.example.org:25'" },
		{ "connector", "host: mail.example.org:2525\n", "hint: write "
		  "host: mail.example.org and port: 2525" },
		{ "connector", "host: 'h:'\n", "host: h and port: 25" },
		{ "connector", "host: '[2001:db8::25]:25'\n", "hint: "
		  "write host: 2001:db8::25 and port: 25" },
		{ "connector", "{host: h, source: eth0}\n", "`source' must be an "
		  "address" },
		{ "fault", "answer: busy\n", "`answer' must be a final reply" },
		{ "fault", "answer: 550 55555 text\n", "`answer' must be" },
		{ "fault", "answer: 354 x\n", "`answer' must be" },
		{ "fault", "answer: 550 9.9.9 x\n", "`answer' must be" },
		{ "fault", "answer: 550 4.1.1 x\n", "`answer' must be" },
		{ "fault", "answer: 550 5.1 x\n", "`answer' must be" },
		{ "fault", "answer: 550 5.1.1111 x\n", "`answer' must be" },
		{ "fault", "then: 99 x\n", "`then' must be" },
		{ "fault", "phase: lunch\n", "`phase' must be none, " },
		{ "tag", "{header: 'X Tag', value: v}\n", "the name of a header field" },
		{ "tag", "{value: \"a\\nb\"}\n", "on one line" },
		{ "null", "a: b\n", "unknown key `a'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i].text);
		struct error err;
		struct module *m = module_find(rows[i].module, &err);

		CHECK_ROW(i, m != NULL);
		CHECK_ROW(i, !module_check(m, y.root, "this block", NULL, NULL, y.d));
		CHECK_HAS(yaml_said(&y), rows[i].said);
		assert_null(strstr(yaml_said(&y), "hunter2"));
		yaml_free(&y);
	}
}

static void
hosts_that_are_addresses_are_right(void **state)
{
	static const char *const rows[] = {
		"host: '2001:db8::25'\n", "host: '[2001:db8::25]'\n",
		"host: '[IPv6:2001:db8::25]'\n", "host: '::1'\n",
		"host: 192.0.2.1\n", "{host: mail.example.org, port: 2525}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i]);
		struct error err;
		struct module *m = module_find("connector", &err);

		CHECK_ROW(i, module_check(m, y.root, "this block", NULL, NULL,
					  y.d));
		yaml_free(&y);
	}
}

/* Options with several mistakes: how many errors, and a part of each. */
static void
a_check_says_all_of_it(void **state)
{
	static const struct { const char *module, *text; size_t errors;
			      const char *says[4]; } rows[] = {
		{ "connector", "{host: 'a b', user: u}", 2,
		  { "1:8: error: module `connector': `host'", "`password' is missing" } },
		{ "connector", "{host: '${X}', password: p}", 2,
		  { "`host' contains ${X}", "`user' is missing" } },
		{ "connector", "{hots: h, pasword: p, user: u}", 2,
		  { "did you mean `host'", "did you mean `password'" } },
		{ "connector", "{host: h, user: u, password: [p], port: 0}", 2,
		  { "`password' must be one value", "`port' must be" } },
		{ "connector", "{host: h, tls: yes, user: u, password: p}", 1,
		  { "`tls' must be none, opportunistic" } },
		{ "connector", "{host: h, helo: 'a b', source: x, key: /nowhere}", 3,
		  { "`helo'", "`source'", "`key' belongs" } },
		{ "direct", "{tls: implicit, server_name: x.test}", 2,
		  { "no implicit TLS", "`server_name' cannot be used" } },
		{ "tag", "{header: 'a:', value: \"x\\ny\"}", 2,
		  { "`header' must be", "`value' must be on one line" } },
		{ "tag", "{header: 'a:'}", 2,
		  { "`value' is missing", "`header' must be" } },
		{ "fault", "{answer: x, then: y}", 2, { "`answer'", "`then'" } },
		{ "probe", "{mode: bad}", 1, { "`mode' must be" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i].text);
		struct error err;
		struct module *m = module_find(rows[i].module, &err);

		CHECK_ROW(i, !module_check(m, y.root, "it", NULL, NULL, y.d));
		if (diags_errors(y.d) != rows[i].errors)
			fail_msg("row %zu: %s", i, yaml_said(&y));
		for (size_t j = 0; j < 4 && rows[i].says[j] != NULL; j++)
			CHECK_HAS(yaml_said(&y), rows[i].says[j]);
		yaml_free(&y);
	}
}

static void
opening_says_it_too(void **state)
{
	struct yaml y = yaml("path: []\n");
	struct instance_place place = { .route = "r", .hostname = "gw.test" };
	struct error err;

	(void)state;
	assert_null(instance_open(module_find("maildir", &err), y.root, &place,
				  &err));
	assert_string_equal(err.text, "test.yaml:1:7: `path' must be one "
			    "value, not a list");
	yaml_free(&y);
	y = yaml("mode: refuse\n");
	assert_null(instance_open(module_find("probe", &err), y.root, &place,
				  &err));
	assert_string_equal(err.text, "test.yaml:1:7: module `probe': `mode' "
			    "cannot be had today");
	assert_string_equal(err.hint, "write mode: twice");
	yaml_free(&y);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_loads_and_lists),
		cmocka_unit_test(refuses_what_is_no_module),
		cmocka_unit_test(refuses_paths),
		cmocka_unit_test(lists_all),
		cmocka_unit_test(refuses_bad_tables),
		cmocka_unit_test(fills_defaults),
		cmocka_unit_test(fills_what_is_written),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(hosts_that_are_addresses_are_right),
		cmocka_unit_test(a_check_says_all_of_it),
		cmocka_unit_test(opening_says_it_too),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
