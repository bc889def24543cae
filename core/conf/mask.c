/* mask.c - finds `KEY: VALUE' by its signs alone; rather hides too much */
#include "conf/mask.h"

#include "base/macros.h"

#include <string.h>

bool
mask_wants(struct span key)
{
	static const char *const parts[] = {
		"secr", "pass", "pasw", "pwd", "proxy",
	};
	static const char *const harmless[] = { "_file", "_credential" };

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (span_ends_nocase(key, span_of(harmless[i])))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t at = 0; at < key.n; at++)
			if (span_starts_nocase(span_from(key, at),
					       span_of(parts[i])))
				return true;
	return span_ends_nocase(key, SPAN("token"))
	       || span_eq_nocase(key, SPAN("pw"));
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || c == '_' || c == '-'
	       || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* Blanks, quotes, and what looks like them: a no-break space, curly quotes. */
static bool
is_around(char c)
{
	return strchr("\"' \t", c) != NULL || (unsigned char)c >= 0x80;
}

/* Whether a value can end before at: at the end of the line, at a comment, or
 * at a comma or bracket behind which YAML goes on. */
static bool
goes_on(const char *line, size_t at, size_t n)
{
	bool comma = false;

	while (at < n && strchr(" \t}],", line[at]) != NULL)
		comma |= line[at++] == ',';
	if (at == n || (line[at] == '#' && strchr(" \t", line[at - 1])))
		return true;
	if (!comma || !(is_word(line[at]) || is_around(line[at])))
		return false;
	while (at < n && (is_word(line[at]) || is_around(line[at])))
		at++;
	return at < n && line[at] == ':'
	       && (at + 1 == n || strchr(" \t", line[at + 1]) != NULL);
}

/* Where a quote is closed again, from at on; n: not in this line. */
static size_t
quote_end(const char *line, size_t at, size_t n, char quote)
{
	while (at < n && line[at] != quote)
		at += quote == '"' && line[at] == '\\' ? 2 : 1;
	return MIN(at, n);
}

static bool
is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* Where the value that begins at p ends: at its closing quote; in braces at
 * a comma or brace; otherwise with the line.  Where it is not sure that it is
 * the end, as in 'it's', everything is part of it. */
static size_t
value_end(const char *line, size_t at, size_t n, bool in_braces)
{
	if (at < n && is_quote(line[at])) {
		at = MIN(quote_end(line, at + 1, n, line[at]) + 1, n);
		return goes_on(line, at, n) ? at : n;
	}
	for (; at < n; at++) {
		if (line[at] == '#')
			return n;
		if (in_braces && strchr(",}", line[at]) != NULL
		    && goes_on(line, at, n))
			return at;
	}
	return at;
}

/* Nothing but an indentation, a dash, a question mark or a bracket stands
 * before the word: it is a key, also where its colon is missing. */
static bool
begins_entry(const char *line, size_t at)
{
	while (at > 0 && (is_around(line[at - 1])
			  || strchr("-?", line[at - 1]) != NULL))
		at--;
	return at == 0 || strchr("{[,", line[at - 1]) != NULL;
}

/* --- one line -------------------------------------------------------- */

/* A secret's key in a line, and where its value begins, or would. */
struct found {
	size_t key, value;
	bool in_braces;
};

/* Behind a word that may be such a key; n + 1: it is none. */
static size_t
value_begin(const char *line, size_t key, size_t at, size_t n)
{
	while (at < n && is_around(line[at]))
		at++;
	if (at == n || (line[at] != ':' && line[at] != '='))
		return begins_entry(line, key) ? at : n + 1;
	for (at++; at < n && strchr(" \t", line[at]) != NULL; )
		at++;
	return at;
}

/* The next one, from f->value on. */
static bool
found_next(const char *line, size_t n, struct found *f)
{
	for (size_t at = f->value; at < n; at++) {
		f->key = at;
		f->in_braces |= line[at] == '{';
		while (at < n && is_word(line[at]))
			at++;
		if (!mask_wants((struct span){ line + f->key, at - f->key }))
			continue;
		f->value = value_begin(line, f->key, at, n);
		if (f->value <= n)
			return true;
	}
	return false;
}

/* USER:PASSWORD@ in a word, as before a host: what stands before the @.  An
 * address of a name server has an @, too, behind several colons or none. */
static void
mask_userinfo(char *word, size_t n)
{
	struct span s = { word, n };
	size_t at = n, colons = 0, from = 0;

	while (at > 0 && word[at - 1] != '@')
		at--;
	if (at == 0)
		return;
	at--;
	for (size_t i = 0; i < at; i++) {
		colons += word[i] == ':';
		if (span_starts_nocase(span_from(s, i), SPAN("://")) && i < at)
			from = i + strlen("://");
	}
	if (from == 0 && colons == 1)
		from = span_find(s, ':') + 1;
	if (from > 0 && from < at)
		memset(word + from, '*', at - from);
}

static void
mask_words(char *line, size_t n)
{
	for (size_t at = 0, from; at < n; at++) {
		for (from = at; at < n && strchr(" \t\"'", line[at]) == NULL; )
			at++;
		mask_userinfo(line + from, at - from);
	}
}

void
mask_line(char *line, size_t n)
{
	struct found f = { 0 };

	while (found_next(line, n, &f) && f.value < n) {
		size_t end = value_end(line, f.value, n, f.in_braces);

		memset(line + f.value, '*', end - f.value);
		f.value = end;
	}
	mask_words(line, n);
}

/* --- a line after the other ------------------------------------------ */

/* `word:', perhaps behind dashes or an opening bracket; no deeper than the key
 * of the secret: whatever was wrong, the secret is over. */
static bool
is_next_entry(const struct masking *m, struct span line)
{
	size_t at = 0, from;

	while (at < line.n && strchr(" \t", line.p[at]) != NULL)
		at++;
	if (at > m->column)
		return false;
	while (at < line.n && strchr("-{[ \"'", line.p[at]) != NULL)
		at++;
	for (from = at; at < line.n && (is_word(line.p[at])
					|| strchr("-.", line.p[at]) != NULL); )
		at++;
	while (at < line.n && strchr("\"' ", line.p[at]) != NULL)
		at++;
	return at > from && at < line.n && line.p[at] == ':'
	       && (at + 1 == line.n || strchr(" \t", line.p[at + 1]) != NULL);
}

/* The secret that begins in a line, and may go on in the next ones. */
static void
masking_begin(struct masking *m, struct span line)
{
	struct found f = { 0 };

	*m = (struct masking){ .under_way = false };
	if (span_starts_nocase(span_trim(line), SPAN("#")))
		return;
	while (found_next(line.p, line.n, &f)) {
		char c = f.value < line.n ? line.p[f.value] : '\0';

		*m = (struct masking){
			.under_way = true, .column = f.key,
			.empty = f.value >= line.n || strchr("#|>", c) != NULL,
		};
		if (is_quote(c) && quote_end(line.p, f.value + 1, line.n, c)
				   == line.n)
			m->quote = c;
		f.value = value_end(line.p, f.value, line.n, f.in_braces);
	}
}

bool
mask_next(struct masking *m, struct span line)
{
	if (!m->under_way
	    || (m->quote == '\0' && !m->empty && is_next_entry(m, line))) {
		masking_begin(m, line);
		return false;
	}
	if (m->quote != '\0'
	    && quote_end(line.p, 0, line.n, m->quote) < line.n)
		m->quote = '\0';
	m->empty = m->empty && span_trim(line).n == 0;
	return true;
}
