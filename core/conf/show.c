/* show.c - printing what is wrong: the line, the caret, the hint
 *
 * Columns are characters, and a tab is repeated under itself, so that the
 * caret stands where it should in any terminal (but for characters that are
 * two columns wide).  Of a very long line the part around the caret is shown.
 */
#include "conf/diag.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diags.h"
#include "conf/mask.h"
#include "conf/utf8.h"

#include <string.h>

enum { SHOWN_WIDTH = 160, SHOWN_BEFORE = 60 };

/* The part of a line that is shown: characters [from, to) of it. */
struct excerpt {
	struct span line;
	size_t from, to;
	bool cut_left, cut_right;
};

static struct excerpt
excerpt_make(struct span line, unsigned column)
{
	size_t n = utf8_count(line), left = 0, right = n, begin;

	if (n > SHOWN_WIDTH) {
		left = column > SHOWN_BEFORE ? column - SHOWN_BEFORE : 0;
		left = MIN(left, n - SHOWN_WIDTH);
		right = left + SHOWN_WIDTH;
	}
	begin = utf8_bytes(line, left);
	line = span_from(line, begin);
	return (struct excerpt){
		.line = span_sub(line, 0, utf8_bytes(line, right - left)),
		.from = left, .to = right,
		.cut_left = left > 0, .cut_right = right < n,
	};
}

/* One sign for each character, so that the columns hold. */
static void
show_line(const struct excerpt *x, struct buf *out)
{
	struct span s = x->line;

	while (s.n > 0) {
		uint32_t c = 0;
		size_t n = utf8_decode(s, &c);

		if (n > 0 && utf8_is_text(c))
			buf_add(out, span_sub(s, 0, n));
		else
			buf_add_char(out, '?');
		s = span_from(s, n ? n : 1);
	}
}

static void
show_caret(const struct excerpt *x, const struct mark *mark, struct buf *out)
{
	size_t at = mark->column - 1;
	size_t end = MIN(at + mark->width, MAX(x->to, at + 1));
	struct span s = x->line;

	for (size_t i = x->from; i < at && s.n > 0; i++) {
		buf_add_char(out, s.p[0] == '\t' ? '\t' : ' ');
		s = span_from(s, utf8_bytes(s, 1));
	}
	buf_add_char(out, '^');
	for (at++; at < end; at++)
		buf_add_char(out, '~');
}

/* A secret may have begun in a line before. */
static bool
line_is_secret(const struct mark *mark)
{
	struct masking m = { .under_way = false };
	bool is_secret = false;

	for (unsigned n = 1; n <= mark->line; n++)
		is_secret = mask_next(&m, tree_line(mark->tree, n));
	return is_secret;
}

static void
show_place(const struct mark *mark, struct buf *out)
{
	struct span line = tree_line(mark->tree, mark->line);
	char *masked = span_dup(line);
	struct excerpt x;

	mask_line(masked, line.n);
	if (line_is_secret(mark))
		memset(masked, '*', line.n);
	x = excerpt_make((struct span){ masked, line.n }, mark->column);
	buf_addf(out, "%5u | %s", mark->line, x.cut_left ? "..." : "");
	show_line(&x, out);
	buf_addf(out, "%s\n      | %s", x.cut_right ? "..." : "",
		 x.cut_left ? "   " : "");
	show_caret(&x, mark, out);
	buf_add_char(out, '\n');
	mem_free(masked);
}

static void
show_one(const struct diag *d, struct buf *out)
{
	bool placed = d->mark.tree != NULL;

	if (placed)
		buf_addf(out, "%s:%u:%u: ", d->path, d->mark.line,
			 d->mark.column);
	else if (*d->path != '\0')
		buf_addf(out, "%s: ", d->path);
	buf_addf(out, "%s: %s\n",
		 d->level == DIAG_ERROR ? "error" : "warning", d->text);
	if (placed)
		show_place(&d->mark, out);
	if (*d->hint != '\0')
		buf_addf(out, "      hint: %s\n", d->hint);
}

static void
show_rest(size_t shown, size_t all, const char *what, struct buf *out)
{
	if (shown < all)
		buf_addf(out, "and %zu more %s%s\n", all - shown, what,
			 all - shown == 1 ? "" : "s");
}

void
diags_show(const struct diags *d, struct buf *out)
{
	const struct diag **sorted = diags_sorted(d);
	size_t shown[2] = { 0, 0 };

	for (size_t i = 0; i < d->n; i++) {
		if (shown[sorted[i]->level] == LIMIT_CONF_ERRORS)
			continue;
		shown[sorted[i]->level]++;
		show_one(sorted[i], out);
	}
	show_rest(shown[DIAG_ERROR], d->errors, "error", out);
	show_rest(shown[DIAG_WARNING], d->warnings, "warning", out);
	mem_free(sorted);
}

static size_t
files_of(const struct diags *d)
{
	const struct diag **sorted = diags_sorted(d);
	const char *last = "";
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		n += strcmp(sorted[i]->path, last) != 0;
		last = sorted[i]->path;
	}
	mem_free(sorted);
	return n;
}

void
diags_count(const struct diags *d, struct buf *out)
{
	size_t files = files_of(d);

	if (d->errors == 0)
		buf_add_str(out, "no errors");
	else
		buf_addf(out, "%zu error%s", d->errors,
			 d->errors == 1 ? "" : "s");
	if (d->warnings > 0)
		buf_addf(out, ", %zu warning%s", d->warnings,
			 d->warnings == 1 ? "" : "s");
	if (files > 0)
		buf_addf(out, " in %zu file%s", files, files == 1 ? "" : "s");
}

static void
json_one(const struct diag *d, struct buf *out)
{
	buf_add_str(out, "{\"file\":");
	if (*d->path != '\0')
		encode_json(out, span_of(d->path), SIZE_MAX);
	else
		buf_add_str(out, "null");
	if (d->mark.tree != NULL)
		buf_addf(out, ",\"line\":%u,\"column\":%u", d->mark.line,
			 d->mark.column);
	else
		buf_add_str(out, ",\"line\":null,\"column\":null");
	buf_addf(out, ",\"level\":\"%s\",\"message\":",
		 d->level == DIAG_ERROR ? "error" : "warning");
	encode_json(out, span_of(d->text), SIZE_MAX);
	buf_add_str(out, ",\"hint\":");
	encode_json(out, span_of(d->hint), SIZE_MAX);
	buf_add_char(out, '}');
}

void
diags_json(const struct diags *d, struct buf *out)
{
	const struct diag **sorted = diags_sorted(d);

	buf_add_char(out, '[');
	for (size_t i = 0; i < d->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		json_one(sorted[i], out);
	}
	buf_add_char(out, ']');
	mem_free(sorted);
}
