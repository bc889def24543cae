/* test-route.c - patterns, three-valued matching, binding route files */
#include "unit.h"

#include "base/limits.h"
#include "base/macros.h"
#include "route/dkim.h"
#include "route/route.h"

#include <stdio.h>

/* A few routes, bound from text, and what went wrong. */
struct world {
	struct arena *arena;
	struct diags *d;
	struct routes routes;
	const char *meant;		/* the backend, by who knows them */
	struct tree *trees[8];
	size_t tree_count;
};

static void
world_init(struct world *w)
{
	*w = (struct world){ .arena = arena_new(), .d = diags_new() };
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->tree_count; i++)
		tree_free(&w->trees[i]);
	diags_free(&w->d);
	arena_free(&w->arena);
}

static bool
world_add(struct world *w, const char *yaml)
{
	static const struct schema_key keys[] = {
		{ .name = "host", .type = T_STRING }, { 0 },
	};
	const struct route_backend meant = { w->meant, keys };
	char name[20];
	struct tree *t;

	snprintf(name, sizeof(name), "%zu0-test.yaml", w->tree_count);
	t = tree_parse(name, span_of(yaml), w->d);
	if (t == NULL)
		return false;
	w->trees[w->tree_count++] = t;
	return route_bind(&w->routes, t, w->meant ? &meant : NULL, w->arena,
			  w->d);
}

/* A route whose match is `rules' in flow style. */
static bool
world_add_match(struct world *w, const char *rules)
{
	char yaml[1000];

	snprintf(yaml, sizeof(yaml), "route: r%zu\nbackend: null\nmatch: %s\n",
		 w->tree_count, rules);
	return world_add(w, yaml);
}

static struct address
address(const char *text)
{
	struct error err;
	struct address a;

	assert_true(address_parse(span_of(text), ADDRESS_NULL | ADDRESS_UTF8,
				  &a, &err));
	return a;
}

