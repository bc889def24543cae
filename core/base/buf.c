/* buf.c - bytes with a maximum */
#include "base/buf.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void
buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = BUF_MAX(b->max);
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}

void
buf_clear(struct buf *b)
{
	b->head = b->len = 0;
}

struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->data ? b->data + b->head : NULL, b->len };
}

/* Makes the allocation hold n more bytes and a NUL, sliding the bytes to the
 * front when that alone is enough. */
static bool
buf_grow(struct buf *b, size_t n)
{
	size_t need;

	if (n > b->max || b->len > b->max - n)
		return false;
	need = b->len + n + 1;
	if (b->head + need <= b->cap)
		return true;
	if (b->head > 0) {
		memmove(b->data, b->data + b->head, b->len);
		b->head = 0;
	}
	if (need <= b->cap)
		return true;
	b->cap = MAX(MAX(need, b->cap * 2), 64);
	if (b->cap > b->max + 1)
		b->cap = b->max + 1;
	b->data = mem_resize(b->data, b->cap, 1);
	return true;
}

const char *
buf_str(struct buf *b)
{
	if (!buf_grow(b, 0))
		bug("a buffer above its maximum");
	b->data[b->head + b->len] = '\0';
	return b->data + b->head;
}

char *
buf_room(struct buf *b, size_t n)
{
	return buf_grow(b, n) ? b->data + b->head + b->len : NULL;
}

void
buf_added(struct buf *b, size_t n)
{
	b->len += n;
	must(b->head + b->len < b->cap + (b->cap == 0));
}

bool
buf_add(struct buf *b, struct span s)
{
	char *to = buf_room(b, s.n);

	if (to == NULL)
		return false;
	if (s.n)
		memcpy(to, s.p, s.n);
	b->len += s.n;
	return true;
}

bool
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, span_of(s));
}

bool
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, (struct span){ &c, 1 });
}

bool
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	to = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (to != NULL) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return to != NULL;
}

bool
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return ok;
}

void
buf_drop(struct buf *b, size_t n)
{
	must(n <= b->len);
	b->len -= n;
	b->head = b->len ? b->head + n : 0;
}

void
buf_cut(struct buf *b, size_t len)
{
	if (len < b->len)
		b->len = len;
}

void
buf_move(struct buf *to, struct buf *b)
{
	must(to->data == NULL);
	*to = *b;
	*b = BUF_MAX(to->max);
}
