/* trace.c - one line for a session that ended without a message
 *
 * A session is told of when it tried to send something: it gave a command that
 * leads to a message, or one that was refused.  A message that was accepted
 * begins the account anew.  Who only says hello, as monitors do, is counted
 * and told at level debug.
 *
 * A stranger decides how often this happens, so that the guard limits the
 * lines; what it holds back is counted, and told once a minute as a number.
 * What a refusal's own line has told is not told again.
 */
#include "smtpd/session.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "io/tls.h"
#include "smtpd/guard.h"

#include <stdio.h>

enum { UNTOLD_MS = 60 * 1000 };

/* A monitor of ports closes at once; a device that waits for a greeting in the
 * clear, where TLS has to come first, gives up after a while. */
enum { WAITED_MS = 5 * 1000 };

/* --- what is seen ---------------------------------------------------- */

void
trace_begin(struct session *s)
{
	s->trace.began_ms = clock_now_ms();
	s->trace.last = "";
}

void
trace_name(struct session *s, struct span name)
{
	snprintf(s->trace.name, sizeof(s->trace.name), "%.*s", SPAN_ARG(name));
}

void
trace_told(struct session *s, bool logged)
{
	s->trace.told = logged ? TOLD : TOLD_HELD_BACK;
}

void
trace_accepted(struct session *s)
{
	struct trace *t = &s->trace;

	t->seen = 0;
	t->tried = false;
	t->told = TOLD_NOT;
	t->had_message = true;
}

unsigned
trace_answer(struct session *s, const struct command_row *row,
	     const struct reply *r)
{
	struct trace *t = &s->trace;
	struct span text = span_of(r->text);
	unsigned sign = 0;

	if (r->code == 221)		/* the client's goodbye changes nothing */
		return 0;
	t->last = row->verb;
	text = span_sub(text, 0, span_find(text, '\n'));
	snprintf(t->answer, sizeof(t->answer), "%d %s%s%.*s", r->code,
		 r->enhanced, r->enhanced[0] ? " " : "", SPAN_ARG(text));
	if (r->code >= 400) {
		sign = failure_sign(row->verb, r->code);
		if (r->code == 421 && s->bad > LIMIT_BAD_COMMANDS)
			sign |= SEEN_ERRORS;
		t->seen |= SEEN_REFUSED | sign;
		t->tried = true;
	} else if (row->flags & TRIES_TO_SEND) {
		t->tried = true;
		if (r->code == 354)	/* what was refused before is past */
			t->told = TOLD_NOT;
	}
	return sign;
}

/* --- how it ended ---------------------------------------------------- */

static bool
input_is_message(enum input i)
{
	return i == INPUT_DATA || i == INPUT_DATA_REFUSED ||
	       i == INPUT_CHUNK || i == INPUT_CHUNK_REFUSED;
}

static void
trace_look(struct session *s, enum ending how, const struct error *why)
{
	struct trace *t = &s->trace;
	bool silent = s->shaking && !stream_heard(s->stream);

	if (input_is_message(s->input) && how != ENDED_REFUSED)
		t->seen |= SEEN_DATA;
	if (s->refusal != NULL && s->refusal->code == 552)
		t->seen |= SEEN_TOO_LARGE;
	if (!smtpd_may_relay(session_config(s), s->client))
		t->seen |= SEEN_STRANGER;
	if (s->shaking)
		t->seen |= SEEN_SHAKING | (silent ? SEEN_SILENT : 0);
	if (s->shaking && why != NULL)
		t->seen |= failure_tls_sign(stream_tls_fault(s->stream));
	if (s->shaking && (!silent || (s->tls == LISTENER_IMPLICIT &&
	    clock_now_ms() - t->began_ms >= WAITED_MS)))
		t->tried = true;
	/* silence after a message was accepted is a client's good right */
	if (how == ENDED_TIMEOUT && !t->had_message)
		t->tried = true;
}

static void
trace_write(struct session *s, enum log_level level, enum ending how,
	    const struct failure_row *row, const struct error *why)
{
	const struct trace *t = &s->trace;
	struct log_field f[10] = {
		LOG_STR("client", s->client_text),
		LOG_STR("listener", s->listener),
		LOG_STR("ended", failure_ending_words(how)),
		LOG_STR("kind", failure_kind_name(row->kind)),
	};
	size_t n = 4;

	if (t->name[0] != '\0')
		f[n++] = LOG_STR("helo", t->name);
	if (t->last[0] != '\0') {
		f[n++] = LOG_STR("after", t->last);
		f[n++] = LOG_STR("answer", t->answer);
	}
	if (why != NULL)
		f[n++] = LOG_STR("reason", why->text);
	if (s->tx.env != NULL)
		f[n++] = LOG_TEXT("from", s->tx.env->sender.text);
	if (t->seen & SEEN_DATA)
		f[n++] = LOG_NUM("size", (int64_t)s->tx.fixup.decoder.size);
	log_event(&s->server->log, level, f, n, "a session ended without a "
		  "message: %s", row->words);
}

static bool
trace_may_tell(struct session *s)
{
	if (s->trace.told == TOLD_NOT &&
	    guard_may_tell(s->server->deps.guard, s->client,
			   !(s->trace.seen & SEEN_STRANGER), clock_now_ms()))
		return true;
	if (s->server->untold++ == 0)
		timer_start(&s->server->untold_timer, UNTOLD_MS);
	return false;
}

void
trace_end(struct session *s, enum ending how, const struct error *why)
{
	static const struct failure_row greeted = {
		.kind = FAILURE_LEFT,
		.words = "the client only said hello: it is a monitor, or it "
			 "did not find what it wants among the offers of EHLO",
	};
	struct trace *t = &s->trace;
	const struct failure_row *row;

	if (t->over || s->stream == NULL)
		return;
	t->over = true;
	trace_look(s, how, why);
	if (!t->tried && (t->had_message || t->name[0] == '\0'))
		return;
	if (!t->tried) {
		atomic_fetch_add(&s->server->count_greeted, 1);
		trace_write(s, LOG_LEVEL_DEBUG, how, &greeted, why);
		return;
	}
	row = failure_find(t->seen, s->tls, how);
	atomic_fetch_add(&s->server->count_failed[row->kind], 1);
	if (t->told != TOLD)
		trace_write(s, trace_may_tell(s) ? LOG_LEVEL_INFO
			    : LOG_LEVEL_DEBUG, how, row, why);
}

void
trace_flush(struct smtpd *server)
{
	uint64_t n = server->untold;

	server->untold = 0;
	timer_stop(&server->untold_timer);
	if (n > 0)
		log_info(&server->log, "%llu more session%s ended without a "
			 "message: these lines are limited; `postern status' "
			 "counts all of them", (unsigned long long)n,
			 n == 1 ? "" : "s");
}
