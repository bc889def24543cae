/* test-smtpd-filters.c - sessions that wait for filters, reloading, stopping */
#include "unit.h"
#include "smtpd-world.h"
#include "smtpd-plays.h"

#include "base/log.h"
#include "base/macros.h"

#include <poll.h>
#include <unistd.h>

/* --- filters ------------------------------ */

static void
filters_are_asked_and_told(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_configure(w, true);
	fake_gateway.field = "gw";
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">RCPT TO:<d@gamma.test>\n<250 *\n"
	     ">DATA\n<354 *\n>A: b\n>\n>.\n<250 *\n" QUIT);
	for (size_t i = HOOK_CONNECT; i <= HOOK_MESSAGE; i++)
		CHECK_ROW(i, fake_gateway.asked[i] == (i == HOOK_RCPT ? 2 : 1));
	assert_int_equal(fake_route.asked[HOOK_MESSAGE], 1);
	assert_true(contains(&w->items[0]->prefix, "X-Filter: gw"));
	assert_true(contains(&w->items[1]->prefix, "X-Filter: gw"));
	world_free(&w);
}

static const struct {
	enum hook hook;
	postern_verdict verdict;
	int code;
	const char *script;
} refusals[] = {
	{ HOOK_CONNECT, POSTERN_REJECT, 0, "<554 5.7.1 *\nX\n" },
	{ HOOK_CONNECT, POSTERN_DEFER, 0, "<451 4.7.1 *\nX\n" },
	{ HOOK_HELO, POSTERN_REJECT, 0, GREETED ">HELO x\n<550 *\n"
	  ">MAIL FROM:<>\n<503 *\n" },
	{ HOOK_MAIL, POSTERN_DEFER, 0, HELLO ">MAIL FROM:<>\n<451 4.7.1 *\n"
	  ">RCPT TO:<c@alpha.test>\n<503 *\n>MAIL FROM:<>\n<451 *\n" },
	{ HOOK_RCPT, POSTERN_REJECT, 553, HELLO ">MAIL FROM:<>\n<250 *\n"
	  ">RCPT TO:<c@alpha.test>\n<553 said the filter\n>DATA\n<503 *\n" },
	{ HOOK_RCPT, POSTERN_DEFER, 553, HELLO ">MAIL FROM:<>\n<250 *\n"
	  ">RCPT TO:<c@alpha.test>\n<451 4.7.1 *\n" },
	{ HOOK_MESSAGE, POSTERN_REJECT, 0, HELLO MAIL_ALPHA ">DATA\n<354 *\n"
	  ">.\n<550 5.7.1 *\n>DATA\n<503 *\n" MAIL_ALPHA },
	{ HOOK_MESSAGE, POSTERN_DISCARD, 0, HELLO MAIL_ALPHA ">DATA\n<354 *\n"
	  ">.\n<250 2.0.0 Ok: queued as *\n" MAIL_ALPHA },
};

static void
filters_refuse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		for (int later = 0; later < 2; later++) {
			struct world *w = world_new();

			print_message("refusal %zu %s\n", i,
				      later ? "later" : "at once");
			world_configure(w, true);
			fake_gateway.verdict[refusals[i].hook] =
				refusals[i].verdict;
			fake_gateway.reply_code = refusals[i].code;
			fake_gateway.later = later;
			world_connect(w, "10.0.0.1");
			play(w, refusals[i].script);
			CHECK_ROW(i, w->count == 0 && w->reserved == 0);
			world_free(&w);
		}
}

static void
the_session_waits_for_filters(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_configure(w, true);
	fake_gateway.verdict[HOOK_RCPT] = POSTERN_PENDING;
	fake_route.verdict[HOOK_MESSAGE] = POSTERN_PENDING;
	world_connect(w, "10.0.0.1");
	play(w, HELLO ">MAIL FROM:<a@b.test>\n<250 *\n"
	     ">RCPT TO:<c@gamma.test>\n>RCPT TO:<d@gamma.test>\n>NOOP\n");
	world_answer(w, POSTERN_CONTINUE);
	play(w, "<250 2.1.5 *\n");
	world_answer(w, POSTERN_REJECT);
	play(w, "<550 5.7.1 *\n<250 *\n>DATA\n<354 *\n>.\n>NOOP\n");
	world_answer(w, POSTERN_CONTINUE);
	play(w, "<250 2.0.0 Ok: queued *\n<250 2.0.0 Ok\n");
	assert_int_equal(w->count, 1);
	assert_true(span_eq(w->items[0]->env->rcpts[0].address.text,
			    SPAN("c@gamma.test")));
	/* a route's filter discards: that route's item only */
	play(w, ">MAIL FROM:<a@b.test>\n<250 *\n>RCPT TO:<c@gamma.test>\n");
	world_answer(w, POSTERN_CONTINUE);
	play(w, "<250 *\n>RCPT TO:<c@alpha.test>\n");
	world_answer(w, POSTERN_CONTINUE);
	play(w, "<250 *\n>DATA\n<354 *\n>.\n");
	world_answer(w, POSTERN_DISCARD);
	play(w, "<250 2.0.0 Ok: queued *\n");
	assert_int_equal(w->count, 2);
	assert_string_equal(w->items[1]->route, "alpha");
	/* and who leaves while it waits is forgotten */
	play(w, ">MAIL FROM:<a@b.test>\n<250 *\n>RCPT TO:<c@gamma.test>\n");
	world_hang_up(w);
	world_turn(w);
	world_answer(w, POSTERN_CONTINUE);
	world_free(&w);
}

/* --- reload and stop ------------------------------ */

static void
transactions_keep_their_configuration(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_configure(w, true);
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA);
	w->config.recipients = 1;
	w->config.message_size = 2048;
	world_configure(w, false);
	assert_int_equal(fake_gateway.open, 1);
	play(w, ">RCPT TO:<d@alpha.test>\n<250 *\n>RSET\n<250 *\n");
	assert_int_equal(fake_gateway.open, 0);
	play(w, MAIL_ALPHA ">RCPT TO:<d@alpha.test>\n<452 *\n>RSET\n<250 *\n"
	     ">MAIL FROM:<> SIZE=2049\n<552 *\n" QUIT);
	world_free(&w);
}

static void
note_stopped(void *arg)
{
	struct world *w = arg;

	assert_false(w->stopped);
	w->stopped = true;
}

static void
stopping_lets_transactions_end(void **state)
{
	struct world *w = world_new();
	int idle;

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO);
	idle = w->fd;
	w->fd = -1;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA);
	smtpd_stop(w->smtpd, 60 * 1000, note_stopped, w);
	play(w, ">DATA\n<354 *\n>.\n<250 2.0.0 Ok: queued *\n"
	     "<421 4.3.2 *\nX\n");
	assert_true(w->stopped);
	assert_int_equal(w->count, 1);
	w->fd = idle;
	w->gone = false;
	play(w, "<421 4.3.2 *\nX\n");
	world_free(&w);
}

static void
stopping_has_an_end(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n");
	smtpd_stop(w->smtpd, 10, note_stopped, w);
	for (int i = 0; i < 2000 && !w->stopped; i++) {
		poll(NULL, 0, 1);
		world_turn(w);
	}
	world_turn(w);
	assert_true(w->stopped);
	assert_true(w->gone);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_are_asked_and_told),
		cmocka_unit_test(filters_refuse),
		cmocka_unit_test(the_session_waits_for_filters),
		cmocka_unit_test(transactions_keep_their_configuration),
		cmocka_unit_test(stopping_lets_transactions_end),
		cmocka_unit_test(stopping_has_an_end),
	};

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
