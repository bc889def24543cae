/* failure.c - the table of what sessions without a message would have needed
 */
#include "smtpd/failure.h"

#include "base/macros.h"

#include <string.h>

enum {
	ON_PLAIN = 1 << LISTENER_PLAIN,
	ON_IMPLICIT = 1 << LISTENER_IMPLICIT,
	BY_TIMEOUT = 1 << ENDED_TIMEOUT,
	BY_STOP = 1 << ENDED_STOPPED,
	BY_CLIENT = 1 << ENDED_QUIT | 1 << ENDED_CLOSED,
};

#define IMPLICIT_NEEDED \
	"the device spoke or waited without TLS, and this listener has `tls: " \
	"implicit': choose SSL/TLS in the device, or let it use a listener " \
	"with `tls: starttls'"

/* In order: what explains most comes first. */
static const struct failure_row rows[] = {
	{ 0, 0, BY_STOP, FAILURE_INTERRUPTED,
	  "the gateway stopped before the message had arrived" },

	{ SEEN_TLS_BYTES, ON_PLAIN, 0, FAILURE_TLS,
	  "the device began TLS at once, and this listener has `tls: none': "
	  "switch encryption off in the device, or let it use a listener with "
	  "`tls: implicit'" },
	{ SEEN_TLS_BYTES, 0, 0, FAILURE_TLS,
	  "the device began TLS at once, and this listener begins TLS with "
	  "STARTTLS: choose STARTTLS in the device, or let it use a listener "
	  "with `tls: implicit'" },
	{ SEEN_HTTP, 0, 0, FAILURE_NO_SMTP,
	  "the client speaks HTTP, and this is a port for SMTP" },

	{ SEEN_SHAKING | SEEN_CLEAR, ON_IMPLICIT, 0, FAILURE_TLS,
	  IMPLICIT_NEEDED },
	{ SEEN_SHAKING | SEEN_SILENT, ON_IMPLICIT, 0, FAILURE_TLS,
	  IMPLICIT_NEEDED },
	{ SEEN_SHAKING | SEEN_OLD_TLS, 0, 0, FAILURE_TLS,
	  "the device and this gateway have no version or cipher of TLS in "
	  "common: update the device's software, or switch encryption off in "
	  "the device" },
	{ SEEN_SHAKING | SEEN_DISTRUST, 0, 0, FAILURE_TLS,
	  "the device does not trust the certificate of this gateway: let the "
	  "device trust the certificate's issuer and use a name that is in the "
	  "certificate, or switch the check of certificates off in the device" },
	{ SEEN_SHAKING, 0, BY_TIMEOUT, FAILURE_TLS,
	  "the device did not finish the TLS handshake: look for an error in "
	  "the device's own log" },
	{ SEEN_SHAKING | SEEN_BROKEN_OFF, 0, 0, FAILURE_TLS,
	  "the device ended the TLS handshake, probably because it does not "
	  "trust the certificate of this gateway: let the device trust its "
	  "issuer, or switch the check of certificates off in the device" },
	{ SEEN_SHAKING, 0, 0, FAILURE_TLS,
	  "the TLS handshake failed: `reason' says why" },

	{ SEEN_DATA | SEEN_TOO_LARGE, 0, 0, FAILURE_INTERRUPTED,
	  "the message was larger than `limits.message_size', and the device "
	  "left before it was told so: raise that limit, or send less" },
	{ SEEN_DATA, 0, BY_TIMEOUT, FAILURE_TIMEOUT,
	  "the device stopped sending within the message: check the network "
	  "between the device and the gateway, and the device's own log" },
	{ SEEN_DATA, 0, 0, FAILURE_INTERRUPTED,
	  "the connection ended within the message: look for an error or a "
	  "timeout in the device, and for a firewall between the device and "
	  "the gateway" },

	{ SEEN_STARTTLS, ON_PLAIN, 0, FAILURE_TLS,
	  "the device wants STARTTLS, and this listener has `tls: none': "
	  "switch encryption off in the device, or set `tls: starttls' for the "
	  "listener" },
	{ SEEN_STARTTLS, 0, 0, FAILURE_TLS,
	  "the device wants STARTTLS, and this gateway has no certificate: set "
	  "`tls.certificate' and `tls.key', or switch encryption off in the "
	  "device" },
	{ SEEN_UNSECURED, 0, 0, FAILURE_TLS,
	  "the device sends without TLS, and this listener has `tls: "
	  "required': choose STARTTLS in the device, or let it use a listener "
	  "with `tls: starttls'" },
	{ SEEN_AUTH | SEEN_STRANGER, 0, 0, FAILURE_LOGIN,
	  "the device wants to log in, which this listener does not offer: "
	  "switch authentication off in the device, and add its address to "
	  "`relay.networks'" },
	{ SEEN_AUTH, 0, 0, FAILURE_LOGIN,
	  "the device wants to log in, which this listener does not offer: "
	  "switch authentication off in the device; its address may send "
	  "without it" },
	{ SEEN_BAD_NAME, 0, 0, FAILURE_REFUSED,
	  "the name that the device gives in EHLO or HELO is too long, or contains "
	  "control characters: give the device another name" },

	{ SEEN_ERRORS, 0, 0, FAILURE_NO_SMTP,
	  "the client sent too many commands that make no sense: it may not "
	  "be a mail client" },
	{ SEEN_NONSENSE, 0, 0, FAILURE_NO_SMTP,
	  "the client sent a command that this server does not know: it may not "
	  "be a mail client, or its settings are for another server" },
	{ SEEN_REFUSED, 0, 0, FAILURE_REFUSED,
	  "a command was refused: the answer says why" },

	{ 0, 0, BY_TIMEOUT, FAILURE_TIMEOUT,
	  "the client was silent for too long: look for an error in the "
	  "device's own log" },
	{ 0, 0, BY_CLIENT, FAILURE_LEFT,
	  "the client left before it sent a message: it only made a test, or "
	  "it did not accept an answer" },
	{ 0, 0, 0, FAILURE_INTERRUPTED,
	  "the connection ended before the message: look for an error in the "
	  "device, and for a firewall between the device and the gateway" },
};

