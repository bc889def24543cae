/* session.c - one connection: what arrives, what is answered, how it ends */
#include "smtpd/session.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "smtpd/guard.h"

#include <stdio.h>
#include <string.h>

enum {
	FLUSH_MS = 30 * 1000,		/* for the last reply */
	LINGER_MS = 5 * 1000,		/* for a client that still sends */
};

enum {
	SESSION_IN = 64 * 1024,		/* input that we hold */
	SESSION_OUT = 32 * 1024,	/* replies that wait for the client */
};

static const struct txn_ops session_txn_ops = { command_answered };

const struct smtpd_config *
session_config(const struct session *s)
{
	return s->tx.gen != NULL ? s->tx.gen->config : s->server->now->config;
}

/* --- input ----------------------------------------------------------- */

void
session_drop_line(struct session *s)
{
	if (s->line > 0)
		buf_drop(stream_in(s->stream), s->line);
	s->line = 0;
}

static void
line_too_long(struct session *s, size_t bytes)
{
	static const struct command_row row = { "(long line)", .hook = -1 };
	struct reply r = reply(500, "5.5.2", "line too long");

	if (++s->bad > LIMIT_BAD_COMMANDS)
		r = reply(421, "4.7.0", "too many errors");
	s->command = &row;
	s->line = bytes;
	session_answer(s, &r);
}

/* A client that begins TLS after the greeting, in place of its first command,
 * does not read what we say. */
static void
tls_too_early(struct session *s, size_t bytes)
{
	static const struct command_row row = { "(TLS)", .hook = -1 };
	struct reply r = reply(421, "4.7.0", "connections begin without TLS here");

	s->command = &row;
	s->line = bytes;
	session_answer(s, &r);
}

/* A whole line, or nothing.  LF alone ends a line too: only the end of a
 * message is worth being strict about. */
static bool
read_command(struct session *s)
{
	struct span in = buf_span(stream_in(s->stream));
	struct span rest = span_from(in, s->scanned);
	size_t end = s->scanned + span_find(rest, '\n');
	struct span line = span_sub(in, 0, end);

	if (s->trace.last == command_connect.verb && !s->secured &&
	    failure_is_tls(in)) {
		tls_too_early(s, in.n);
		return true;
	}
	if (end == in.n && in.n < LIMIT_COMMAND) {
		s->scanned = in.n;
		return false;
	}
	s->scanned = 0;
	if (end >= LIMIT_COMMAND) {
		s->input = end == in.n ? INPUT_RESYNC : INPUT_COMMAND;
		line_too_long(s, MIN(end + 1, in.n));
		return true;
	}
	s->line = end + 1;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)		/* some devices send empty lines */
		session_drop_line(s);
	else
		command_line(s, line);
	return true;
}

static bool
read_resync(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	size_t end = span_find(buf_span(in), '\n');

	if (end == in->len) {
		buf_clear(in);
		return false;
	}
	buf_drop(in, end + 1);
	s->input = INPUT_COMMAND;
	return true;
}

static bool
read_ignored(struct session *s)
{
	buf_clear(stream_in(s->stream));
	return false;
}

/* What arrives, and what is done with it. */
static const struct {
	bool (*read)(struct session *s);
	bool data;		/* any byte renews the patience */
} inputs[INPUT_KINDS] = {
	[INPUT_COMMAND] = { read_command, false },
	[INPUT_RESYNC] = { read_resync, false },
	[INPUT_DATA] = { data_read, true },
	[INPUT_DATA_REFUSED] = { data_read_refused, true },
	[INPUT_CHUNK] = { chunk_read, true },
	[INPUT_CHUNK_REFUSED] = { chunk_read_refused, true },
	[INPUT_IGNORED] = { read_ignored, false },
};

/* --- waiting and going on -------------------------------------------- */

void
session_sleep(struct session *s, enum wait why)
{
	s->wait = why;
	if (why != WAIT_COMMIT)
		stream_pause(s->stream);
}

void
session_wake(struct session *s)
{
	stream_resume(s->stream);	/* also when its input was full */
	s->wait = WAIT_NONE;
	s->moved = true;
}

static void
session_patience(struct session *s)
{
	if (s->wait == WAIT_FILTER || s->wait == WAIT_DRAFT ||
	    s->wait == WAIT_COMMIT)
		stream_timeout(s->stream, 0);
	else if (inputs[s->input].data)
		stream_timeout(s->stream, s->server->block_ms);
	else if (s->moved)
		stream_timeout(s->stream, s->input == INPUT_IGNORED
			       ? FLUSH_MS : s->server->command_ms);
	s->moved = false;
}

/* Everything that can be done has been: is there a reason to end? */
static void
session_rest(struct session *s)
{
	struct reply r;

	if (s->wait == WAIT_NONE && !s->closing) {
		if (s->peer_done) {
			trace_end(s, ENDED_CLOSED, NULL);
			s->closing = true;
			s->input = INPUT_IGNORED;
		} else if (s->server->stopping && !s->tx.open) {
			r = reply(421, "4.3.2", "the service is stopping");
			session_answer(s, &r);
		}
	}
	stream_send(s->stream);
	if (s->closing && s->peer_done && stream_pending(s->stream) == 0)
		session_close(s);
	else
		session_patience(s);
}

void
session_step(struct session *s)
{
	if (s->stepping || s->stream == NULL)
		return;
	s->stepping = true;
	while (s->stream != NULL && s->wait == WAIT_NONE &&
	       inputs[s->input].read(s)) {
		if (s->stream != NULL && s->wait == WAIT_NONE &&
		    stream_pending(s->stream) > SESSION_OUT)
			session_sleep(s, WAIT_OUTPUT);
	}
	s->stepping = false;
	if (s->stream != NULL)
		session_rest(s);
}

