/* nearest.c - which of a list of names was meant
 *
 * Edit distance with neighbours swapped as one step; `-' and `_', and upper
 * and lower case, are the same sign.  One third of the signs may be wrong.
 */
#include "base/macros.h"
#include "conf/diag.h"

#include <string.h>

enum { NAME_MAX_LENGTH = 48 };

static char
folded(char c)
{
	return c == '-' ? '_' : ascii_lower(c);
}

static unsigned
distance(struct span a, struct span b)
{
	unsigned rows[3][NAME_MAX_LENGTH + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (unsigned j = 0; j <= b.n; j++)
		above[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			char x = folded(a.p[i - 1]), y = folded(b.p[j - 1]);
			unsigned cost = above[j - 1] + (x != y);

			cost = MIN(cost, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == folded(b.p[j - 2])
			    && y == folded(a.p[i - 2]))
				cost = MIN(cost, before[j - 2] + 1);
			row[j] = cost;
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b.n];
}

/* `cert' for `certificate', `secret' for `client_secret': a whole part of
 * the name, or how it begins. */
static bool
is_part(struct span written, struct span name)
{
	for (size_t at = 0; written.n >= 3 && at + written.n <= name.n; at++) {
		if (at > 0 && folded(name.p[at - 1]) != '_')
			continue;
		if (!span_eq_nocase(span_sub(name, at, written.n), written))
			continue;
		if (at == 0 || at + written.n == name.n
		    || folded(name.p[at + written.n]) == '_')
			return true;
	}
	return false;
}

/* `username' for `user', `smtp_host' for `host': the name and a little more. */
static bool
is_longer(struct span written, struct span name)
{
	return name.n >= 4 && written.n <= 2 * name.n + 1
	       && (span_starts_nocase(written, name)
		   || (span_ends_nocase(written, name)
		       && folded(written.p[written.n - name.n - 1]) == '_'));
}

const char *
nearest_name(struct span written, const char *const *names, size_t n)
{
	const char *best = NULL, *part = NULL;
	unsigned least = 0;

	if (written.n == 0 || written.n > NAME_MAX_LENGTH)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_of(names[i]);
		unsigned far, allowed;

		if (name.n > NAME_MAX_LENGTH)
			continue;
		far = distance(written, name);
		allowed = MAX(1u, (unsigned)MAX(written.n, name.n) / 3);
		if (far <= allowed && far < MAX(written.n, name.n)
		    && (best == NULL || far < least)) {
			best = names[i];
			least = far;
		}
		if (part == NULL && (is_part(written, name)
				     || is_longer(written, name)))
			part = names[i];
	}
	return best != NULL ? best : part;
}
