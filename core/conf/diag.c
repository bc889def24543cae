/* diag.c - collecting what is wrong */
#include "conf/diag.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diags.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 800 };		/* characters of one message */

struct diags *
diags_new(void)
{
	struct diags *d = NEW(struct diags);

	d->arena = arena_new();
	return d;
}

void
diags_free(struct diags **d)
{
	if (*d == NULL)
		return;
	for (size_t i = 0; i < (*d)->n_trees; i++)
		tree_free(&(*d)->trees[i]);
	mem_free((*d)->trees);
	mem_free((*d)->v);
	arena_free(&(*d)->arena);
	mem_free(*d);
	*d = NULL;
}

void
diags_keep_tree(struct diags *d, struct tree *t)
{
	d->trees = mem_resize(d->trees, d->n_trees + 1, sizeof(struct tree *));
	d->trees[d->n_trees++] = t;
}

bool
diags_full(const struct diags *d)
{
	return d->n >= DIAGS_KEPT;
}

size_t
diags_errors(const struct diags *d)
{
	return d->errors;
}

size_t
diags_warnings(const struct diags *d)
{
	return d->warnings;
}

/* What a file holds is part of messages: it must not drive a terminal. */
static const char *
text_make(struct diags *d, const char *fmt, va_list ap)
{
	AUTO(buf_fini) struct buf raw = BUF_MAX(4 * LIMIT_CONF_VALUE);
	AUTO(buf_fini) struct buf clean = BUF_MAX(8 * TEXT_MAX);

	buf_vaddf(&raw, fmt, ap);
	encode_printable(&clean, buf_span(&raw), TEXT_MAX);
	return arena_strdup(d->arena, buf_str(&clean));
}

static bool
same_place(const struct diag *a, const struct diag *b)
{
	return a->level == b->level && a->mark.tree == b->mark.tree
	       && a->mark.line == b->mark.line
	       && a->mark.column == b->mark.column
	       && strcmp(a->path, b->path) == 0;
}

/* What an alias repeats is wrong in one place, and said once. */
static struct diag *
diag_find(struct diags *d, const struct diag *as)
{
	for (size_t i = 0; i < d->n; i++)
		if (same_place(&d->v[i], as)
		    && strcmp(d->v[i].text, as->text) == 0)
			return &d->v[i];
	return NULL;
}

static void
diag_add(struct diags *d, struct diag *new)
{
	d->latest = diags_full(d) ? NULL : diag_find(d, new);
	if (d->latest != NULL)
		return;
	*(new->level == DIAG_ERROR ? &d->errors : &d->warnings) += 1;
	if (diags_full(d))
		return;
	if (d->n == d->cap) {
		d->cap = MAX(16, d->cap * 2);
		d->v = mem_resize(d->v, d->cap, sizeof(*d->v));
	}
	new->order = d->n;
	new->hint = "";
	d->v[d->n++] = *new;
	d->latest = &d->v[d->n - 1];
}

static void
diag_say(struct diags *d, enum diag_level level, const struct mark *mark,
	 const char *fmt, va_list ap)
{
	struct diag new = { .level = level, .path = "" };

	if (mark != NULL && mark->tree != NULL) {
		new.mark = *mark;
		new.path = tree_path(mark->tree);
	}
	new.text = diags_full(d) ? "" : text_make(d, fmt, ap);
	diag_add(d, &new);
}

bool
diag_error(struct diags *d, const struct mark *mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_say(d, DIAG_ERROR, mark, fmt, ap);
	va_end(ap);
	return false;
}

void
diag_warning(struct diags *d, const struct mark *mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_say(d, DIAG_WARNING, mark, fmt, ap);
	va_end(ap);
}

bool
diag_file_error(struct diags *d, const char *path, const char *fmt, ...)
{
	struct diag new = { .level = DIAG_ERROR };
	va_list ap;

	new.path = diags_full(d) ? "" : arena_strdup(d->arena, path ? path : "");
	va_start(ap, fmt);
	new.text = diags_full(d) ? "" : text_make(d, fmt, ap);
	va_end(ap);
	diag_add(d, &new);
	return false;
}

bool
diag_hint(struct diags *d, const char *fmt, ...)
{
	va_list ap;

	if (d->latest == NULL)
		return false;
	va_start(ap, fmt);
	d->latest->hint = text_make(d, fmt, ap);
	va_end(ap);
	return false;
}

static int
by_place(const void *left, const void *right)
{
	const struct diag *a = *(const struct diag *const *)left;
	const struct diag *b = *(const struct diag *const *)right;
	int order = strcmp(a->path, b->path);

	if (order == 0 && a->mark.line != b->mark.line)
		order = a->mark.line < b->mark.line ? -1 : 1;
	if (order == 0 && a->mark.column != b->mark.column)
		order = a->mark.column < b->mark.column ? -1 : 1;
	if (order == 0)
		order = a->order < b->order ? -1 : 1;
	return order;
}

static bool
mark_eq(const struct mark *a, const struct mark *b)
{
	return a->tree == b->tree && a->line == b->line
	       && a->column == b->column;
}

bool
diags_mark_told(const struct diags *d, const struct node *n)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].level == DIAG_ERROR
		    && (mark_eq(&d->v[i].mark, &n->mark)
			|| mark_eq(&d->v[i].mark, &n->key_mark)))
			return true;
	return false;
}

bool
diags_first(const struct diags *d, struct error *err)
{
	const struct diag **sorted = diags_sorted(d);
	size_t i = 0;

	while (i < d->n && sorted[i]->level != DIAG_ERROR)
		i++;
	error_set(err, ERROR_CONFIG, "%s", i < d->n ? sorted[i]->text : "");
	if (i < d->n && sorted[i]->mark.tree != NULL)
		error_prefix(err, "%s:%u:%u", sorted[i]->path,
			     sorted[i]->mark.line, sorted[i]->mark.column);
	if (i < d->n)
		error_hint(err, "%s", sorted[i]->hint);
	mem_free(sorted);
	return false;
}

const struct diag **
diags_sorted(const struct diags *d)
{
	const struct diag **sorted = mem_array(d->n, sizeof(*sorted));

	for (size_t i = 0; i < d->n; i++)
		sorted[i] = &d->v[i];
	qsort(sorted, d->n, sizeof(*sorted), by_place);
	return sorted;
}
