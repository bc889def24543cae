/* span.c - looking at borrowed bytes */
#include "base/span.h"

#include "base/mem.h"

#include <string.h>

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

struct span
span_of(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

struct span
span_from(struct span s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct span){ s.p ? s.p + from : NULL, s.n - from };
}

struct span
span_sub(struct span s, size_t from, size_t n)
{
	s = span_from(s, from);
	if (n < s.n)
		s.n = n;
	return s;
}

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_eq_nocase(struct span a, struct span b)
{
	return a.n == b.n && span_starts_nocase(a, b);
}

bool
span_starts_nocase(struct span s, struct span prefix)
{
	if (s.n < prefix.n)
		return false;
	for (size_t i = 0; i < prefix.n; i++)
		if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
			return false;
	return true;
}

bool
span_ends_nocase(struct span s, struct span suffix)
{
	return s.n >= suffix.n &&
	       span_starts_nocase(span_from(s, s.n - suffix.n), suffix);
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

size_t
span_find(struct span s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

size_t
span_rfind(struct span s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

bool
span_wrap(struct span *s, size_t max, struct span *ret)
{
	size_t n = s->n, blank;

	if (n == 0)
		return false;
	if (n > max) {
		blank = span_rfind(span_sub(*s, 0, max), ' ');
		n = blank < max && blank > 0 ? blank : span_find(*s, ' ');
	}
	*ret = span_sub(*s, 0, n);
	*s = span_trim(span_from(*s, n));
	return true;
}

struct span
span_trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

bool
span_split(struct span *s, char by, struct span *ret)
{
	size_t at;

	if (s->p == NULL)
		return false;
	at = span_find(*s, by);
	*ret = span_sub(*s, 0, at);
	*s = at < s->n ? span_from(*s, at + 1) : SPAN_NONE;
	return true;
}

bool
span_u64(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9 || digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

/* Eight bytes a step: memchr has no search for "above 127". */
bool
span_has_8bit(struct span s)
{
	const uint64_t high = 0x8080808080808080u;
	uint64_t seen = 0, word;

	for (; s.n >= sizeof(word); s = span_from(s, sizeof(word))) {
		memcpy(&word, s.p, sizeof(word));
		seen |= word;
	}
	for (size_t i = 0; i < s.n; i++)
		seen |= (unsigned char)s.p[i];
	return (seen & high) != 0;
}

char *
span_dup(struct span s)
{
	char *copy = mem_new(s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

uint64_t
span_hash_nocase(struct span s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 0x100000001b3u;
	return h;
}
