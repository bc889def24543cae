/* tls_words.c - what went wrong, for an administrator
 *
 * Three sources: the alert that the peer sent, what is wrong with its
 * certificate, and what GnuTLS found.  A table each.
 */
#include "io/tls_inside.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"

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

static void
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
		words = "refused our certificate";
	else if (about == ABOUT_CERTIFICATE && missing)
		words = "wants a certificate of ours, and there is none to "
			"show";
	else if (!t->shaken && missing)	/* TLS 1.2 has no better alert */
		words = "refused the TLS handshake; it asked for a certificate "
			"of ours, and there is none to show";
	else if (!t->shaken)
		words = "refused the TLS handshake";
	error_set(err, ERROR_PROTOCOL, "%s %s (alert: %s)", t->side->peer,
		  words, name ? name : "unknown");
}

/* --- certificates ---------------------------------------------------- */

/* The peer's chain, and what its words say. */
struct fault {
	gnutls_x509_crt_t crt;		/* that the row is about */
	const char *name;		/* that it should bear */
	struct buf *out;
};

static void
add_time(struct buf *out, int64_t seconds)
{
	char text[32];

	buf_add_str(out, clock_iso(seconds * 1000, text, sizeof(text)));
}

static void
say_expired(const struct fault *f)
{
	buf_add_str(f->out, "it expired at ");
	add_time(f->out, gnutls_x509_crt_get_expiration_time(f->crt));
}

static void
say_not_yet(const struct fault *f)
{
	buf_add_str(f->out, "it is not valid before ");
	add_time(f->out, gnutls_x509_crt_get_activation_time(f->crt));
}

static void
say_owner(const struct fault *f)
{
	AUTO(buf_fini) struct buf names = BUF_MAX(2 * LIMIT_NAMES_SHOWN);

	certificate_names(f->crt, &names);
	buf_addf(f->out, "it is for %.*s, not for %s", LIMIT_NAMES_SHOWN,
		 names.len > 0 ? buf_str(&names) : "nobody", f->name);
}

static void
say_issuer(const struct fault *f)
{
	if (gnutls_x509_crt_check_issuer(f->crt, f->crt)) {
		buf_add_str(f->out, "it is self-signed");
		return;
	}
	buf_add_str(f->out, "its issuer is unknown: ");
	certificate_issuer(f->crt, f->out);
}

/* Which certificate of the chain a row is about. */
enum which {
	WHICH_LEAF,
	WHICH_LAST,			/* whose issuer is not at hand */
	WHICH_EXPIRED,
	WHICH_NOT_YET,
};

static const struct {
	unsigned status;
	gnutls_alert_description_t alert;
	enum which which;
	void (*say)(const struct fault *f);	/* NULL: */
	const char *words;
} faults[] = {
	{ GNUTLS_CERT_UNEXPECTED_OWNER, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, say_owner, NULL },
	{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  WHICH_EXPIRED, say_expired, NULL },
	{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  WHICH_NOT_YET, say_not_yet, NULL },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
	  WHICH_LAST, say_issuer, NULL },
	{ GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
	  WHICH_LAST, NULL, "its issuer is no authority" },
	{ GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED,
	  WHICH_LEAF, NULL, "it was revoked" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "a signature in its chain is wrong" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "its key or its signature is too weak" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	  WHICH_LEAF, NULL, "it is not meant for servers" },
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "its issuer may not speak for that name" },
	{ GNUTLS_CERT_MISSING_OCSP_STATUS, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "it demands an OCSP answer, and the server sent "
			    "none" },
};

static bool
is_which(gnutls_x509_crt_t crt, enum which which)
{
	int64_t now = clock_wall_ms() / 1000;

	if (which == WHICH_EXPIRED)
		return gnutls_x509_crt_get_expiration_time(crt) < now;
	if (which == WHICH_NOT_YET)
		return gnutls_x509_crt_get_activation_time(crt) > now;
	return which == WHICH_LEAF;
}

