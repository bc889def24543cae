/* body.h - where the bytes of a message come from when it is sent
 *
 * An abstract source, made by whoever keeps the bytes (spool/, dispatch/,
 * a test), read by whoever sends them (smtpc/, a backend).  Asynchronous:
 * the bytes may have to be fetched by a worker.
 */
#ifndef MAIL_BODY_H
#define MAIL_BODY_H

#include "base/error.h"
#include "base/span.h"

struct body_source;

/* The answer to one read, on the thread that asked.  bytes is borrowed until
 * the callback returns; empty at the end of the body.  err is set (and bytes
 * empty) when the bytes cannot be had: the attempt fails, the mail stays. */
typedef void body_read_fn(void *arg, struct span bytes,
			  const struct error *err);

struct body_ops {
	/* Asks for at most max bytes from offset.  One read may be under way
	 * for a source.  done may be called before this returns. */
	void (*read)(struct body_source *s, uint64_t offset, size_t max,
		     body_read_fn *done, void *arg);
	/* The same, blocking, for a thread that may; false with err set.
	 * *got is 0 at the end. */
	bool (*pread)(struct body_source *s, uint64_t offset, char *to,
		      size_t max, size_t *got, struct error *err);
	/* Forgets the source.  A read under way is not answered any more. */
	void (*free)(struct body_source *s);
};

struct body_source {
	const struct body_ops *ops;
	uint64_t size;			/* of the whole message, in octets */
	bool has_8bit;			/* a byte above 127 occurs, */
	bool header_8bit;		/* and it does in the header section */
};

/* All of it in memory: bytes is borrowed and must outlive the source. */
struct body_source *body_from_span(struct span bytes, bool has_8bit);
void body_source_free(struct body_source **s);

#endif
