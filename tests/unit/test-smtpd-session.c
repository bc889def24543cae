/* test-smtpd-session.c - dialogues with the server */
#include "unit.h"
#include "smtpd-world.h"
#include "smtpd-plays.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/socket.h>

/* Played in each of three ways, each with a new session. */
static const struct {
	const char *script;
	size_t accepted;		/* items */
	const char *body;		/* of the first; NULL: not looked at */
} plays[] = {
	/* the usual way */
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n>Subject: x\n>\n>text\n>.\n"
	  "<250 2.0.0 Ok: queued as ??????????\n" QUIT, 1,
	  "Subject: x\r\n\r\ntext\r\n" },
	/* old manners: HELO without a name, no brackets, blanks, lower case */
	{ GREETED ">HELO\n<250 gw.test\n>mail from: a@b.test\n<250 *\n"
	  ">rcpt to: c@alpha.test \n<250 *\n>data\n<354 *\n>.\n<250 2.0.0 *\n"
	  QUIT, 1, "\r\n" },
	{ GREETED ">\n>\n>HELO [192.168.1.21]\n<250 *\n" QUIT, 0, NULL },
	/* two messages in one session, the second with a null sender */
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n>.\n<250 *\n"
	  ">MAIL FROM:<>\n<250 *\n>RCPT TO:<c@alpha.test>\n<250 *\n"
	  ">DATA\n<354 *\n>.\n<250 *\n" QUIT, 2, NULL },
	/* sequence */
	{ GREETED ">MAIL FROM:<a@b.test>\n<503 5.5.1 *\n"
	  ">RCPT TO:<c@alpha.test>\n<503 5.5.1 *\n>DATA\n<503 5.5.1 *\n"
	  ">EHLO x\n<250-*\n<250-*\n<250-*\n<250-*\n<250-*\n<250-*\n<250-*\n"
	  "<250 *\n>RCPT TO:<c@alpha.test>\n<503 5.5.1 *\n"
	  ">MAIL FROM:<a@b.test>\n<250 *\n>MAIL FROM:<a@b.test>\n<503 5.5.1 *\n"
	  ">DATA\n<503 5.5.1 *recipient*\n" QUIT, 0, NULL },
	/* RSET and HELO forget */
	{ HELLO MAIL_ALPHA ">RSET\n<250 2.0.0 *\n>DATA\n<503 *\n" MAIL_ALPHA
	  ">HELO x\n<250 *\n>DATA\n<503 *\n" QUIT, 0, NULL },
	/* the small ones */
	{ HELLO ">NOOP\n<250 2.0.0 *\n>NOOP what\n<250 *\n>VRFY x\n<252 2.1.5 *\n"
	  ">VRFY\n<501 5.5.4 *\n>EXPN x\n<502 5.5.1 *\n>HELP\n<214 2.0.0 *\n"
	  ">RSET x\n<501 *\n>XYZZY\n<500 5.5.2 *\n" QUIT, 0, NULL },
	{ HELLO ">GET / HTTP/1.1\n<421 4.7.0 *\nX\n", 0, NULL },
	/* what is malformed */
	{ HELLO ">MAIL\n<501 *\n>MAIL FROM:<a@b.test> XYZ=1\n<555 *\n"
	  ">MAIL FROM:<a@b.test> SIZE=x\n<501 *\n>MAIL FROM:<a@b.test\n<5*\n"
	  ">MAIL FROM:<a@b.test> BODY=BINARYMIME\n<555 *\n" QUIT, 0, NULL },
	/* limits */
	{ HELLO ">MAIL FROM:<a@b.test> SIZE=102401\n<552 5.3.4 *\n"
	  ">MAIL FROM:<a@b.test> SIZE=102400 BODY=8BITMIME\n<250 *\n"
	  ">RCPT TO:<1@alpha.test>\n<250 *\n>RCPT TO:<2@alpha.test>\n<250 *\n"
	  ">RCPT TO:<3@alpha.test>\n<250 *\n>RCPT TO:<4@alpha.test>\n<250 *\n"
	  ">RCPT TO:<5@alpha.test>\n<250 *\n>RCPT TO:<1@alpha.test>\n<250 *\n"
	  ">RCPT TO:<6@alpha.test>\n<452 4.5.3 *\n" QUIT, 0, NULL },
	/* postmaster without a domain is at the gateway's own name, which no
	 * route takes here */
	{ HELLO ">MAIL FROM:<>\n<250 *\n>RCPT TO:<postmaster>\n"
	  "<550 5.7.1 *<postmaster@gw.test>*\n" QUIT, 0, NULL },
	/* no route: told at RCPT, without a name; perhaps one: at the end */
	{ HELLO ">MAIL FROM:<a@b.test>\n<250 *\n>RCPT TO:<c@nowhere.test>\n"
	  "<550 5.7.1 no route takes mail for <c@nowhere.test>; the "
	  "administrator sees why with `postern explain'\n"
	  ">RCPT TO:<c@beta.test>\n<250 *\n>DATA\n<354 *\n>Subject: x\n>.\n"
	  "<550 5.7.1 *<c@beta.test>*\n>DATA\n<503 *\n" QUIT, 0, NULL },
	{ HELLO ">MAIL FROM:<a@b.test>\n<250 *\n>RCPT TO:<c@beta.test>\n<250 *\n"
	  ">RCPT TO:<c@alpha.test>\n<250 *\n>DATA\n<354 *\n>X-Beta: 1\n>.\n"
	  "<250 *\n" QUIT, 2, "X-Beta: 1\r\n\r\n" },
	/* dots */
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n>..\n>..x\n>...\n>.\n<250 *\n" QUIT,
	  1, "\r\n.\r\n.x\r\n..\r\n" },
	/* only CRLF.CRLF ends the data */
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n"
	  "=a\\n.\\nMAIL FROM:<x@b.test>\\r\\n.\\r\\n\n"
	  "<250 2.0.0 Ok: queued*\n" QUIT, 1, "\r\na\r\n.\r\nMAIL FROM:<x@b.test>\r\n" },
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n=a\\n.\\r\\nRSET\\r\\n.\\r\\n\n"
	  "<250 2.0.0 Ok: queued*\n" QUIT, 1, "\r\na\r\n.\r\nRSET\r\n" },
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n=a\\r\\n.\\nRSET\\r\\n.\\r\\n\n"
	  "<250 2.0.0 Ok: queued*\n" QUIT, 1, NULL },
	{ HELLO MAIL_ALPHA ">DATA\n<354 *\n=a\\r.\\rRSET\\r\\n.\\r\\n\n"
	  "<250 2.0.0 Ok: queued*\n" QUIT, 1, "\r\na\r\n.\r\nRSET\r\n" },
	/* BDAT */
	{ HELLO MAIL_ALPHA ">BDAT 6\n=ab\\r\\ncd\n<250 2.0.0 6 octets *\n"
	  ">BDAT 4 LAST\n=\\r\\n.\\r\n<250 2.0.0 Ok: queued*\n" QUIT, 1,
	  "\r\nab\r\ncd\r\n.\r\n" },
	{ HELLO MAIL_ALPHA ">BDAT 2\n=ab\n<250 *\n>BDAT 0 LAST\n"
	  "<250 2.0.0 Ok: queued*\n" QUIT, 1, "\r\nab\r\n" },
	{ HELLO MAIL_ALPHA ">BDAT 0\n<250 *\n>DATA\n<503 5.5.1 *\n"
	  ">RCPT TO:<d@alpha.test>\n<503 5.5.1 *\n>RSET\n<250 *\n" MAIL_ALPHA
	  ">DATA\n<354 *\n>.\n<250 *\n" QUIT, 1, "\r\n" },
	{ HELLO ">BDAT 6 LAST\n=RSET\\r\\n\n<503 5.5.1 *\n>NOOP\n<250 *\n" QUIT,
	  0, NULL },
	{ HELLO MAIL_ALPHA ">BDAT 1\n=x\n<250 *\n>BDAT 102400 LAST\n=xx\n", 0,
	  NULL },
	{ HELLO MAIL_ALPHA ">BDAT x\n<501 *\nX\n", 0, NULL },
	{ HELLO MAIL_ALPHA ">BDAT 999999999\n<552 5.3.4 *\n", 0, NULL },
};

