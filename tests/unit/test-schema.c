/* test-schema.c - binding: types, defaults, bounds, secrets, the manual */
#include "unit.h"

#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/schema.h"
#include "conf/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct inner {
	char *address;
	int tls;
};

struct sample {
	char *name, *path;
	bool fast;
	int64_t port, size, first, least;
	double factor;
	int tls;
	struct strings nets;
	struct secret password, pin;
	struct blocks listen;
	struct inner one;
	const struct node *match;
};

#define AT(field) offsetof(struct sample, field)
#define TLS_WORDS "none|starttls|required"

static const struct schema_key inner_keys[] = {
	{ .name = "address", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct inner, address), .help = "where" },
	{ .name = "tls", .type = T_ENUM, .words = TLS_WORDS, .fallback = "starttls",
	  .offset = offsetof(struct inner, tls), .help = "how" },
	{ 0 },
};

static const struct schema_key retry_keys[] = {
	KEY(sample, first, T_DURATION, "5m", "the first pause"),
	KEY(sample, factor, T_FACTOR, "2.5", "growth of the pause"),
	{ 0 },
};

static const struct schema_key keys[] = {
	KEY(sample, name, T_STRING, NULL, "a name"),
	KEY(sample, path, T_PATH, "/var/x", "a path"),
	KEY(sample, fast, T_BOOL, "yes", "whether it is fast"),
	{ .name = "port", .type = T_INT, .offset = AT(port), .fallback = "25",
	  .min = 1, .max = 65535, .help = "the port" },
	{ .name = "size", .type = T_SIZE, .offset = AT(size), .fallback = "2M",
	  .min = 1024, .max = 1024 * 1024 * 1024, .help = ".size\\" },
	{ .name = "least", .type = T_INT, .offset = AT(least), .min = 2,
	  .max = -1, .fallback = "2", .help = "A lower bound alone. .Really." },
	{ .name = "tls", .type = T_ENUM, .words = TLS_WORDS, .offset = AT(tls),
	  .fallback = "none", .help = "encryption" },
	KEY(sample, nets, T_STRINGS, "[loopback, lan]", "networks"),
	KEY(sample, password, T_SECRET, NULL, "the password"),
	KEY(sample, pin, T_SECRET, NULL, "one that no name gives away"),
	KEY(sample, match, T_NODE, NULL, "a rule"),
	{ .name = "retry", .type = T_BLOCK, .keys = retry_keys, .help = "pauses" },
	{ .name = "one", .type = T_BLOCK, .offset = AT(one), .keys = inner_keys,
	  .help = "one of them" },
	{ .name = "listen", .type = T_BLOCKS, .offset = AT(listen), .keys = inner_keys,
	  .block_size = sizeof(struct inner), .help = "all of them" },
	{ 0 },
};

/* A text, bound: what came of it, and what is shown. */
struct bound {
	struct sample v;
	struct tree *tree;
	struct arena *arena;
	struct diags *d;
	struct buf out;
	bool ok;
};

static struct bound *
bind_named(const char *file, const char *text)
{
	struct bound *b = NEW(struct bound);

	b->out = BUF_MAX(1024 * 1024);
	b->d = diags_new();
	b->arena = arena_new();
	b->tree = tree_parse(file, span_of(text), b->d);
	assert_non_null(b->tree);
	b->ok = schema_bind(keys, tree_root(b->tree), "route `x'", &b->v,
			    b->arena, b->d);
	assert_int_equal(b->ok, diags_errors(b->d) == 0);
	diags_show(b->d, &b->out);
	diags_json(b->d, &b->out);
	return b;
}

static struct bound *
bind(const char *text)
{
	return bind_named("a.yaml", text);
}

static void
bound_free(struct bound **b)
{
	if (*b == NULL)
		return;
	arena_free(&(*b)->arena);
	tree_free(&(*b)->tree);
	diags_free(&(*b)->d);
	buf_fini(&(*b)->out);
	mem_free(*b);
	*b = NULL;
}

