/* test-stream.c - streams and their layers, over loopback */
#include "unit.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/listen.h"
#include "io/stream.h"
#include "rot13.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* One stream under test, and the bare other end of its connection. */
struct world {
	struct loop *loop;
	struct stream *stream;
	struct timer watchdog;
	int peer;			/* blocking */
	char log[256];			/* the events, a letter each */
	struct buf got;
	const char *stop_at;		/* the loop stops when log is this */
	void (*on_input)(struct world *w);
	void (*on_drained)(struct world *w);
	bool keep;			/* input stays in the buffer */
	char error[400];
};

static void
event(struct world *w, char c)
{
	size_t n = strlen(w->log);

	if (n + 1 < sizeof(w->log))
		w->log[n] = c;
	if (w->stop_at && strcmp(w->log, w->stop_at) == 0)
		loop_stop(w->loop);
}

static void
on_ready(void *arg)
{
	event(arg, 'r');
}

static void
on_input(void *arg)
{
	struct world *w = arg;
	struct buf *in = stream_in(w->stream);

	if (w->on_input)
		w->on_input(w);
	if (!w->keep && w->stream != NULL) {
		buf_add(&w->got, buf_span(in));
		buf_drop(in, in->len);
	}
	event(w, 'i');
}

static void
on_drained(void *arg)
{
	struct world *w = arg;

	if (w->on_drained)
		w->on_drained(w);
	event(w, 'd');
}

static void
on_timeout(void *arg)
{
	event(arg, 't');
}

static void
on_closed(void *arg, const struct error *err)
{
	struct world *w = arg;

	if (err)
		snprintf(w->error, sizeof(w->error), "%s", err->text);
	event(w, err ? 'x' : 'c');
}

static const struct stream_events events = {
	on_ready, on_input, on_drained, on_timeout, on_closed,
};

static void
watchdog(struct timer *t)
{
	struct world *w = container_of(t, struct world, watchdog);

	loop_stop(w->loop);
}

/* Runs until the events are these, or for at most 3 seconds. */
static void
run_until(struct world *w, const char *log)
{
	w->stop_at = log;
	timer_start(&w->watchdog, 3000);
	if (strcmp(w->log, log) != 0)
		loop_run(w->loop);
	timer_stop(&w->watchdog);
	assert_string_equal(w->log, log);
}

static void
run_for(struct world *w, int64_t ms)
{
	w->stop_at = NULL;
	timer_start(&w->watchdog, ms);
	loop_run(w->loop);
}

static struct endpoint
loopback(void)
{
	struct endpoint e;

	assert_true(endpoint_parse(SPAN("127.0.0.1:0"), &e));
	return e;
}

/* A world whose stream is the server's end; in_max bounds its input. */
static void
world_init(struct world *w, size_t in_max)
{
	struct endpoint at = loopback();
	struct sockaddr_storage sa;
	struct error err;
	socklen_t len;
	int fd;

	*w = (struct world){ .got = BUF_MAX(16 << 20) };
	w->loop = loop_new("test");
	timer_init(&w->watchdog, w->loop, watchdog);
	fd = listen_open(&at, true, &err);
	assert_true(fd >= 0);
	assert_int_not_equal(at.port, 0);
	assert_int_equal(listen(fd, 1), 0);
	w->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = endpoint_to_sockaddr(at, &sa);
	assert_int_equal(connect(w->peer, (struct sockaddr *)&sa, len), 0);
	w->stream = stream_accept(w->loop,
				  accept4(fd, NULL, NULL, SOCK_NONBLOCK),
				  in_max, &events, w);
	close(fd);
}

static void
world_fini(struct world *w)
{
	stream_close(&w->stream);
	if (w->peer >= 0)
		close(w->peer);
	timer_stop(&w->watchdog);
	loop_free(&w->loop);
	buf_fini(&w->got);
}

static void
say(struct world *w, const char *s)
{
	assert_int_equal(write(w->peer, s, strlen(s)), strlen(s));
}

