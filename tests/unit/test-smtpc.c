/* test-smtpc.c - the client engine against servers that behave and that do not
 *
 * A server is a script, played by a thread over real connections:
 *	@		accept the next connection
 *	> text		say a line (CRLF is added)
 *	>> text		say these bytes; \r and \n as such
 *	b text		say a line, byte by byte
 *	< text		the client's next line is this
 *	<*		the client's next line, whatever it is
 *	.		take the message up to its end; the body's lines follow
 *	= text		a line of the message that was taken
 *	n 123		the message that was taken had as many octets
 *	z 20		do nothing for as many milliseconds
 *	!		close
 *	x		close with a reset
 *	?		the client closes
 * and what the client makes of it are outcomes: a letter for the kind, the
 * code, the phase, then perhaps | and words that the text holds.
 */
#include "unit.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "io/dns.h"
#include "io/listen.h"
#include "smtpc/smtpc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES = 64, WANTS = 8 };

enum {
	EIGHTBIT = 1, UTF8_SENDER = 2, UTF8_RCPT = 4, DSN_WISHES = 8,
	LARGE = 16, SLOW_SOURCE = 32, BROKEN_SOURCE = 64, SHORT_SOURCE = 128,
	AT_ONCE = 256,		/* the messages side by side */
	EMPTY = 512, DEAD_SOURCE = 1024,
};

struct play {
	const char *title;
	unsigned flags;
	size_t rcpts, messages;		/* 0: one */
	int64_t patience_ms;		/* of everything; 0: 2 s */
	unsigned reuse;
	int64_t idle_ms;
	const char *script[LINES];
	const char *want[WANTS];	/* for each message, for each recipient */
};

/* --- the server ------------------------------------------------------ */

struct server {
	int listener, fd;
	const char *const *script;
	struct buf in, message;
	size_t shown;			/* of message: by = */
	char wrong[600];		/* "" : all went by the script */
};

/* At most 3 seconds for whatever it is. */
static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 3000) > 0;
}

static bool
server_more(struct server *s)
{
	char *to = buf_room(&s->in, 65536);
	ssize_t n = to && readable(s->fd) ? read(s->fd, to, 65536) : -1;

	if (n <= 0)
		return false;
	buf_added(&s->in, (size_t)n);
	return true;
}

static bool
server_line(struct server *s, struct span *line)
{
	size_t end;

	while ((end = span_find(buf_span(&s->in), '\n')) == s->in.len)
		if (!server_more(s))
			return false;
	*line = span_sub(buf_span(&s->in), 0, end);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	else
		return false;
	return true;
}

static bool
server_take_line(struct server *s, const char *want, char *got, size_t size)
{
	struct span line;
	bool ok;

	snprintf(got, size, "nothing");
	if (!server_line(s, &line))
		return false;
	snprintf(got, size, "%.*s", SPAN_ARG(line));
	ok = want == NULL || span_eq(line, span_of(want));
	buf_drop(&s->in, line.n + 2);
	return ok;
}

static bool
server_take_message(struct server *s)
{
	struct span line;

	buf_clear(&s->message);
	s->shown = 0;
	while (server_line(s, &line)) {
		bool end = span_eq(line, SPAN("."));

		if (!end) {
			buf_add(&s->message, line.n && line.p[0] == '.'
				? span_from(line, 1) : line);
			buf_add_str(&s->message, "\r\n");
		}
		buf_drop(&s->in, line.n + 2);
		if (end)
			return true;
	}
	return false;
}

static bool
server_shown(struct server *s, const char *want)
{
	struct span rest = span_from(buf_span(&s->message), s->shown);
	size_t end = span_find(rest, '\r');

	s->shown += end + 2;
	return span_eq(span_sub(rest, 0, end), span_of(want));
}

static bool
server_say(struct server *s, const char *text, bool bytewise)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 20);
	size_t step;

	buf_add_str(&b, text);
	buf_add_str(&b, "\r\n");
	step = bytewise ? 1 : b.len;
	while (b.len > 0) {
		if (send(s->fd, b.data + b.head, step, MSG_NOSIGNAL) < 0)
			return false;
		buf_drop(&b, step);
		if (bytewise)
			usleep(300);
	}
	return true;
}

