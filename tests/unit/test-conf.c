/* test-conf.c - YAML trees, what is said of bad ones, names, snapshots */
#include "unit.h"

#include "conf-refusal.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/node.h"
#include "conf/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tree *
parsed(const char *text)
{
	AUTO(diags_free) struct diags *d = diags_new();
	struct tree *t = tree_parse("a.yaml", span_of(text), d);

	assert_non_null(t);
	assert_int_equal(diags_errors(d), 0);
	return t;
}

static bool
is_scalar(const struct node *n, const char *text)
{
	return n != NULL && n->kind == NODE_SCALAR
	       && span_eq(n->scalar, span_of(text));
}

static void
nodes_know_their_places(void **state)
{
	AUTO(tree_free) struct tree *t =
		parsed("# first\nroute: ök\nlist: [a, \"\", ~]\nblock:\n"
		       "    ké: 'x'   # é\n");
	const struct node *n = tree_root(t), *list;

	(void)state;
	assert_int_equal(n->kind, NODE_MAP);
	assert_int_equal(n->count, 3);
	assert_int_equal(n->mark.line, 2);
	assert_int_equal(n->mark.width, 5);
	n = node_get(tree_root(t), "route");
	assert_true(is_scalar(n, "ök"));
	assert_int_equal(n->key_mark.column, 1);
	assert_int_equal(n->mark.column, 8);
	assert_int_equal(n->mark.width, 2);
	list = node_get(tree_root(t), "list");
	assert_int_equal(list->kind, NODE_LIST);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->mark.width, 10);
	assert_true(list->first->next->quoted);
	assert_true(is_scalar(list->first->next->next, ""));
	assert_false(list->first->next->next->quoted);
	n = node_get(node_get(tree_root(t), "block"), "ké");
	assert_true(is_scalar(n, "x"));
	assert_int_equal(n->mark.line, 5);
	assert_int_equal(n->mark.column, 9);
	assert_int_equal(n->mark.width, 3);
	assert_true(span_eq(tree_line(t, 5), SPAN("    ké: 'x'   # é")));
	assert_null(tree_line(t, 99).p);
	assert_null(node_get(list, "a"));
	assert_null(node_get(NULL, "a"));
}

static void
nothing_is_an_empty_map(void **state)
{
	static const char *const rows[] = {
		"", "# only words\n", "---\n", "~\n", "{}", "\xef\xbb\xbf",
		"\xef\xbb\xbf# bom\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(tree_free) struct tree *t = parsed(rows[i]);

		CHECK_ROW(i, tree_root(t)->kind == NODE_MAP
			  && tree_root(t)->count == 0
			  && tree_root(t)->mark.line == 1);
	}
}

static void
lines_end_where_yaml_ends_them(void **state)
{
	static const char *const rows[] = {
		"a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2",
		"a: 1\xc2\x85" "b: 2", "a: 1\xe2\x80\xa8" "b: 2",
		"\xef\xbb\xbf" "a: 1\nb: 2",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(tree_free) struct tree *t = parsed(rows[i]);
		const struct node *b = node_get(tree_root(t), "b");

		CHECK_ROW(i, b != NULL && b->mark.line == 2
			  && b->mark.column == 4);
		CHECK_ROW(i, span_eq(tree_line(t, 1), SPAN("a: 1")));
		CHECK_ROW(i, span_eq(tree_line(t, 2), SPAN("b: 2")));
		CHECK_ROW(i, b->from + 1 == b->to);
	}
}

static void
aliases_stand_for_their_anchors(void **state)
{
	AUTO(tree_free) struct tree *t =
		parsed("a: &one {x: 1, y: [2, 3]}\nb: *one\nc: &two 7\n"
		       "d: [*two, *one]\n");
	const struct node *b = node_get(tree_root(t), "b");
	const struct node *d = node_get(tree_root(t), "d");

	(void)state;
	assert_int_equal(b->kind, NODE_MAP);
	assert_true(is_scalar(node_get(b, "x"), "1"));
	assert_int_equal(node_get(b, "y")->count, 2);
	assert_int_equal(b->mark.line, 2);
	assert_int_equal(b->mark.width, 4);
	assert_true(is_scalar(d->first, "7"));
	assert_true(span_eq(b->key, SPAN("b")));
	assert_int_equal(d->first->key.n, 0);
	assert_true(is_scalar(node_get(d->first->next, "x"), "1"));
}