static bool
got(const struct world *w, const char *s)
{
	return span_eq(buf_span(&w->got), span_of(s));
}

static void
input_comes_before_the_end(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1000);
	say(&w, "QUIT\r\n");
	shutdown(w.peer, SHUT_WR);
	run_until(&w, "ic");
	assert_true(got(&w, "QUIT\r\n"));
	/* the peer closed its half alone: it still hears us */
	buf_add_str(stream_out(w.stream), "221 bye\r\n");
	stream_send(w.stream);
	run_until(&w, "icd");
	char reply[20] = "";
	assert_int_equal(read(w.peer, reply, sizeof(reply)), 9);
	assert_string_equal(reply, "221 bye\r\n");
	world_fini(&w);
}

static void
what_belongs_together_leaves_in_one_segment(void **state)
{
	struct world w;
	char reply[100];

	(void)state;
	world_init(&w, 1000);
	for (int i = 0; i < 5; i++) {
		buf_add_str(stream_out(w.stream), "250 ok\r\n");
		stream_send(w.stream);
	}
	assert_int_equal(stream_pending(w.stream), 40);
	/* nothing leaves before the end of the turn */
	assert_int_equal(recv(w.peer, reply, sizeof(reply), MSG_DONTWAIT), -1);
	run_until(&w, "d");
	assert_int_equal(stream_pending(w.stream), 0);
	assert_int_equal(read(w.peer, reply, sizeof(reply)), 40);
	world_fini(&w);
}

static void
a_good_bye_leaves_with_the_close(void **state)
{
	struct world w;
	char reply[100];

	(void)state;
	world_init(&w, 1000);
	buf_add_str(stream_out(w.stream), "221 bye\r\n");
	stream_send(w.stream);
	stream_close(&w.stream);
	assert_null(w.stream);
	run_for(&w, 1);
	assert_int_equal(read(w.peer, reply, sizeof(reply)), 9);
	assert_int_equal(read(w.peer, reply, sizeof(reply)), 0);
	assert_string_equal(w.log, "");
	world_fini(&w);
}

static void
a_full_buffer_stops_reading(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	w.keep = true;
	say(&w, "0123456789abcdef");
	run_for(&w, 30);
	assert_int_equal(stream_in(w.stream)->len, 10);
	assert_string_equal(w.log, "i");
	buf_drop(stream_in(w.stream), 4);
	run_for(&w, 10);
	assert_int_equal(stream_in(w.stream)->len, 6);
	stream_resume(w.stream);
	run_until(&w, "ii");
	assert_true(span_eq(buf_span(stream_in(w.stream)), SPAN("456789abcd")));
	buf_drop(stream_in(w.stream), 10);
	w.keep = false;
	stream_resume(w.stream);
	run_until(&w, "iii");
	assert_true(got(&w, "ef"));
	world_fini(&w);
}

static void
drop_half(struct world *w)
{
	struct buf *in = stream_in(w->stream);

	if (in->len == 10) {
		buf_add(&w->got, span_sub(buf_span(in), 0, 5));
		buf_drop(in, 5);
	}
}

static void
a_buffer_emptied_by_input_goes_on_by_itself(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	w.keep = true;
	w.on_input = drop_half;
	say(&w, "0123456789abcdefghij");
	run_until(&w, "iii");
	assert_true(got(&w, "0123456789abcde"));
	world_fini(&w);
}

static void
a_paused_stream_says_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 100);
	stream_pause(w.stream);
	say(&w, "x");
	shutdown(w.peer, SHUT_WR);
	run_for(&w, 20);
	assert_string_equal(w.log, "");
	stream_resume(w.stream);
	run_until(&w, "ic");
	world_fini(&w);
}

static void
pause_now(struct world *w)
{
	stream_pause(w->stream);
}

