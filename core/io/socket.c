/* socket.c - the lowest layer, and words for what befalls a connection */
#include "io/socket.h"

#include "base/macros.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Errors that an administrator meets, in words of their own; and whose doing
 * they are.  Those without a row are ours. */
static const struct {
	int number;
	enum error_kind kind;
	const char *words;
} words[] = {
	{ ECONNREFUSED,  ERROR_SYSTEM, "connection refused" },
	{ ECONNRESET,    ERROR_SYSTEM, "connection reset by peer" },
	{ EPIPE,         ERROR_SYSTEM, "connection closed by peer" },
	{ ECONNABORTED,  ERROR_SYSTEM, "connection aborted" },
	{ ETIMEDOUT,     ERROR_SYSTEM, "connection timed out" },
	{ EHOSTUNREACH,  ERROR_SYSTEM, "host is unreachable" },
	{ ENETUNREACH,   ERROR_LACK, "network is unreachable" },
	{ EADDRNOTAVAIL, ERROR_LACK, "the source address is not one of this "
				     "host, or no port is free" },
	{ EACCES,        ERROR_LACK, "not permitted by the system" },
	{ EPERM,         ERROR_LACK, "not permitted by the system's packet "
				     "filter" },
	{ EMFILE,        ERROR_LACK, "no descriptor is free in this process" },
	{ ENFILE,        ERROR_LACK, "no descriptor is free in the system" },
};

bool
socket_error(struct error *err, int number)
{
	const char *other;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].number == number)
			return error_set(err, words[i].kind, "%s",
					 words[i].words);
	other = strerrordesc_np(number);
	return error_set(err, ERROR_LACK, "%s", other ? other : "unknown");
}

static enum layer_step
socket_step(int number, enum layer_step again, struct error *err)
{
	if (number == EAGAIN || number == EWOULDBLOCK || number == EINTR)
		return again;
	socket_error(err, number);
	return LAYER_FAILED;
}

static enum layer_step
socket_read(struct layer *l, char *to, size_t max, size_t *got,
	    struct error *err)
{
	struct socket_layer *s = container_of(l, struct socket_layer, layer);
	ssize_t n = recv(s->fd, to, max, 0);

	if (n < 0)
		return socket_step(errno, LAYER_WANT_READ, err);
	*got = (size_t)n;
	return n == 0 ? LAYER_END : LAYER_OK;
}

static enum layer_step
socket_write(struct layer *l, struct span bytes, size_t *put,
	     struct error *err)
{
	struct socket_layer *s = container_of(l, struct socket_layer, layer);
	ssize_t n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

	if (n < 0)
		return socket_step(errno, LAYER_WANT_WRITE, err);
	*put = (size_t)n;
	return n == 0 ? LAYER_WANT_WRITE : LAYER_OK;
}

static void
socket_free(struct layer *l)
{
	struct socket_layer *s = container_of(l, struct socket_layer, layer);

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static const struct layer_ops socket_ops = {
	.name  = "socket",
	.read  = socket_read,
	.write = socket_write,
	.free  = socket_free,
};

void
socket_init(struct socket_layer *s, int fd)
{
	*s = (struct socket_layer){ { &socket_ops, NULL }, fd };
}

void
socket_no_delay(int fd)
{
	int on = 1;

	/* fails on what is not TCP, where it is not needed */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* The port is chosen at connect, so that many connections may share it. */
static bool
socket_source(int fd, struct ip source)
{
	struct endpoint from = { source, 0 };
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(from, &sa);
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

int
socket_connect(struct endpoint to, const struct ip *source, struct error *err)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		socket_error(err, errno);
		return -1;
	}
	socket_no_delay(fd);
	/* a source of the other family says nothing about this connection */
	if ((source == NULL || source->family != to.ip.family ||
	     socket_source(fd, *source)) &&
	    (connect(fd, (struct sockaddr *)&sa, len) == 0 ||
	     errno == EINPROGRESS))
		return fd;
	socket_error(err, errno);
	close(fd);
	return -1;
}

bool
socket_connected(int fd, struct error *err)
{
	int number = 0;
	socklen_t len = sizeof(number);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
		number = errno;
	return number == 0 || socket_error(err, number);
}