static const struct {
	const char *rules, *sender, *recipient, *client, *header;
	uint64_t size;
	enum match_result at_rcpt, at_end;
} rows[] = {
	{ "{}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: a@b.c}", "A@B.C", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: a@b.c}", "x@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{sender: \"@b.c\"}", "x@b.C", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: \"@b.c\"}", "x@a.b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{sender: \"@.b.c\"}", "x@a.b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: \"@.b.c\"}", "x@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{sender: \"@.b.c\"}", "x@ab.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{sender: \"<>\"}", "", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: \"<>\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{sender: \"!<>\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: \"!<>\"}", "", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"!d@e.f\"]}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"!d@e.f\", \"@e.f\"]}", "a@b.c", "g@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{recipient: /^d.*@E/}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{recipient: /^(a+)+$/}", "a@b.c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{client: 10.0.0.0/8}", "a@b.c", "d@e.f", "10.200.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{client: [10.0.0.0/8, \"!10.0.0.1\"]}", "a@b.c", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{size: \">10\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 11, MATCH_MAYBE, MATCH_YES },
	{ "{size: \">10\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 10, MATCH_MAYBE, MATCH_NO },
	{ "{size: \"<1K\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 1023, MATCH_MAYBE, MATCH_YES },
	{ "{size: \"<1K\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 1024, MATCH_MAYBE, MATCH_NO },
	{ "{header: {subject: /^fax/}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: Fax 7\r\n\r\n", 1, MATCH_MAYBE, MATCH_YES },
	{ "{header: {subject: /^fax/}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: A Fax\r\n\r\n", 1, MATCH_MAYBE, MATCH_NO },
	{ "{header: {subject: /^fax/}}", "a@b.c", "d@e.f", "10.0.0.1", "To: x\r\n\r\n", 1, MATCH_MAYBE, MATCH_NO },
	{ "{header: {x-a: one, x-b: [two, three]}}", "a@b.c", "d@e.f", "10.0.0.1", "X-B: three\r\nX-A: ONE\r\n\r\n", 1, MATCH_MAYBE, MATCH_YES },
	/* no way of quoting evades a rule (RFC 5321 section 4.1.2) */
	{ "{recipient: [\"@e.f\", \"!d@e.f\"]}", "a@b.c", "\"d\"@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"!do@e.f\"]}", "a@b.c", "\"d\\o\"@E.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"!/^do@/\"]}", "a@b.c", "\"\\do\"@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", '!\"\\d\\o\"@e.f']}", "a@b.c", "do@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", '!\"d o\"@e.f']}", "a@b.c", "\"d\\ o\"@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"!d@e.f\"]}", "a@b.c", "\"d \"@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	{ "{sender: \"!d@e.f\"}", "\"d\"@e.f", "d@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	/* what comes to no end excludes, and lets nothing in */
	{ "{recipient: \"!/^(a+)+$/\"}", "a@b.c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"!/^(\\\\w+\\\\.?)+secret@/\"]}", "a@b.c", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.asecret@e.f", "10.0.0.1", "", 1, MATCH_NO, MATCH_NO },
	{ "{recipient: [\"@e.f\", \"/^(a+)+$/\"]}", "a@b.c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.f", "10.0.0.1", "", 1, MATCH_YES, MATCH_YES },
	/* an exclusion holds when any of the fields meets it */
	{ "{header: {subject: \"!/secret/\"}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: secret\r\nSubject: x\r\n\r\n", 1, MATCH_MAYBE, MATCH_NO },
	{ "{header: {subject: \"!/secret/\"}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: x\r\nsubject: the\r\n secret\r\n\r\n", 1, MATCH_MAYBE, MATCH_NO },
	{ "{header: {subject: \"!/secret/\"}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: x\r\nSubject: y\r\n\r\n", 1, MATCH_MAYBE, MATCH_YES },
	{ "{header: {subject: \"!/secret/\"}}", "a@b.c", "d@e.f", "10.0.0.1", "To: secret\r\n\r\n", 1, MATCH_MAYBE, MATCH_YES },
	{ "{header: {subject: [/fax/, \"!/secret/\"]}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: fax\r\nSubject: secret\r\n\r\n", 1, MATCH_MAYBE, MATCH_NO },
	{ "{header: {subject: [/fax/, \"!/secret/\"]}}", "a@b.c", "d@e.f", "10.0.0.1", "Subject: x\r\nSubject: fax\r\n\r\n", 1, MATCH_MAYBE, MATCH_YES },
	{ "{sender: x@y.z, size: \">1\"}", "a@b.c", "d@e.f", "10.0.0.1", "", 5, MATCH_NO, MATCH_NO },
};

static void
rules_match_in_three_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		struct facts f = { .size = rows[i].size,
				   .header = span_of(rows[i].header) };

		world_init(&w);
		CHECK_ROW(i, world_add_match(&w, rows[i].rules));
		f.sender = address(rows[i].sender);
		f.recipient = address(rows[i].recipient);
		CHECK_ROW(i, ip_parse(span_of(rows[i].client), &f.client));
		CHECK_ROW(i, route_match(&w.routes.v[0], &f, NULL)
			  == rows[i].at_rcpt);
		f.at_end = true;
		AUTO(buf_fini) struct buf reason = BUF_MAX(500);
		CHECK_ROW(i, route_match(&w.routes.v[0], &f, &reason)
			  == rows[i].at_end);
		CHECK_ROW(i, (reason.len > 0) == (rows[i].at_end == MATCH_NO));
		world_fini(&w);
	}
}

/* A header of n fields, the last of them with the value `last'. */
static void
many_fields(struct buf *b, size_t n, const char *last)
{
	while (n-- > 1)
		buf_add_str(b, "Subject: plain\r\n");
	buf_addf(b, "Subject: %s\r\n\r\n", last);
}

static void
only_so_many_fields_are_asked_about(void **state)
{
	static const struct {
		const char *rules;
		size_t n;
		enum match_result want;
	} cases[] = {
		{ "{header: {subject: /fax/}}", LIMIT_MATCH_FIELDS, MATCH_YES },
		{ "{header: {subject: /fax/}}", LIMIT_MATCH_FIELDS + 1, MATCH_NO },
		{ "{header: {subject: \"!/fax/\"}}", LIMIT_MATCH_FIELDS, MATCH_NO },
		{ "{header: {subject: \"!/secret/\"}}", LIMIT_MATCH_FIELDS, MATCH_YES },
		/* there may be something behind what was looked at */
		{ "{header: {subject: \"!/secret/\"}}", LIMIT_MATCH_FIELDS + 1, MATCH_NO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf_fini) struct buf header = BUF_MAX(100 * 1000);
		struct facts f = { .at_end = true };
		struct world w;

		many_fields(&header, cases[i].n, "a fax");
		f.header = buf_span(&header);
		world_init(&w);
		CHECK_ROW(i, world_add_match(&w, cases[i].rules));
		CHECK_ROW(i, route_match(&w.routes.v[0], &f, NULL)
			  == cases[i].want);
		world_fini(&w);
	}
}

/* For the next recipient nothing but its own rules is asked. */
static void
what_a_message_has_been_asked_is_kept(void **state)
{
	struct world w;
	unsigned char kept[2] = { 0, 0 };
	struct facts f = { .sender = address("a@b.c"), .at_end = true,
			   .recipient = address("d@e.f"), .kept = kept,
			   .header = SPAN("Subject: fax\r\n\r\n") };

	(void)state;
	world_init(&w);
	assert_true(world_add_match(&w, "{recipient: \"@e.f\", sender: "
				    "\"@b.c\", header: {subject: fax}}"));
	assert_true(world_add_match(&w, "{header: {subject: other}}"));
	assert_int_equal(route_match(&w.routes.v[0], &f, NULL), MATCH_YES);
	assert_int_equal(route_match(&w.routes.v[1], &f, NULL), MATCH_NO);
	f.header = SPAN("Subject: other\r\n\r\n");
	f.sender = address("a@other.test");
	f.recipient = address("g@e.f");
	assert_int_equal(route_match(&w.routes.v[0], &f, NULL), MATCH_YES);
	assert_int_equal(route_match(&w.routes.v[1], &f, NULL), MATCH_NO);
	f.recipient = address("g@other.test");
	assert_int_equal(route_match(&w.routes.v[0], &f, NULL), MATCH_NO);
	f.kept = NULL;
	assert_int_equal(route_match(&w.routes.v[1], &f, NULL), MATCH_YES);
	world_fini(&w);
}

static void
a_pattern_without_end_is_told_once(void **state)
{
	static const char local[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.f";
	AUTO(buf_fini) struct buf reason = BUF_MAX(1000);
	struct facts f = { .recipient = address(local) };
	char text[4000] = "", *at;
	FILE *to = tmpfile();
	int old = dup(STDERR_FILENO);
	struct world w;
	ssize_t n;

	(void)state;
	world_init(&w);
	assert_true(world_add_match(&w, "{recipient: \"!/^(a+)+$/\"}"));
	assert_int_equal(route_match(&w.routes.v[0], &f, &reason), MATCH_NO);
	assert_non_null(strstr(buf_str(&reason), "/^(a+)+$/ took too many"));
	assert_true(dup2(fileno(to), STDERR_FILENO) >= 0);
	for (size_t i = 0; i < 10; i++)
		route_match(&w.routes.v[0], &f, NULL);
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	close(old);
	n = pread(fileno(to), text, sizeof(text) - 1, 0);
	fclose(to);
	assert_true(n > 0);
	at = strstr(text, "route `r0': the pattern !/^(a+)+$/ took too many");
	assert_non_null(at);
	assert_null(strstr(strstr(at, "took too many") + 1, "took too many"));
	world_fini(&w);
}

static void
the_first_that_matches_wins(void **state)
{
	struct world w;
	struct facts f = { .sender = address("a@b.c"),
			   .recipient = address("d@e.f") };
	bool maybe;

	(void)state;
	world_init(&w);
	assert_true(world_add_match(&w, "{size: \">1K\"}"));
	assert_true(world_add_match(&w, "{recipient: \"@e.f\"}"));
	assert_true(world_add_match(&w, "{}"));
	assert_ptr_equal(routes_pick(&w.routes, &f, &maybe), &w.routes.v[1]);
	assert_true(maybe);
	f.at_end = true;
	f.size = 2048;
	assert_ptr_equal(routes_pick(&w.routes, &f, &maybe), &w.routes.v[0]);
	f.size = 10;
	f.recipient = address("x@y.z");
	assert_ptr_equal(routes_pick(&w.routes, &f, NULL), &w.routes.v[2]);
	world_fini(&w);
}

static void
our_own_reports_skip_the_client(void **state)
{
	struct world w;
	struct facts f = { .sender = address(""), .own = true,
			   .recipient = address("d@e.f") };

	(void)state;
	world_init(&w);
	assert_true(world_add_match(&w, "{client: 10.0.0.0/8, listener: \"0.0.0.0:25\"}"));
	assert_int_equal(route_match(&w.routes.v[0], &f, NULL), MATCH_YES);
	f.own = false;
	assert_int_equal(route_match(&w.routes.v[0], &f, NULL), MATCH_NO);
	world_fini(&w);
}

static void
mistakes_are_pointed_at(void **state)
{
	static const struct { const char *yaml, *says; } bad[] = {
		{ "backend: null\n", "route" },
		{ "route: a\n", "backend" },
		{ "route: \"a b\"\nbackend: null\n", "cannot be a route's name" },
		{ "route: a\nbackend: null\nmatch: {sendr: x@y}\n", "did you mean `sender'" },
		{ "route: a\nbackend: null\nmatch: {sender: [\"@-\"]}\n", "not a domain" },
		{ "route: a\nbackend: null\nmatch: {recipient: [\"@-\"]}\n", "hint: write @example.org" },
		{ "route: a\nbackend: null\nmatch: {recipient: [\"*@example.org\"]}\n",
		  "`*@example.org' would match only a mailbox called `*'" },
		{ "route: a\nbackend: null\nmatch: {sender: [\"*@example.org\"]}\n",
		  "did you mean \"@example.org\" (the domain)?" },
		{ "route: a\nbackend: null\nmatch: {sender: [\"!*@example.org\"]}\n",
		  "did you mean \"!@example.org\"" },
		{ "route: a\nbackend: null\nmatch: all\n", "3:8: error: match of route `a' is a block of rules, not `all'" },
		{ "route: a\nbackend: null\nmatch: \"*\"\n", "hint: leave `match' out" },
		{ "route: a\nbackend: null\nmatch: {sender: \"*\"}\n", "hint: leave `sender' out" },
		{ "route: a\nbackend: null\nmatch: {recipient: [all]}\n", "hint: leave `recipient' out" },
		{ "route: a\nbackend: null\nmatch: {client: any}\n", "hint: leave `client' out" },
		{ "route: a\nbackend: null\nmatch: {listener: all}\n", "hint: leave `listener' out" },
		{ "route: a\nbackend: null\nmatch: {sender: \"${NO_SUCH}\"}\n", "contains ${NO_SUCH}, but only paths" },
		{ "route: a\nbackend: null\ndkim: [{domain: a.b, selector: p2026._domainkey, key: k}]\n",
		  "hint: write the part before `._domainkey' in the name of the "
		  "record: p2026\n" },
		{ "route: a\nbackend: null\ndkim: [{domain: a.b, selector: p._domainkey.a.b, key: k}]\n",
		  "`p._domainkey.a.b' is more than the selector" },
		{ "route: a\nbackend: null\ndkim: [{domain: p._DomainKey.a.b, selector: p, key: k}]\n",
		  "is the name of a record, not a domain" },
		{ "route: a\nbackend: null\nmatch: {sender: /(/}\n", "regular expression" },
		{ "route: a\nbackend: null\nmatch: {client: printer}\n", "not an address or network" },
		{ "route: a\nbackend: null\nmatch: {sender: 'a@x.org, b@x.org'}\n",
		  "hint: write several as a list: sender: [" },
		{ "route: a\nbackend: null\nmatch: {size: 10M}\n", "not a rule for a size" },
		{ "route: a\nbackend: null\nmatch: {header: [x]}\n", "block of header fields" },
		{ "route: a\nbackend: null\nconnector: {host: h}\n", "unknown key `connector'" },
		{ "route: a\nbackend: null\nlimits: {connections: 0}\n", "connections" },
		{ "route: a\nbackend: null\ndkim: {domain: a.b, selector: s}\n", "`key' is missing" },
		{ "route: a\nbackend: null\ndkim: [{domain: \"a b\", selector: s, key: k}]\n",
		  "dkim: [{domain: \"a b\", selector: s, key: k}]\n      |                 ^~~~~" },
		{ "route: a\nbackend: null\ndkim: [{domain: a.b, selector: \"s;\", key: k}]\n",
		  "`s;' is not a selector" },
		{ "route: a\nbackend: null\ndkim: [{domain: a.b, selectr: s, key: k}]\n",
		  "did you mean `selector'" },
		{ "route: a\nbackend: null\ndkim: p2026\n", "a list of blocks" },
		{ "route: a\nbackend: null\ndkim_required: yes\n",
		  "dkim_required: yes\n      |                ^~~" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(buf_fini) struct buf text = BUF_MAX(10000);
		struct world w;

		world_init(&w);
		CHECK_ROW(i, !world_add(&w, bad[i].yaml));
		diags_show(w.d, &text);
		if (strstr(buf_str(&text), bad[i].says) == NULL)
			fail_msg("row %zu: %s", i, buf_str(&text));
		world_fini(&w);
	}
}

/* One file with mistakes all over, and how each is said. */
static void
a_mistake_hides_no_other(void **state)
{
	static const struct { const char *yaml, *meant; size_t errors;
			      const char *says[4]; } bad[] = {
		{ "backend: null\nmatch: {client: x}\n", NULL, 2,
		  { "`route' is missing", "`x' is not an address or network" } },
		{ "ruote: a\nbackend: null\nmatch: {clientt: x, size: y}\n", NULL, 3,
		  { "did you mean `route'", "in match of the route", "`y' is "
		  		"not a rule" } },
		{ "route: a\nmatch: {client: x}\nconnector: {host: h}\n", "connector", 2,
		  { "`backend' is missing", "`x' is not an address" } },
		{ "route: a\nbackend: conector\nconnector: {host: h}\n", "connector", 0, { NULL } },
		{ "route: a\nbackend: conector\nconector: {host: h}\n", "connector", 0, { NULL } },
		{ "route: a\nbackend: connector\nconnector: {}\nhost: h\n", "connector", 1,
		  { "hint: it belongs to the block `connector'" } },
		{ "route: a\nbackend: conector\nconnector: {}\nconnections: 3\n", "connector", 1,
		  { "hint: it belongs to the block `limits'" } },
		{ "route: a b\nbackend: null\nmatch: {client: x}\n", NULL, 2,
		  { "cannot be a route's name", "`x' is not an address" } },
		{ "route: a\nbackend: null\nmacth: {client: x}\nlimitss: {connections: 0}\n", NULL, 4,
		  { "did you mean `match'", "`x' is not an address", "did you mean `limits'", "connections" } },
		{ "route: a\nbackend: null\ndkim: [{domain: \"a b\", selector: \"s;\", key: k}, {domain: c.d}]\n",
		  NULL, 4, { "`a b' is not a domain", "`s;' is not a selector", "`selector' is missing",
			     "`key' is missing" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(buf_fini) struct buf text = BUF_MAX(10000);
		struct world w;

		world_init(&w);
		w.meant = bad[i].meant;
		CHECK_ROW(i, world_add(&w, bad[i].yaml) == !bad[i].errors);
		diags_show(w.d, &text);
		if (diags_errors(w.d) != bad[i].errors)
			fail_msg("row %zu: %s", i, buf_str(&text));
		for (size_t j = 0; j < 4 && bad[i].says[j]; j++)
			if (strstr(buf_str(&text), bad[i].says[j]) == NULL)
				fail_msg("row %zu: %s", i, buf_str(&text));
		CHECK_ROW(i, w.routes.n == 1);
		CHECK_ROW(i, !bad[i].meant == !w.routes.v[0].backend_node);
		CHECK_ROW(i, w.routes.incomplete == (w.routes.v[0].name[0] == '\0'));
		world_fini(&w);
	}
}

/* 192.168.1.5/24 may be one address or 256 of them. */
static void
a_network_with_host_bits_is_a_warning(void **state)
{
	static const struct { const char *client, *hint; } nets[] = {
		{ "192.168.1.5/24", "write 192.168.1.0/24 for the network, or 192.168.1.5 for the one" },
		{ "!10.1.2.3/15", "write 10.0.0.0/15 for" },
		{ "fd00::1/64", "write fd00::/64 for" },
		{ "192.168.1.0/24", NULL }, { "192.168.1.5", NULL },
		{ "192.168.1.5/32", NULL }, { "192.168.1.6/31", NULL },
		{ "fd00::/8", NULL }, { "0.0.0.0/0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		AUTO(buf_fini) struct buf text = BUF_MAX(10000);
		char rules[100];
		struct world w;

		world_init(&w);
		snprintf(rules, sizeof(rules), "{client: \"%s\"}", nets[i].client);
		CHECK_ROW(i, world_add_match(&w, rules));
		diags_show(w.d, &text);
		CHECK_ROW(i, diags_warnings(w.d) == (nets[i].hint != NULL));
		CHECK_ROW(i, !nets[i].hint || strstr(buf_str(&text), nets[i].hint));
		world_fini(&w);
	}
}

static void
keys_are_taken_as_written(void **state)
{
	const struct dkim_entry *e;
	struct world w;

	(void)state;
	world_init(&w);
	assert_true(world_add(&w, "route: a\nbackend: null\ndkim:\n"
			      "  - {domain: a.b, selector: s, key: /k.pem}\n"
			      "  - {domain: c.d, selector: t, key: k.pem}\n"));
	assert_true(world_add(&w, "route: b\nbackend: null\n"
			      "dkim: {domain: a.b, selector: s, key: k}\n"
			      "dkim_required: yes\n"));
	assert_int_equal(w.routes.v[0].dkim.n, 2);
	e = w.routes.v[0].dkim.v;
	assert_string_equal(e[0].domain, "a.b");
	assert_string_equal(e[1].selector, "t");
	assert_string_equal(e[1].key, "k.pem");
	assert_int_equal(w.routes.v[0].signer_count, 0);
	assert_int_equal(w.routes.v[1].dkim.n, 1);
	assert_false(w.routes.v[0].dkim_required);
	assert_true(w.routes.v[1].dkim_required);
	world_fini(&w);
}

static void
all_routes_together_are_checked(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_true(world_add(&w, "route: a\nbackend: null\nnull: {}\n"));
	assert_false(world_add(&w, "route: a\nbackend: null\n"));
	assert_true(world_add(&w, "route: b\nbackend: null\n"));
	routes_check(&w.routes, w.d);
	assert_int_equal(diags_warnings(w.d), 1);
	assert_string_equal(routes_find(&w.routes, "b")->name, "b");
	assert_null(routes_find(&w.routes, "c"));
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_match_in_three_values),
		cmocka_unit_test(only_so_many_fields_are_asked_about),
		cmocka_unit_test(what_a_message_has_been_asked_is_kept),
		cmocka_unit_test(a_pattern_without_end_is_told_once),
		cmocka_unit_test(the_first_that_matches_wins),
		cmocka_unit_test(our_own_reports_skip_the_client),
		cmocka_unit_test(mistakes_are_pointed_at),
		cmocka_unit_test(a_mistake_hides_no_other),
		cmocka_unit_test(a_network_with_host_bits_is_a_warning),
		cmocka_unit_test(keys_are_taken_as_written),
		cmocka_unit_test(all_routes_together_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
