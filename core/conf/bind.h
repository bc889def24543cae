/* bind.h - what the files that fill structs from tables share; no others */
#ifndef CONF_BIND_H
#define CONF_BIND_H

#include "base/buf.h"
#include "conf/schema.h"

/* One key of a table, about to be filled. */
struct binding {
	const struct schema_key *key;
	const struct node *map;		/* where it stands or should; or NULL */
	const char *what;		/* names the map; or NULL */
	bool absent;			/* the map: nothing is missed in it */
	const char **meant;		/* what its unknown keys are like, */
	const struct node **meant_nodes;	/* and which those are */
	size_t n_meant;
	char *into;			/* the struct */
	struct arena *arena;
	struct diags *d;
};

/* --- names.c ---------------------------------------------------------- */

/* Also in the other forms of a secret. */
bool key_is_called(const struct schema_key *key, struct span name);
/* NULL: the table has no such key. */
const struct schema_key *keys_find(const struct schema_key *keys,
				   struct span name);
/* All names, in an arena of the caller's. */
const char **keys_names(const struct schema_key *keys, struct arena *a,
			size_t *n);

/* --- one key ---------------------------------------------------------- */

/* " in WHAT", or "". */
const char *binding_in(const struct binding *b);
/* Where a message about a whole map points; NULL without one. */
const struct mark *block_mark(const struct node *map);
bool node_is_null(const struct node *n);

/* The key is not there: an error if it is required. */
bool binding_missing(const struct binding *b);
/* Fails unless n is a scalar with a value. */
bool binding_scalar(const struct binding *b, const struct node *n);
/* "`KEY' must be WORDS, not ..."; false. */
bool binding_wrong(const struct binding *b, const struct node *n,
		   const char *words);

/* The types of one value.  n is NULL when text is the default; one that does
 * not parse is a bug. */
bool value_set(const struct binding *b, const struct node *n,
	       struct span text);
const char *type_words(enum key_type type);
/* A bound of a size or duration as one would write it. */
bool value_format(enum key_type type, int64_t value, struct buf *out);

/* Expands variables, and makes it relative to the folder of n's file. */
bool path_set(const struct binding *b, const struct node *n,
	      struct span text, struct buf *out);
/* The name in the first ${NAME}, or nothing. */
struct span variable_find(struct span s);
/* False where a value that is taken as it is written holds a ${NAME}: whoever
 * wrote it expects the variable's value. */
bool variable_refuse(const struct binding *b, const struct node *n);
/* Says which variable is missing. */
bool variable_missing(const struct binding *b, const struct node *n,
		      struct span missing);

/* T_SECRET, in whichever of its forms. */
bool secret_bind(const struct binding *b);
/* The arena gets a copy, and wipes it; file: where it was read, or NULL. */
bool secret_store(const struct binding *b, struct span value,
		  const char *file);
bool secret_from_file(const struct binding *b, const struct node *n);
bool secret_from_credential(const struct binding *b, const struct node *n);

#endif