static bool
server_say_raw(struct server *s, const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\\') {
			text++;
			c = *text == 'r' ? '\r' : *text == 'n' ? '\n' : *text;
		}
		if (send(s->fd, &c, 1, MSG_NOSIGNAL | MSG_MORE) < 0)
			return false;
	}
	return send(s->fd, "", 0, MSG_NOSIGNAL) == 0;
}

static void
server_close(struct server *s, bool hard)
{
	struct linger l = { 1, 0 };

	if (s->fd >= 0 && hard)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_clear(&s->in);
}

static bool
server_accept(struct server *s)
{
	server_close(s, false);
	if (readable(s->listener))
		s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	return s->fd >= 0;
}

static bool
server_sees_close(struct server *s)
{
	return s->in.len == 0 && !server_more(s);
}

static bool
server_step(struct server *s, const char *line, char *got, size_t size)
{
	const char *arg = line[1] == ' ' ? line + 2 : line + 1;

	got[0] = '\0';
	switch (line[0]) {
	case '@': return server_accept(s);
	case '>': return line[1] == '>' ? server_say_raw(s, line + 3)
					: server_say(s, arg, false);
	case 'b': return server_say(s, arg, true);
	case '<': return server_take_line(s, line[1] == '*' ? NULL : arg, got,
					  size);
	case '.': return server_take_message(s);
	case '=': return server_shown(s, arg);
	case 'n': return s->message.len == strtoul(arg, NULL, 10);
	case 'z': usleep((useconds_t)strtoul(arg, NULL, 10) * 1000); return true;
	case '!': server_close(s, false); return true;
	case 'x': server_close(s, true); return true;
	case '?': return server_sees_close(s);
	}
	return false;
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	char got[300];

	for (const char *const *l = s->script; *l; l++) {
		if (server_step(s, *l, got, sizeof(got)))
			continue;
		snprintf(s->wrong, sizeof(s->wrong), "line %zu \"%s\", but: %s",
			 (size_t)(l - s->script) + 1, *l, got);
		break;
	}
	server_close(s, false);
	return NULL;
}

/* --- sources of bodies ----------------------------------------------- */

/* Answers a turn later, and perhaps not as it should. */
struct source {
	struct body_source source;
	struct loop *loop;
	struct later later;
	struct span bytes;
	struct span answer;
	unsigned flags;
	body_read_fn *done;
	void *arg;
	bool busy;
};

static void
source_answer(struct later *l)
{
	struct source *s = container_of(l, struct source, later);
	struct error err;

	s->busy = false;
	if (s->flags & BROKEN_SOURCE)
		error_set(&err, ERROR_SYSTEM, "disk on fire");
	s->done(s->arg, s->flags & BROKEN_SOURCE ? SPAN_NONE : s->answer,
		s->flags & BROKEN_SOURCE ? &err : NULL);
}

static void
source_read(struct body_source *b, uint64_t offset, size_t max,
	    body_read_fn *done, void *arg)
{
	struct source *s = container_of(b, struct source, source);

	assert_false(s->busy);		/* one read at a time */
	s->answer = span_sub(s->bytes, (size_t)offset, max);
	s->done = done;
	s->arg = arg;
	s->busy = true;
	if (!(s->flags & (SLOW_SOURCE | DEAD_SOURCE)))
		source_answer(&s->later);
	else if (s->flags & SLOW_SOURCE)
		loop_later(s->loop, &s->later);
}

static const struct body_ops source_ops = { .read = source_read };

/* --- one performance ------------------------------------------------- */

struct stage {
	const struct play *play;
	struct loop *loop;
	struct workers *workers;
	struct dns *dns;
	struct smtpc *smtpc;
	struct timer watchdog;
	struct envelope *env;
	size_t rcpts[WANTS];
	struct source source;
	struct smtpc_plan plan;
	struct smtpc_message message;
	char got[WANTS][900];
	struct outcome last;
	size_t settled, sent, done;
	bool within_send;
	uint64_t ticket;
	struct buf body;
};

