/* diag.h - all that is wrong with a configuration, told at once
 *
 * Collected while trees are parsed, bound and checked; shown sorted by file
 * and line, each with its line, a caret, and a hint:
 *
 *   conf.d/60-direct.yaml:9:7: error: unknown key `concurency' in direct:
 *       9 |       concurency: 4
 *         |       ^~~~~~~~~~
 *         hint: did you mean `concurrency'?
 *
 * Words: the rule, not the function; lower case; no full stop.
 */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include "base/buf.h"
#include "base/error.h"
#include "conf/node.h"

struct diags;

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diags *diags_new(void);
void diags_free(struct diags **d);

/* At a place; mark may be NULL for what has none (then path, or "", stands
 * alone).  A hint belongs to the latest one.  Both return false. */
bool diag_error(struct diags *d, const struct mark *mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool diag_file_error(struct diags *d, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void diag_warning(struct diags *d, const struct mark *mark,
		  const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool diag_hint(struct diags *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* There are so many that more are only counted: spare the words. */
bool diags_full(const struct diags *d);
size_t diags_errors(const struct diags *d);
size_t diags_warnings(const struct diags *d);

/* Whether an error was told of this value, or of its key. */
bool diags_mark_told(const struct diags *d, const struct node *n);
/* The first error in order, "FILE:LINE:COLUMN: WORDS", with its hint; false. */
bool diags_first(const struct diags *d, struct error *err);

/* Takes over a tree that has to live as long as what is said about it. */
void diags_keep_tree(struct diags *d, struct tree *t);

/* Appends all of it in the form above; marks' trees must still live.  Cut
 * after LIMIT_CONF_ERRORS errors, and as many warnings, with a line that
 * says how many more.  What was said twice of one place is shown once. */
void diags_show(const struct diags *d, struct buf *out);
/* "no errors", "1 error in 1 file", "2 errors, 1 warning in 2 files" */
void diags_count(const struct diags *d, struct buf *out);
/* The same as diags_show, as a JSON array of
 * {file,line,column,level,message,hint}; file, line and column are null
 * where there is none. */
void diags_json(const struct diags *d, struct buf *out);

/* The nearest of a list of names to what was written, or NULL when none is
 * near enough to be meant. */
const char *nearest_name(struct span written, const char *const *names,
			 size_t n);

#endif