/* Each bad text, and how what is said of it begins (and what it holds). */
static void
bad_yaml_is_explained(void **state)
{
	static const struct { const char *text, *begins, *holds; } rows[] = {
		{ "a: 1\n\tb: 2\n", "a.yaml:2:1: error: ", "spaces" },
		{ "a: [@x.com]", "a.yaml:1:5: error: a value that begins with `@'", "quotes" },
		{ "a: %x", "a.yaml:1:4: error: a value cannot begin", "quotes" },
		{ "size: >10M", "a.yaml:1:7: error: a value that begins with `>' or `|' needs quotes", "\">10M\"" },
		{ "a: {size: >10M}", "a.yaml:1:11: error: a value that begins with `>' or `|' needs", "\">10M\"" },
		{ "a: {b: ${C}}", "a.yaml:1:9: error: a value that holds `{' needs quotes", "\"${NAME}\"" },
		{ "a: [${C}]", "a.yaml:1:6: error: a value that holds `{' needs quotes", "\"${NAME}\"" },
		{ "a: |b", "a.yaml:1:4: error: a value that begins with `>' or `|' needs quotes", "block of text" },
		{ "password: -", "a.yaml:1:11: error: a value that begins with `-' and a blank, or is `-' alone", "an entry of a list" },
		{ "a: - \"@x.com\"", "a.yaml:1:4: error: a value that begins with `-'", "a line of its own" },
		{ "a: ?", "a.yaml:1:4: error: a value that begins with `?'", "key" },
		{ "%a: 1", "a.yaml:1:1: error: a line cannot begin with `%'", "quotes" },
		{ "a: \"\\xzz\"", "a.yaml:1:7: error: there is no such escape", "backslash" },
		{ "ho\u00a0st: x", "a.yaml:1:3: error: a no-break space "
				   "(U+00A0) is in this key", "ordinary" },
		{ "a:\n\u00a0 b: x", "a.yaml:2:1: error: a no-break space "
				     "(U+00A0) is in this key", "ordinary" },
		{ "a: x\u202f", "a.yaml:1:5: error: a narrow no-break space "
				"(U+202F) is in this value", "ordinary" },
		{ "a:\u00a0x", "a.yaml:1:3: error: a no-break space (U+00A0) is "
			       "in this value", "ordinary" },
		{ "x:\n  a:\u00a0x\n  b: y", "a.yaml:2:5: error: a no-break space (U+00A0)", "in "
				"line 2 there is a no-break space" },
		{ "a: “x”", "a.yaml:1:4: error: curly quotes stand around this value", "keyboard" },
		{ "a: [„x“]", "a.yaml:1:5: error: curly quotes stand around this value", "keyboard" },
		{ "a: ‘x’", "a.yaml:1:4: error: curly quotes stand around this value", "keyboard" },
		{ "a: «x»", "a.yaml:1:4: error: curly quotes stand around this value", "keyboard" },
		{ "a: x”", "a.yaml:1:4: error: curly quotes stand around this value", "keyboard" },
		{ "“a”: x", "a.yaml:1:1: error: curly quotes stand around this key", "keyboard" },
		{ "a: 1\n\ufeffb: 2", "a.yaml:2:1: error: there is an invisible byte-order mark", "type it again" },
		{ "a: *.x", "a.yaml:1:4: error: a value that begins with `*'", "alias" },
		{ "a: ![x", "a.yaml:1:4: error: a value that begins with `!'", "tag" },
		{ "a: [!@x.com]", "a.yaml:1:5: error: a value that begins with `!'", "tag" },
		{ "a:\n - !@x.com\n", "a.yaml:2:4: error: `!@x.com' is a YAML tag", "\"!@x.com\"" },
		{ "a: !x {b: 1}", "a.yaml:1:4: error: `!x' is a YAML tag", "quotes" },
		{ "a: b: c", "a.yaml:1:5: error: a key is not allowed here", "quotes" },
		{ "a: 1\n  b: 2", "a.yaml:2:4: error: a key is not allowed here", "indent" },
		{ "x:\n  a:1\n  b: 2", "a.yaml:3:4: error: a key is not allowed here",
		  "or a space is missing after `:' in the line before" },
		{ "a:\n - x\n b: 1", "a.yaml:3:2: error: this does not belong to the list that begins in line 2", "indent" },
		{ "a: [1, 2\n", "a.yaml:1:8: error: the list that `[' begins in line 1", "`]'" },
		{ "x: 1\na: {b: 1\n\n\n", "a.yaml:2:8: error: the block that `{' begins in line 2", "`}'" },
		{ "a: \"x\nb: 1\n", "a.yaml:1:4: error: the quote that opens here", "close" },
		{ "a: \"\\q\"", "a.yaml:1:5: error: there is no such escape", "backslash" },
		{ "a: 1\nb\n", "a.yaml:2:1: error: a key without its `:'", "key: value" },
		{ "a: \"x\" y", "a.yaml:1:8: error: this does not fit the block that begins in line 1", "indentation" },
		{ "a: }", "a.yaml:1:4: error: a value was expected", "quotes" },
		{ "a: 1\n---\nb: 2\n", "a.yaml:2:1: error: a second document", "into another file" },
		{ "a: 1\nb: 2\na: 3\n", "a.yaml:3:1: error: the key `a' occurs "
					"twice here", "line 1" },
		{ "a: *x", "a.yaml:1:4: error: there is no anchor `&x'", "quotes" },
		{ "a: &one 1\nb: *oen", "a.yaml:2:4: error: there is no anchor `&oen'", "`*one'" },
		{ "a: &x [*x]", "a.yaml:1:8: error: this alias is inside", "write" },
		{ "[a]: 1", "a.yaml:1:1: error: a key must be one word", "key: value" },
		{ "a: &x 1\n*x : 2", "a.yaml:2:1: error: a key must be one word", "key: value" },
		{ "\"\": 1", "a.yaml:1:1: error: a key is empty", "key: value" },
		{ "a: &x {b: 1}\nc:\n  <<: *x\n", "a.yaml:3:3: error: merge keys", "alias" },
		{ "a: \xff", "a.yaml:1:4: error: this is not UTF-8: byte 0xff", "UTF-8" },
		{ "a: \xc0\x80", "a.yaml:1:4: error: this is not UTF-8", "UTF-8" },
		{ "a: \xed\xa0\x80", "a.yaml:1:4: error: this is not UTF-8", "UTF-8" },
		{ "\xff\xfe" "a\0:\0", "a.yaml:1:1: error: this is not UTF-8", "UTF-8" },
		{ "a: é\x1b[2J", "a.yaml:1:5: error: a control character, U+001B", "escape" },
	};
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *said = refusal(span_of(rows[i].text), &out);

		if (strncmp(said, rows[i].begins, strlen(rows[i].begins)) != 0
		    || strstr(said, rows[i].holds) == NULL
		    || strstr(said, "hint: ") == NULL
		    || strchr(said, '\x1b') != NULL)
			fail_msg("row %zu: %s", i, said);
	}
}