static void stage_send(struct stage *s);

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	static const char kinds[] = { 'R', 'N', 'D', 'L', 'U' };
	struct stage *s = arg;
	size_t n = s->play->rcpts ? s->play->rcpts : 1;
	size_t at = s->done * n + i;
	char enhanced[16];

	assert_false(s->within_send);
	assert_true(at < WANTS);
	assert_string_equal(s->got[at], "");	/* exactly once */
	snprintf(s->got[at], sizeof(s->got[at]), "%c%d %s %s %s",
		 kinds[o->kind], o->code, phase_name(o->phase),
		 enhanced_text(o->enhanced, enhanced, sizeof(enhanced)),
		 o->text);
	s->last = *o;
	s->settled++;
}

static void
on_done(void *arg)
{
	struct stage *s = arg;
	size_t n = s->play->rcpts ? s->play->rcpts : 1;

	assert_false(s->within_send);
	s->done++;
	assert_int_equal(s->settled, s->done * n);
	if (s->sent < (s->play->messages ? s->play->messages : 1))
		stage_send(s);
	else if (s->done == s->sent)
		loop_stop(s->loop);
}

static const struct smtpc_events stage_events = { on_settled, on_done };

static void
stage_send(struct stage *s)
{
	s->sent++;
	s->within_send = true;
	s->ticket = smtpc_send(s->smtpc, &s->plan, &s->message, &stage_events,
			       s);
	s->within_send = false;
	assert_true(s->ticket != 0);
}

static void
on_watchdog(struct timer *t)
{
	loop_stop(container_of(t, struct stage, watchdog)->loop);
}

static struct envelope *
make_envelope(const struct play *p, struct stage *s)
{
	struct mail_command m = { .sender = { .text = SPAN("a@src.test") } };
	struct envelope *env;
	size_t n = p->rcpts ? p->rcpts : 1;

	m.smtputf8 = (p->flags & (UTF8_SENDER | UTF8_RCPT)) != 0;
	if (p->flags & UTF8_SENDER)
		m.sender.text = SPAN("\xc3\xa4@src.test");
	if (p->flags & DSN_WISHES) {
		m.ret = DSN_RET_HDRS;
		m.envid = SPAN("QQ+3D1");
	}
	env = envelope_new(&m);
	for (size_t i = 0; i < n; i++) {
		struct rcpt_command r = { .notify = 0 };
		char address[40];

		snprintf(address, sizeof(address), "%s%zu@dst.test",
			 p->flags & UTF8_RCPT && i == 1 ? "\xc3\xb6" : "r", i);
		assert_true(address_parse(span_of(address), ADDRESS_UTF8,
					  &r.recipient, &(struct error){ 0 }));
		if (p->flags & DSN_WISHES) {
			r.notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY;
			r.orcpt = SPAN("rfc822;x@y.test");
		}
		assert_true(envelope_add(env, &r, 100));
		s->rcpts[i] = i;
	}
	envelope_freeze(env);
	return env;
}

static void
make_body(struct stage *s, const struct play *p)
{
	s->body = BUF_MAX(16 << 20);
	if (!(p->flags & EMPTY))
		buf_add_str(&s->body, "Subject: test\r\n\r\n.dot\r\nlast\r\n");
	while ((p->flags & LARGE) && s->body.len < 8000000)
		buf_add_str(&s->body, "0123456789012345678901234567890123456"
			    "789012345678901234567890123456789\r\n");
	s->source = (struct source){
		.source = { &source_ops, s->body.len,
			    (p->flags & EIGHTBIT) != 0 },
		.loop = s->loop, .flags = p->flags, .bytes = buf_span(&s->body),
		.later = { .run = source_answer },
	};
	if (p->flags & SHORT_SOURCE)
		s->source.bytes.n -= 6;
}

static void
stage_init(struct stage *s, const struct play *p, const char *const *hosts,
	   size_t host_count, uint16_t port)
{
	memset(s, 0, sizeof(*s));
	s->play = p;
	s->loop = loop_new("test");
	s->workers = workers_new("test", 1);
	s->dns = dns_new(s->loop, s->workers);
	s->smtpc = smtpc_new(s->loop, s->dns);
	timer_init(&s->watchdog, s->loop, on_watchdog);
	s->env = make_envelope(p, s);
	make_body(s, p);
	s->plan = (struct smtpc_plan){
		.hosts = hosts, .host_count = host_count, .port = port,
		.helo = "gw.test", .reuse = p->reuse, .idle_ms = p->idle_ms,
	};
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		s->plan.timeouts_ms[i] = p->patience_ms ? p->patience_ms : 2000;
	s->message = (struct smtpc_message){
		.id = "1", .env = s->env, .rcpts = s->rcpts,
		.rcpt_count = p->rcpts ? p->rcpts : 1,
		.body = &s->source.source,
	};
}

