/* span.h - a borrowed run of bytes: a pointer and a length
 *
 * Passed by value.  Whoever returns a span says until when it lives.  The
 * bytes may hold anything, NUL included; an empty span may have a NULL
 * pointer.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })

/* For printf: "%.*s", SPAN_ARG(s) */
#define SPAN_ARG(s) ((int)((s).n > 4096 ? 4096 : (s).n)), ((s).n ? (s).p : "")

struct span span_of(const char *s);			/* NULL: empty */
struct span span_sub(struct span s, size_t from, size_t n);	/* clipped */
struct span span_from(struct span s, size_t from);	/* clipped */

bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b);	/* ASCII only */
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);
int span_cmp(struct span a, struct span b);		/* as memcmp */

/* The index of the first (last) byte c, or s.n. */
size_t span_find(struct span s, char c);
size_t span_rfind(struct span s, char c);

bool span_has_8bit(struct span s);			/* a byte above 127 */

struct span span_trim(struct span s);			/* SP and HTAB */

/* Takes from *s what stands before the first `by' and moves *s behind it;
 * without one, takes all.  False when *s was already used up (p is NULL). */
bool span_split(struct span *s, char by, struct span *ret);

/* Takes a line of at most max bytes (1 or more) from *s, broken at a blank
 * where there is one; a longer word stays whole.  *s moves behind it and is
 * trimmed.  False when *s was empty. */
bool span_wrap(struct span *s, size_t max, struct span *ret);

/* Digits only, no sign; false when empty, malformed or above max. */
bool span_u64(struct span s, uint64_t max, uint64_t *ret);

/* A NUL-terminated copy; the caller frees it with mem_free(). */
char *span_dup(struct span s);

/* FNV-1a over the bytes, ASCII upper case folded: for hash tables. */
uint64_t span_hash_nocase(struct span s);

char ascii_lower(char c);

#endif