/* Of a file with such mistakes the rest can be checked. */
static void
a_mistake_in_one_value_leaves_the_others(void **state)
{
	static const struct { const char *text; size_t errors; } rows[] = {
		{ "a: !x y\nb: z", 1 }, { "a: *x\nb: z", 1 },
		{ "b: z\na: 1\na: 2", 1 }, { "a: “x”\nb: z", 1 },
		{ "a: x\nb\u00a0: z", 1 }, { "a: x\n“b”: z", 1 },
		{ "a: x\nb: z\u00a0", 1 }, { "a: x\nb: “z”", 1 },
		{ "a: la r\u00e9ponse\u00a0! x\nb: z", 0 },
		{ "a: '“x”'\nb: z", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(diags_free) struct diags *d = diags_new();
		AUTO(tree_free) struct tree *t =
			tree_parse("a.yaml", span_of(rows[i].text), d);

		CHECK_ROW(i, diags_errors(d) == rows[i].errors);
		CHECK_ROW(i, t && is_scalar(node_get(tree_root(t), "b"), "z"));
	}
}

/* "a: [" and so on, n times. */
static void
repeat(struct buf *b, const char *s, size_t n)
{
	while (n-- > 0)
		assert_true(buf_add_str(b, s));
}

static void
no_file_makes_too_many_nodes(void **state)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(2 * LIMIT_CONF_FILE);
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);
	AUTO(tree_free) struct tree *t = NULL;

	(void)state;
	/* a few lines of aliases that would be ten million nodes */
	buf_add_str(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 7; i++) {
		buf_addf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_addf(&text, "*a%d,", i - 1);
		buf_add_str(&text, "]\n");
	}
	assert_non_null(strstr(refusal(buf_span(&text), &out),
			       "more than 100000 values, aliases expanded"));

	buf_clear(&text);
	buf_add_str(&text, "a: [");
	repeat(&text, "x,", LIMIT_CONF_NODES);
	assert_non_null(strstr(refusal(buf_span(&text), &out),
			       "more than 100000 values"));

	buf_clear(&text);
	repeat(&text, "[", LIMIT_CONF_DEPTH + 1);
	assert_non_null(strstr(refusal(buf_span(&text), &out),
			       "a.yaml:1:17: error: nested deeper than 16"));
	buf_clear(&text);
	repeat(&text, "[", LIMIT_CONF_DEPTH);
	repeat(&text, "]", LIMIT_CONF_DEPTH);
	t = parsed(buf_str(&text));

	/* deep by aliases alone */
	buf_clear(&text);
	buf_add_str(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < LIMIT_CONF_DEPTH; i++)
		buf_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_non_null(strstr(refusal(buf_span(&text), &out),
			       "a.yaml:16:12: error: nested deeper than 16"));

	buf_clear(&text);
	for (int i = 0; i <= LIMIT_CONF_ANCHORS; i++)
		buf_addf(&text, "k%d: &a%d 1\n", i, i);
	assert_non_null(strstr(refusal(buf_span(&text), &out),
			       "more than 1000 anchors"));

	buf_clear(&text);
	repeat(&text, "# 23456789012345\n", LIMIT_CONF_FILE / 16);
	assert_string_equal(refusal(buf_span(&text), &out),
			    "a.yaml: error: larger than 1024 KiB\n"
			    "      hint: is this the right file? a "
			    "configuration of that size can be split into "
			    "several routes\n");
}

