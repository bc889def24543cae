/* arena.h - many small allocations that die together
 *
 * One for each configuration snapshot, envelope and delivery attempt: the
 * arena is the ownership rule.  Not for several threads at once.  Memory is
 * zeroed and suitably aligned; allocation does not fail.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **a);		/* NULL is allowed */

void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s);
/* Copies; the copy has a NUL behind it that does not count. */
struct span arena_span(struct arena *a, struct span s);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls fn(arg) when the arena is freed, before its memory goes; those given
 * last are called first.  For what must be wiped or closed with it. */
void arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg);

size_t arena_size(const struct arena *a);	/* bytes it occupies */
/* An allocation makes it larger by no more than its own size and this. */
enum { ARENA_SLACK = 1024 + 64 };

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