static void
defaults_are_set(void **state)
{
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(bound_free) struct bound *b = bind("nets:\nretry:\nlisten: []\n");
	struct sample v = { 0 };

	(void)state;
	assert_true(b->ok);
	assert_true(schema_bind(keys, NULL, NULL, &v, a, d));
	assert_null(v.name);
	assert_string_equal(v.path, "/var/x");
	assert_true(v.fast);
	assert_int_equal(v.port, 25);
	assert_int_equal(v.size, 2 * 1024 * 1024);
	assert_int_equal(v.first, 5 * 60 * 1000);
	assert_true(v.factor > 2.49 && v.factor < 2.51);
	assert_int_equal(v.nets.n, 2);
	assert_string_equal(v.nets.v[1], "lan");
	assert_null(v.nets.nodes);
	assert_null(v.password.bytes);
	assert_int_equal(v.one.tls, 1);
	assert_null(v.one.address);
	assert_null(v.match);
	assert_int_equal(b->v.nets.n, 2);
	assert_int_equal(b->v.first, 5 * 60 * 1000);
	assert_int_equal(b->v.listen.n, 0);
	assert_false(schema_bind(inner_keys, NULL, "one", &v.one, a, d));
}

static void
values_are_filled_in(void **state)
{
	AUTO(bound_free) struct bound *b = bind_named("dir/a.yaml",
		"name: 007\npath: sub/${POSTERN_TEST}$$$${x}\nfast: Off\nport: 587\n"
		"size: 1g\ntls: required\nnets: ['/a${b}/', '!b', \"\"]\n"
		"match: {x: 1}\nretry: {first: 500ms, factor: 3}\n"
		"one: {address: here, tls: none}\n"
		"listen:\n  - address: x:25\n  - {address: y, tls: required}\n");
	const struct inner *listen = b->v.listen.v;

	(void)state;
	assert_true(b->ok);
	assert_string_equal(b->v.name, "007");
	assert_string_equal(b->v.path, "dir/sub/value$$${x}");
	assert_false(b->v.fast);
	assert_int_equal(b->v.port, 587);
	assert_int_equal(b->v.size, 1024 * 1024 * 1024);
	assert_int_equal(b->v.tls, 2);
	assert_int_equal(b->v.nets.n, 3);
	assert_string_equal(b->v.nets.v[1], "!b");
	assert_string_equal(b->v.nets.v[0], "/a${b}/");	/* a regular expression */
	assert_int_equal(b->v.nets.nodes[1]->mark.column, 19);
	assert_int_equal(b->v.match->count, 1);
	assert_int_equal(b->v.first, 500);
	assert_string_equal(b->v.one.address, "here");
	assert_int_equal(b->v.one.tls, 0);
	assert_int_equal(b->v.listen.n, 2);
	assert_string_equal(listen[0].address, "x:25");
	assert_int_equal(listen[0].tls, 1);
	assert_string_equal(listen[1].address, "y");
	assert_int_equal(listen[1].tls, 2);
	assert_int_equal(b->v.listen.nodes[1]->mark.line, 13);
	assert_int_equal(schema_mark(tree_root(b->tree), "port")->line, 4);
	assert_int_equal(schema_mark(tree_root(b->tree), "least")->line, 1);
	assert_null(schema_mark(NULL, "least"));
	/* values are the arena's, and outlive the tree */
	tree_free(&b->tree);
	assert_string_equal(b->v.name, "007");
	assert_string_equal(b->v.nets.v[1], "!b");
}

static void
one_is_a_list_of_one(void **state)
{
	AUTO(bound_free) struct bound *b =
		bind("nets: lan\nlisten: {address: z}\n");

	(void)state;
	assert_true(b->ok);
	assert_int_equal(b->v.nets.n, 1);
	assert_string_equal(b->v.nets.v[0], "lan");
	assert_int_equal(b->v.listen.n, 1);
	assert_string_equal(((struct inner *)b->v.listen.v)->address, "z");
}

