/* tls_words.c - what went wrong, for an administrator
 *
 * Two sources: the alert that the peer sent, and what GnuTLS found.  A table
 * each; what is wrong with a certificate is in tls_verify.c.
 */
#include "io/tls_inside.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"

#include <string.h>

/* --- alerts: RFC 8446 section 6, RFC 5246 section 7.2 ----------------- */

enum about {
	ABOUT_TLS,
	ABOUT_CERTIFICATE,		/* the one that we showed */
	ABOUT_VERSION,
};

static const struct {
	gnutls_alert_description_t alert;
	const char *name;
	enum about about;
} alerts[] = {
	{ GNUTLS_A_HANDSHAKE_FAILURE, "handshake failure", ABOUT_TLS },
	{ GNUTLS_A_INSUFFICIENT_SECURITY, "insufficient security", ABOUT_TLS },
	{ GNUTLS_A_PROTOCOL_VERSION, "protocol version", ABOUT_VERSION },
	{ GNUTLS_A_CERTIFICATE_REQUIRED, "certificate required",
	  ABOUT_CERTIFICATE },
	{ GNUTLS_A_BAD_CERTIFICATE, "bad certificate", ABOUT_CERTIFICATE },
	{ GNUTLS_A_UNSUPPORTED_CERTIFICATE, "unsupported certificate",
	  ABOUT_CERTIFICATE },
	{ GNUTLS_A_CERTIFICATE_REVOKED, "certificate revoked",
	  ABOUT_CERTIFICATE },
	{ GNUTLS_A_CERTIFICATE_EXPIRED, "certificate expired",
	  ABOUT_CERTIFICATE },
	{ GNUTLS_A_CERTIFICATE_UNKNOWN, "certificate unknown",
	  ABOUT_CERTIFICATE },
	{ GNUTLS_A_UNKNOWN_CA, "unknown CA", ABOUT_CERTIFICATE },
	{ GNUTLS_A_ACCESS_DENIED, "access denied", ABOUT_CERTIFICATE },
	{ GNUTLS_A_UNRECOGNIZED_NAME, "unrecognized name", ABOUT_TLS },
	{ GNUTLS_A_UNEXPECTED_MESSAGE, "unexpected message", ABOUT_TLS },
	{ GNUTLS_A_BAD_RECORD_MAC, "bad record MAC", ABOUT_TLS },
	{ GNUTLS_A_RECORD_OVERFLOW, "record overflow", ABOUT_TLS },
	{ GNUTLS_A_ILLEGAL_PARAMETER, "illegal parameter", ABOUT_TLS },
	{ GNUTLS_A_DECODE_ERROR, "decode error", ABOUT_TLS },
	{ GNUTLS_A_DECRYPT_ERROR, "decrypt error", ABOUT_TLS },
	{ GNUTLS_A_INTERNAL_ERROR, "internal error", ABOUT_TLS },
	{ GNUTLS_A_INAPPROPRIATE_FALLBACK, "inappropriate fallback",
	  ABOUT_TLS },
	{ GNUTLS_A_USER_CANCELED, "user canceled", ABOUT_TLS },
	{ GNUTLS_A_MISSING_EXTENSION, "missing extension", ABOUT_TLS },
	{ GNUTLS_A_UNSUPPORTED_EXTENSION, "unsupported extension", ABOUT_TLS },
};

/* Our certificate was refused: as far as can be seen from here, why. */
static void
words_refused(const struct tls_layer *t, struct error *err)
{
	int64_t end_ms = tls_identity_expires_ms(t->identity);
	char text[sizeof(err->text)], end[32];

	if (end_ms >= clock_wall_ms()) {
		error_hint(err, "check that the certificate's file also "
			   "contains its issuers, and that %s trusts the last "
			   "of them", t->side->peer);
		return;
	}
	memcpy(text, err->text, sizeof(text));
	error_set(err, err->kind, "%s; it expired at %s", text,
		  clock_iso(end_ms, end, sizeof(end)));
	error_hint(err, "renew the gateway's certificate in the same file; no "
		   "reload is needed");
}

