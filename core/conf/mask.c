/* mask.c - finds `KEY: VALUE' by its signs alone; rather hides too much */
#include "conf/mask.h"

#include "base/macros.h"

#include <string.h>

bool
mask_wants(struct span key)
{
	static const char *const parts[] = {
		"secret", "password", "passphrase",
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

/* Where the value that begins at p ends: at its closing quote; in braces at
 * a comma or brace; otherwise with the line. */
static size_t
value_end(const char *line, size_t at, size_t n, bool in_braces)
{
	char quote = line[at];

	if (quote == '"' || quote == '\'') {
		for (at++; at < n && line[at] != quote; at++)
			at += quote == '"' && line[at] == '\\' && at + 1 < n;
		return MIN(at + 1, n);
	}
	while (at < n && !(in_braces && strchr(",}", line[at]) != NULL))
		at++;
	return at;
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
		while (at < n && strchr("\"' \t", line[at]) != NULL)
			at++;
		if (at == n || line[at] != ':')
			continue;
		for (at++; at < n && (line[at] == ' ' || line[at] == '\t'); )
			at++;
		if (at == n)
			return;
		end = value_end(line, at, n, in_braces);
		memset(line + at, '*', end - at);
		at = end - 1;
	}
}
