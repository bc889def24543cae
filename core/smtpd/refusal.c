/* refusal.c - the line in the log for a command that was refused */
#include "smtpd/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "smtpd/guard.h"

#include <stdatomic.h>

/* The client's line, when it is to blame.  Only MAIL's and RCPT's: others may
 * hold what nobody shall see. */
static struct span
blamed_line(const struct session *s, const struct reply *r)
{
	enum { SHOWN = 200 };
	struct span line = span_sub(buf_span(stream_in(s->stream)), 0, s->line);

	while (line.n > 0 && (line.p[line.n - 1] == '\n' ||
			      line.p[line.n - 1] == '\r'))
		line.n--;
	return r->code == 501 || r->code == 553 || r->code == 555
		? span_sub(line, 0, SHOWN) : SPAN_NONE;
}

/* Those who may relay have a line for each refusal; how often a stranger is
 * refused he decides himself. */
static bool
refusal_may_tell(struct session *s)
{
	bool may = s->quiet ||
		   smtpd_may_relay(session_config(s), s->client) ||
		   guard_may_tell(s->server->deps.guard, s->client, false,
				  clock_now_ms());

	if (!may)
		trace_told(s, false);
	return may;
}

void
session_log_refusal(struct session *s, const struct reply *r, unsigned sign)
{
	bool counts = s->command != NULL && (s->command->flags & TELL_REFUSED);
	bool tell = counts && !(sign & SEEN_TELLING) && refusal_may_tell(s);
	enum log_level level = tell && !s->quiet ? LOG_LEVEL_INFO
						 : LOG_LEVEL_DEBUG;
	struct log_field fields[6] = {
		LOG_STR("client", s->client_text),
		LOG_STR("helo", s->helo),
		LOG_STR("after", s->command != NULL ? s->command->verb : ""),
	};
	struct span line = tell ? blamed_line(s, r) : SPAN_NONE;
	size_t n = 3;

	if (counts)
		atomic_fetch_add(&s->server->count_refused, 1);
	if (level == LOG_LEVEL_INFO)
		trace_told(s, true);
	s->quiet = false;
	if (!log_wants(level))
		return;
	if (s->tx.env != NULL)
		fields[n++] = LOG_TEXT("from", s->tx.env->sender.text);
	if (s->asked_rcpt != NULL)
		fields[n++] = LOG_STR("to", s->asked_rcpt);
	if (line.n > 0)
		fields[n++] = LOG_TEXT("line", line);
	log_event(&s->server->log, level, fields, n, "refused: %d %s %s",
		  r->code, r->enhanced, r->text);
}
