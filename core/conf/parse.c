/* parse.c - libyaml's events become a tree
 *
 * A stack of the lists and maps that are open, no deeper than
 * LIMIT_CONF_DEPTH.  An alias shares the children of its anchor, and is
 * counted with all of them, so that neither a file nor its aliases make more
 * than LIMIT_CONF_NODES for those who walk the tree.  Bad syntax ends the
 * parse; what is merely wrong is noted, and the parse goes on to find more.
 */
#include "conf/build.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/lookalike.h"

#include <string.h>
#include <yaml.h>

static bool
wants_key(const struct frame *f)
{
	return f != NULL && f->node->kind == NODE_MAP && !f->has_key;
}

static bool
too_deep(struct builder *b, const struct mark *mark)
{
	diag_error(b->d, mark, "nested deeper than %d levels",
		   LIMIT_CONF_DEPTH);
	return diag_hint(b->d, "check for an extra bracket or too much indentation");
}

static bool
key_is_no_word(struct builder *b, const struct mark *mark)
{
	diag_error(b->d, mark, "a key must be one word");
	return diag_hint(b->d, "write `key: value'; write a value in brackets "
			 "after its key");
}

static void
key_take(struct builder *b, const yaml_event_t *e)
{
	struct frame *f = build_top(b);
	struct span key = { (const char *)e->data.scalar.value,
			    e->data.scalar.length };
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	f->key_mark = build_mark(b, e);
	if (plain)
		lookalike_key(b, &key, &f->key_mark);
	f->key = arena_span(b->tree->arena, key);
	f->has_key = true;
	/* a block has no bracket to point at: its first key serves */
	if (f->last == NULL && f->node->mark.line == f->key_mark.line
	    && f->node->mark.column == f->key_mark.column)
		f->node->mark.width = f->key_mark.width;

	if (key.n == 0 || (plain && span_eq(key, SPAN("<<")))) {
		b->bad = true;
		diag_error(b->d, &f->key_mark, key.n
			   ? "merge keys are not supported" : "a key is empty");
		diag_hint(b->d, key.n ? "write the keys out, or give the whole "
			  "block as an alias" : "write `key: value'");
	}
}

/* An unquoted `!@host' is a tag without a value: the value would be lost. */
static bool
tag_check(struct builder *b, const yaml_char_t *tag, const yaml_event_t *e)
{
	struct mark mark = build_mark(b, e);

	if (tag == NULL || strncmp((const char *)tag, "tag:yaml.org,2002:",
				   strlen("tag:yaml.org,2002:")) == 0)
		return true;
	if (build_holds_secret(b)) {
		diag_error(b->d, &mark, "this is a YAML tag, not a value");
		return diag_hint(b->d, "put the value in quotes");
	}
	diag_error(b->d, &mark, "`%.60s' is a YAML tag here, not a value",
		   (const char *)tag);
	return diag_hint(b->d, "put the value in quotes: \"%.60s\"",
			 (const char *)tag);
}

/* Nothing, or a tilde.  The word null is taken as written, as every other
 * scalar is: there is a backend of that name. */
static bool
is_null(const yaml_event_t *e)
{
	struct span s = { (const char *)e->data.scalar.value,
			  e->data.scalar.length };

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (s.n == 0 || span_eq(s, SPAN("~")));
}

/* As it is written, but for what only looks like something else. */
static struct span
scalar_text(struct builder *b, const struct node *n, const yaml_event_t *e)
{
	struct span text = { (const char *)e->data.scalar.value,
			     e->data.scalar.length };

	if (n->flawed || is_null(e))
		return SPAN("");
	if (!n->quoted)
		lookalike_value(b, &text, &n->mark);
	return arena_span(b->tree->arena, text);
}

static bool
on_scalar(struct builder *b, const yaml_event_t *e)
{
	bool tagged = !tag_check(b, e->data.scalar.tag, e);
	struct node *n;
	size_t anchor;

	if (wants_key(build_top(b))) {
		key_take(b, e);
		return true;
	}
	n = build_node(b, NODE_SCALAR, e);
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->flawed = tagged;
	n->scalar = scalar_text(b, n, e);
	if (!build_count(b, &n->mark, 1)
	    || !anchor_begin(b, e->data.scalar.anchor, &n->mark, &anchor))
		return false;
	anchor_end(b, anchor, n, 1, 0);
	build_attach(b, n);
	return true;
}