static const char *const way_names[] = { "lines", "bytes", "at once" };

static bool with_filters = true;

static void
dialogues(void **state)
{
	/* without and with filters the ways differ */
	const struct world_options options = {
		.url = "memory:", .plain = *state == NULL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(plays); i++)
		for (enum way way = WAY_LINES; way <= WAY_AT_ONCE; way++) {
			struct world *w = world_new_with(&options);

			print_message("play %zu, %s\n", i, way_names[way]);
			world_connect(w, "10.0.0.1");
			world_play(w, plays[i].script, way);
			CHECK_ROW(i, w->count == plays[i].accepted);
			CHECK_ROW(i, w->reserved == w->count);
			if (plays[i].body != NULL) {
				const struct buf *b = &w->items[0]->body->bytes;

				CHECK_ROW(i, span_eq(buf_span(b),
						span_of(plays[i].body)));
			}
			world_free(&w);
		}
}

/* --- what is put in front ------------------------------ */

static void
fields_are_added(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n>Subject: x\n>\n>.\n<250 *\n"
	     MAIL_ALPHA ">RCPT TO:<d@alpha.test>\n<250 *\n>DATA\n<354 *\n"
	     ">Date: today\n>Message-ID: <1@x>\n>\n>.\n<250 *\n"
	     MAIL_ALPHA ">DATA\n<354 *\n>no header\n>.\n<250 *\n");
	assert_int_equal(w->count, 3);
	for (size_t i = 0; i < 3; i++) {
		AUTO(buf_fini) struct buf m = world_message(w, i);
		bool made = i != 1;

		assert_int_equal(strncmp(buf_str(&m), "Received: from printer",
					 22), 0);
		CHECK_ROW(i, contains(&m, "10.0.0.1"));
		CHECK_ROW(i, contains(&m, "ESMTP"));
		CHECK_ROW(i, contains(&m, "for <c@alpha.test>") == made);
		CHECK_ROW(i, contains(&m, "@gw.test>\r\n") == made);
		CHECK_ROW(i, contains(&m, "\r\nDate: ") == true);
		CHECK_ROW(i, contains(&m, "Date: today") == !made);
		CHECK_ROW(i, contains(&m, "\r\n\r\nno header\r\n") == (i == 2));
	}
	assert_string_equal(w->items[1]->origin.message_id, "<1@x>");
	assert_string_equal(w->items[0]->origin.client, "10.0.0.1");
	assert_string_equal(w->items[0]->origin.helo, "printer");
	assert_string_equal(w->items[0]->origin.listener, "test:25");
	assert_string_equal(w->items[0]->route, "alpha");
	assert_true(w->items[0]->claimed);
	world_free(&w);
}

