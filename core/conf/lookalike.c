/* lookalike.c - blanks that are none, and quotes that quote nothing */
#include "conf/lookalike.h"

#include "base/macros.h"
#include "conf/build.h"
#include "conf/diag.h"
#include "conf/utf8.h"

enum look { LOOKS_PLAIN, LOOKS_BLANK, LOOKS_QUOTE };

static const struct row {
	uint32_t from, to;
	enum look look;
	const char *name;
} rows[] = {
	{ 0x00a0, 0x00a0, LOOKS_BLANK, "a no-break space (U+00A0)" },
	{ 0x2000, 0x200a, LOOKS_BLANK, "a blank that YAML does not know" },
	{ 0x200b, 0x200b, LOOKS_BLANK, "a zero-width space (U+200B)" },
	{ 0x202f, 0x202f, LOOKS_BLANK, "a narrow no-break space (U+202F)" },
	{ 0x2060, 0x2060, LOOKS_BLANK, "a word joiner (U+2060)" },
	{ 0x3000, 0x3000, LOOKS_BLANK, "an ideographic space (U+3000)" },
	{ 0x00ab, 0x00ab, LOOKS_QUOTE, NULL },
	{ 0x00bb, 0x00bb, LOOKS_QUOTE, NULL },
	{ 0x2018, 0x201f, LOOKS_QUOTE, NULL },
	{ 0x2039, 0x203a, LOOKS_QUOTE, NULL },
};

/* The row of the character that s begins with, or NULL; *n: its bytes. */
static const struct row *
row_at(struct span s, size_t *n)
{
	uint32_t c;

	*n = utf8_decode(s, &c);
	for (size_t i = 0; *n > 0 && i < ARRAY_SIZE(rows); i++)
		if (c >= rows[i].from && c <= rows[i].to)
			return &rows[i];
	*n = MAX(*n, 1);
	return NULL;
}

/* The row of the last character. */
static const struct row *
row_at_end(struct span s, size_t *n)
{
	size_t at = s.n;

	while (at > 0 && ((unsigned char)s.p[--at] & 0xc0) == 0x80)
		;
	return row_at(span_from(s, at), n);
}

/* Where a blank stands in s; s.n: nowhere. */
static size_t
blank_find(struct span s, const struct row **ret)
{
	size_t at = 0, n;

	for (; at < s.n; at += n) {
		*ret = row_at(span_from(s, at), &n);
		if (*ret != NULL && (*ret)->look == LOOKS_BLANK)
			return at;
	}
	return s.n;
}

const char *
lookalike_blank(struct span line)
{
	const struct row *row;

	return blank_find(line, &row) < line.n ? row->name : NULL;
}

/* Takes such signs off both ends; which of the two looks was there. */
static unsigned
ends_strip(struct span *s)
{
	const struct row *row;
	unsigned seen = 0;
	size_t n;

	while (s->n > 0 && (row = row_at(*s, &n)) != NULL) {
		seen |= 1u << row->look;
		*s = span_from(*s, n);
	}
	while (s->n > 0 && (row = row_at_end(*s, &n)) != NULL) {
		seen |= 1u << row->look;
		s->n -= n;
	}
	return seen;
}

static bool
quotes_told(struct builder *b, const char *what, const struct mark *mark)
{
	diag_error(b->d, mark, "curly quotes stand around this %s: YAML takes "
		   "them for letters", what);
	return diag_hint(b->d, "use the straight quotes of the keyboard, \" "
			 "or '");
}

static bool
blank_told(struct builder *b, const char *what, struct span s, size_t at,
	   const struct row *row, const struct mark *mark)
{
	struct mark place = *mark;

	place.column += (unsigned)utf8_count(span_sub(s, 0, at));
	place.width = 1;
	diag_error(b->d, &place, "%s is in this %s", row->name, what);
	return diag_hint(b->d, "delete it, and type an ordinary blank where "
			 "one is meant");
}

bool
lookalike_key(struct builder *b, struct span *key, const struct mark *mark)
{
	struct span written = *key;
	const struct row *row;
	size_t at = blank_find(written, &row);
	unsigned seen = ends_strip(key);

	if (at < written.n)
		return blank_told(b, "key", written, at, row, mark);
	return !(seen & 1u << LOOKS_QUOTE) || quotes_told(b, "key", mark);
}

/* Within a value a no-break space may be meant; at its ends, or behind a
 * colon, where a key has got one, it is not. */
bool
lookalike_value(struct builder *b, struct span *value,
		const struct mark *mark)
{
	struct span written = *value;
	const struct row *row;
	size_t at = blank_find(written, &row);
	unsigned seen = ends_strip(value);

	if (seen & 1u << LOOKS_QUOTE)
		return quotes_told(b, "value", mark);
	if (at < written.n && (seen || (at > 0 && written.p[at - 1] == ':')))
		return blank_told(b, "value", written, at, row, mark);
	return true;
}