/* Each bad text, and a part of what is said of it. */
static void
wrong_values_are_refused(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "prot: 1", "1:1: error: unknown key `prot' in route `x'\n" },
		{ "prot: 1", "hint: did you mean `port'?" },
		{ "zzzzzz: 1", "hint: the keys here are `name', `path', `fast'" },
		{ "zzzzzz: 1", "`password_file', `password_credential'" },
		{ "retry: {frist: 1s}", "1:9: error: unknown key `frist' in `retry' of route `x'" },
		{ "passwd_file: x", "did you mean `password_file'?" },
		{ "port: 0", "1:7: error: `port' must be a whole number, from 1 to 65535, not `0'" },
		{ "port: 65536", "not `65536'" },
		{ "port: 1.5", "not `1.5'" }, { "port: 0x10", "not `0x10'" },
		{ "port: 99999999999999999999", "must be a whole number" },
		{ "port: [25]", "`port' must be one value, not a list" },
		{ "port: [25]", "hint: write it without the brackets" },
		{ "port: {a: 1}", "`port' must be one value, not a block of keys" },
		{ "port:", "1:1: error: `port' has no value" },
		{ "port: ''", "not `'" },
		{ "least: 1", "a whole number, at least 2, not `1'" },
		{ "size: 1MB", "1:7: error: `size' must be a size such as 512K, 25M or 1G, from 1K to 1G, not `1MB'" },
		{ "size: 1MB", "hint: write 1M" },
		{ "size: 2G", "from 1K to 1G, not `2G'" },
		{ "size: 9999999999999G", "must be a size" },
		{ "size: 15 MB", "hint: write 15M (K, M" },
		{ "retry: {first: 5 days}", "hint: write 5d\n" },
		{ "retry: {first: 1h30m}", "hint: write one number with one unit" },
		{ "retry: {first: 5min}", "hint: write 5m\n" },
		{ "size: M", "must be a size" }, { "size: 1 M", "must be a size" },
		{ "retry: {first: 5}", "1:16: error: `first' must be a duration such as" },
		{ "retry: {first: 5}", "hint: it needs a unit" },
		{ "retry: {first: 5w}", "not `5w'" },
		{ "retry: {first: 99999999999999d}", "must be a duration" },
		{ "retry: {factor: x}", "must be a number such as" },
		{ "retry: {factor: 1e3}", "must be a number such as" },
		{ "retry: {factor: 1.}", "must be a number such as" },
		{ "fast: maybe", "must be true or false" },
		{ "tls: startls", "`tls' must be none, starttls or required, not `startls'" },
		{ "tls: startls", "hint: did you mean `starttls'?" },
		{ "name: \"a\\0b\"", "text without NUL" },
		{ "nets: {a: 1}", "`nets' must be a list, not a block of keys" },
		{ "nets: [a, [b]]", "1:11: error: `nets' must be one value, not a list" },
		{ "nets: [a, ~]", "an element of `nets' has no value" },
		{ "nets: [\"a\\0\", b]", "text without NUL" },
		{ "password: \"a\\0b\"", "`password' holds a NUL byte" },
		{ "password: 'a${'", "write ${NAME} for a variable, and $${ for" },
		{ "path: ''", "must be a path" },
		{ "path: ${POSTERN_NOT_SET}/x", "variable `POSTERN_NOT_SET' in `path' is not set" },
		{ "path: ${}", "holds a `${' without NAME}" },
		{ "name: mail.${NO_SUCH}", "1:7: error: `name' contains ${NO_SUCH}, but only paths" },
		{ "nets: [a, '${NO_SUCH}']", "1:11: error: `nets' contains ${NO_SUCH}" },
		{ "address: x", "hint: it belongs to the block `one'" },
		{ "one: x", "hint: the keys here are `address' and `tls'" },
		{ "retry: 5m", "hint: the keys here are `first' and `factor'" },
		{ "one: x", "1:6: error: `one' of route `x' must be a block of keys, not one value" },
		{ "one: {tls: none}", "1:1: error: `address' is missing in `one' of route `x'" },
		{ "listen: [{tls: none}]", "1:10: error: `address' is missing in `listen' of route `x'" },
		{ "listen: [{tls: none}]", "hint: add `address: VALUE'. " },
		{ "listen: [x]", "`listen' of route `x' must be a block of keys" },
		{ "listen: x", "`listen' must be a list of blocks, not `x'" },
		{ "listen: [x:25]", "hint: write `- address: x:25'" },
		{ "listen: x:25", "hint: write `- address: x:25'" },
		{ "listen: [{adr: x}]", "1:10: error: `address' is missing in" },
		{ "- a", "1:1: error: route `x' must be a block of keys, not a list" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound *b = bind(rows[i].text);

		if (b->ok || strstr(buf_str(&b->out), rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, buf_str(&b->out));
	}
}

