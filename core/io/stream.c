/* stream.c - one connection on one loop
 *
 * System calls are what a small message costs, so few are made: output is
 * written directly at the end of the turn and watched for only when the
 * kernel would not take it; a paused stream stays watched until a byte comes
 * that nobody wants yet; a timeout that moves away moves no timer.
 */
#include "io/stream_inside.h"

#include "base/macros.h"
#include "base/mem.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

/* --- beginning ------------------------------------------------------- */

static void
stream_shake(struct stream *s)
{
	struct error err;
	enum layer_step step = LAYER_OK;

	if (s->top->ops->handshake != NULL)
		step = s->top->ops->handshake(s->top, &err);
	if (step == LAYER_FAILED || step == LAYER_END) {
		stream_lost(s, step == LAYER_FAILED ? &err : NULL);
		return;
	}
	if (step != LAYER_OK) {
		s->shake_wants = layer_wants(step);
		return;
	}
	s->life = STREAM_OPEN;
	s->read_wants = EV_READ;
	s->write_wants = 0;
	if (s->out.len > 0 || layer_pending(s->top))
		loop_later(s->loop, &s->later);
	if (s->events->ready != NULL)
		s->events->ready(s->arg);
}

static void
stream_try_connected(struct stream *s)
{
	struct error err;

	if (!socket_connected(s->socket.fd, &err)) {
		stream_lost(s, &err);
		return;
	}
	stream_shake(s);
}

static void
on_io(struct ev_loop *ev, struct ev_io *w, int events)
{
	struct stream *s = w->data;

	(void)ev;
	if (s->life == STREAM_CONNECTING) {
		stream_try_connected(s);
	} else if (s->life == STREAM_SHAKING) {
		stream_shake(s);
	} else {
		if (events & s->write_wants)
			stream_flush(s);
		if (events & s->read_wants)
			stream_fill(s);
	}
	stream_watch(s);
}

static void
on_stream_timer(struct ev_loop *ev, struct ev_timer *w, int events)
{
	struct stream *s = w->data;

	(void)events;
	if (!s->awaits)
		return;
	if (s->put_off > 0.) {
		ev_timer_set(w, s->put_off, 0.);
		ev_timer_start(ev, w);
		s->put_off = 0.;
		return;
	}
	s->awaits = false;
	s->events->timeout(s->arg);
}

/* --- ending, and the end of a turn ----------------------------------- */

static void
stream_free(struct stream *s)
{
	struct layer *l, *below;
	struct error err;
	size_t n;

	/* one last try: a good-bye that the kernel takes is on its way */
	if (s->life == STREAM_OPEN && s->out.len > 0)
		s->top->ops->write(s->top, buf_span(&s->out), &n, &err);
	for (l = s->top; l != NULL; l = below) {
		below = l->below;
		if (s->life == STREAM_OPEN && l->ops->shutdown != NULL)
			l->ops->shutdown(l);
		l->ops->free(l);
	}
	buf_fini(&s->in);
	buf_fini(&s->out);
	mem_free(s->refused);
	mem_free(s);
}

static void
stream_turn(struct later *later)
{
	struct stream *s = container_of(later, struct stream, later);

	if (s->closed) {
		stream_free(s);
		return;
	}
	switch (s->life) {
	case STREAM_REFUSED:
		stream_lost(s, s->refused);
		break;
	case STREAM_SHAKING:
		stream_shake(s);
		break;
	case STREAM_OPEN:
		if (s->write_wants == 0)
			stream_flush(s);
		if (!s->closed && layer_pending(s->top))
			stream_fill(s);
		break;
	default:
		break;
	}
	stream_watch(s);
}

static struct stream *
stream_new(struct loop *loop, int fd, size_t in_max,
	   const struct stream_events *ev, void *arg)
{
	struct stream *s = NEW(struct stream);

	s->loop = loop;
	s->events = ev;
	s->arg = arg;
	s->in = BUF_MAX(in_max);
	s->out = BUF_MAX(SIZE_MAX / 4);	/* its user bounds it */
	socket_init(&s->socket, fd);
	s->top = &s->socket.layer;
	s->read_wants = EV_READ;
	s->later.run = stream_turn;
	ev_io_init(&s->io, on_io, fd, 0);
	s->io.data = s;
	ev_timer_init(&s->timer, on_stream_timer, 0., 0.);
	s->timer.data = s;
	return s;
}