static void
files_are_named_as_they_were_given(void **state)
{
	char folder[] = "/tmp/postern-conf-XXXXXX";
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(tree_free) struct tree *t = NULL;
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);
	struct error err;
	char *want;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_null(tree_read("absent.yaml", d));
	assert_int_equal(mkdir("dir.yaml", 0700), 0);
	assert_null(tree_read("./dir.yaml", d));
	assert_true(file_replace("good.yaml", SPAN("a: 1\n"), 0600, &err));
	t = tree_read("./good.yaml", d);
	assert_non_null(t);
	assert_string_equal(tree_path(t), "./good.yaml");
	assert_true(file_replace("bad.yaml", SPAN("a: [\n"), 0600, &err));
	want = mem_printf("%s/bad.yaml", folder);
	assert_null(tree_read(want, d));
	diags_show(d, &out);
	assert_non_null(strstr(buf_str(&out), "absent.yaml: error: cannot be read"));
	assert_non_null(strstr(buf_str(&out), "./dir.yaml: error: this is a folder"));
	assert_non_null(strstr(buf_str(&out), want));
	unlink("good.yaml");
	unlink("bad.yaml");
	rmdir("dir.yaml");
	assert_int_equal(chdir("/"), 0);
	rmdir(folder);
	mem_free(want);
}

