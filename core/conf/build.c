/* build.c - nodes, their places, and the anchors that name them */
#include "conf/build.h"

#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/mask.h"
#include "conf/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static bool
is_inside(struct span text, size_t at)
{
	return at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80;
}

/* The byte at which a character begins.  libyaml counts characters, and goes
 * forward: so do we. */
size_t
build_seek(struct builder *b, size_t index)
{
	while (b->at_char < index && b->at_byte < b->text.n) {
		b->at_char++;
		do
			b->at_byte++;
		while (is_inside(b->text, b->at_byte));
	}
	while (b->at_char > index) {
		b->at_char--;
		do
			b->at_byte--;
		while (is_inside(b->text, b->at_byte));
	}
	return b->at_byte;
}

struct mark
build_mark(const struct builder *b, const yaml_event_t *e)
{
	struct mark mark = {
		.tree = b->tree, .line = (unsigned)e->start_mark.line + 1,
		.column = (unsigned)e->start_mark.column + 1,
	};
	size_t end = e->end_mark.column;

	if (e->end_mark.line != e->start_mark.line)
		end = utf8_count(tree_line(b->tree, mark.line));
	mark.width = end >= mark.column ? (unsigned)end - mark.column + 1 : 1;
	return mark;
}

struct node *
build_node(struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
	struct node *n = ARENA_NEW(b->tree->arena, struct node);

	n->kind = kind;
	n->mark = build_mark(b, e);
	n->from = build_seek(b, e->start_mark.index);
	n->to = build_seek(b, e->end_mark.index);
	return n;
}

bool
build_count(struct builder *b, const struct mark *mark, size_t n)
{
	b->nodes += n;
	if (b->nodes <= LIMIT_CONF_NODES)
		return true;
	diag_error(b->d, mark, "more than %d values, aliases expanded",
		   LIMIT_CONF_NODES);
	return diag_hint(b->d, "write fewer, or name fewer aliases inside "
			 "what other aliases name");
}

struct frame *
build_top(struct builder *b)
{
	return b->depth ? &b->frames[b->depth - 1] : NULL;
}

bool
build_holds_secret(struct builder *b)
{
	struct frame *f = build_top(b);

	/* also within the brackets that such a value has begun with */
	for (unsigned i = 0; i + 1 < b->depth; i++)
		if (b->frames[i].last != NULL
		    && mask_wants(b->frames[i].last->key))
			return true;
	return f != NULL && f->has_key && mask_wants(f->key);
}

void
build_attach(struct builder *b, struct node *n)
{
	struct frame *f = build_top(b);

	if (f == NULL) {
		b->tree->root = n;
		return;
	}
	if (f->node->kind == NODE_MAP) {
		n->key = f->key;
		n->key_mark = f->key_mark;
		f->has_key = false;
	}
	if (f->last == NULL)
		f->node->first = n;
	else
		f->last->next = n;
	f->last = n;
	f->node->count++;
}

static int
by_key(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left;
	const struct node *b = *(const struct node *const *)right;
	int order = span_cmp(a->key, b->key);

	if (order == 0)
		order = a->key_mark.line < b->key_mark.line ? -1
			: a->key_mark.line > b->key_mark.line;
	if (order == 0)
		order = a->key_mark.column < b->key_mark.column ? -1
			: a->key_mark.column > b->key_mark.column;
	return order;
}

void
build_keys_check(struct builder *b, const struct node *map)
{
	const struct node **sorted = mem_array(map->count, sizeof(*sorted));
	size_t n = 0, first = 0;

	for (const struct node *c = map->first; c != NULL; c = c->next)
		sorted[n++] = c;
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 1; i < n; i++) {
		if (!span_eq(sorted[i]->key, sorted[first]->key)) {
			first = i;
			continue;
		}
		diag_error(b->d, &sorted[i]->key_mark,
			   "the key `%.*s' occurs twice here",
			   SPAN_ARG(sorted[i]->key));
		diag_hint(b->d, "remove one; the first is in line %u",
			  sorted[first]->key_mark.line);
	}
	mem_free(sorted);
}

bool
anchor_begin(struct builder *b, const yaml_char_t *name,
	     const struct mark *mark, size_t *ret)
{
	struct anchor *a;

	*ret = 0;
	if (name == NULL)
		return true;
	if (b->n_anchors == LIMIT_CONF_ANCHORS) {
		diag_error(b->d, mark, "more than %d anchors",
			   LIMIT_CONF_ANCHORS);
		return diag_hint(b->d, "write values out instead");
	}
	if (b->anchors == NULL)
		b->anchors = mem_array(LIMIT_CONF_ANCHORS, sizeof(*a));
	a = &b->anchors[b->n_anchors++];
	a->name = arena_strdup(b->tree->arena, (const char *)name);
	*ret = b->n_anchors;
	return true;
}

void
anchor_end(struct builder *b, size_t index, const struct node *n,
	   size_t nodes, unsigned height)
{
	if (index == 0)
		return;
	b->anchors[index - 1].node = n;
	b->anchors[index - 1].nodes = nodes;
	b->anchors[index - 1].height = height;
}

const struct anchor *
anchor_find(const struct builder *b, const char *name)
{
	for (size_t i = b->n_anchors; i > 0; i--)
		if (strcmp(b->anchors[i - 1].name, name) == 0)
			return &b->anchors[i - 1];
	return NULL;
}

bool
anchor_unknown(struct builder *b, const char *name, const struct mark *mark)
{
	const char **names;
	const char *near;

	if (build_holds_secret(b)) {
		diag_error(b->d, mark, "there is no anchor of this name before "
			   "this alias");
		return diag_hint(b->d, "put the value in quotes");
	}
	if (diags_full(b->d))
		return diag_error(b->d, mark, "an unknown anchor");
	names = mem_array(b->n_anchors, sizeof(*names));
	for (size_t i = 0; i < b->n_anchors; i++)
		names[i] = b->anchors[i].name;
	near = nearest_name(span_of(name), names, b->n_anchors);
	diag_error(b->d, mark, "there is no anchor `&%.60s' before this alias",
		   name);
	if (near != NULL)
		diag_hint(b->d, "did you mean `*%s'?", near);
	else
		diag_hint(b->d, "put it in quotes if a value is meant: "
			  "\"*%.60s\"", name);
	mem_free(names);
	return false;
}
