/* test-io.c - listeners, over loopback */
#include "unit.h"

#include "base/macros.h"
#include "io/listen.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct endpoint
loopback(void)
{
	struct endpoint e;

	assert_true(endpoint_parse(SPAN("127.0.0.1:0"), &e));
	return e;
}

/* --- listeners -------------------------------------------------------- */

struct door {
	struct loop *loop;
	struct listener *listener;
	struct timer watchdog;
	int fds[64];
	size_t n, stop_at;
};

static void
on_accepted(void *arg, int fd, struct endpoint peer)
{
	struct door *d = arg;

	assert_true(ip_is_loopback(peer.ip));
	assert_int_not_equal(peer.port, 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	d->fds[d->n++] = fd;
	if (d->n == d->stop_at)
		loop_stop(d->loop);
}

static void
door_watchdog(struct timer *t)
{
	loop_stop(container_of(t, struct door, watchdog)->loop);
}

static void
door_run(struct door *d, size_t until, int64_t ms)
{
	d->stop_at = until;
	timer_start(&d->watchdog, ms);
	if (d->n < until)
		loop_run(d->loop);
	timer_stop(&d->watchdog);
}

static void
listeners_accept_and_rest(void **state)
{
	struct door d = { .n = 0 };
	struct endpoint at = loopback(), again;
	struct rlimit old, low;
	struct sockaddr_storage sa;
	struct error err;
	socklen_t len;
	int fd = listen_open(&at, true, &err), clients[3], second;

	(void)state;
	assert_true(fd >= 0);
	again = at;
	second = listen_open(&again, false, &err);	/* one for each loop */
	assert_true(second >= 0);
	close(second);
	d.loop = loop_new("test");
	timer_init(&d.watchdog, d.loop, door_watchdog);
	d.listener = listener_start(d.loop, fd, on_accepted, &d);
	len = endpoint_to_sockaddr(at, &sa);
	for (size_t i = 0; i < 3; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&sa,
					 len), 0);
	}
	door_run(&d, 3, 2000);
	assert_int_equal(d.n, 3);
	close(clients[2]);

	/* no descriptor left: the client waits, and is taken later */
	clients[2] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)clients[2] + 1;
	for (int i = 0; i < (int)low.rlim_cur; i++)
		if (fcntl(i, F_GETFD) < 0)
			fcntl(fd, F_DUPFD, i);
	assert_int_equal(connect(clients[2], (struct sockaddr *)&sa, len), 0);
	setrlimit(RLIMIT_NOFILE, &low);
	door_run(&d, 4, 100);
	assert_int_equal(d.n, 3);
	setrlimit(RLIMIT_NOFILE, &old);
	door_run(&d, 4, 2000);
	assert_int_equal(d.n, 4);

	listener_stop(&d.listener);
	assert_null(d.listener);
	for (size_t i = 0; i < d.n; i++)
		close(d.fds[i]);
	for (size_t i = 0; i < 3; i++)
		close(clients[i]);
	loop_free(&d.loop);
}

static void
a_port_in_use_is_named(void **state)
{
	struct endpoint at = loopback();
	struct sockaddr_storage sa;
	struct error err;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	len = sizeof(sa);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	assert_true(endpoint_from_sockaddr((struct sockaddr *)&sa, &at));
	assert_int_equal(listen_open(&at, true, &err), -1);
	assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1:"));
	assert_non_null(strstr(err.hint, "another program"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_accept_and_rest),
		cmocka_unit_test(a_port_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