static void
all_is_shown_in_order_with_a_caret(void **state)
{
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(tree_free) struct tree *b =
		tree_parse("b.yaml", SPAN("\tx\n"), d);
	AUTO(tree_free) struct tree *a = parsed("a: 1\nroute:\n"
						"      concurency: 4\n");
	AUTO(tree_free) struct tree *c =
		tree_parse("c.yaml", SPAN("{é:\té, key:\t[x],\n b: 1}\n"), d);
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);
	const struct node *n;

	(void)state;
	assert_null(b);
	assert_non_null(c);
	n = node_get(node_get(tree_root(a), "route"), "concurency");
	assert_false(diag_error(d, &node_get(tree_root(c), "key")->mark, "tabs"));
	assert_false(diag_hint(d, "a %s", "hint"));
	diag_error(d, &node_get(tree_root(c), "é")->mark, "further left");
	diag_warning(d, &node_get(tree_root(a), "a")->mark, "dubious\x1b");
	diag_error(d, &n->key_mark, "unknown key `concurency' in route `x'");
	diag_hint(d, "did you mean `concurrency'?");
	diag_error(d, NULL, "nowhere");
	diag_error(d, &n->key_mark, "unknown key `concurency' in route `x'");
	diag_hint(d, "did you mean `concurrency'?");
	diags_show(d, &out);
	assert_string_equal(buf_str(&out),
		"error: nowhere\n"
		"a.yaml:1:4: warning: dubious\\x1b\n"
		"    1 | a: 1\n"
		"      |    ^\n"
		"a.yaml:3:7: error: unknown key `concurency' in route `x'\n"
		"    3 |       concurency: 4\n"
		"      |       ^~~~~~~~~~\n"
		"      hint: did you mean `concurrency'?\n"
		"b.yaml:1:1: error: a tab cannot be used to indent\n"
		"    1 | \tx\n"
		"      | ^\n"
		"      hint: indent with spaces\n"
		"c.yaml:1:5: error: further left\n"
		"    1 | {é:\té, key:\t[x],\n"
		"      |    \t^\n"
		"c.yaml:1:13: error: tabs\n"
		"    1 | {é:\té, key:\t[x],\n"
		"      |    \t       \t^~~\n"
		"      hint: a hint\n");
	buf_clear(&out);
	diags_count(d, &out);
	assert_string_equal(buf_str(&out), "5 errors, 1 warning in 3 files");
	buf_clear(&out);
	diags_json(d, &out);
	assert_non_null(strstr(buf_str(&out),
		"[{\"file\":null,\"line\":null,\"column\":null,\"level\":"
		"\"error\",\"message\":\"nowhere\",\"hint\":\"\"},"
		"{\"file\":\"a.yaml\",\"line\":1,\"column\":4,\"level\":"
		"\"warning\","));
}

static void
a_flood_of_errors_is_cut(void **state)
{
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);

	(void)state;
	for (int i = 0; i < LIMIT_CONF_ERRORS + 1; i++)
		diag_file_error(d, "x", "number %d", i);
	diag_warning(d, NULL, "a warning");
	diags_show(d, &out);
	assert_non_null(strstr(buf_str(&out), "number 49\n"));
	assert_null(strstr(buf_str(&out), "number 50\n"));
	assert_non_null(strstr(buf_str(&out), "warning: a warning\n"));
	assert_non_null(strstr(buf_str(&out), "\nand 1 more error\n"));
	for (int i = 0; i < 5000; i++)
		diag_file_error(d, "x", "more %d", i);
	diag_hint(d, "to one that was not kept");
	buf_clear(&out);
	diags_show(d, &out);
	assert_non_null(strstr(buf_str(&out), "\nand 5001 more errors\n"));
	assert_int_equal(diags_errors(d), 5051);
	assert_int_equal(diags_warnings(d), 1);
}