static void
pausing_within_input_holds_the_rest_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 4);
	w.on_input = pause_now;
	say(&w, "abcdefgh");
	run_for(&w, 20);
	assert_true(got(&w, "abcd"));
	stream_resume(w.stream);
	run_for(&w, 20);
	assert_true(got(&w, "abcdefgh"));
	world_fini(&w);
}

static void
close_now(struct world *w)
{
	stream_close(&w->stream);
}

static void
a_stream_may_be_closed_by_its_own_events(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 100);
	w.on_input = close_now;
	w.keep = true;
	say(&w, "abc");
	run_until(&w, "i");
	run_for(&w, 1);
	world_fini(&w);

	world_init(&w, 100);
	w.on_drained = close_now;
	buf_add_str(stream_out(w.stream), "x");
	stream_send(w.stream);
	run_until(&w, "d");
	run_for(&w, 1);
	world_fini(&w);
}

static void
timeouts_can_be_put_off_and_stopped(void **state)
{
	struct world w;
	int64_t began_ms;

	(void)state;
	world_init(&w, 100);
	run_for(&w, 1);
	began_ms = clock_now_ms();
	stream_timeout(w.stream, 20);
	stream_timeout(w.stream, 60);
	run_until(&w, "t");
	assert_in_range(clock_now_ms() - began_ms, 55, 1000);
	stream_timeout(w.stream, 1000);
	began_ms = clock_now_ms();
	stream_timeout(w.stream, 10);		/* sooner than before */
	run_until(&w, "tt");
	assert_in_range(clock_now_ms() - began_ms, 8, 500);
	stream_timeout(w.stream, 10);
	stream_timeout(w.stream, 0);
	run_for(&w, 40);
	assert_string_equal(w.log, "tt");
	world_fini(&w);
}

static void
more_output_than_the_kernel_takes(void **state)
{
	enum { BIG = 24 << 20 };	/* more than both sockets hold */
	struct world w;
	size_t left = BIG;
	char *block = mem_new(BIG), *back = mem_new(1 << 16);

	(void)state;
	memset(block, 'x', BIG);
	world_init(&w, 100);
	buf_add(stream_out(w.stream), (struct span){ block, BIG });
	stream_send(w.stream);
	run_for(&w, 10);
	assert_string_equal(w.log, "");
	assert_true(stream_pending(w.stream) > 0);
	assert_true(stream_unacked(w.stream) > stream_pending(w.stream));
	while (left > 0) {
		ssize_t n = recv(w.peer, back, 1 << 16, MSG_DONTWAIT);

		if (n > 0)
			left -= (size_t)n;
		else
			run_for(&w, 1);
	}
	run_until(&w, "d");
	/* reading goes on beside it */
	say(&w, "ok");
	run_until(&w, "di");
	mem_free(block);
	mem_free(back);
	world_fini(&w);
}

