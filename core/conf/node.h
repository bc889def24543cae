/* node.h - a YAML document as a tree whose every node knows its place
 *
 * Read once, then dead data.  A tree owns its file's text (for showing the
 * line under a caret); nodes, keys and scalars are borrowed from it.
 *
 * Aliases are expanded: an alias is a node of its own, marked where it
 * stands, whose children are those of its anchor.  Merge keys and tags other
 * than the core ones are refused: `- !@host' without quotes is a tag, and
 * would lose its text without a word.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "base/span.h"

struct diags;
struct tree;

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct mark {
	const struct tree *tree;
	unsigned line, column;		/* from 1; columns are characters */
	unsigned width;			/* characters to underline, >= 1 */
};

struct node {
	enum node_kind kind;
	struct mark mark;		/* of the value */
	struct mark key_mark;		/* of its key, in a map */
	struct span key;		/* in a map; "" in a list */
	struct span scalar;		/* NODE_SCALAR; "" for null */
	bool quoted;			/* the scalar stood in quotes */
	bool flawed;			/* a value is lost, which is told */
	struct node *first, *next;	/* children; next sibling */
	size_t count;			/* children */
	size_t from, to;		/* bytes of the text it was read from */
};

/* Reads and parses one file (or text, named for messages).  What is wrong goes
 * to d.  NULL when nothing can be made of the file (unreadable, not YAML, too
 * deep, aliases that explode); where only a part is wrong (a key that stands
 * there twice, a tag, an alias of nothing) there is a tree, so that the rest
 * of it can be checked.  An empty file gives an empty map.
 *
 * What was wrong is shown with its line, so a tree that did not come to be
 * lives on in d. */
struct tree *tree_read(const char *path, struct diags *d);
struct tree *tree_parse(const char *name, struct span text, struct diags *d);
void tree_free(struct tree **t);

const struct node *tree_root(const struct tree *t);
const char *tree_path(const struct tree *t);
/* Without its line end. */
struct span tree_line(const struct tree *t, unsigned line);

/* From now on tree_line() shows `*' where this node's text stands: it is a
 * secret; nor a comment behind it, which may be the rest of the secret.  The
 * scalar itself stays readable.  n is borrowed from t. */
void tree_conceal(const struct tree *t, const struct node *n);

/* The same of its key: it is the rest of a secret. */
void tree_conceal_key(const struct tree *t, const struct node *n);
/* Whether a comment begins behind n in its line: YAML ends a value without
 * quotes at a blank and a `#', and what follows is lost. */
bool tree_comment_follows(const struct tree *t, const struct node *n);

/* The child of a map called key, or NULL. */
const struct node *node_get(const struct node *map, const char *key);

#endif