/* The caller's to free; NULL when it cannot be read. */
static gnutls_x509_crt_t
chain_find(gnutls_session_t session, enum which which)
{
	const gnutls_datum_t *chain;
	unsigned n = 0;

	chain = gnutls_certificate_get_peers(session, &n);
	for (unsigned i = 0; i < n; i++) {
		gnutls_x509_crt_t crt;

		must(gnutls_x509_crt_init(&crt) >= 0);
		if (gnutls_x509_crt_import(crt, &chain[i],
					   GNUTLS_X509_FMT_DER) >= 0 &&
		    (is_which(crt, which) || i + 1 == n))
			return crt;
		gnutls_x509_crt_deinit(crt);
	}
	return NULL;
}

static void
say_fault(gnutls_session_t session, size_t row, const char *name,
	  struct buf *out)
{
	struct fault f = { .name = name, .out = out };

	if (out->len > 0)
		buf_add_str(out, "; ");
	if (faults[row].say == NULL) {
		buf_add_str(out, faults[row].words);
		return;
	}
	f.crt = chain_find(session, faults[row].which);
	if (f.crt == NULL) {
		buf_add_str(out, "it cannot be read");
		return;
	}
	faults[row].say(&f);
	gnutls_x509_crt_deinit(f.crt);
}

gnutls_alert_description_t
tls_words_certificate(gnutls_session_t session, unsigned status,
		      const char *name, struct error *err)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(8 * LIMIT_NAMES_SHOWN);
	gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!(status & faults[i].status))
			continue;
		if (out.len == 0)
			alert = faults[i].alert;
		say_fault(session, i, name, &out);
	}
	error_set(err, ERROR_PROTOCOL, "the certificate of %s is not "
		  "accepted: %s", name,
		  out.len > 0 ? buf_str(&out) : "it does not hold");
	return alert;
}

/* --- what GnuTLS found ----------------------------------------------- */

static const struct {
	int code;
	const char *words;		/* behind "the server" */
} failures[] = {
	{ GNUTLS_E_PREMATURE_TERMINATION,
	  "closed the connection during the TLS handshake" },
	{ GNUTLS_E_UNSUPPORTED_VERSION_PACKET,
	  "speaks neither TLS 1.2 nor TLS 1.3" },
	{ GNUTLS_E_NO_CIPHER_SUITES, "has no cipher in common with us" },
	{ GNUTLS_E_UNKNOWN_CIPHER_SUITE, "has no cipher in common with us" },
	{ GNUTLS_E_NO_COMMON_KEY_SHARE, "has no key exchange in common with "
	  "us" },
	{ GNUTLS_E_INSUFFICIENT_CREDENTIALS, "cannot use the kind of our "
	  "certificate's key" },
	{ GNUTLS_E_DH_PRIME_UNACCEPTABLE, "offers a key exchange that is too "
	  "weak" },
	{ GNUTLS_E_REHANDSHAKE, "wants to negotiate TLS anew, which is not "
	  "done here" },
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, "has no certificate" },
	{ GNUTLS_E_DECRYPTION_FAILED, "sent what was changed on its way" },
};

/* A record's first byte: a handshake or an alert. */
static bool
is_no_tls(const struct tls_layer *t)
{
	return t->first != 0 && t->first != 0x15 && t->first != 0x16;
}

void
tls_words(const struct tls_layer *t, int code, struct error *err)
{
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		words_alert(t, err);
		return;
	}
	if (t->why != NULL) {
		*err = *t->why;
		if (!t->shaken && err->kind == ERROR_SYSTEM)
			error_prefix(err, "TLS handshake");
		return;
	}
	if (!t->shaken && is_no_tls(t)) {
		error_set(err, ERROR_PROTOCOL, "%s does not speak TLS here",
			  t->side->peer);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].code == code) {
			error_set(err, ERROR_PROTOCOL, "%s %s", t->side->peer,
				  failures[i].words);
			return;
		}
	error_set(err, ERROR_PROTOCOL, "TLS with %s failed: %s",
		  t->side->peer, gnutls_strerror(code));
}
