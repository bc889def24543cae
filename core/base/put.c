/* put.c - writing without waiting for ever
 *
 * The descriptor may be shared with other programs, so it must not be made
 * non-blocking: poll() tells when there is room for PIPE_BUF bytes, and no more
 * is written at once.  Where two write to the same pipe one may find the room
 * gone, and wait; who cannot afford that takes put_open().
 */
#include "base/put.h"

#include "base/clock.h"
#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FULL_MS = 1 };	/* the room that there was is gone */

static ssize_t
put_some(int fd, struct span s)
{
	size_t most = MIN(s.n, (size_t)PIPE_BUF);
	ssize_t n = send(fd, s.p, most, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(fd, s.p, most);
	return n;
}

enum put_result
put_write(int fd, struct span *s, int64_t wait_ms)
{
	int64_t until_ms = clock_awake_ms() + wait_ms;

	while (s->n > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int64_t left_ms = MAX(until_ms - clock_awake_ms(), 0);
		int rc = poll(&p, 1, (int)MIN(left_ms, INT_MAX));
		ssize_t n;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return PUT_LATE;
		n = put_some(fd, *s);
		if (n > 0)
			*s = (struct span){ s->p + n, s->n - (size_t)n };
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			poll(NULL, 0, FULL_MS);
		else
			return PUT_NOBODY;
	}
	return PUT_ALL;
}

int
put_open(int fd)
{
	struct stat st;
	char path[40];

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}
