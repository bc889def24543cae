/* test-smtpd-limits.c - too much, too large, too slow, no room */
#include "unit.h"
#include "smtpd-plays.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "smtpd/server.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- too much ------------------------------ */

static void
long_lines_are_skipped(void **state)
{
	struct world *w = world_new();
	AUTO(buf_fini) struct buf b = BUF_MAX(LIMIT_COMMAND * 4);

	(void)state;
	memset(buf_room(&b, LIMIT_COMMAND * 2), 'x', LIMIT_COMMAND * 2);
	buf_added(&b, LIMIT_COMMAND * 2);
	buf_add_str(&b, "\r\nNOOP\r\n");
	world_connect(w, "10.0.0.1");
	world_say(w, buf_span(&b));
	play(w, GREETED "<500 5.5.2 *\n<250 *\n" QUIT);
	/* in two reads, and exactly at the limit */
	world_connect(w, "10.0.0.1");
	world_say(w, span_sub(buf_span(&b), 0, LIMIT_COMMAND));
	world_turn(w);
	world_say(w, SPAN("yyy\r\nNOOP\r\n"));
	play(w, GREETED "<500 5.5.2 *\n<250 *\n");
	buf_cut(&b, LIMIT_COMMAND - 2);
	buf_add_str(&b, "\r\n");
	world_say(w, buf_span(&b));
	play(w, "<500 5.5.2 command*\n" QUIT);
	world_free(&w);
}

static void
nonsense_ends_the_session(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, GREETED);
	for (int i = 0; i < LIMIT_BAD_COMMANDS; i++)
		play(w, ">XYZZY\n<500 *\n");
	play(w, ">XYZZY\n<421 4.7.0 *\nX\n");
	world_free(&w);
}

/* lines of 64 octets; what is stored has the empty line before them, too */
static void
say_data(struct world *w, size_t lines)
{
	static const char line[] = "0123456789012345678901234567890123456789"
		"0123456789012345678901\r\n";

	for (size_t i = 0; i < lines && !w->gone; i++)
		world_say(w, SPAN(line));
	world_turn(w);
}

static void
large_messages_are_refused(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n");
	say_data(w, 1600);		/* exactly the limit */
	play(w, ">.\n<250 2.0.0 *\n" MAIL_ALPHA ">DATA\n<354 *\n");
	say_data(w, 1601);
	play(w, ">.\n<552 5.3.4 *\n>NOOP\n<250 *\n" MAIL_ALPHA
	     ">DATA\n<354 *\n");
	say_data(w, 4000);
	play(w, "<552 5.3.4 *\n");
	/* it lingers for a client that does not listen, but not for ever */
	world_hang_up(w);
	world_turn(w);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->items[0]->body->size, 102400 + 2);
	world_free(&w);
}

static void
chunks_are_added_up(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">BDAT 51200\n");
	say_data(w, 800);
	play(w, "<250 *\n>BDAT 51264 LAST\n");
	say_data(w, 801);
	play(w, "<552 5.3.4 *\n>BDAT 2 LAST\n=xx\n<503 *\n" MAIL_ALPHA
	     ">BDAT 102400 LAST\n");
	say_data(w, 1600);
	play(w, "<250 2.0.0 Ok*\n" QUIT);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->items[0]->body->size, 102400 + 2);
	world_free(&w);
}

static void
loops_are_stopped(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	for (int n = LIMIT_RECEIVED; n <= LIMIT_RECEIVED + 1; n++) {
		play(w, n == LIMIT_RECEIVED ? HELLO : "");
		play(w, MAIL_ALPHA ">DATA\n<354 *\n");
		for (int i = 0; i < n; i++)
			world_say(w, SPAN("Received: by x\r\n"));
		play(w, n == LIMIT_RECEIVED ? ">\n>.\n<250 *\n"
					    : ">\n>.\n<554 5.4.6 *\n");
	}
	assert_int_equal(w->count, 1);
	world_free(&w);
}

/* --- large bodies ------------------------------ */

static size_t bodies;

static int
count_body(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	bodies += type == FTW_F && strstr(path, "/bodies/") != NULL;
	return 0;
}