static void
where_8_bits_occur_is_kept(void **state)
{
	static const struct { const char *text; bool any, header; } rows[] = {
		{ ">Subject: u\n>\n>u\n", false, false },
		{ ">Subject: u\n>\n>\xc3\xbc\n", true, false },
		{ ">Subject: \xc3\xbc\n>\n>u\n", true, true },
		{ ">Subject: u\n> \xc3\xbc\n>\n>u\n", true, true },
		{ ">\n>\xc3\xbc: u\n", true, false },
		{ ">\xc3\xbc: begins without a header\n", true, false },
	};
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play(w, MAIL_ALPHA ">DATA\n<354 *\n");
		play(w, rows[i].text);
		play(w, ">.\n<250 *\n");
		CHECK_ROW(i, w->items[i]->body->has_8bit == rows[i].any);
		CHECK_ROW(i, w->items[i]->body->header_8bit == rows[i].header);
	}
	world_free(&w);
}

static void
each_route_has_an_item(void **state)
{
	struct world *w = world_new();

	(void)state;
	fake_route.field = "of the route";
	world_connect(w, "10.0.0.1");
	play(w, HELLO ">MAIL FROM:<a@b.test> RET=HDRS ENVID=xy\n<250 *\n"
	     ">RCPT TO:<1@gamma.test> NOTIFY=NEVER\n<250 *\n"
	     ">RCPT TO:<2@alpha.test>\n<250 *\n>RCPT TO:<3@gamma.test>\n<250 *\n"
	     ">DATA\n<354 *\n>A: b\n>.\n<250 *\n");
	assert_int_equal(w->count, 2);
	assert_string_equal(w->items[0]->route, "gamma");
	assert_string_equal(w->items[1]->route, "alpha");
	assert_int_equal(w->items[0]->env->rcpt_count, 2);
	assert_int_equal(w->items[1]->env->rcpt_count, 1);
	assert_int_equal(w->items[0]->env->rcpts[0].notify, DSN_NOTIFY_NEVER);
	assert_int_equal(w->items[1]->env->ret, DSN_RET_HDRS);
	assert_true(span_eq(w->items[1]->env->envid, SPAN("xy")));
	assert_true(span_eq(w->items[0]->env->rcpts[1].address.text,
			    SPAN("3@gamma.test")));
	assert_true(contains(&w->items[0]->prefix, "X-Filter: of the route"));
	assert_false(contains(&w->items[1]->prefix, "X-Filter"));
	assert_true(w->items[0]->body->id == w->items[1]->body->id);
	assert_int_equal(item_message(w->items[0]->id),
			 item_message(w->items[1]->id));
	assert_int_equal(fake_route.asked[HOOK_MESSAGE], 1);
	assert_int_equal(fake_route.ended, 1);
	world_free(&w);
}

