/* schema.h - what a table says about keys, and filling a struct from it
 *
 * Each room declares the keys of its block as a table beside the struct they
 * fill.  Binding checks names, types and bounds, sets defaults, and writes
 * the values; what no table can say is a small check function.  From the
 * same tables the manual page is made.
 *
 * Scalars are taken as written: `port: 25' gives a T_STRING "25".  One scalar
 * is a list of one.  A block or a list that is named without a value (all of
 * it commented out) is as if it were not there; `[]' is an empty list.  A
 * scalar key without a value is an error.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "base/arena.h"
#include "conf/diag.h"
#include "conf/node.h"

enum key_type {
	T_STRING,	/* char *: NULL when absent without a default */
	T_BOOL,		/* bool; true/false, yes/no, on/off */
	T_INT,		/* int64_t, min..max */
	T_SIZE,		/* int64_t bytes; K M G are 1024-based */
	T_DURATION,	/* int64_t milliseconds; 500ms 30s 5m 2h 3d; 0 */
	T_FACTOR,	/* double, no sign or exponent: 1.5 */
	T_ENUM,		/* int; words in `words', "none|starttls|required" */
	T_PATH,		/* char *; ${NAME} is expanded; relative to the file */
	T_SECRET,	/* struct secret: KEY, KEY_file, KEY_credential */
	T_STRINGS,	/* struct strings: a list, or one scalar */
	T_BLOCK,	/* a nested map: `keys' filled at the same base, plus
			 * `offset' (0: theirs count from the same struct) */
	T_BLOCKS,	/* struct blocks: a list of maps (or one map), each
			 * `block_size' */
	T_NODE,		/* const struct node *: bound by somebody else */
};

struct strings {
	char **v;
	size_t n;
	const struct node **nodes;	/* where each stood; NULL for a default */
};

struct blocks {
	void *v;			/* n structs of the key's block_size */
	size_t n;
	const struct node **nodes;
};

enum key_flag {
	KEY_REQUIRED = 1,
	KEY_EXPANDED = 2,	/* whoever reads the list expands ${NAME} */
};

struct schema_key {
	const char *name;		/* NULL ends the table */
	enum key_type type;
	size_t offset;
	unsigned flags;
	const char *fallback;		/* default, as it would be written */
	const char *words;		/* T_ENUM: "a|b|c", values 0, 1, 2 */
	int64_t min, max;		/* numbers; both 0: no bounds;
					 * max < min: no upper one */
	const struct schema_key *keys;	/* T_BLOCK, T_BLOCKS */
	size_t block_size;		/* T_BLOCKS */
	const char *help;		/* one sentence for the manual */
};

#define KEY(s, field, t, def, text) \
	{ .name = #field, .type = (t), .offset = offsetof(struct s, field), \
	  .fallback = (def), .help = (text) }

/* Fills *into (zeroed before) from map; map may be NULL: all defaults.
 * what names the block in messages ("route `partners'"), or is NULL.  The
 * arena owns what is filled in, and wipes the secrets among it when it is
 * freed.  nodes are borrowed from map's tree.  A required key is missed at
 * map, not in a nested block that is absent and not required itself.  False
 * when something was wrong; d says what. */
bool schema_bind(const struct schema_key *keys, const struct node *map,
		 const char *what, void *into, struct arena *arena,
		 struct diags *d);

/* Whether the map has an unknown key that name was meant by, as key_unknown's
 * hint says. */
bool schema_was_meant(const struct schema_key *keys, const struct node *map,
		      const char *name);

/* The map as it was meant: a list or a block whose key is mistyped, which has
 * been told, is under its right key.  For who binds it by another table. */
const struct node *schema_corrected(const struct schema_key *keys,
				    const struct node *map,
				    struct arena *arena);

/* The node that gave this field its value, for messages; or the map. */
const struct mark *schema_mark(const struct node *map, const char *key);

/* Parsing alone, for options of modules and the command line. */
bool parse_size(struct span s, int64_t *ret);
bool parse_duration(struct span s, int64_t *ret_ms);
/* ${NAME} is a variable and $${ is a literal ${; any other `$' is itself, so
 * that a password such as pa$$word stays as it was written.  False when a
 * variable is not set: *missing names it; or `${' has no name and `}':
 * *missing is empty; or out is full: missing->p is NULL. */
bool expand_variables(struct buf *out, struct span s, struct span *missing);

/* The table as lines of mdoc(7) (`.It Cm name' ...), for the manual. */
void schema_manual(const struct schema_key *keys, const char *prefix,
		   struct buf *out);

#endif
