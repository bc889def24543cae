/* listen.c - sockets that wait for clients
 *
 * When no descriptor is left, accepting rests for a moment: the client waits
 * in the backlog, and the loop is not kept busy by a socket that stays
 * readable.
 */
#include "io/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	ACCEPTS_PER_TURN = 64,
	REST_MS = 200,
	WARN_EVERY_MS = 60 * 1000,
};

struct listener {
	struct loop *loop;
	int fd;
	struct ev_io io;
	struct timer rest;
	struct later later;
	int64_t warned_ms;		/* 0: never */
	void (*accepted)(void *arg, int fd, struct endpoint peer);
	void *arg;
	bool stopped;
};

static const struct log listen_log = { .room = "listen" };

static bool
listen_options(int fd, unsigned char family)
{
	int on = 1;

	socket_no_delay(fd);
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
	       (family != 6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
					  sizeof(on)) == 0);
}

static bool
listen_bind(int fd, struct endpoint *at)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(*at, &sa);

	if (!listen_options(fd, at->ip.family) ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0)
		return false;
	len = sizeof(sa);
	return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	       endpoint_from_sockaddr((struct sockaddr *)&sa, at);
}

static int
listen_socket(struct endpoint at)
{
	return socket(at.ip.family == 6 ? AF_INET6 : AF_INET,
		      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* SO_REUSEPORT would let us share a port with another gateway in silence, so
 * a socket without it is bound first, and closed again. */
static bool
listen_probe(struct endpoint at)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int on = 1, fd = listen_socket(at);
	bool ok = fd >= 0 &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		(at.ip.family != 6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
						 &on, sizeof(on)) == 0) &&
		bind(fd, (struct sockaddr *)&sa, len) == 0 &&
		listen(fd, 1) == 0;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return ok;
}

int
listen_open(struct endpoint *at, bool first, struct error *err)
{
	char text[ENDPOINT_TEXT];
	int fd = -1, number;

	if (!first || at->port == 0 || listen_probe(*at))
		fd = listen_socket(*at);
	if (fd >= 0 && listen_bind(fd, at))
		return fd;
	number = errno;
	error_errno(err, "cannot listen on %s", endpoint_text(*at, text));
	if (number == EADDRINUSE)
		error_hint(err, "another program uses this port, or this gateway "
			   "runs already: stop the program, or choose another "
			   "port under `listen:'");
	else if (number == EACCES)
		error_hint(err, "ports below 1024 need root or "
			   "CAP_NET_BIND_SERVICE");
	else if (number == EAFNOSUPPORT)
		error_hint(err, "this host has no IPv6: list IPv4 addresses, "
			   "such as 0.0.0.0:25");
	else if (number == EADDRNOTAVAIL)
		error_hint(err, "the address must be one of this host's, or "
			   "0.0.0.0 for all");
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
listen_begin(int fd, struct error *err)
{
	return listen(fd, BACKLOG) == 0 ||
	       error_errno(err, "nobody can connect: listen");
}

static void
listener_rest(struct listener *l, int number)
{
	int64_t now_ms = clock_now_ms();

	ev_io_stop(loop_ev(l->loop), &l->io);
	timer_start(&l->rest, REST_MS);
	if (l->warned_ms != 0 && now_ms - l->warned_ms < WARN_EVERY_MS)
		return;
	l->warned_ms = now_ms ? now_ms : 1;
	log_warning(&listen_log, "clients have to wait: %s; raise the limit "
		    "of open files, or lower `sessions' under `limits:'",
		    number == EMFILE || number == ENFILE
		    ? "no descriptor is free" : strerrordesc_np(number));
}

/* What one client did before it was accepted says nothing about the next. */
static bool
accept_error_is_clients(int number)
{
	static const int theirs[] = {
		EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN,
		ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM,
		ETIMEDOUT, ECONNRESET,
	};

	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (number == theirs[i])
			return true;
	return false;
}

static void
on_client(struct ev_loop *ev, struct ev_io *w, int events)
{
	struct listener *l = w->data;

	(void)ev, (void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && !l->stopped; i++) {
		struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(sa);
		struct endpoint peer;
		int fd = accept4(l->fd, (struct sockaddr *)&sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			endpoint_from_sockaddr((struct sockaddr *)&sa, &peer);
			l->accepted(l->arg, fd, peer);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (!accept_error_is_clients(errno)) {
			listener_rest(l, errno);
			return;
		}
	}
}

static void
on_rested(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, rest);

	ev_io_start(loop_ev(l->loop), &l->io);
}

static void
listener_free(struct later *later)
{
	mem_free(container_of(later, struct listener, later));
}

struct listener *
listener_start(struct loop *loop, int fd,
	       void (*accepted)(void *arg, int fd, struct endpoint peer),
	       void *arg)
{
	struct listener *l = NEW(struct listener);

	l->loop = loop;
	l->fd = fd;
	l->accepted = accepted;
	l->arg = arg;
	l->later.run = listener_free;
	timer_init(&l->rest, loop, on_rested);
	socket_no_delay(fd);		/* also one that was inherited */
	if (listen(fd, BACKLOG) < 0)
		log_error(&listen_log, "nobody can connect: listen: %s",
			  strerrordesc_np(errno));
	ev_io_init(&l->io, on_client, fd, EV_READ);
	l->io.data = l;
	ev_io_start(loop_ev(loop), &l->io);
	return l;
}

void
listener_stop(struct listener **ptr)
{
	struct listener *l = *ptr;

	if (l == NULL)
		return;
	*ptr = NULL;
	l->stopped = true;
	ev_io_stop(loop_ev(l->loop), &l->io);
	timer_stop(&l->rest);
	close(l->fd);
	loop_later(l->loop, &l->later);
}