static void
all_errors_of_a_run_are_collected(void **state)
{
	AUTO(bound_free) struct bound *b =
		bind("port: x\nlisten:\n - tls: no\n   adress: x\nsise: 1\n");

	(void)state;
	/* port; tls, adress, which is not missing as well; sise */
	assert_int_equal(diags_errors(b->d), 4);
	assert_null(strstr(buf_str(&b->out), "missing"));
}

static bool
is_secret(const struct bound *b, const char *want)
{
	return b->ok && span_eq(secret_span(&b->v.password), span_of(want));
}

/* What it holds, and the secret that it is, or what is said of it. */
static void
secret_files_are_looked_at(const char *file)
{
	static const struct { struct span holds; const char *secret, *says; } rows[] = {
		{ SPAN("\xef\xbb\xbfs3$$\n"), "s3$$", NULL },
		{ SPAN("${HOME}"), "${HOME}", NULL },
		{ SPAN("\xef\xbb\xbf\n"), NULL, "/pw is empty" },
		{ SPAN("\xff\xfes\0003\0"), NULL, "/pw is in UTF-16" },
		{ SPAN("\xfe\xff\0s\0003"), NULL, "/pw is in UTF-16" },
		{ SPAN("s\0003\0\n\0"), NULL, "/pw is in UTF-16" },
		{ SPAN("s3\0002\n"), NULL, "/pw holds a NUL byte" },
	};
	char *text = mem_printf("password_file: %s", file);
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound *b = NULL;

		assert_true(file_replace(file, rows[i].holds, 0600, &err));
		b = bind(text);
		if (rows[i].secret ? !is_secret(b, rows[i].secret)
		    : strstr(buf_str(&b->out), rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, buf_str(&b->out));
	}
	mem_free(text);
}

/* Nobody would write into it: neither check nor a reload may wait for that. */
static void
a_pipe_is_no_secret_file(const char *folder)
{
	char *pipe = mem_printf("%s/pipe", folder);
	char *text = mem_printf("password_file: %s", pipe);
	AUTO(bound_free) struct bound *b = NULL;

	assert_int_equal(mkfifo(pipe, 0600), 0);
	b = bind(text);
	assert_non_null(strstr(buf_str(&b->out), "pipe is not a regular file"));
	unlink(pipe);
	mem_free(text);
	mem_free(pipe);
}

static void
secrets_come_from_three_places(void **state)
{
	char folder[] = "/tmp/postern-schema-XXXXXX";
	struct error err;
	char *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	file = mem_printf("%s/pw", folder);
	assert_true(file_replace(file, SPAN("s3 cret\r\n"), 0600, &err));
	{
		AUTO(bound_free) struct bound *b =
			bind("password: a${POSTERN_TEST}$b$$c");

		assert_true(is_secret(b, "avalue$b$$c"));
	}
	{
		char *conf = mem_printf("%s/a.yaml", folder);
		AUTO(bound_free) struct bound *b = bind_named(conf, "password_file: pw");

		assert_true(is_secret(b, "s3 cret"));
		mem_free(conf);
	}
	{
		AUTO(bound_free) struct bound *b = bind("password_credential: pw");

		assert_non_null(strstr(buf_str(&b->out), "LoadCredential=pw:PATH"));
	}
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	{
		AUTO(bound_free) struct bound *b = bind("password_credential: pw");

		assert_true(is_secret(b, "s3 cret"));
	}
	{
		AUTO(bound_free) struct bound *b = bind("password_credential: ../pw");

		assert_non_null(strstr(buf_str(&b->out), "name of a systemd credential"));
	}
	unsetenv("CREDENTIALS_DIRECTORY");
	secret_files_are_looked_at(file);
	a_pipe_is_no_secret_file(folder);
	assert_true(file_replace(file, SPAN("\n"), 0600, &err));
	{
		char *text = mem_printf("password_file: %s", file);
		AUTO(bound_free) struct bound *b = bind(text);

		assert_non_null(strstr(buf_str(&b->out), "/pw is empty"));
		mem_free(text);
	}
	unlink(file);
	rmdir(folder);
	mem_free(file);
}

