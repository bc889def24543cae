/* tree.h - what node.c and parse.c share of a tree; for no other file */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/node.h"

struct tree {
	char *path;			/* as it was given */
	struct buf text;		/* as it was read, without a BOM */
	char *shown;			/* the same, secrets overwritten */
	size_t *lines;			/* where each begins */
	size_t n_lines;
	struct arena *arena;		/* nodes, keys, scalars */
	const struct node *root;	/* in the arena */
};

/* A mark at a byte of the text; width in characters. */
struct mark tree_mark_at(const struct tree *t, size_t offset, unsigned width);

struct diags;
struct yaml_parser_s;

/* Says what libyaml did not like, in our words, with a remedy. */
void syntax_error(const struct tree *t, const struct yaml_parser_s *parser,
		  struct diags *d);

/* Fills t->root from t->text, which is UTF-8. */
bool tree_parse_text(struct tree *t, struct diags *d);

#endif
