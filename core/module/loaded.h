/* loaded.h - a module as the files of this room see it; for no other
 *
 * The tables that the module was built with are copied into structures of
 * ours when it is loaded, no further than their sizes go: what a module's
 * older header did not have is zero, and nobody has to think of it again.
 */
#ifndef MODULE_LOADED_H
#define MODULE_LOADED_H

#include "base/arena.h"
#include "module/module.h"
#include "postern-plugin.h"

struct module {
	struct module *next;
	struct arena *arena;		/* of all that follows */
	const char *path;
	struct postern_module table;
	struct postern_backend backend;
	struct postern_filter filter;
	struct postern_option *options;	/* never NULL */
	struct schema_key *schema;
	size_t option_count;		/* with those of blocks */
	size_t slots;			/* that their values take (options.h) */
};

/* Checks what the file has and copies it.  NULL with err: which says what is
 * wrong, but not where. */
struct module *module_adopt(const struct postern_module *table,
			    const char *path, struct error *err);

/* For one that is not in the registry. */
void module_drop(struct module **m);

/* [a-z0-9_-], at most 64 of them: may be part of a file's name. */
bool module_name_valid(const char *name);

/* --- options.c, options_bind.c, options_advise.c ---------------------- */

/* Copies the rows (NULL: none) and makes a schema of them. */
bool options_adopt(struct module *m, const struct postern_option *rows,
		   struct error *err);
/* The keys of an SMTP client in a block: what to tell of them is told when
 * the module has said what it does not take. */
struct smtp_advice {
	const struct smtp_options *options;	/* NULL: there are none */
	const struct node *block;	/* where they stand, or NULL */
	const char *host, *host_key;	/* POSTERN_NEXT_HOP, or NULL */
};
struct options_target {
	const char *what;		/* names the block in messages */
	void *self;			/* zeroed */
	struct arena *arena;		/* of what self points to */
	const struct module_access *access;	/* NULL: paths are not tried */
	/* filled in: every key is known, none is missing, every value is of
	 * its type; false: what is not so is NULL or 0, a word -1 */
	bool complete;
	struct smtp_advice advice;	/* filled in */
};
/* Fills self from a block; see schema_bind.  False when anything is wrong,
 * also with a file.  *print changes with any value, also with that of a secret
 * in a file. */
bool options_bind(const struct module *m, const struct node *block,
		  struct options_target *to, uint64_t *print,
		  struct diags *d);
/* The rest, when the module has said what it does not take: whether what was
 * bound fits together.  Nothing more is told of a key that was refused. */
bool options_advise(const struct options_target *to, struct diags *d);

/* --- search.c -------------------------------------------------------- */

enum { SEARCH_FOLDERS = 32 };

/* The folders, in order: those of POSTERN_MODULE_PATH, then the installed. */
struct search {
	struct arena *arena;
	const char *folders[SEARCH_FOLDERS];
	size_t n;
};
void search_init(struct search *s);
void search_fini(struct search *s);

/* The file of a module, in s->arena, or NULL.  FOLDER/NAME.so, or as it lies
 * in a build tree: FOLDER/NAME/.libs/NAME.so. */
const char *search_file(struct search *s, const char *name);
/* The names of all files that are there, sorted, once each. */
size_t search_names(struct search *s, const char ***ret);
/* "a, b" */
const char *search_folders_text(struct search *s);

#endif