/* However wrong the file is, the secret is not in what is said of it. */
static void
secrets_are_not_shown(void **state)
{
	static const char *const rows[] = {
		"{password: hunter2, port: 0}",
		"password: hunter2\npassword_file: /nowhere",
		"{pasword: hunter2, port: 0}",
		"passwrd: hunter2",
		"{pssword: hunter2, port: x}",
		"password: [hunter2]",
		"{password: hun,hunter2, port: 25}",
		"{password: hun,hunter2}",
		"{pasword: ,hunter2, port: 25}",
		"password: {hunter2: x}",
		"password: ${hunter2 ",
		"{name: &x hunter2, password: *x, port: 0}",
		"{password: \"\nhunter2\n\", port: 0}",
		"{port: 0, password: hunter2}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound *b = bind(rows[i]);

		CHECK_ROW(i, !b->ok);
		if (strstr(buf_str(&b->out), "hunter2") != NULL)
			fail_msg("row %zu: %s", i, buf_str(&b->out));
	}
}

/* Modes of a folder and of the file in it, and whether that is told: of the
 * file that is the secret, and of one that has it. */
static void
who_may_read_a_secret_is_told(void **state)
{
	static const struct { unsigned folder, file; bool told; } rows[] = {
		{ 0755, 0600, false }, { 0755, 0640, false },
		{ 0755, 0644, true }, { 0750, 0644, false },
	};
	char folder[] = "/tmp/postern-schema-XXXXXX";
	char *file, *text;
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	file = mem_printf("%s/pw", folder);
	text = mem_printf("password_file: %s", file);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound *own = NULL, *other = NULL;

		assert_true(file_replace(file, SPAN("hunter2"), 0600, &err));
		assert_int_equal(chmod(file, rows[i].file), 0);
		assert_int_equal(chmod(folder, rows[i].folder), 0);
		other = bind(text);
		CHECK_ROW(i, rows[i].told == (strstr(buf_str(&other->out),
			"1:16: warning: every user of this host can read /tmp") != NULL));
		own = bind_named(file, "name: x\npassword: hunter2");
		CHECK_ROW(i, rows[i].told == (strstr(buf_str(&own->out),
			"1:1: warning: this file holds a secret") != NULL));
		bound_free(&own);
		own = bind_named(file, "password: ${POSTERN_TEST}");
		CHECK_ROW(i, own->ok && diags_warnings(own->d) == 0);
	}
	unlink(file);
	rmdir(folder);
	mem_free(file);
	mem_free(text);
}