/* --- replies --------------------------------------------------------- */

static enum ending
session_ending_by(const struct session *s, const struct command_row *row,
		  const struct reply *r)
{
	if (r->code == 221)
		return ENDED_QUIT;
	return s->server->stopping && (row == NULL || r->code == 421)
		? ENDED_STOPPED : ENDED_REFUSED;
}

static void
session_ending(struct session *s, enum ending how)
{
	trace_end(s, how, NULL);
	/* a client in the middle of its data would find the connection reset
	 * before it has read our words */
	s->linger = s->input != INPUT_COMMAND;
	s->closing = true;
	s->input = INPUT_IGNORED;
	s->moved = true;
}

void
session_answer(struct session *s, const struct reply *r)
{
	const struct command_row *row = s->command;
	unsigned sign = row != NULL ? trace_answer(s, row, r) : 0;

	if (!reply_format(r, stream_out(s->stream)))
		log_debug(&s->server->log, "a reply found no room");
	if (r->code >= 400)
		session_log_refusal(s, r, sign);
	session_drop_line(s);
	mem_free(s->asked_rcpt);
	s->asked_rcpt = NULL;
	s->command = NULL;
	s->moved = true;
	if ((row != NULL && (row->flags & ENDS_MESSAGE)) || !s->tx.open)
		transaction_end(s);
	if (r->closes)
		session_ending(s, session_ending_by(s, row, r));
}

/* --- events ---------------------------------------------------------- */

static void
on_ready(void *arg)
{
	struct session *s = arg;

	tls_done(s);
	session_step(s);
}

static void
on_input(void *arg)
{
	session_step(arg);
}

static void
on_drained(void *arg)
{
	struct session *s = arg;

	if (s->closing && s->linger && !s->peer_done) {
		s->linger = false;
		stream_timeout(s->stream, LINGER_MS);
	} else if (s->closing) {
		session_close(s);
	} else if (s->wait == WAIT_OUTPUT) {
		session_wake(s);
		session_step(s);
	} else if (s->wait == WAIT_TLS && !tls_begin(s)) {
		session_close(s);	/* the certificate has gone meanwhile */
	}
}

static void
on_timeout(void *arg)
{
	struct session *s = arg;
	struct reply r = reply(421, "4.4.2", "timeout, closing the connection");

	trace_end(s, ENDED_TIMEOUT, NULL);
	if (s->closing || s->wait == WAIT_OUTPUT || s->wait == WAIT_TLS) {
		session_close(s);
		return;
	}
	transaction_end(s);
	session_answer(s, &r);
	s->linger = false;
	session_step(s);
}

/* A client that has said all it wanted may still be reading. */
static void
on_closed(void *arg, const struct error *err)
{
	struct session *s = arg;

	s->peer_done = true;
	if (s->shaking && err != NULL)
		tls_failed(s, err);
	else if (err != NULL)
		trace_end(s, ENDED_LOST, err);
	if (err != NULL || s->wait == WAIT_OUTPUT || s->wait == WAIT_TLS ||
	    s->closing)
		session_close(s);
	else
		session_step(s);
}

static const struct stream_events session_events = {
	.ready = on_ready, .input = on_input, .drained = on_drained, .timeout = on_timeout,
	.closed = on_closed,
};

/* --- begin and end --------------------------------------------------- */

static void
session_link(struct session *s)
{
	struct smtpd *server = s->server;

	s->next = server->sessions;
	s->link = &server->sessions;
	if (s->next != NULL)
		s->next->link = &s->next;
	server->sessions = s;
	server->open++;
	atomic_fetch_add(&server->count_sessions, 1);
	atomic_fetch_add(&server->count_open, 1);
}

static void
session_unlink(struct session *s)
{
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	s->server->open--;
	atomic_fetch_sub(&s->server->count_open, 1);
}

static void
session_free(struct later *l)
{
	mem_free(container_of(l, struct session, freed));
}

void
session_start(struct smtpd *server, int fd, struct endpoint peer,
	      const struct listener_config *where)
{
	struct session *s = NEW(struct session);

	s->server = server;
	s->freed.run = session_free;
	s->client = peer.ip;
	ip_text(peer.ip, s->client_text);
	snprintf(s->listener, sizeof(s->listener), "%s", where->address);
	s->tls = where->tls;
	s->ticket = ticket_open(server->tickets, s);
	txn_init(&s->txn, &session_txn_ops);
	s->txn.client = s->client_text;
	s->txn.helo = "";
	session_link(s);
	trace_begin(s);
	s->stream = stream_accept(server->deps.loop, fd, SESSION_IN,
				  &session_events, s);
	if (s->tls != LISTENER_IMPLICIT) {
		command_start(s, &command_connect, SPAN_NONE);
	} else if (!tls_begin(s)) {
		session_close(s);
		return;
	}
	s->moved = true;		/* patience begins */
	session_step(s);
}

void
session_stop(struct session *s)
{
	session_step(s);
}

void
session_close(struct session *s)
{
	struct smtpd *server = s->server;

	if (s->stream == NULL)
		return;
	trace_end(s, server->stopping ? ENDED_STOPPED
		  : s->peer_done ? ENDED_CLOSED : ENDED_REFUSED, NULL);
	transaction_end(s);
	txn_fini(&s->txn);
	stream_close(&s->stream);
	ticket_close(server->tickets, s->ticket);
	guard_leave(server->deps.guard, s->client);
	session_unlink(s);
	mem_free(s->helo);
	mem_free(s->refusal);
	mem_free(s->asked_rcpt);
	loop_later(server->deps.loop, &s->freed);
	smtpd_check_stopped(server);
}