/* --- who may ------------------------------ */

static void
strangers_do_not_relay(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "192.0.2.1");
	play(w, HELLO ">MAIL FROM:<>\n<250 *\n>RCPT TO:<c@alpha.test>\n"
	     "<550 5.7.1 *192.0.2.1*relay.networks*\n>RCPT TO:<postmaster>\n"
	     "<550 5.7.1 *\n>DATA\n<503 *\n");
	for (int i = 0; i < LIMIT_BAD_COMMANDS - 3; i++)
		play(w, ">RCPT TO:<c@alpha.test>\n<550 *\n");
	play(w, ">RCPT TO:<c@alpha.test>\n<421 4.7.0 *\nX\n");
	world_free(&w);
}

static void
sessions_are_limited(void **state)
{
	struct world *w = world_new();
	int kept[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		world_connect(w, "10.0.0.1");
		play(w, GREETED);
		kept[i] = w->fd;
		w->fd = -1;
	}
	world_connect(w, "10.0.0.1");
	play(w, "<421 4.7.0 *sessions_per_client*\nX\n");
	world_connect(w, "10.0.0.2");
	play(w, GREETED QUIT);
	for (int i = 0; i < 3; i++)
		close(kept[i]);
	world_turn(w);
	world_connect(w, "10.0.0.1");
	play(w, GREETED QUIT);
	world_free(&w);
}

/* --- who goes early ------------------------------ */

static void
nothing_is_half_accepted(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n>text\n");
	world_hang_up(w);
	world_turn(w);
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">BDAT 10 LAST\n=text\n");
	world_hang_up(w);
	world_turn(w);
	assert_int_equal(w->count, 0);
	world_free(&w);
}

static void
the_gone_are_accepted(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n");
	world_say(w, SPAN("text\r\n.\r\n"));
	world_hang_up(w);
	world_turn(w);
	assert_int_equal(w->count, 1);
	/* who stops talking may still be listening */
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n");
	world_say(w, SPAN("text\r\n.\r\nNOOP\r\nQUIT\r\n"));
	shutdown(w->fd, SHUT_WR);
	play(w, "<250 2.0.0 Ok: queued *\n<250 *\n<221 *\nX\n");
	assert_int_equal(w->count, 2);
	world_free(&w);
}

static void
a_full_window_leaves_items_unclaimed(void **state)
{
	struct world *w = world_new();
	struct smtpd_stats stats;

	(void)state;
	w->window = 0;
	world_connect(w, "10.0.0.1");
	play(w, HELLO MAIL_ALPHA ">DATA\n<354 *\n>.\n<250 2.0.0 *\n" QUIT);
	assert_int_equal(w->count, 0);
	smtpd_stats(w->smtpd, &stats);
	assert_int_equal(stats.accepted, 1);
	assert_int_equal(stats.sessions, 1);
	assert_int_equal(stats.open, 0);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues),
		cmocka_unit_test_prestate(dialogues, &with_filters),
		cmocka_unit_test(fields_are_added),
		cmocka_unit_test(where_8_bits_occur_is_kept),
		cmocka_unit_test(each_route_has_an_item),
		cmocka_unit_test(strangers_do_not_relay),
		cmocka_unit_test(sessions_are_limited),
		cmocka_unit_test(nothing_is_half_accepted),
		cmocka_unit_test(the_gone_are_accepted),
		cmocka_unit_test(a_full_window_leaves_items_unclaimed),
	};

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