/* YAML ends a value at a blank and a `#'. */
static void
a_secret_that_yaml_cuts_is_told(void **state)
{
	static const struct { const char *text; bool told; } rows[] = {
		{ "password: hunter2 #ter2\n", true },
		{ "{password: hunter2 #ter2\n}", true },
		{ "pin: hunter2 #ter2\n", true },
		{ "password: hunter2\t# ter2", true },
		{ "password: hunter2#ter2", false },
		{ "password: 'hunter2 #ter2' # ter1", false },
		{ "password: hunter2\n# ter1", false },
		{ "name: x # ter1\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound *b = bind(rows[i].text);

		CHECK_ROW(i, b->ok);
		CHECK_ROW(i, (diags_warnings(b->d) == 1) == rows[i].told);
		CHECK_ROW(i, strstr(buf_str(&b->out), "ter2") == NULL);
	}
}

/* Freed memory cannot be looked at, so: the hook is the arena's, and what it
 * calls empties the secret. */
static void
secrets_are_wiped(void **state)
{
	struct secret own = { .bytes = mem_strdup("hunter2"), .n = 7 };

	(void)state;
	secret_wipe(&own);
	assert_null(own.bytes);
	assert_int_equal(own.n, 0);
	secret_wipe(&own);
}

static void
text_parses_alone(void **state)
{
	static const struct { const char *text; bool ok; int64_t want; } rows[] = {
		{ "0", true, 0 }, { "7", true, 7 }, { "1K", true, 1024 },
		{ "1k", true, 1024 }, { "8G", true, 8LL << 30 },
		{ "8388607T", false, 0 }, { "8589934591G", true, 8589934591LL << 30 },
		{ "8589934592G", false, 0 }, { "", false, 0 }, { "-1", false, 0 },
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(8);
	struct span missing;
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(i, parse_size(span_of(rows[i].text), &v) == rows[i].ok
			  && (!rows[i].ok || v == rows[i].want));
	assert_true(parse_duration(SPAN("3d"), &v) && v == 259200000);
	assert_true(parse_duration(SPAN("0"), &v) && v == 0);
	assert_true(parse_duration(SPAN("7ms"), &v) && v == 7);
	assert_false(parse_duration(SPAN("7"), &v));
	assert_false(parse_duration(SPAN("9223372036854775807s"), &v));
	assert_true(expand_variables(&out, SPAN("$a$$$${"), &missing));
	assert_string_equal(buf_str(&out), "$a$$${");
	assert_false(expand_variables(&out, SPAN("${POSTERN_NOT_SET}"), &missing));
	assert_true(span_eq(missing, SPAN("POSTERN_NOT_SET")));
	assert_false(expand_variables(&out, SPAN("${1x}"), &missing));
	assert_true(missing.p != NULL && missing.n == 0);
	assert_false(expand_variables(&out, SPAN("123456789"), &missing));
	assert_null(missing.p);
}

static void
the_manual_is_made_of_the_table(void **state)
{
	static const char *const parts[] = {
		".It Cm route.port\nthe port.\nType: a whole number, from 1 to "
		"65535.\nDefault: 25.\n",
		".It Cm route.size\n\\&.size\\e.\nType: a size, "
		"from 1K to 1G.\nDefault: 2M.\n",
		".It Cm route.least\nA lower bound alone.\n\\&.Really.\nType: a whole number, "
		"at least 2.\n",
		".It Cm route.tls\nencryption.\nType: none, starttls or "
		"required.\nDefault: none.\n",
		".It Cm route.retry.first\n",
		".It Cm route.listen.address\nwhere.\nType: text; required.\n",
		".It Cm route.password\n.It Cm route.password_file\n.It Cm "
		"route.password_credential\nthe password.\n",
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(64 * 1024);

	(void)state;
	schema_manual(keys, "route.", &out);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(buf_str(&out), parts[i]) == NULL)
			fail_msg("row %zu: %s", i, buf_str(&out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_set),
		cmocka_unit_test(values_are_filled_in),
		cmocka_unit_test(one_is_a_list_of_one),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(all_errors_of_a_run_are_collected),
		cmocka_unit_test(secrets_come_from_three_places),
		cmocka_unit_test(secrets_are_not_shown),
		cmocka_unit_test(who_may_read_a_secret_is_told),
		cmocka_unit_test(a_secret_that_yaml_cuts_is_told),
		cmocka_unit_test(secrets_are_wiped),
		cmocka_unit_test(text_parses_alone),
		cmocka_unit_test(the_manual_is_made_of_the_table),
	};

	setenv("POSTERN_TEST", "value", 1);
	unsetenv("POSTERN_NOT_SET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