static size_t
bodies_in(const char *folder)
{
	bodies = 0;
	nftw(folder, count_body, 8, FTW_PHYS);
	return bodies;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Says lines of 64 octets as fast as they are taken. */
static void
pour(struct world *w, size_t lines)
{
	struct pollfd p = { .fd = w->fd, .events = POLLOUT };
	AUTO(buf_fini) struct buf b = BUF_MAX(64 * 1024);

	while (b.len < 64 * 1024)
		buf_add_str(&b, "0123456789012345678901234567890123456789"
			    "0123456789012345678901\r\n");
	for (size_t left = lines * 64; left > 0; ) {
		ssize_t n = send(w->fd, b.data, MIN(left, b.len), MSG_NOSIGNAL);

		/* keeps to whole lines */
		if (n > 0)
			left -= (size_t)n;
		if (n > 0 && n % 64 != 0) {
			world_say(w, span_sub(buf_span(&b), (size_t)n % 64,
					      64 - (size_t)n % 64));
			left -= 64 - (size_t)n % 64;
		}
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
		poll(&p, 1, 1);
	}
}

static void
large_bodies_wait_for_the_disk(void **state)
{
	char folder[] = "/tmp/postern-smtpd-XXXXXX", url[64];
	struct world *w;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(url, sizeof(url), "sqlite:%s", folder);
	w = world_new_with(&(struct world_options){
		.url = url, .memory = 128 * 1024,
	});
	w->config.message_size = 8 * 1024 * 1024;
	world_configure(w, false);
	world_connect(w, "10.0.0.1");
	play(w, GREETED ">HELO x\n<250 *\n" MAIL_ALPHA ">DATA\n<354 *\n");
	pour(w, 65536);
	world_say(w, SPAN(".\r\nNOOP\r\n"));
	for (int i = 0; i < 5000 && w->heard.len == 0; i++) {
		poll(NULL, 0, 1);
		world_turn(w);
	}
	play(w, "<250 2.0.0 Ok: queued *\n<250 2.0.0 Ok\n");
	assert_int_equal(w->count, 1);
	assert_int_equal(w->items[0]->body->size, 65536 * 64 + 2);
	assert_true(w->items[0]->body->in_file);
	/* one that is given up leaves nothing behind */
	play(w, MAIL_ALPHA ">DATA\n<354 *\n");
	pour(w, 16384);
	world_hang_up(w);
	world_turn(w);
	world_free(&w);
	assert_int_equal(bodies_in(folder), 1);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- no room ------------------------------ */

static void
no_memory_is_no_loss(void **state)
{
	struct world *w = world_new_with(&(struct world_options){
		.url = "memory:", .memory = 32 * 1024,
	});

	(void)state;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n");
	say_data(w, 1500);
	play(w, ">.\n<452 4.3.1 *\n>NOOP\n<250 *\n" MAIL_ALPHA);
	assert_int_equal(w->count, 0);
	assert_int_equal(w->reserved, 0);
	world_free(&w);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
}

/* Recipients are paid for out of limits.memory, also before the message. */
static void
no_memory_for_more_recipients(void **state)
{
	struct world *w = world_new_with(&(struct world_options){
		.url = "memory:", .memory = 32 * 1024,
	});
	char line[600];
	size_t n = 0;

	(void)state;
	w->config.recipients = 1000;
	world_configure(w, false);
	world_connect(w, "10.0.0.1");
	play(w, HELLO ">MAIL FROM:<>\n<250 *\n");
	for (bool room = true; room; n++) {
		assert_true(n < 1000);
		snprintf(line, sizeof(line), "RCPT TO:<r%zu@alpha.test> "
			 "ORCPT=rfc822;%0400d\r\n", n, 7);
		buf_clear(&w->heard);
		world_say(w, span_of(line));
		world_turn(w);
		room = strncmp(buf_str(&w->heard), "250", 3) == 0;
	}
	assert_non_null(strstr(buf_str(&w->heard), "452 4.3.1"));
	assert_true(n > 20);
	assert_true(w->budget.used > 8 * 1024);
	buf_clear(&w->heard);
	play(w, ">RSET\n<250 *\n>MAIL FROM:<>\n<250 *\n"
	     ">RCPT TO:<c@alpha.test>\n<250 *\n");
	assert_int_equal(w->budget.used, 0);
	world_free(&w);
}

static void
a_full_disk_is_no_loss(void **state)
{
	char folder[] = "/tmp/postern-smtpd-XXXXXX", url[64];
	struct world *w;

	(void)state;
	log_configure(LOG_FORMAT_TEXT, (enum log_level)-1);
	assert_non_null(mkdtemp(folder));
	snprintf(url, sizeof(url), "sqlite:%s", folder);
	w = world_new_with(&(struct world_options){
		.url = url, .free_space = INT64_MAX / 2, .plain = true,
	});
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n>.\n<452 4.3.1 *\n"
	     ">DATA\n<503 *\n" MAIL_ALPHA ">DATA\n<354 *\n>.\n<452 4.3.1 *\n"
	     QUIT);
	assert_int_equal(w->count, 0);
	assert_int_equal(w->reserved, 0);
	world_free(&w);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
}

static void
no_routes_is_not_for_ever(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->no_routes = true;
	world_configure(w, false);
	world_connect(w, "10.0.0.1");
	play(w, HELLO ">MAIL FROM:<>\n<250 *\n>RCPT TO:<c@alpha.test>\n"
	     "<451 4.3.5 *\n");
	world_free(&w);
}

/* --- too slow ------------------------------ */

/* A client that does not read its replies is not read from. */
static void
replies_do_not_pile_up(void **state)
{
	enum { MOST = 4 * 1024 * 1024 };
	struct world *w = world_new();
	size_t said = 0, lines = 0;
	char noops[6 * 100];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		memcpy(noops + 6 * i, "NOOP\r\n", 6);
	world_connect(w, "10.0.0.1");
	for (int idle = 0; idle < 20 && said < MOST; ) {
		ssize_t n = send(w->fd, noops + said % 6,
				 sizeof(noops) - 6, MSG_NOSIGNAL);

		idle = n > 0 ? 0 : idle + 1;
		said += n > 0 ? (size_t)n : 0;
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
	}
	assert_true(said < MOST);
	w->heard.max = 2 * MOST;
	world_turn(w);
	while (said % 6 != 0) {
		world_say(w, span_sub(SPAN("NOOP\r\n"), said % 6, 1));
		said++;
	}
	world_turn(w);
	for (size_t i = 0; i < w->heard.len; i++)
		lines += w->heard.data[w->heard.head + i] == '\n';
	assert_int_equal(lines, 1 + said / 6);
	world_free(&w);
}

static void
wait_gone(struct world *w)
{
	for (int i = 0; i < 3000 && !w->gone; i++) {
		poll(NULL, 0, 1);
		world_turn(w);
	}
}

static void
patience_has_an_end(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->smtpd->command_ms = w->smtpd->block_ms = 30;
	world_connect(w, "10.0.0.1");
	wait_gone(w);
	play(w, GREETED "<421 4.4.2 *\nX\n");
	world_connect(w, "10.0.0.1");
	world_say(w, SPAN("HELO x\r\nMAIL FROM:<>\r\n"
			  "RCPT TO:<c@alpha.test>\r\nDATA\r\ntext\r\n"));
	wait_gone(w);
	play(w, GREETED "<250 *\n<250 *\n<250 *\n<354 *\n<421 4.4.2 *\nX\n");
	/* letters of a command do not renew it */
	world_connect(w, "10.0.0.1");
	for (int i = 0; i < 1000 && !w->gone; i++) {
		world_say(w, SPAN("x"));
		poll(NULL, 0, 1);
		world_turn(w);
	}
	play(w, GREETED "<421 4.4.2 *\nX\n");
	assert_int_equal(w->count, 0);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_lines_are_skipped),
		cmocka_unit_test(nonsense_ends_the_session),
		cmocka_unit_test(large_messages_are_refused),
		cmocka_unit_test(chunks_are_added_up),
		cmocka_unit_test(loops_are_stopped),
		cmocka_unit_test(large_bodies_wait_for_the_disk),
		cmocka_unit_test(no_memory_is_no_loss),
		cmocka_unit_test(no_memory_for_more_recipients),
		cmocka_unit_test(a_full_disk_is_no_loss),
		cmocka_unit_test(no_routes_is_not_for_ever),
		cmocka_unit_test(replies_do_not_pile_up),
		cmocka_unit_test(patience_has_an_end),
	};

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