static enum tls_fault
words_alert(const struct tls_layer *t, struct error *err)
{
	gnutls_alert_description_t alert = gnutls_alert_get(t->session);
	const char *name = gnutls_alert_get_name(alert);
	const char *words = "ended TLS";
	enum about about = ABOUT_TLS;
	bool missing = t->facts.asked == TLS_ASKED_NOT_SENT;

	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
		if (alerts[i].alert == alert) {
			name = alerts[i].name;
			about = alerts[i].about;
		}
	if (about == ABOUT_VERSION)
		words = "speaks neither TLS 1.2 nor TLS 1.3";
	else if (about == ABOUT_CERTIFICATE && t->showed)
		words = "refused the gateway's certificate";
	else if (about == ABOUT_CERTIFICATE && missing)
		words = "requires a client certificate, and none is configured";
	else if (!t->shaken && missing)	/* TLS 1.2 has no better alert */
		words = "refused the TLS handshake; it asked for a client "
			"certificate, and none is configured";
	else if (!t->shaken)
		words = "refused the TLS handshake";
	error_set(err, ERROR_PROTOCOL, "%s %s (alert: %s)", t->side->peer,
		  words, name ? name : "unknown");
	if (about == ABOUT_CERTIFICATE && t->showed) {
		words_refused(t, err);
		return TLS_FAULT_REFUSED;
	}
	if (missing)
		error_hint(err, "name one with `certificate' and `key'");
	return about == ABOUT_VERSION ? TLS_FAULT_NO_COMMON : TLS_FAULT_OTHER;
}

/* --- what GnuTLS found ----------------------------------------------- */

static const struct {
	int code;
	const char *words;		/* behind "the server" */
	enum tls_fault fault;
} failures[] = {
	{ GNUTLS_E_UNSUPPORTED_VERSION_PACKET,
	  "speaks neither TLS 1.2 nor TLS 1.3", TLS_FAULT_NO_COMMON },
	{ GNUTLS_E_NO_CIPHER_SUITES,
	  "has no cipher in common with the gateway", TLS_FAULT_NO_COMMON },
	{ GNUTLS_E_UNKNOWN_CIPHER_SUITE,
	  "has no cipher in common with the gateway", TLS_FAULT_NO_COMMON },
	{ GNUTLS_E_NO_COMMON_KEY_SHARE,
	  "has no key exchange in common with the gateway",
	  TLS_FAULT_NO_COMMON },
	{ GNUTLS_E_INSUFFICIENT_CREDENTIALS, "cannot use the key type of the "
	  "gateway's certificate", TLS_FAULT_OTHER },
	{ GNUTLS_E_DH_PRIME_UNACCEPTABLE, "offers a key exchange that is too "
	  "weak", TLS_FAULT_OTHER },
	{ GNUTLS_E_REHANDSHAKE, "wants to renegotiate TLS, which the gateway "
	  "does not support", TLS_FAULT_OTHER },
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, "has no certificate",
	  TLS_FAULT_OTHER },
	{ GNUTLS_E_DECRYPTION_FAILED, "sent data that was changed on its way",
	  TLS_FAULT_OTHER },
};

/* A record's first byte: a handshake or an alert. */
static bool
is_no_tls(const struct tls_layer *t)
{
	return t->first != 0 && t->first != 0x15 && t->first != 0x16;
}

enum tls_fault
tls_words(const struct tls_layer *t, int code, struct error *err)
{
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return words_alert(t, err);
	if (t->why != NULL) {
		*err = *t->why;
		if (!t->shaken && err->kind == ERROR_SYSTEM)
			error_prefix(err, "TLS handshake");
		return err->kind == ERROR_SYSTEM ? TLS_FAULT_LEFT
						 : TLS_FAULT_OTHER;
	}
	if (!t->shaken && is_no_tls(t)) {
		error_set(err, ERROR_PROTOCOL, "%s does not speak TLS here",
			  t->side->peer);
		return TLS_FAULT_CLEAR;
	}
	/* who just hangs up breaks no rule, and may do better next time */
	if (code == GNUTLS_E_PREMATURE_TERMINATION) {
		error_set(err, ERROR_SYSTEM, "%s closed the connection during "
			  "the TLS handshake", t->side->peer);
		return TLS_FAULT_LEFT;
	}
	/* in TLS 1.3 OpenSSL sends the alert in the clear that should be
	 * encrypted already, as soon as it has seen our certificate */
	if (code == GNUTLS_E_DECRYPTION_FAILED && !t->shaken && t->showed) {
		error_set(err, ERROR_PROTOCOL, "%s ended the TLS handshake; "
			  "probably it refused the gateway's certificate",
			  t->side->peer);
		words_refused(t, err);
		return TLS_FAULT_REFUSED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].code == code) {
			error_set(err, ERROR_PROTOCOL, "%s %s", t->side->peer,
				  failures[i].words);
			return failures[i].fault;
		}
	error_set(err, ERROR_PROTOCOL, "TLS with %s failed: %s",
		  t->side->peer, gnutls_strerror(code));
	return TLS_FAULT_OTHER;
}