const struct failure_row *
failure_find(unsigned seen, int listener_tls, enum ending ending)
{
	unsigned listener = 1u << listener_tls, end = 1u << ending;
	size_t i = 0;

	for (; i + 1 < ARRAY_SIZE(rows); i++) {
		const struct failure_row *r = &rows[i];

		if ((r->seen & seen) == r->seen &&
		    (r->listeners == 0 || (r->listeners & listener)) &&
		    (r->endings == 0 || (r->endings & end)))
			break;
	}
	return &rows[i];
}

/* --- signs ----------------------------------------------------------- */

static const struct {
	const char *verb;		/* NULL: any */
	int code;			/* 0: any */
	unsigned seen;
} signs[] = {
	{ "AUTH", 0, SEEN_AUTH },
	{ "STARTTLS", 502, SEEN_STARTTLS },
	{ "STARTTLS", 454, SEEN_STARTTLS },
	{ "EHLO", 501, SEEN_BAD_NAME },
	{ "HELO", 501, SEEN_BAD_NAME },
	{ "(TLS)", 0, SEEN_TLS_BYTES },
	{ "(long line)", 0, SEEN_NONSENSE },
	{ "(unknown)", 0, SEEN_NONSENSE },
	{ NULL, 530, SEEN_UNSECURED },
};

unsigned
failure_sign(const char *verb, int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if ((signs[i].verb == NULL ||
		     strcmp(signs[i].verb, verb) == 0) &&
		    (signs[i].code == 0 || signs[i].code == code))
			return signs[i].seen;
	return 0;
}

unsigned
failure_tls_sign(enum tls_fault fault)
{
	static const unsigned of[] = {
		[TLS_FAULT_CLEAR] = SEEN_CLEAR,
		[TLS_FAULT_NO_COMMON] = SEEN_OLD_TLS,
		[TLS_FAULT_REFUSED] = SEEN_DISTRUST,
		[TLS_FAULT_LEFT] = SEEN_BROKEN_OFF,
	};

	return of[fault];
}

/* A record of TLS or SSL 3 that carries a handshake (RFC 8446 section 5.1), or
 * the ClientHello of SSL 2 that old devices begin with (RFC 5246 appendix
 * E.2).  No command begins so. */
bool
failure_is_tls(struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;

	if (in.n >= 2 && p[0] == 0x16 && p[1] == 0x03)
		return true;
	return in.n >= 4 && (p[0] & 0x80) != 0 && p[2] == 0x01 &&
	       p[3] == 0x03;
}

/* --- words ----------------------------------------------------------- */

const char *
failure_kind_name(enum failure_kind k)
{
	static const char *const names[FAILURE_KINDS] = {
		[FAILURE_TLS] = "tls", [FAILURE_LOGIN] = "login",
		[FAILURE_REFUSED] = "refused",
		[FAILURE_INTERRUPTED] = "interrupted",
		[FAILURE_TIMEOUT] = "timeout",
		[FAILURE_NO_SMTP] = "no_smtp", [FAILURE_LEFT] = "left",
	};

	return names[k];
}

const char *
failure_ending_words(enum ending e)
{
	static const char *const words[ENDINGS] = {
		[ENDED_QUIT] = "the client said QUIT",
		[ENDED_CLOSED] = "the client closed the connection",
		[ENDED_LOST] = "the connection was lost",
		[ENDED_TIMEOUT] = "timeout",
		[ENDED_REFUSED] = "the gateway closed the connection",
		[ENDED_TLS] = "the TLS handshake failed",
		[ENDED_STOPPED] = "the gateway stopped",
	};

	return words[e];
}
