/* arena.c - chunks in a list, handed out from the front */
#include "base/arena.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024, ALIGN = _Alignof(max_align_t) };

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

struct hook {
	struct hook *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct chunk *chunks;
	struct hook *hooks;		/* in the chunks */
	size_t total;
};

struct arena *
arena_new(void)
{
	return NEW(struct arena);
}

void
arena_free(struct arena **a)
{
	struct chunk *next;

	if (*a == NULL)
		return;
	for (struct hook *h = (*a)->hooks; h != NULL; h = h->next)
		h->fn(h->arg);
	for (struct chunk *c = (*a)->chunks; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
	mem_free(*a);
	*a = NULL;
}

static struct chunk *
chunk_new(struct arena *a, size_t need)
{
	size_t size = MAX(need, (size_t)CHUNK - sizeof(struct chunk));
	struct chunk *c = mem_new(sizeof(*c) + size);

	c->size = size;
	a->total += sizeof(*c) + size;
	/* a big one goes behind the first, so that the first keeps serving */
	if (a->chunks != NULL && need > CHUNK / 4) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->chunks;
	void *p;

	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (c == NULL || c->size - c->used < size)
		c = chunk_new(a, size);
	p = c->data + c->used;
	c->used += size;
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	return arena_alloc(a, n * size);
}

struct span
arena_span(struct arena *a, struct span s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return (struct span){ copy, s.n };
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return (char *)arena_span(a, span_of(s)).p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	s = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	vsnprintf(s, (size_t)(n < 0 ? 0 : n) + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}

void
arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct hook *h = ARENA_NEW(a, struct hook);

	*h = (struct hook){ .next = a->hooks, .fn = fn, .arg = arg };
	a->hooks = h;
}

size_t
arena_size(const struct arena *a)
{
	return a->total;
}
