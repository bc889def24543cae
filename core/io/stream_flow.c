/* stream_flow.c - bytes in and out of an open stream
 *
 * Each turn takes some of them, so that one that never ends leaves time for
 * the others.
 */
#include "io/stream_inside.h"

#include "base/macros.h"

enum {
	READS_PER_TURN = 4,		/* then it is others' turn */
	WRITES_PER_TURN = 4,
	READ_SIZE = 64 * 1024,
};

/* One for each thread: bytes are read here and kept in a buffer of their
 * size, so that a connection that is waiting holds no memory for input. */
static _Thread_local char read_here[READ_SIZE];

/* --- watching -------------------------------------------------------- */

static unsigned char
stream_interest(const struct stream *s)
{
	switch (s->life) {
	case STREAM_CONNECTING:
		return EV_WRITE;
	case STREAM_SHAKING:
		return s->shake_wants;
	case STREAM_OPEN:
		return (s->stalled || s->ended ? 0 : s->read_wants) |
		       s->write_wants;
	default:
		return 0;
	}
}

void
stream_watch(struct stream *s)
{
	unsigned char interest = s->closed ? 0 : stream_interest(s);
	struct ev_loop *ev = loop_ev(s->loop);

	if (interest == s->watched)
		return;
	ev_io_stop(ev, &s->io);
	ev_io_modify(&s->io, interest);
	if (interest != 0)
		ev_io_start(ev, &s->io);
	s->watched = interest;
}

/* The peer will say nothing more, but may still listen. */
static void
stream_ended(struct stream *s)
{
	if (s->closed || s->ended)
		return;
	s->ended = true;
	stream_watch(s);
	s->events->closed(s->arg, NULL);
}

void
stream_lost(struct stream *s, const struct error *err)
{
	if (s->closed || s->life == STREAM_LOST)
		return;
	s->life = STREAM_LOST;
	stream_watch(s);
	s->events->closed(s->arg, err);
}

/* --- reading and writing --------------------------------------------- */

/* One read, told to the user.  *drained: nothing more is there for now. */
static enum layer_step
stream_read(struct stream *s, bool *drained, struct error *err)
{
	size_t room = MIN(s->in.max - s->in.len, (size_t)READ_SIZE), n;
	enum layer_step step;

	step = s->top->ops->read(s->top, read_here, room, &n, err);
	if (step != LAYER_OK)
		return step;
	buf_add(&s->in, (struct span){ read_here, n });
	s->events->input(s->arg);
	if (s->in.len == 0)
		buf_fini(&s->in);
	*drained = n < room && !s->closed && !layer_pending(s->top);
	return LAYER_OK;
}

void
stream_fill(struct stream *s)
{
	bool drained = false;
	struct error err;

	for (int i = 0; i < READS_PER_TURN && !drained; i++) {
		enum layer_step step;

		if (s->closed || s->ended || s->life != STREAM_OPEN)
			return;
		if (s->paused || s->in.len >= s->in.max) {
			s->stalled = true;
			return;
		}
		step = stream_read(s, &drained, &err);
		if (step == LAYER_OK)
			continue;
		if (step == LAYER_END)
			stream_ended(s);
		else if (step == LAYER_FAILED)
			stream_lost(s, &err);
		else
			s->read_wants = layer_wants(step);
		return;
	}
	if (!s->closed && layer_pending(s->top))
		loop_later(s->loop, &s->later);
}

/* Writing failed; but what the peer said before it hung up is often the
 * reason, and comes first.  So does what it said to a layer (an alert). */
static void
stream_broken(struct stream *s, const struct error *why)
{
	enum layer_step step = LAYER_OK;
	bool drained = false;
	struct error err;

	buf_clear(&s->out);
	for (int i = 0; i < READS_PER_TURN && step == LAYER_OK; i++) {
		if (drained || s->closed || s->ended || s->paused ||
		    s->in.len >= s->in.max)
			break;
		step = stream_read(s, &drained, &err);
	}
	stream_lost(s, step == LAYER_FAILED && err.kind == ERROR_PROTOCOL
		    ? &err : why);
}

/* All went out: tells the user, who may have more. */
static void
stream_drained(struct stream *s)
{
	s->write_wants = 0;
	if (s->events->drained != NULL)
		s->events->drained(s->arg);
	if (s->out.len == 0)
		buf_fini(&s->out);
}

void
stream_flush(struct stream *s)
{
	struct error err;
	size_t n;

	for (int i = 0; i < WRITES_PER_TURN; i++) {
		enum layer_step step;

		if (s->closed || s->life != STREAM_OPEN || s->out.len == 0)
			return;
		step = s->top->ops->write(s->top, buf_span(&s->out), &n, &err);
		if (step == LAYER_FAILED || step == LAYER_END) {
			stream_broken(s, &err);
			return;
		}
		if (step != LAYER_OK) {
			s->write_wants = layer_wants(step);
			return;
		}
		buf_drop(&s->out, n);
		if (s->out.len == 0)
			stream_drained(s);
	}
	if (!s->closed && s->out.len > 0)
		loop_later(s->loop, &s->later);
}
