/* stream_inside.h - what the files behind stream.h share; for no others */
#ifndef IO_STREAM_INSIDE_H
#define IO_STREAM_INSIDE_H

#include "io/layer.h"
#include "io/socket.h"
#include "io/stream.h"

enum phase_of_life {
	STREAM_REFUSED,			/* connecting failed at once */
	STREAM_CONNECTING,
	STREAM_SHAKING,			/* a layer's handshake */
	STREAM_OPEN,
	STREAM_LOST,			/* `closed' has been told */
};

struct stream {
	struct loop *loop;
	const struct stream_events *events;
	void *arg;
	struct layer *top;
	struct socket_layer socket;
	struct buf in, out;
	struct ev_io io;
	struct ev_timer timer;
	double put_off;			/* seconds, when the timer has fired */
	struct later later;
	struct endpoint peer;		/* family 0: not asked for yet */
	struct error *refused;		/* owned: why, while STREAM_REFUSED */
	enum phase_of_life life;
	unsigned char watched;		/* EV_READ, EV_WRITE: what io is at */
	unsigned char shake_wants;	/* what a handshake, */
	unsigned char read_wants;	/* reading, and */
	unsigned char write_wants;	/* unwritten output wait for */
	bool awaits;			/* there is a timeout */
	bool ended;			/* the peer has said all it will */
	bool paused;			/* by the user */
	bool stalled;			/* paused or full, and bytes wait */
	bool closed;			/* by the user: freed by `later' */
};

static inline unsigned char
layer_wants(enum layer_step step)
{
	return step == LAYER_WANT_WRITE ? EV_WRITE : EV_READ;
}

/* Bytes that no event will tell of. */
static inline bool
layer_pending(const struct layer *l)
{
	return l->ops->pending != NULL && l->ops->pending(l);
}

/* --- stream_flow.c --------------------------------------------------- */

/* Watches for what is of interest by now. */
void stream_watch(struct stream *s);
/* The last word to the user, unless he has closed or heard it already. */
void stream_lost(struct stream *s, const struct error *err);
/* Reads, and tells the user, who may close it meanwhile. */
void stream_fill(struct stream *s);
/* Writes what waits. */
void stream_flush(struct stream *s);

#endif