static void
stage_run(struct stage *s, int64_t ms)
{
	timer_start(&s->watchdog, ms);
	loop_run(s->loop);
	timer_stop(&s->watchdog);
}

static void
stage_fini(struct stage *s)
{
	smtpc_free(&s->smtpc);
	dns_free(&s->dns);
	workers_free(&s->workers);
	timer_stop(&s->watchdog);
	loop_free(&s->loop);
	envelope_free(&s->env);
	buf_fini(&s->body);
}

static void
check_want(const struct play *p, size_t i, const char *got)
{
	size_t bar = strcspn(p->want[i], "|");

	if (strncmp(got, p->want[i], bar) != 0 ||
	    (p->want[i][bar] && !strstr(got, p->want[i] + bar + 1)))
		fail_msg("%s: recipient %zu: wanted %s, got %s", p->title, i,
			 p->want[i], got);
}

static void
server_open(struct server *s, const char *const *script, struct endpoint *at)
{
	struct error err;
	int small = 32768;	/* so that a large message does not fit in */

	*s = (struct server){ .fd = -1, .script = script,
			      .in = BUF_MAX(1 << 20),
			      .message = BUF_MAX(16 << 20) };
	assert_true(endpoint_parse(SPAN("127.0.0.1:0"), at));
	s->listener = listen_open(at, true, &err);
	assert_true(s->listener >= 0);
	assert_int_equal(listen(s->listener, 16), 0);
	setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
}

static void
server_fini(struct server *s)
{
	close(s->listener);
	buf_fini(&s->in);
	buf_fini(&s->message);
}

static void
perform(const struct play *p)
{
	static const char *const hosts[] = { "127.0.0.1" };
	struct stage s;
	struct server server;
	struct endpoint at;
	pthread_t thread;

	server_open(&server, p->script, &at);
	thread = thread_start("server", server_main, &server);
	stage_init(&s, p, hosts, 1, at.port);
	stage_send(&s);
	if (p->flags & AT_ONCE)
		while (s.sent < p->messages)
			stage_send(&s);
	stage_run(&s, 10000);
	/* what remains: QUIT, when the idle time is over */
	if (p->idle_ms)
		stage_run(&s, p->idle_ms + 60);
	stage_fini(&s);
	pthread_join(thread, NULL);
	server_fini(&server);
	if (server.wrong[0])
		fail_msg("%s: server: %s", p->title, server.wrong);
	for (size_t i = 0; i < WANTS && p->want[i]; i++)
		check_want(p, i, s.got[i]);
}

/* --- the plays ------------------------------------------------------- */

#define GREET "@", "> 220 mx.test ESMTP", "< EHLO gw.test"
#define PLAIN GREET, "> 250 mx.test"
#define PIPE GREET, "> 250-mx.test", "> 250 PIPELINING"
#define MAIL "< MAIL FROM:<a@src.test>"
#define RCPT0 "< RCPT TO:<r0@dst.test>"
#define RCPT1 "< RCPT TO:<r1@dst.test>"
#define RCPT2 "< RCPT TO:<r2@dst.test>"
#define OK "> 250 2.1.0 ok"
#define ONE MAIL, OK, RCPT0, OK, "< DATA", "> 354 go"
#define ONE_PIPE MAIL, RCPT0, "< DATA", OK, OK, "> 354 go"
#define TAKEN ".", "> 250 2.0.0 taken"

