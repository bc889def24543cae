/* match_bind.c - reading what stands under `match:' */
#include "route/match.h"

#include "base/macros.h"
#include "conf/network.h"

#include <stddef.h>
#include <string.h>

/* As written; compiled into struct match. */
struct match_block {
	struct strings sender, recipient, client, listener;
	const struct node *header;
	char *size;
};

const struct schema_key match_keys[] = {
	KEY(match_block, sender, T_STRINGS, NULL,
	    "The senders of the envelope: address, @domain, @.subdomains, <> or "
	    "/regex/. A ! in front excludes."),
	KEY(match_block, recipient, T_STRINGS, NULL,
	    "The recipients of the envelope, written like senders."),
	KEY(match_block, client, T_STRINGS, NULL,
	    "The clients: addresses or CIDR networks. A ! in front excludes."),
	KEY(match_block, listener, T_STRINGS, NULL,
	    "The listeners, with the same address as under `listen'."),
	KEY(match_block, header, T_NODE, NULL,
	    "The header fields: a block of field names, each with a text or a "
	    "/regex/, or with a list of them."),
	KEY(match_block, size, T_STRING, NULL,
	    "The size of the message: \">10M\" or \"<1M\"."),
	{ 0 },
};

/* What others write for "every one", or NULL. */
static bool
is_everything(struct span s)
{
	static const char *const words[] = {
		"*", "all", "any", "everything", "true", "yes", "*@*", "@*",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (span_eq_nocase(s, span_of(words[i])))
			return true;
	return false;
}

/* A rule on addresses or clients that every message meets is no rule. */
static bool
everything_told(const struct strings *s, size_t i, const char *key,
		enum pattern_family family, struct diags *d)
{
	/* a header may well have such a text */
	if ((family == PATTERNS_OF_TEXT && strcmp(key, "listener") != 0) ||
	    !is_everything(span_of(s->v[i])))
		return false;
	diag_error(d, &s->nodes[i]->mark, "`%s' does not know `%s'", key,
		   s->v[i]);
	diag_hint(d, "leave `%s' out: without it there is no rule on it", key);
	return true;
}

static bool
patterns_bind(struct patterns *ps, const struct strings *s, const char *key,
	      enum pattern_family family, struct arena *arena, struct diags *d)
{
	bool ok = true;

	ps->v = arena_array(arena, s->n, sizeof(*ps->v));
	ps->n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		struct error err;

		if (everything_told(s, i, key, family, d)) {
			ok = false;
			continue;
		}
		if (pattern_compile(&ps->v[i], family, span_of(s->v[i]), arena,
				    &err)) {
			if (ps->v[i].kind == PATTERN_NETWORK)
				network_warn(ps->v[i].network, s->v[i],
					     &s->nodes[i]->mark, d);
			continue;
		}
		ok = diag_error(d, &s->nodes[i]->mark, "%s", err.text);
		if (strpbrk(s->v[i], ",; ") != NULL)
			diag_hint(d, "write several as a list: %s: [\"...\", "
				  "\"...\"]", key);
		else if (err.hint[0] != '\0')
			diag_hint(d, "%s", err.hint);
	}
	return ok;
}

/* One entry of header: a name with a text or a list of texts. */
static bool
header_rule_bind(struct header_rule *rule, const struct node *entry,
		 struct arena *arena, struct diags *d)
{
	struct strings s = { 0 };
	const struct schema_key one[] = {
		{ .name = "value", .type = T_STRINGS }, { 0 },
	};
	/* the entry, seen as a map with one key, binds like any list */
	struct node value = *entry, map = { .kind = NODE_MAP, .count = 1,
		.mark = entry->mark, .first = &value };

	rule->name = entry->key;
	value.key = SPAN("value");
	value.next = NULL;
	return schema_bind(one, &map, "header", &s, arena, d) &&
	       patterns_bind(&rule->values, &s, "header", PATTERNS_OF_TEXT,
			     arena, d);
}

static bool
headers_bind(struct match *m, const struct node *map, struct arena *arena,
	     struct diags *d)
{
	bool ok = true;
	size_t i = 0;

	if (map == NULL)
		return true;
	if (map->kind != NODE_MAP) {
		diag_error(d, &map->mark, "`header' must be a block of "
			   "header fields, each with a text");
		return diag_hint(d, "write header: {Subject: \"/^fax/\"}");
	}
	m->headers = arena_array(arena, map->count, sizeof(*m->headers));
	m->header_count = map->count;
	for (const struct node *n = map->first; n != NULL; n = n->next)
		ok = header_rule_bind(&m->headers[i++], n, arena, d) && ok;
	return ok;
}

static bool
size_bind(struct match *m, const char *text, const struct mark *mark,
	  struct diags *d)
{
	struct span s = span_trim(span_of(text));
	bool above = s.n > 0 && s.p[0] == '>';
	int64_t bound;

	if (text == NULL)
		return true;
	m->has_size = true;
	m->size_min = 0;
	m->size_max = INT64_MAX;
	if (s.n == 0 || (s.p[0] != '>' && s.p[0] != '<') ||
	    !parse_size(span_trim(span_from(s, 1)), &bound)) {
		diag_error(d, mark, "`%s' is not a rule for a size", text);
		return diag_hint(d, "write \">10M\" or \"<1M\"");
	}
	if (above)
		m->size_min = bound + 1;
	else
		m->size_max = bound - 1;
	return true;
}

bool
match_bind(struct match *m, const struct node *map, const char *what,
	   struct arena *arena, struct diags *d)
{
	struct match_block b = { 0 };
	bool ok;

	if (map != NULL && map->kind == NODE_SCALAR &&
	    is_everything(map->scalar)) {
		diag_error(d, &map->mark, "%s is a block of rules, not `%.*s'",
			   what, SPAN_ARG(map->scalar));
		return diag_hint(d, "leave `match' out: a route without it "
				 "takes every message");
	}
	ok = schema_bind(match_keys, map, what, &b, arena, d);

	ok = patterns_bind(&m->sender, &b.sender, "sender",
			   PATTERNS_OF_ADDRESSES, arena, d) && ok;
	ok = patterns_bind(&m->recipient, &b.recipient, "recipient",
			   PATTERNS_OF_ADDRESSES, arena, d) && ok;
	ok = patterns_bind(&m->client, &b.client, "client",
			   PATTERNS_OF_CLIENTS, arena, d) && ok;
	ok = patterns_bind(&m->listener, &b.listener, "listener",
			   PATTERNS_OF_TEXT, arena, d) && ok;
	ok = headers_bind(m, b.header, arena, d) && ok;
	return size_bind(m, b.size, map ? schema_mark(map, "size") : NULL, d)
	       && ok;
}

bool
match_is_open(const struct match *m)
{
	return m->sender.n + m->recipient.n + m->client.n + m->listener.n +
	       m->header_count == 0 && !m->has_size;
}
