/* outcome.c - an outcome filled, and put into words */
#include "mail/outcome.h"

#include "base/encode.h"
#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name, *words; } phases[] = {
	[PHASE_NONE]     = { "none",     "before connecting" },
	[PHASE_RESOLVE]  = { "resolve",  "looking up the host" },
	[PHASE_CONNECT]  = { "connect",  "connecting" },
	[PHASE_GREETING] = { "greeting", "waiting for the greeting" },
	[PHASE_EHLO]     = { "ehlo",     "sending EHLO" },
	[PHASE_STARTTLS] = { "starttls", "starting TLS" },
	[PHASE_AUTH]     = { "auth",     "logging in" },
	[PHASE_MAIL]     = { "mail",     "sending MAIL FROM" },
	[PHASE_RCPT]     = { "rcpt",     "sending RCPT TO" },
	[PHASE_DATA]     = { "data",     "sending DATA" },
	[PHASE_BODY]     = { "body",     "sending the message" },
	[PHASE_DOT]      = { "dot",      "waiting for the answer to the message" },
	[PHASE_QUIT]     = { "quit",     "sending QUIT" },
};
_Static_assert(ARRAY_SIZE(phases) == PHASE_COUNT, "a phase lacks its words");

const char *
phase_words(enum phase p)
{
	return (unsigned)p < PHASE_COUNT ? phases[p].words : "";
}

const char *
phase_name(enum phase p)
{
	return (unsigned)p < PHASE_COUNT ? phases[p].name : "";
}

/* One printable line: line ends become blanks, what a terminal would obey is
 * made visible, what is too long is cut and marked. */
static void
outcome_say(struct outcome *o, struct span text)
{
	/* encode_printable passes its maximum by one character at most */
	enum { MAX = LIMIT_OUTCOME_TEXT - 8 };
	AUTO(buf_fini) struct buf b = BUF_MAX(LIMIT_OUTCOME_TEXT - 1);
	char flat[LIMIT_OUTCOME_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < sizeof(flat); i++) {
		char c = text.p[i];

		if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n')
			continue;
		flat[n++] = c == '\n' || c == '\t' ? ' ' : c;
	}
	encode_printable(&b, span_trim((struct span){ flat, n }), MAX);
	snprintf(o->text, sizeof(o->text), "%s", buf_str(&b));
}

void
outcome_reply(struct outcome *o, enum phase p, const struct smtp_reply *r)
{
	o->kind = OUTCOME_REPLY;
	o->phase = p;
	o->code = r->code;
	o->enhanced = r->enhanced;
	outcome_say(o, r->text);
}

void
outcome_set(struct outcome *o, enum outcome_kind kind, enum phase p,
	    const char *fmt, ...)
{
	char text[2 * LIMIT_OUTCOME_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->kind = kind;
	o->phase = p;
	o->code = 0;
	o->enhanced = (struct enhanced){ .class = 0 };
	outcome_say(o, span_of(text));
}

void
outcome_error(struct outcome *o, enum outcome_kind kind, enum phase p,
	      const struct error *err)
{
	outcome_set(o, kind, p, "%s", err->text);
	snprintf(o->hint, sizeof(o->hint), "%.*s",
		 (int)sizeof(o->hint) - 1, err->hint);
}

const char *
outcome_where(const struct outcome *o)
{
	/* what a server lacks is known from EHLO, and nothing more is sent */
	if (o->phase == PHASE_NONE || o->kind == OUTCOME_UNSUPPORTED)
		return "";
	return phase_words(o->phase);
}

const char *
outcome_text(const struct outcome *o, char *buf, size_t size)
{
	const char *words = outcome_where(o);
	char code[16] = "", enhanced[24];

	if (o->code != 0)
		snprintf(code, sizeof(code), "%03d", o->code);
	enhanced_text(o->enhanced, enhanced, sizeof(enhanced));
	snprintf(buf, size, "%s%s%s%s%s%s%s%s", code, code[0] ? " " : "",
		 enhanced, enhanced[0] ? " " : "", o->text,
		 words[0] ? " (while " : "", words, words[0] ? ")" : "");
	return buf;
}

const char *
outcome_text_at(const struct outcome *o, char *buf, size_t size)
{
	bool needed = o->kind == OUTCOME_NETWORK ||
		      (o->kind == OUTCOME_REPLY && o->phase == PHASE_GREETING);
	size_t n = 0;

	if (needed && o->host[0] != '\0')
		n = (size_t)snprintf(buf, size, "%s: ", o->host);
	if (n < size)
		outcome_text(o, buf + n, size - n);
	return buf;
}
