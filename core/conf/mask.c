/* mask.c - finds `KEY: VALUE' by its signs alone; rather hides too much */
#include "conf/mask.h"

#include "base/macros.h"

#include <string.h>

bool
mask_wants(struct span key)
{
	static const char *const parts[] = {
		"secret", "pass", "pasw", "pwd", "proxy",
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
	return span_ends_nocase(key, SPAN("token"));
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

/* Where the value that begins at p ends: at its closing quote; in braces at
 * a comma or brace; otherwise with the line.  Where it is not sure that it is
 * the end, as in 'it's', everything is part of it. */
static size_t
value_end(const char *line, size_t at, size_t n, bool in_braces)
{
	char quote = line[at];

	if (quote == '"' || quote == '\'') {
		for (at++; at < n && line[at] != quote; at++)
			at += quote == '"' && line[at] == '\\' && at + 1 < n;
		at = MIN(at + 1, n);
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

/* Nothing but an indentation, a dash or a bracket stands before the word: it
 * is a key, also where its colon is missing. */
static bool
begins_entry(const char *line, size_t at)
{
	while (at > 0 && (is_around(line[at - 1]) || line[at - 1] == '-'))
		at--;
	return at == 0 || strchr("{[,", line[at - 1]) != NULL;
}

void
mask_line(char *line, size_t n)
{
	bool in_braces = false;

	for (size_t at = 0; at < n; at++) {
		size_t from = at, end;

		in_braces |= line[at] == '{';
		while (at < n && is_word(line[at]))
			at++;
		if (!mask_wants((struct span){ line + from, at - from }))
			continue;
		while (at < n && is_around(line[at]))
			at++;
		if (at < n && (line[at] == ':' || line[at] == '=')) {
			for (at++; at < n && strchr(" \t", line[at]); )
				at++;
		} else if (!begins_entry(line, from)) {
			at--;
			continue;
		}
		if (at == n)
			return;
		end = value_end(line, at, n, in_braces);
		memset(line + at, '*', end - at);
		at = end - 1;
	}
}

bool
mask_follows(struct span line)
{
	size_t from, to = span_trim(line).n ? line.n : 0;

	while (to > 0 && strchr(" \t", line.p[to - 1]) != NULL)
		to--;
	if (to == 0 || line.p[--to] != ':')
		return false;
	while (to > 0 && is_around(line.p[to - 1]))
		to--;
	for (from = to; from > 0 && is_word(line.p[from - 1]); )
		from--;
	return mask_wants(span_sub(line, from, to - from));
}
