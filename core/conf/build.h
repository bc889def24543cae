/* build.h - a tree while it is built; for parse.c and build.c only
 *
 * A stack of the lists and maps that are open.  The builder lives in one
 * call of tree_parse_text(); what it makes lives in the tree's arena.
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "base/limits.h"
#include "conf/tree.h"

struct yaml_event_s;

struct anchor {
	const char *name;
	const struct node *node;	/* NULL until it is complete */
	size_t nodes;			/* in it, aliases expanded */
	unsigned height;		/* levels in it */
};

struct frame {
	struct node *node;		/* a list or a map */
	struct node *last;		/* its youngest child */
	struct span key;		/* a map's, that waits for its value */
	struct mark key_mark;
	bool has_key;
	size_t anchor;			/* its index + 1, or 0 */
	size_t nodes_before;
	unsigned height;
};

struct builder {
	struct tree *tree;
	struct diags *d;
	struct span text;
	struct frame frames[LIMIT_CONF_DEPTH];
	unsigned depth;
	struct anchor *anchors;
	size_t n_anchors, nodes;
	size_t at_char, at_byte;	/* of the text: where a seek ended */
	unsigned documents;
	bool bad;
};

/* The byte at which a character begins. */
size_t build_seek(struct builder *b, size_t index);
struct mark build_mark(const struct builder *b, const struct yaml_event_s *e);
struct node *build_node(struct builder *b, enum node_kind kind,
			const struct yaml_event_s *e);
/* False, and said at mark, when n more are too many. */
bool build_count(struct builder *b, const struct mark *mark, size_t n);

/* The list or map that is open, or NULL. */
struct frame *build_top(struct builder *b);
/* Puts n where the parse stands: in the open list or map, or at the root. */
void build_attach(struct builder *b, struct node *n);
/* What comes next is a secret by its key: no message may repeat it. */
bool build_holds_secret(struct builder *b);
/* Says which keys of a complete map stand twice. */
void build_keys_check(struct builder *b, const struct node *map);

/* An anchor begins where name is not NULL; *ret: its index + 1, or 0.  False
 * when there are too many.  It can be named by an alias once it has ended. */
bool anchor_begin(struct builder *b, const unsigned char *name,
		  const struct mark *mark, size_t *ret);
void anchor_end(struct builder *b, size_t index, const struct node *n,
		size_t nodes, unsigned height);
const struct anchor *anchor_find(const struct builder *b, const char *name);
bool anchor_unknown(struct builder *b, const char *name,
		    const struct mark *mark);

#endif