static const struct play plays[] = {
	{ .title = "a plain delivery",
	  .script = { PLAIN, ONE, ".", "= Subject: test", "=", "= .dot",
		      "= last", "> 250 2.0.0 queued as 7", "?" },
	  .want = { "R250 dot 2.0.0 queued as 7" } },
	{ .title = "a pipelined delivery",
	  .script = { PIPE, ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "an empty message",
	  .flags = EMPTY,
	  .script = { PIPE, ONE_PIPE, ".", "n 0", "> 250 ok", "?" },
	  .want = { "R250 dot" } },
	{ .title = "every reply byte by byte",
	  .script = { "@", "b 220-mx.test", "b 220 hello", "<*",
		      "b 250-mx.test", "b 250-SIZE 1000000", "b 250 PIPELINING",
		      "< MAIL FROM:<a@src.test> SIZE=29", RCPT0, "< DATA",
		      "b 250 ok", "b 250 ok", "b 354 go", ".",
		      "b 250 2.0.0 taken", "?" },
	  .want = { "R250 dot" } },
	{ .title = "HELO when EHLO is not known",
	  .script = { "@", "> 220 old", "< EHLO gw.test", "> 500 what",
		      "< HELO gw.test", "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "what the server offers is used",
	  .flags = EIGHTBIT | DSN_WISHES,
	  .script = { GREET, "> 250-mx.test", "> 250-size 1000000",
		      "> 250-8BITMIME", "> 250 DSN",
		      "< MAIL FROM:<a@src.test> SIZE=29 BODY=8BITMIME "
		      "RET=HDRS ENVID=QQ+3D1", OK,
		      "< RCPT TO:<r0@dst.test> NOTIFY=SUCCESS,DELAY "
		      "ORCPT=rfc822;x@y.test", OK, "< DATA", "> 354 go", TAKEN,
		      "?" },
	  .want = { "R250 dot" } },
	{ .title = "what it does not offer is not",
	  .flags = EIGHTBIT | DSN_WISHES,
	  .script = { PLAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "SMTPUTF8 for a sender that needs it",
	  .flags = UTF8_SENDER,
	  .script = { GREET, "> 250-mx.test", "> 250 SMTPUTF8",
		      "< MAIL FROM:<\xc3\xa4@src.test> SMTPUTF8", OK, RCPT0, OK,
		      "< DATA", "> 354 go", TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "no SMTPUTF8 for a sender that needs it",
	  .flags = UTF8_SENDER, .idle_ms = 10,
	  .script = { PLAIN, "< QUIT", "> 221 bye", "?" },
	  .want = { "U0 mail 5.6.7" } },
	{ .title = "no SMTPUTF8 for one recipient that needs it",
	  .flags = UTF8_RCPT, .rcpts = 2,
	  .script = { PIPE, ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot", "U0 mail 5.6.7" } },
	{ .title = "too large, as the server said before",
	  .idle_ms = 10,
	  .script = { GREET, "> 250-mx.test", "> 250 SIZE 20",
		      "< QUIT", "> 221 bye", "?" },
	  .want = { "U0 mail 5.3.4" } },
	{ .title = "too large for a kept connection",
	  .flags = LARGE, .messages = 2, .idle_ms = 10,
	  .script = { GREET, "> 250-mx.test", "> 250 SIZE 20",
		      "< QUIT", "> 221 bye", "?" },
	  .want = { "U0 mail 5.3.4", "U0 mail 5.3.4" } },

	/* recipients */
	{ .title = "a mixed bag, pipelined", .rcpts = 3,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, RCPT2, "< DATA", OK,
		      "> 550 5.1.1 unknown", "> 250 ok", "> 450 4.2.0 later",
		      "> 354 go", TAKEN, "?" },
	  .want = { "R550 rcpt 5.1.1 unknown", "R250 dot", "R450 rcpt" } },
	{ .title = "a mixed bag, one by one", .rcpts = 3,
	  .script = { PLAIN, MAIL, OK, RCPT0, "> 550 5.1.1 unknown", RCPT1, OK,
		      RCPT2, "> 450 later", "< DATA", "> 354 go", ".",
		      "> 554 5.6.0 spam", "?" },
	  .want = { "R550 rcpt", "R554 dot 5.6.0 spam", "R450 rcpt" } },
	{ .title = "nobody, pipelined, and DATA is taken", .idle_ms = 10,
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, "> 550 no", "> 354 go",
		      "< .", "> 554 nobody", "< RSET", "> 250 ok", "< QUIT",
		      "> 221 bye", "?" },
	  .want = { "R550 rcpt" } },
	{ .title = "nobody, pipelined, and DATA is refused", .idle_ms = 10,
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, "> 550 no",
		      "> 503 who for", "< RSET", "> 250 ok", "< QUIT",
		      "> 221 bye", "?" },
	  .want = { "R550 rcpt" } },
	{ .title = "nobody, one by one", .idle_ms = 10, .rcpts = 2,
	  .script = { PLAIN, MAIL, OK, RCPT0, "> 550 no", RCPT1, "> 551 no",
		      "< RSET", "> 250 ok", "< QUIT", "> 221 bye", "?" },
	  .want = { "R550 rcpt", "R551 rcpt" } },
	{ .title = "552 for too many recipients is a 452", .rcpts = 3,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, RCPT2, "< DATA", OK, OK,
		      "> 552 too many", "> 552 5.5.3 too many", "> 354 go",
		      TAKEN, "?" },
	  .want = { "R250 dot", "R452 rcpt 4.5.3", "R452 rcpt 4.5.3" } },
	{ .title = "552 for a full mailbox is one", .rcpts = 2,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, "< DATA", OK, OK,
		      "> 552 5.2.2 full", "> 354 go", TAKEN, "?" },
	  .want = { "R250 dot", "R552 rcpt 5.2.2" } },
	{ .title = "too many, one by one: the rest is not asked", .rcpts = 3,
	  .script = { PLAIN, MAIL, OK, RCPT0, OK, RCPT1, "> 452 4.5.3 enough",
		      "< DATA", "> 354 go", TAKEN, "?" },
	  .want = { "R250 dot", "R452 rcpt 4.5.3", "R452 rcpt 4.5.3" } },
	{ .title = "a limit of recipients that was named", .rcpts = 3,
	  .script = { GREET, "> 250-mx.test", "> 250-LIMITS MAILMAX=9 RCPTMAX=2",
		      "> 250 PIPELINING", MAIL, RCPT0, RCPT1, "< DATA", OK, OK,
		      OK, "> 354 go", TAKEN, MAIL, RCPT2, "< DATA", OK, OK,
		      "> 354 go", ".", "= Subject: test", "> 451 full", "?" },
	  .want = { "R250 dot", "R250 dot", "R451 dot" } },
	{ .title = "a limit of recipients, the first batch refused", .rcpts = 2,
	  .script = { GREET, "> 250-mx.test", "> 250 LIMITS RCPTMAX=1",
		      MAIL, OK, RCPT0, "> 550 no", "< RSET", OK,
		      MAIL, OK, RCPT1, OK, "< DATA", "> 354 go", TAKEN, "?" },
	  .want = { "R550 rcpt", "R250 dot" } },
	{ .title = "MAIL refused, pipelined", .rcpts = 2, .idle_ms = 10,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, "< DATA", "> 550 5.7.1 not you",
		      "> 503 no", "> 503 no", "> 503 no", "< RSET", "> 250 ok",
		      "< QUIT", "> 221 bye", "?" },
	  .want = { "R550 mail 5.7.1", "R550 mail 5.7.1" } },
	{ .title = "MAIL refused, one by one", .idle_ms = 10,
	  .script = { PLAIN, MAIL, "> 450 later", "< QUIT", "> 221 bye", "?" },
	  .want = { "R450 mail" } },
	{ .title = "DATA refused", .idle_ms = 10,
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, OK, "> 451 no",
		      "< RSET", "> 250 ok", "< QUIT", "> 221 bye", "?" },
	  .want = { "R451 data" } },

	/* 421 */
	{ .title = "421 as greeting",
	  .script = { "@", "> 421 4.3.2 busy", "?" },
	  .want = { "R421 greeting 4.3.2 busy" } },
	{ .title = "554 as greeting",
	  .script = { "@", "> 554 no mail here", "< QUIT", "> 221 bye", "?" },
	  .want = { "R554 greeting" } },
	{ .title = "EHLO refused for now",
	  .script = { GREET, "> 450 not now", "< QUIT", "> 221 bye", "?" },
	  .want = { "R450 ehlo" } },
	{ .title = "EHLO and HELO refused",
	  .script = { GREET, "> 550 go away", "< HELO gw.test", "> 550 I said",
		      "< QUIT", "!" },
	  .want = { "R550 ehlo" } },
	{ .title = "421 for MAIL on a new connection",
	  .script = { PLAIN, MAIL, "> 421 busy", "?" },
	  .want = { "R421 mail" } },
	{ .title = "421 for a recipient", .rcpts = 2,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, "< DATA", OK, OK, "> 421 bye",
		      "?" },
	  .want = { "R421 rcpt", "R421 rcpt" } },
	{ .title = "421 for the message",
	  .script = { PIPE, ONE_PIPE, ".", "> 421 bye", "?" },
	  .want = { "R421 dot" } },

	/* connections that end */
	{ .title = "closed before the greeting", .script = { "@", "!" },
	  .want = { "N0 greeting |closed" } },
	{ .title = "closed at EHLO", .script = { GREET, "!" },
	  .want = { "N0 ehlo |closed" } },
	{ .title = "closed at MAIL", .script = { PLAIN, MAIL, "!" },
	  .want = { "N0 mail |closed" } },
	{ .title = "reset at RCPT", .rcpts = 2,
	  .script = { PLAIN, MAIL, OK, RCPT0, OK, RCPT1, "x" },
	  .want = { "N0 rcpt |reset", "N0 rcpt |reset" } },
	{ .title = "closed at DATA", .script = { PIPE, MAIL, RCPT0, "< DATA",
		      OK, OK, "!" },
	  .want = { "N0 data |closed" } },
	{ .title = "closed after 354", .flags = LARGE,
	  .script = { PIPE, ONE_PIPE, "!" },
	  .want = { "N0 body |connection" } },
	{ .title = "closed after the dot", .rcpts = 2,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, "< DATA", OK, OK,
		      "> 550 no", "> 354 go", ".", "!" },
	  .want = { "N0 dot |closed", "R550 rcpt" } },
	{ .title = "half a reply, then closed",
	  .script = { PIPE, ONE_PIPE, ".", ">> 250 2.0.0 tak", "!" },
	  .want = { "N0 dot |closed" } },

	/* patience */
	{ .title = "no greeting in time", .patience_ms = 40,
	  .script = { "@", "z 100", "?" },
	  .want = { "N0 greeting |no answer within" } },
	{ .title = "half a greeting in time", .patience_ms = 40,
	  .script = { "@", ">> 220-mx.test\\r\\n220", "?" },
	  .want = { "N0 greeting |no answer within" } },
	{ .title = "no answer to RCPT in time", .patience_ms = 40,
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, "?" },
	  .want = { "N0 rcpt |no answer within" } },
	{ .title = "no answer to the dot in time", .patience_ms = 40,
	  .script = { PIPE, ONE_PIPE, ".", "?" },
	  .want = { "N0 dot |no answer within" } },
	{ .title = "the message is not taken", .patience_ms = 60,
	  .flags = LARGE,
	  .script = { PIPE, ONE_PIPE, "z 400", "!" },
	  .want = { "N0 body |no answer within" } },
	{ .title = "no answer to QUIT in time", .patience_ms = 60,
	  .script = { "@", "> 554 no", "< QUIT", "?" },
	  .want = { "R554 greeting" } },

	/* nonsense */
	{ .title = "no SMTP at all", .script = { "@", "> SSH-2.0-OpenSSH", "?" },
	  .want = { "N0 greeting |not an SMTP reply: \"SSH-2.0-OpenSSH\"" } },
	{ .title = "354 for MAIL", .script = { PLAIN, MAIL, "> 354 go", "?" },
	  .want = { "N0 mail |no meaning here: 354" } },
	{ .title = "250 for DATA",
	  .script = { PLAIN, MAIL, OK, RCPT0, OK, "< DATA", "> 250 go", "?" },
	  .want = { "N0 data |no meaning here: 250" } },
	{ .title = "354 for the message",
	  .script = { PIPE, ONE_PIPE, ".", "> 354 more", "?" },
	  .want = { "N0 dot |no meaning here: 354" } },
	{ .title = "an answer to MAIL before it is said",
	  .script = { GREET, ">> 250 mx.test\\r\\n250 ok\\r\\n", "?" },
	  .want = { "N0 mail |before it was asked: 250" } },
	{ .title = "an answer to the message before it is sent",
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, OK,
		      ">> 354 go\\r\\n250 taken\\r\\n", "?" },
	  .want = { "N0 body |no meaning here: 250" } },
	{ .title = "half of such an answer, too",
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, OK,
		      ">> 354 go\\r\\n25", "z 20", ">> 0 taken\\r\\n", "?" },
	  .want = { "N0 body |no meaning here: 250" } },
	{ .title = "a refusal instead of the message",
	  .script = { PIPE, MAIL, RCPT0, "< DATA", OK, OK,
		      ">> 354 go\\r\\n552 5.3.4 too big\\r\\n", "?" },
	  .want = { "R552 body 5.3.4 too big" } },
	{ .title = "a refusal within the message", .flags = LARGE, .rcpts = 2,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, "< DATA", OK, OK, OK,
		      "> 354 go", "<*", "> 552 5.3.4 too big", "z 20", "!" },
	  .want = { "R552 body 5.3.4", "R552 body 5.3.4" } },

	/* bodies */
	{ .title = "a large message", .flags = LARGE,
	  .script = { PIPE, ONE_PIPE, ".", "n 8000021", "> 250 ok", "?" },
	  .want = { "R250 dot" } },
	{ .title = "a large message from a slow source",
	  .flags = LARGE | SLOW_SOURCE,
	  .script = { PIPE, ONE_PIPE, ".", "n 8000021", "> 250 ok", "?" },
	  .want = { "R250 dot" } },
	{ .title = "a source that fails", .flags = BROKEN_SOURCE,
	  .script = { PIPE, ONE_PIPE, "?" },
	  .want = { "L0 body |disk on fire" } },
	{ .title = "a source that fails later",
	  .flags = BROKEN_SOURCE | SLOW_SOURCE,
	  .script = { PIPE, ONE_PIPE, "?" },
	  .want = { "L0 body |disk on fire" } },
	{ .title = "a source that ends early", .flags = SHORT_SOURCE,
	  .script = { PIPE, ONE_PIPE, "?" },
	  .want = { "L0 body |shorter" } },

	/* kept connections */
	{ .title = "one connection for three messages", .messages = 3,
	  .idle_ms = 10,
	  .script = { PIPE, ONE_PIPE, TAKEN, ONE_PIPE, ".", "> 550 no",
		      ONE_PIPE, TAKEN, "< QUIT", "> 221 bye", "?" },
	  .want = { "R250 dot", "R550 dot", "R250 dot" } },
	{ .title = "as many messages as the plan says", .messages = 3,
	  .reuse = 2,
	  .script = { PIPE, ONE_PIPE, TAKEN, ONE_PIPE, TAKEN, "< QUIT",
		      "> 221 bye", "?", PIPE, ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot", "R250 dot" } },
	{ .title = "as many messages as the server says", .messages = 2,
	  .script = { GREET, "> 250-mx.test", "> 250 limits mailmax=1",
		      ONE, TAKEN, "< QUIT", "> 221 bye", "?",
		      PLAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "a kept connection that is dead at MAIL", .messages = 2,
	  .script = { PLAIN, ONE, TAKEN, MAIL, "!", PLAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "a kept connection that says 421 to MAIL", .messages = 2,
	  .script = { PIPE, ONE_PIPE, TAKEN, "<*", "> 421 idle too long", "!",
		      PIPE, ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "a kept connection that says good-bye at once",
	  .messages = 2,
	  .script = { PIPE, ONE_PIPE, ".",
		      ">> 250 taken\\r\\n421 enough\\r\\n", "!",
		      PIPE, ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "the new one, however, is not tried again", .messages = 2,
	  .script = { PLAIN, ONE, TAKEN, MAIL, "!", PLAIN, MAIL, "!" },
	  .want = { "R250 dot", "N0 mail" } },
	{ .title = "nor one that had answered", .messages = 2,
	  .script = { PLAIN, ONE, TAKEN, MAIL, OK, RCPT0, "!" },
	  .want = { "R250 dot", "N0 rcpt" } },
	{ .title = "a server that closes while nobody sends", .idle_ms = 50,
	  .script = { PLAIN, ONE, TAKEN, "!" },
	  .want = { "R250 dot" } },
	{ .title = "a server that talks while nobody asks", .idle_ms = 50,
	  .script = { PLAIN, ONE, TAKEN, "> 250 hello?", "?" },
	  .want = { "R250 dot" } },
};

static void
all_plays(void **state)
{
	const char *only = getenv("PLAY");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plays); i++) {
		if (only && !strstr(plays[i].title, only))
			continue;
		if (getenv("VERBOSE"))
			print_message("%s\n", plays[i].title);
		perform(&plays[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_plays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