static void
a_long_line_is_shown_around_its_caret(void **state)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(LIMIT_CONF_FILE);
	AUTO(buf_fini) struct buf out = BUF_MAX(SHOWN_MAX);
	const char *said, *line, *caret;

	(void)state;
	buf_add_str(&text, "a: [");
	repeat(&text, "é,", 5000);
	buf_add_str(&text, "@x]");
	said = refusal(buf_span(&text), &out);
	line = strstr(said, "| ...");
	assert_non_null(line);
	caret = strchr(said, '^');
	assert_non_null(caret);
	assert_true(strlen(said) < 1000);
	/* under the `@': 157 characters before it, 78 of them of two bytes */
	caret = strchr(line, '^');
	line = strchr(line, '@');
	assert_int_equal(line - strstr(said, "| ..."),
			 caret - strrchr(said, '|') + 78);
}

static void
near_names_are_found(void **state)
{
	static const char *const names[] = {
		"concurrency", "route", "tls", "certificate", "client_secret",
		"give_up", "to", "port", "host",
	};
	static const struct { const char *written, *want; } rows[] = {
		{ "concurency", "concurrency" }, { "ruote", "route" },
		{ "ROUTE", "route" }, { "tsl", "tls" }, { "tlss", "tls" },
		{ "cert", "certificate" }, { "secret", "client_secret" },
		{ "give-up", "give_up" }, { "giveup", "give_up" },
		{ "xyz", NULL }, { "", NULL }, { "q", NULL },
		{ "prot", "port" }, { "hots", "host" }, { "ca", NULL },
		{ "hostname", "host" }, { "smtp_port", "port" }, { "Smtp-Host", "host" },
		{ "portable_x", NULL }, { "airport", NULL },
		{ "a_very_long_name_that_is_longer_than_any_key_would_be_at_all", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = nearest_name(span_of(rows[i].written), names,
					       ARRAY_SIZE(names));

		if (got != rows[i].want
		    && (!got || !rows[i].want || strcmp(got, rows[i].want)))
			fail_msg("row %zu: %s", i, got ? got : "(none)");
	}
}

struct note {
	char *log;
	char sign;
};

static void
note_it(void *arg)
{
	struct note *note = arg;

	note->log[strlen(note->log)] = note->sign;
}

static void
snapshots_free_in_reverse(void **state)
{
	char log[8] = "";
	struct note first = { log, '1' }, second = { log, '2' };
	struct note third = { log, '3' };
	struct snapshot *s = snapshot_new(), *other, *later = snapshot_new();

	(void)state;
	assert_int_equal(snapshot_number(later), snapshot_number(s) + 1);
	snapshot_unref(&later);
	assert_null(later);
	snapshot_unref(&later);
	snapshot_keep_tree(s, parsed("a: 1"));
	snapshot_keep_tree(s, parsed("b: 1"));
	snapshot_on_free(s, note_it, &first);
	snapshot_on_free(s, note_it, &second);
	arena_on_free(snapshot_arena(s), note_it, &third);
	assert_null(snapshot_get(s, SLOT_SPOOL));
	snapshot_set(s, SLOT_SPOOL, log);
	assert_ptr_equal(snapshot_get(s, SLOT_SPOOL), log);
	other = snapshot_ref(s);
	assert_ptr_equal(other, s);
	snapshot_unref(&s);
	assert_string_equal(log, "");
	snapshot_unref(&other);
	assert_string_equal(log, "213");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(nothing_is_an_empty_map),
		cmocka_unit_test(lines_end_where_yaml_ends_them),
		cmocka_unit_test(aliases_stand_for_their_anchors),
		cmocka_unit_test(bad_yaml_is_explained),
		cmocka_unit_test(a_mistake_in_one_value_leaves_the_others),
		cmocka_unit_test(no_file_makes_too_many_nodes),
		cmocka_unit_test(files_are_named_as_they_were_given),
		cmocka_unit_test(all_is_shown_in_order_with_a_caret),
		cmocka_unit_test(a_flood_of_errors_is_cut),
		cmocka_unit_test(a_long_line_is_shown_around_its_caret),
		cmocka_unit_test(near_names_are_found),
		cmocka_unit_test(snapshots_free_in_reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