static void
the_last_words_of_a_peer_are_heard(void **state)
{
	struct world w;
	struct linger hard = { 1, 0 };

	(void)state;
	world_init(&w, 100);
	say(&w, "421 too busy\r\n");
	setsockopt(w.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(w.peer);			/* with a reset */
	w.peer = -1;
	buf_add_str(stream_out(w.stream), "EHLO x\r\n");
	stream_send(w.stream);
	run_until(&w, "ix");
	assert_true(got(&w, "421 too busy\r\n"));
	assert_non_null(strstr(w.error, "connection"));
	world_fini(&w);
}

static void
connecting_says_why_it_failed(void **state)
{
	static const struct {
		const char *to, *source, *words;
	} rows[] = {
		{ "127.0.0.1:1",  NULL,          "connection refused" },
		{ "127.0.0.1:1",  "192.0.2.1",   "the source address is not" },
		{ "127.0.0.1:1",  "2001:db8::1", "connection refused" },
		{ "255.255.255.255:1", NULL,     "unreachable|not permitted" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = { .got = BUF_MAX(10), .peer = -1 };
		struct endpoint to;
		struct ip source;
		char first[64];
		size_t bar = strcspn(rows[i].words, "|");

		assert_true(endpoint_parse(span_of(rows[i].to), &to));
		if (rows[i].source)
			assert_true(ip_parse(span_of(rows[i].source), &source));
		w.loop = loop_new("test");
		timer_init(&w.watchdog, w.loop, watchdog);
		w.stream = stream_connect(w.loop, to,
					  rows[i].source ? &source : NULL, 100,
					  &events, &w);
		assert_string_equal(w.log, "");	/* never at once */
		run_until(&w, "x");
		snprintf(first, sizeof(first), "%.*s", (int)bar, rows[i].words);
		CHECK_ROW(i, strstr(w.error, first) ||
			     (rows[i].words[bar] &&
			      strstr(w.error, rows[i].words + bar + 1)));
		world_fini(&w);
	}
}

/* --- a layer ---------------------------------------------------------- */

static void
a_layer_changes_the_bytes_and_not_the_user(void **state)
{
	struct world w;
	bool freed = false;
	char back[32] = "";

	(void)state;
	world_init(&w, 100);
	stream_push(w.stream, rot_new(&freed));
	run_for(&w, 5);
	assert_int_equal(read(w.peer, back, 1), 1);
	assert_int_equal(back[0], '?');
	assert_string_equal(w.log, "");
	say(&w, "!uryyb");
	run_until(&w, "ri");
	assert_true(got(&w, "hello"));
	buf_add_str(stream_out(w.stream), "goodbye, and more");
	stream_send(w.stream);
	run_until(&w, "rid");
	stream_close(&w.stream);
	run_for(&w, 1);
	assert_true(freed);
	assert_int_equal(read(w.peer, back, sizeof(back)), 18);
	assert_memory_equal(back, "tbbqolr, naq zber.", 18);
	world_fini(&w);

	world_init(&w, 100);
	stream_push(w.stream, rot_new(&freed));
	say(&w, "n");
	run_until(&w, "x");
	assert_string_equal(w.error, "rot13: no, says the peer");
	world_fini(&w);
}

static void
an_idle_stream_costs_little(void **state)
{
	enum { N = 50 };
	struct world w[N];
	struct mallinfo2 before, after;
	size_t each;

	(void)state;
	for (int i = 0; i < N; i++) {
		world_init(&w[i], 64 * 1024);
		say(&w[i], "EHLO somebody\r\n");
		run_until(&w[i], "i");
		buf_add_str(stream_out(w[i].stream), "250 hello\r\n");
		stream_send(w[i].stream);
		run_until(&w[i], "id");
		buf_fini(&w[i].got);
	}
	after = mallinfo2();
	for (int i = 0; i < N; i++) {
		stream_close(&w[i].stream);
		run_for(&w[i], 1);
	}
	before = mallinfo2();
	each = (after.uordblks - before.uordblks) / N;
	if (after.uordblks != 0)	/* 0 under a sanitizer */
		assert_in_range(each, 100, 1024);
	for (int i = 0; i < N; i++)
		world_fini(&w[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_comes_before_the_end),
		cmocka_unit_test(what_belongs_together_leaves_in_one_segment),
		cmocka_unit_test(a_good_bye_leaves_with_the_close),
		cmocka_unit_test(a_full_buffer_stops_reading),
		cmocka_unit_test(a_buffer_emptied_by_input_goes_on_by_itself),
		cmocka_unit_test(a_paused_stream_says_nothing),
		cmocka_unit_test(pausing_within_input_holds_the_rest_back),
		cmocka_unit_test(a_stream_may_be_closed_by_its_own_events),
		cmocka_unit_test(timeouts_can_be_put_off_and_stopped),
		cmocka_unit_test(more_output_than_the_kernel_takes),
		cmocka_unit_test(the_last_words_of_a_peer_are_heard),
		cmocka_unit_test(connecting_says_why_it_failed),
		cmocka_unit_test(a_layer_changes_the_bytes_and_not_the_user),
		cmocka_unit_test(an_idle_stream_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
