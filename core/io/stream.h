/* stream.h - one connection: descriptor, layers, buffers, watchers, timeout
 *
 * A stream lives on one loop.  Its user gets five events and never sees
 * libev.  Bytes that came lie in stream_in() until the user drops them;
 * bytes to send are gathered in stream_out() and written, once, when the
 * callbacks of this turn have returned: what belongs together leaves in one
 * write (Nagle is off).
 *
 * Layers (socket; TLS and PROXY later) stand between the descriptor and the
 * buffers, one vtable each (io/layer.h).
 *
 * stream_close() may be called from any of the events; the stream is freed
 * by the loop afterwards and calls nothing more.  No event is called before
 * the function that made the stream has returned.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/loop.h"

struct stream;

struct stream_events {
	/* A client's connect, or the handshake of a layer, succeeded.  May be
	 * NULL for a server's stream. */
	void (*ready)(void *arg);
	void (*input)(void *arg);	/* more bytes in stream_in() */
	void (*drained)(void *arg);	/* all of stream_out() has been
					 * written; may be NULL */
	void (*timeout)(void *arg);	/* stream_timeout() has passed; may be
					 * NULL where none is set */
	/* The peer closed (err NULL) or the connection failed.  What came
	 * before has been delivered by input.  The user still closes.  A peer
	 * that closed may have closed its half alone and still listen: a user
	 * who goes on writing hears it by a second `closed', with err, when
	 * that fails. */
	void (*closed)(void *arg, const struct error *err);
};

/* A server's accepted descriptor; takes it over. */
struct stream *stream_accept(struct loop *loop, int fd, size_t in_max,
			     const struct stream_events *ev, void *arg);

/* Begins to connect; `ready' or `closed' follows.  source may be NULL. */
struct stream *stream_connect(struct loop *loop, struct endpoint to,
			      const struct ip *source, size_t in_max,
			      const struct stream_events *ev, void *arg);

/* What still lies in stream_out() gets one last write, which does not wait:
 * a user who wants to cut the peer off in the middle clears it first, one
 * who must be sure waits for `drained'. */
void stream_close(struct stream **s);

/* Hands the stream to another user (a pooled connection). */
void stream_user(struct stream *s, const struct stream_events *ev, void *arg);

/* At most in_max bytes.  When that many lie here, reading stops; it goes on
 * by itself when `input' has dropped some, and by stream_resume() when the
 * user did so at another time.  Its memory is freed when it is empty. */
struct buf *stream_in(struct stream *s);
/* Gathered output; whoever adds here calls stream_send() once after. */
struct buf *stream_out(struct stream *s);
void stream_send(struct stream *s);
/* Bytes not yet taken by the kernel: a sender stops above a mark of its own
 * and goes on at `drained'. */
size_t stream_pending(const struct stream *s);
/* The same, with what the kernel holds until the peer has acknowledged it:
 * whether a slow line moves at all.  A system call. */
size_t stream_unacked(const struct stream *s);

/* Stops and starts reading: back-pressure.  A paused stream still notices
 * errors when it writes.  For bytes that lie in stream_in() already, resuming
 * brings no `input': the user goes on with them himself. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* One timeout for whatever is awaited; 0 stops it.  Every call restarts. */
void stream_timeout(struct stream *s, int64_t in_ms);

struct endpoint stream_peer(const struct stream *s);
struct endpoint stream_local(const struct stream *s);

#endif
