/* buf.h - the one growable run of bytes, always with a maximum
 *
 * A struct buf is a plain value; buf_fini() frees what it holds and leaves it
 * usable, with the same maximum.  Adding fails, and adds nothing, when the
 * maximum would be passed.  Bytes are taken from the front at no cost, so
 * that one type serves text, input and output.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

#include <stdarg.h>

struct buf {
	char *data;		/* the allocation */
	size_t head;		/* first byte in use */
	size_t len;		/* bytes in use */
	size_t cap;		/* bytes allocated */
	size_t max;		/* len never exceeds this */
};

/* AUTO(buf_fini) struct buf b = BUF_MAX(LIMIT_LINE); */
#define BUF_MAX(m) ((struct buf){ .max = (m) })

void buf_fini(struct buf *b);
/* buf_fini for what held a secret: overwrites the memory first. */
void buf_wipe(struct buf *b);
void buf_clear(struct buf *b);			/* keeps the memory */

/* The bytes in use; borrowed until the next call that changes b. */
struct span buf_span(const struct buf *b);
/* The same, with a NUL behind the last byte. */
const char *buf_str(struct buf *b);

bool buf_add(struct buf *b, struct span s);
bool buf_add_str(struct buf *b, const char *s);
bool buf_add_char(struct buf *b, char c);
bool buf_addf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool buf_vaddf(struct buf *b, const char *fmt, va_list ap);

/* Room for n more bytes at the end: a place to read into, or NULL when the
 * maximum would be passed.  buf_added says how many were written there. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_drop(struct buf *b, size_t n);		/* from the front */
void buf_cut(struct buf *b, size_t len);	/* keep only the first len */

/* Hands the bytes over: *to (which must be empty) gets them, b is empty. */
void buf_move(struct buf *to, struct buf *b);

#endif