/* --- what users call ------------------------------------------------- */

struct stream *
stream_accept(struct loop *loop, int fd, size_t in_max,
	      const struct stream_events *ev, void *arg)
{
	struct stream *s = stream_new(loop, fd, in_max, ev, arg);

	s->life = STREAM_OPEN;
	stream_watch(s);
	return s;
}

struct stream *
stream_connect(struct loop *loop, struct endpoint to, const struct ip *source,
	       size_t in_max, const struct stream_events *ev, void *arg)
{
	struct error err;
	int fd = socket_connect(to, source, &err);
	struct stream *s = stream_new(loop, fd, in_max, ev, arg);

	s->peer = to;
	if (fd >= 0) {
		s->life = STREAM_CONNECTING;
		stream_watch(s);
		return s;
	}
	s->life = STREAM_REFUSED;	/* told when the caller has returned */
	s->refused = NEW(struct error);
	*s->refused = err;
	loop_later(loop, &s->later);
	return s;
}

void
stream_close(struct stream **ptr)
{
	struct stream *s = *ptr;

	if (s == NULL)
		return;
	*ptr = NULL;
	s->closed = true;
	stream_watch(s);
	ev_timer_stop(loop_ev(s->loop), &s->timer);
	loop_later(s->loop, &s->later);
}

void
stream_push(struct stream *s, struct layer *l)
{
	l->below = s->top;
	s->top = l;
	s->life = STREAM_SHAKING;
	s->shake_wants = 0;
	loop_later(s->loop, &s->later);
}

struct layer *
stream_top(const struct stream *s)
{
	return s->top;
}

void
stream_user(struct stream *s, const struct stream_events *ev, void *arg)
{
	s->events = ev;
	s->arg = arg;
}

struct buf *
stream_in(struct stream *s)
{
	return &s->in;
}

struct buf *
stream_out(struct stream *s)
{
	return &s->out;
}

void
stream_send(struct stream *s)
{
	/* behind output that the kernel did not take it waits for that */
	if (s->write_wants == 0)
		loop_later(s->loop, &s->later);
}

size_t
stream_pending(const struct stream *s)
{
	return s->out.len;
}

size_t
stream_unacked(const struct stream *s)
{
	int held = 0;

	if (ioctl(s->socket.fd, SIOCOUTQ, &held) < 0)
		held = 0;
	return s->out.len + (size_t)held;
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	s->paused = s->stalled = false;
	if (layer_pending(s->top))
		loop_later(s->loop, &s->later);
	stream_watch(s);
}

void
stream_timeout(struct stream *s, int64_t in_ms)
{
	struct ev_loop *ev = loop_ev(s->loop);
	double in = (double)in_ms / 1000., left;

	s->awaits = in_ms > 0;
	s->put_off = 0.;
	if (!s->awaits)
		return;
	if (ev_is_active(&s->timer)) {
		left = ev_timer_remaining(ev, &s->timer);
		if (left <= in) {	/* let it fire, and look again */
			s->put_off = in - left;
			return;
		}
		ev_timer_stop(ev, &s->timer);
	}
	ev_timer_set(&s->timer, in, 0.);
	ev_timer_start(ev, &s->timer);
}

struct endpoint
stream_peer(const struct stream *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct endpoint e = s->peer;

	if (e.ip.family == 0 &&
	    getpeername(s->socket.fd, (struct sockaddr *)&sa, &len) == 0)
		endpoint_from_sockaddr((struct sockaddr *)&sa, &e);
	return e;
}

struct endpoint
stream_local(const struct stream *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct endpoint e = { .port = 0 };

	if (getsockname(s->socket.fd, (struct sockaddr *)&sa, &len) == 0)
		endpoint_from_sockaddr((struct sockaddr *)&sa, &e);
	return e;
}
