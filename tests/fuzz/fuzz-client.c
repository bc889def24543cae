/* fuzz-client.c - the SMTP client engine, and a server that says anything
 *
 * The first byte says how many recipients there are and how the message is
 * sent; the rest is what the server says, in pieces parted by NUL, each when
 * the client has spoken or has nothing to say.  After the last piece the
 * server closes; the client may come again for what is left of them.
 */
#include "fuzz.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/dns.h"
#include "io/listen.h"
#include "smtpc/smtpc.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RCPTS = 4, MESSAGES = 2, IDLE_TURNS = 3, HEARD_MAX = 1 << 20 };

struct world {
	struct loop *loop;
	struct workers *workers;
	struct dns *dns;
	struct smtpc *smtpc;
	struct listener *listener;
	struct smtpc_plan plan;
	struct smtpc_message message;
	struct timer turn, watchdog;
	int fd;				/* the server's end, or -1 */
	struct span script;		/* not said yet */
	struct buf heard;		/* in this connection */
	unsigned idle;			/* turns without a word */
	unsigned settled[RCPTS], sent, done;
	bool stuck;
};

static void
server_hear(struct world *w)
{
	char bytes[4096];
	ssize_t n;

	while (w->fd >= 0 &&
	       (n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		buf_add(&w->heard, (struct span){ bytes, (size_t)n });
		w->idle = IDLE_TURNS;
	}
}

static void
server_close(struct world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	buf_clear(&w->heard);
}

static void
server_say(struct world *w)
{
	struct span piece;

	w->idle = 0;
	if (!span_split(&w->script, '\0', &piece)) {
		server_close(w);
		return;
	}
	if (piece.n > 0)
		send(w->fd, piece.p, piece.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
on_turn(struct timer *t)
{
	struct world *w = container_of(t, struct world, turn);

	server_hear(w);
	if (w->fd >= 0 && w->idle++ >= IDLE_TURNS)
		server_say(w);
	timer_start(&w->turn, 0);
}

static void
on_accepted(void *arg, int fd, struct endpoint peer)
{
	struct world *w = arg;

	(void)peer;
	server_close(w);
	w->fd = fd;
	w->idle = IDLE_TURNS;
}

static void
on_watchdog(struct timer *t)
{
	struct world *w = container_of(t, struct world, watchdog);

	w->stuck = true;
	loop_stop(w->loop);
}

/* --- what always holds ----------------------------------------------------- */

static void
check_commands(struct span heard)
{
	static const char *const verbs[] = {
		"EHLO gw.test", "HELO gw.test", "MAIL FROM:<a@src.test>",
		"RCPT TO:<", "DATA", "RSET", "QUIT",
	};
	size_t end = span_find(heard, '\r');
	bool known = heard.n == 0 || end == heard.n;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		known |= span_starts_nocase(heard, span_of(verbs[i]));
	must(known);
}

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	struct world *w = arg;
	struct span heard;

	must(i < w->message.rcpt_count);
	must(++w->settled[i] == w->done + 1);
	must(strlen(o->text) < sizeof(o->text));
	if (o->kind == OUTCOME_REPLY)
		must(o->code >= 200 && o->code < 600);
	else
		must(o->code == 0);
	server_hear(w);
	heard = buf_span(&w->heard);
	check_commands(heard);
	if (!outcome_delivered(o))
		return;
	/* nobody has a message before its end was sent */
	must(o->phase == PHASE_DOT);
	must(heard.n > 5 &&
	     memmem(heard.p, heard.n, "body\r\n.\r\n", 9) != NULL);
}

static void send_next(struct world *w);

static void
on_done(void *arg)
{
	struct world *w = arg;

	w->done++;
	for (size_t i = 0; i < w->message.rcpt_count; i++)
		must(w->settled[i] == w->done);
	must(w->done == w->sent);
	if (w->sent < MESSAGES)
		send_next(w);
	else
		loop_stop(w->loop);
}

static void
send_next(struct world *w)
{
	static const struct smtpc_events events = { on_settled, on_done };

	w->sent++;
	smtpc_send(w->smtpc, &w->plan, &w->message, &events, w);
}

/* --- one run --------------------------------------------------------------- */

static void
world_init(struct world *w, struct endpoint *at)
{
	struct error err;
	int fd;

	w->loop = loop_new("fuzz");
	w->workers = workers_new("fuzz", 1);
	w->dns = dns_new(w->loop, w->workers, NULL);
	w->smtpc = smtpc_new(w->loop, w->dns);
	w->fd = -1;
	w->heard = BUF_MAX(HEARD_MAX);
	timer_init(&w->turn, w->loop, on_turn);
	timer_init(&w->watchdog, w->loop, on_watchdog);
	must(endpoint_parse(SPAN("127.0.0.1:0"), at));
	fd = listen_open(at, true, &err);
	must(fd >= 0);
	w->listener = listener_start(w->loop, fd, on_accepted, w);
	timer_start(&w->turn, 0);
	timer_start(&w->watchdog, 20000);
}

static void
world_fini(struct world *w)
{
	smtpc_free(&w->smtpc);
	dns_free(&w->dns);
	listener_stop(&w->listener);
	server_close(w);
	timer_stop(&w->turn);
	timer_stop(&w->watchdog);
	workers_free(&w->workers);
	loop_free(&w->loop);
	buf_fini(&w->heard);
}

static struct envelope *
make_envelope(bool utf8)
{
	struct mail_command m = {
		.sender = { .text = SPAN("a@src.test") },
		.smtputf8 = utf8, .ret = DSN_RET_FULL, .envid = SPAN("x"),
	};
	struct envelope *env = envelope_new(&m);

	for (char c = '0'; c < '0' + RCPTS; c++) {
		char text[] = "r@dst.test?";
		struct rcpt_command r = {
			.recipient = { .text = { text, 11 } },
			.notify = DSN_NOTIFY_NEVER,
		};

		text[10] = c;
		envelope_add(env, &r, RCPTS);
	}
	envelope_freeze(env);
	return env;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = { "127.0.0.1", "127.0.0.1" };
	static const size_t rcpts[RCPTS] = { 0, 1, 2, 3 };
	unsigned how = size > 0 ? data[0] : 0;
	struct world w = { .script = fuzz_span(data, size) };
	struct envelope *env = make_envelope(how & 4);
	struct body_source *body = body_from_span(
		SPAN("Subject: x\r\n\r\n.\r\nbody\r\n"), how & 8);
	struct endpoint at;

	w.script = span_from(w.script, 1);
	world_init(&w, &at);
	w.plan = (struct smtpc_plan){
		.hosts = hosts, .host_count = how & 16 ? 2 : 1,
		.port = at.port, .helo = "gw.test", .reuse = how & 32 ? 1 : 0,
	};
	w.message = (struct smtpc_message){
		.id = "1", .env = env, .rcpts = rcpts,
		.rcpt_count = 1 + (how & 3), .body = body,
	};
	send_next(&w);
	loop_run(w.loop);
	must(!w.stuck && w.done == MESSAGES);
	world_fini(&w);
	body_source_free(&body);
	envelope_free(&env);
	return 0;
}
