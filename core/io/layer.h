/* layer.h - what stands between a stream's buffers and its descriptor
 *
 * Layers form a stack: the socket at the bottom, above it whatever changes
 * the bytes on their way (TLS, a PROXY header).  A stream talks to the top
 * one; each talks to the one below it.  A layer never blocks: it says which
 * direction it waits for, and is asked again when that is possible, perhaps
 * for the other direction than the one it was called for (a TLS read may
 * have to write).
 *
 * For io/ and for those who write a layer; users of a stream see none of it.
 */
#ifndef IO_LAYER_H
#define IO_LAYER_H

#include "base/error.h"
#include "base/span.h"

struct layer;
struct stream;

enum layer_step {
	LAYER_OK,		/* done; some bytes were moved */
	LAYER_WANT_READ,	/* again when the descriptor is readable */
	LAYER_WANT_WRITE,	/* again when it is writable */
	LAYER_END,		/* read: the peer has sent its last byte */
	LAYER_FAILED,		/* err is set: the connection is lost */
};

struct layer_ops {
	const char *name;
	/* Before the first read or write.  NULL: none is needed. */
	enum layer_step (*handshake)(struct layer *l, struct error *err);
	/* At most max bytes into to, at least one when LAYER_OK. */
	enum layer_step (*read)(struct layer *l, char *to, size_t max,
				size_t *got, struct error *err);
	/* Some of the bytes, from the front, at least one when LAYER_OK.
	 * After WANT it is called again with the same bytes at the front. */
	enum layer_step (*write)(struct layer *l, struct span bytes,
				 size_t *put, struct error *err);
	/* Bytes wait inside that no event of the descriptor will announce.
	 * NULL: never. */
	bool (*pending)(const struct layer *l);
	/* Says good-bye, once and without waiting.  NULL: nothing to say. */
	void (*shutdown)(struct layer *l);
	void (*free)(struct layer *l);
};

/* The first member of every layer. */
struct layer {
	const struct layer_ops *ops;
	struct layer *below;
};

/* Puts l, which the stream then owns, on top of an open stream: its
 * handshake is made, then `ready' follows (or `closed').  Bytes that lie in
 * stream_in() came before and are the user's to judge; what lies in stream_out()
 * would go through l: wait for `drained' first. */
void stream_push(struct stream *s, struct layer *l);
/* The one that the stream talks to; borrowed. */
struct layer *stream_top(const struct stream *s);

#endif
