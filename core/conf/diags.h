/* diags.h - what diag.c collects and show.c prints; for no other file */
#ifndef CONF_DIAGS_H
#define CONF_DIAGS_H

#include "base/arena.h"
#include "conf/diag.h"

/* More are counted, and not kept: enough to sort what is shown. */
enum { DIAGS_KEPT = 1000 };

struct diag {
	enum diag_level level;
	struct mark mark;		/* of no tree: no place in a file */
	const char *path;		/* as it was given, or "" */
	const char *text;
	const char *hint;		/* "" for none */
	size_t order;			/* in which it was said */
};

struct diags {
	struct arena *arena;		/* of the texts */
	struct diag *v;
	size_t n, cap;
	struct diag *latest;		/* which a hint belongs to, or NULL */
	size_t errors, warnings;	/* said, kept or not */
	struct tree **trees;
	size_t n_trees;
};

/* The kept ones in the order of files and places; mem_free() the array. */
const struct diag **diags_sorted(const struct diags *d);

#endif
