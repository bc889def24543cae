/* outcome.h - what happened to one recipient in one attempt
 *
 * An outcome is made where something happened (SMTP client engine, backend),
 * travels with the recipient, and is judged by dispatch/verdict.c alone.  It
 * is a plain value that owns its text; pass it by pointer.
 */
#ifndef MAIL_OUTCOME_H
#define MAIL_OUTCOME_H

#include "base/error.h"
#include "base/limits.h"
#include "mail/reply.h"

/* Where an attempt was when it ended.  Rows in outcome.c give the words:
 * "while sending RCPT TO". */
enum phase {
	PHASE_NONE,		/* before anything: the backend itself */
	PHASE_RESOLVE,		/* looking up the host */
	PHASE_CONNECT,
	PHASE_GREETING,
	PHASE_EHLO,
	PHASE_STARTTLS,
	PHASE_AUTH,
	PHASE_MAIL,
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_BODY,
	PHASE_DOT,		/* waiting for the answer to the final dot */
	PHASE_QUIT,
	PHASE_COUNT,
};

enum outcome_kind {
	OUTCOME_REPLY,		/* a server answered: code, enhanced, text */
	OUTCOME_NETWORK,	/* no answer: refused, timed out, cut off */
	OUTCOME_DNS,		/* a lookup without an answer */
	OUTCOME_LOCAL,		/* our own side: module, body, deadline */
	OUTCOME_UNSUPPORTED,	/* the next hop lacks what the message needs
				 * (SMTPUTF8, SIZE): permanent, enhanced says */
	OUTCOME_SECURITY,	/* what the connection must have is not to be
				 * had: TLS, their certificate or ours, a
				 * login.  Somebody has to mend that */
};

/* What the next hop, by TLS, has learnt of who we are. */
enum shown {
	SHOWN_NOTHING,		/* it did not ask, and there is nothing */
	SHOWN_NOT_ASKED,	/* there is a certificate, but it did not ask */
	SHOWN_MISSING,		/* it did, and there is none */
	SHOWN_CERTIFICATE,
	SHOWN_EXPIRED,		/* one that has expired */
};

/* What the attempt logs in with, or would have. */
enum login { LOGIN_NONE, LOGIN_PASSWORD, LOGIN_TOKEN };

struct outcome {
	enum outcome_kind kind;
	enum phase phase;
	int code;			/* 0: there was no reply */
	struct enhanced enhanced;	/* zero when none was given */
	char text[LIMIT_OUTCOME_TEXT];	/* one line, printable */
	char hint[LIMIT_OUTCOME_HINT];		/* what can be done, "" : not known */
	char host[256];			/* "mx1.example.org[192.0.2.1]:25" */
	char tls[96];			/* "TLS1.3 AES-256-GCM", "" : plain */
	enum shown shown;
	enum login login;
	bool dsn_passed_on;		/* the next hop took over RFC 3461 */
	/* milliseconds spent, for the log line: connecting and greeting,
	 * handshake and commands up to DATA, body and final answer */
	int64_t connect_ms, setup_ms, transfer_ms;
};

const char *phase_words(enum phase p);	/* "waiting for the greeting" */
const char *phase_name(enum phase p);	/* "greeting" */

/* These two fill kind, phase, code, enhanced and text, and leave the rest of
 * *o (zeroed when it is made) as it is: from a reply that came in this phase */
void outcome_reply(struct outcome *o, enum phase p, const struct smtp_reply *r);
/* and for anything without a reply.  Text is made one printable line. */
void outcome_set(struct outcome *o, enum outcome_kind kind, enum phase p,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same, from an error: its words and its hint. */
void outcome_error(struct outcome *o, enum outcome_kind kind, enum phase p,
		   const struct error *err);

/* The words of its phase, for a reader; "" where nothing was under way. */
const char *outcome_where(const struct outcome *o);

/* "550 5.1.1 no such user (while sending RCPT TO)" into buf; returns buf. */
const char *outcome_text(const struct outcome *o, char *buf, size_t size);

/* The same behind the host, where it says nothing of whom it is about: there
 * was no answer, or none but the greeting. */
const char *outcome_text_at(const struct outcome *o, char *buf, size_t size);

static inline bool
outcome_delivered(const struct outcome *o)
{
	return o->kind == OUTCOME_REPLY && o->code >= 200 && o->code < 300;
}

#endif