static bool
on_open(struct builder *b, const yaml_event_t *e)
{
	bool map = e->type == YAML_MAPPING_START_EVENT;
	struct mark mark = build_mark(b, e);
	struct frame f = { .nodes_before = b->nodes };

	tag_check(b, map ? e->data.mapping_start.tag
		  : e->data.sequence_start.tag, e);
	if (wants_key(build_top(b)))
		return key_is_no_word(b, &mark);
	if (b->depth == LIMIT_CONF_DEPTH)
		return too_deep(b, &mark);
	f.node = build_node(b, map ? NODE_MAP : NODE_LIST, e);
	if (!build_count(b, &mark, 1)
	    || !anchor_begin(b, map ? e->data.mapping_start.anchor
			     : e->data.sequence_start.anchor, &mark, &f.anchor))
		return false;
	build_attach(b, f.node);
	b->frames[b->depth++] = f;
	return true;
}

/* In brackets or braces, without an anchor before them. */
static bool
is_flow(const struct builder *b, const struct node *n)
{
	return n->from < b->text.n && (b->text.p[n->from] == '['
				       || b->text.p[n->from] == '{');
}

static bool
on_close(struct builder *b, const yaml_event_t *e)
{
	struct frame *f = build_top(b);
	struct frame *above;
	unsigned height = f->height + 1;

	if (f->node->kind == NODE_MAP)
		build_keys_check(b, f->node);
	f->node->to = build_seek(b, e->end_mark.index);
	if (is_flow(b, f->node) && e->end_mark.line + 1 == f->node->mark.line)
		f->node->mark.width = (unsigned)e->end_mark.column + 1
				      - f->node->mark.column;
	anchor_end(b, f->anchor, f->node, b->nodes - f->nodes_before, height);
	b->depth--;
	above = build_top(b);
	if (above != NULL)
		above->height = MAX(above->height, height);
	return true;
}

static bool
on_alias(struct builder *b, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *a = anchor_find(b, name);
	struct mark mark = build_mark(b, e);
	struct frame *f = build_top(b);
	struct node *n;

	if (wants_key(f))
		return key_is_no_word(b, &mark);
	if (a != NULL && a->node == NULL) {
		diag_error(b->d, &mark, "this alias is inside the value that it "
			   "names");
		return diag_hint(b->d, "write the value out");
	}
	n = build_node(b, NODE_SCALAR, e);
	if (a == NULL) {
		anchor_unknown(b, name, &mark);
		n->flawed = true;
		build_attach(b, n);
		return true;
	}
	if (!build_count(b, &mark, a->nodes))
		return false;
	if (b->depth + a->height > LIMIT_CONF_DEPTH)
		return too_deep(b, &mark);
	*n = *a->node;
	n->mark = mark;
	n->key = SPAN_NONE;
	n->next = NULL;
	build_attach(b, n);
	if (f != NULL)
		f->height = MAX(f->height, a->height);
	return true;
}

static bool
on_document(struct builder *b, const yaml_event_t *e)
{
	struct mark mark = build_mark(b, e);

	if (b->documents++ == 0)
		return true;
	diag_error(b->d, &mark, "a second document begins here");
	return diag_hint(b->d, "remove the `---', or put the second document "
			 "into another file");
}

/* False: the parse cannot go on. */
static bool
on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return on_open(b, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b, e);
	default:
		return true;
	}
}

static bool
parse_events(struct builder *b, yaml_parser_t *parser)
{
	yaml_event_t e;

	for (bool end = false; !end; ) {
		bool ok;

		if (!yaml_parser_parse(parser, &e)) {
			syntax_error(b->tree, parser, b->d);
			return false;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		ok = on_event(b, &e);
		yaml_event_delete(&e);
		if (!ok)
			return false;
	}
	return !b->bad;
}

/* Nothing, a comment, or `null': a file without keys. */
static void
root_complete(struct tree *t)
{
	const struct node *root = t->root;
	struct node *empty;

	if (root != NULL && (root->kind != NODE_SCALAR || root->quoted
			     || root->scalar.n > 0))
		return;
	empty = ARENA_NEW(t->arena, struct node);
	empty->kind = NODE_MAP;
	empty->mark = tree_mark_at(t, 0, 1);
	t->root = empty;
}

bool
tree_parse_text(struct tree *t, struct diags *d)
{
	struct builder b = { .tree = t, .d = d, .text = buf_span(&t->text) };
	yaml_parser_t parser;
	bool ok;

	must(yaml_parser_initialize(&parser));
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)
				     (b.text.n ? b.text.p : ""), b.text.n);
	ok = parse_events(&b, &parser);
	yaml_parser_delete(&parser);
	mem_free(b.anchors);
	if (ok)
		root_complete(t);
	return ok;
}
