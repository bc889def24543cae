/* failure.h - why a session ended without a message
 *
 * What was seen of a session is a set of bits; a table says what they mean,
 * under which kind the session is counted, and what the device would have
 * needed.  Pure.
 */
#ifndef SMTPD_FAILURE_H
#define SMTPD_FAILURE_H

#include "io/tls.h"
#include "smtpd/config.h"

enum seen {
	SEEN_TLS_BYTES = 1 << 0,	/* a ClientHello in place of a command */
	SEEN_HTTP = 1 << 1,
	SEEN_DATA = 1 << 2,		/* the end came within a message */
	SEEN_TOO_LARGE = 1 << 3,	/* ... that was over the limit */
	SEEN_SHAKING = 1 << 4,		/* the TLS handshake did not end well */
	SEEN_SILENT = 1 << 5,		/* ... and the client said nothing */
	SEEN_CLEAR = 1 << 6,		/* ... it spoke without TLS */
	SEEN_OLD_TLS = 1 << 7,		/* ... nothing in common with us */
	SEEN_DISTRUST = 1 << 8,		/* ... it refused our certificate */
	SEEN_STARTTLS = 1 << 9,		/* it was refused */
	SEEN_UNSECURED = 1 << 10,	/* mail without TLS was refused */
	SEEN_AUTH = 1 << 11,		/* it was refused */
	SEEN_BAD_NAME = 1 << 12,	/* of EHLO */
	SEEN_NONSENSE = 1 << 13,	/* commands that nobody knows */
	SEEN_ERRORS = 1 << 14,		/* too many of them */
	SEEN_REFUSED = 1 << 15,		/* anything */
	SEEN_BROKEN_OFF = 1 << 16,	/* the handshake, without a reason */
	SEEN_STRANGER = 1 << 17,	/* the client may not relay */
};

/* Signs whose words say more than the reply does. */
enum { SEEN_TELLING = SEEN_TLS_BYTES | SEEN_HTTP | SEEN_STARTTLS |
		      SEEN_UNSECURED | SEEN_AUTH | SEEN_BAD_NAME };

enum ending {
	ENDED_QUIT,
	ENDED_CLOSED,			/* by the client, without QUIT */
	ENDED_LOST,			/* the connection failed */
	ENDED_TIMEOUT,
	ENDED_REFUSED,			/* by us */
	ENDED_TLS,			/* in the handshake */
	ENDED_STOPPED,			/* the gateway stops */
	ENDINGS,
};

enum failure_kind {
	FAILURE_TLS,
	FAILURE_LOGIN,
	FAILURE_REFUSED,
	FAILURE_INTERRUPTED,
	FAILURE_TIMEOUT,
	FAILURE_NO_SMTP,
	FAILURE_LEFT,
	FAILURE_KINDS,
};

struct failure_row {
	unsigned seen;			/* all of these; 0: whatever it was */
	unsigned listeners;		/* one of 1 << enum listener_tls; 0: any */
	unsigned endings;		/* one of 1 << enum ending; 0: any */
	enum failure_kind kind;
	const char *words;		/* what the device would have needed */
};

/* The first row that fits; there is always one. */
const struct failure_row *failure_find(unsigned seen, int listener_tls,
				       enum ending ending);

/* What the refusal of a command says of the client; 0: nothing in particular.
 * verb is that of the table of commands. */
unsigned failure_sign(const char *verb, int code);
/* The same for a handshake that failed. */
unsigned failure_tls_sign(enum tls_fault fault);

/* Whether these bytes, where a command is due, begin a TLS handshake. */
bool failure_is_tls(struct span in);

const char *failure_kind_name(enum failure_kind k);	/* for JSON */
const char *failure_ending_words(enum ending e);

#endif
