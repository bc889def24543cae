/* verify.c - GnuTLS judges the chain, we find the words */
#include "io/verify.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/macros.h"

enum { CHAIN_MAX = 16,			/* certificates that a peer may show */
       NAMES_TEXT_MAX = 160, ISSUER_TEXT_MAX = 120 };

struct chain {
	gnutls_x509_crt_t certificates[CHAIN_MAX];
	unsigned n;
};

static void
chain_fini(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->certificates[i]);
	c->n = 0;
}

static bool
chain_read(gnutls_session_t session, struct chain *c)
{
	unsigned n = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &n);

	if (shown == NULL || n == 0 || n > CHAIN_MAX)
		return false;
	for (; c->n < n; c->n++) {
		if (gnutls_x509_crt_init(&c->certificates[c->n]) < 0)
			return false;
		if (gnutls_x509_crt_import(c->certificates[c->n], &shown[c->n],
					   GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(c->certificates[c->n]);
			return false;
		}
	}
	return true;
}

/* --- what a certificate says of itself, fit for a message -------------- */

static void
say_date(struct buf *b, time_t when)
{
	char text[32];

	clock_iso((int64_t)when * 1000, text, sizeof(text));
	buf_add(b, span_sub(span_of(text), 0, 10));
}

/* "CN=Test CA,O=Postern" */
static void
say_issuer(struct buf *b, gnutls_x509_crt_t crt)
{
	gnutls_datum_t dn = { NULL, 0 };

	if (gnutls_x509_crt_get_issuer_dn3(crt, &dn, 0) < 0) {
		buf_add_str(b, "an issuer without a name");
		return;
	}
	encode_printable(b, (struct span){ (char *)dn.data, dn.size },
			 ISSUER_TEXT_MAX);
	gnutls_free(dn.data);
}

/* "a.example.org, b.example.org": its DNS names. */
static void
say_names(struct buf *b, gnutls_x509_crt_t crt)
{
	char name[256];
	unsigned shown = 0;

	for (unsigned i = 0; buf_span(b).n < NAMES_TEXT_MAX; i++) {
		size_t n = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name,
								&n, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type != GNUTLS_SAN_DNSNAME)
			continue;
		buf_add_str(b, shown++ ? ", " : "");
		encode_printable(b, (struct span){ name, n }, NAMES_TEXT_MAX);
	}
	if (shown == 0)
		buf_add_str(b, "no host");
}

/* --- the reasons, the weightiest first --------------------------------- */

typedef void say_fn(struct buf *b, gnutls_x509_crt_t crt);

static void
say_expired(struct buf *b, gnutls_x509_crt_t crt)
{
	buf_add_str(b, "it expired on ");
	say_date(b, gnutls_x509_crt_get_expiration_time(crt));
}

static void
say_not_yet(struct buf *b, gnutls_x509_crt_t crt)
{
	buf_add_str(b, "it is valid from ");
	say_date(b, gnutls_x509_crt_get_activation_time(crt));
}

static void
say_other_name(struct buf *b, gnutls_x509_crt_t crt)
{
	buf_add_str(b, "it is for ");
	say_names(b, crt);
}

static void
say_stranger(struct buf *b, gnutls_x509_crt_t crt)
{
	if (gnutls_x509_crt_check_issuer(crt, crt)) {
		buf_add_str(b, "it is signed by itself");
		return;
	}
	buf_add_str(b, "no authority that is trusted here issued it, but ");
	say_issuer(b, crt);
}

static const struct reason {
	unsigned status;
	say_fn *say;			/* or */
	const char *words;
	const char *hint;
} reasons[] = {
	{ GNUTLS_CERT_REVOKED, NULL, "it has been revoked", NULL },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, say_stranger, NULL,
	  "if that is an authority of your own, name its certificate as the trust_file" },
	{ GNUTLS_CERT_EXPIRED, say_expired, NULL,
	  "who runs the server must renew it; is the clock of this host right?" },
	{ GNUTLS_CERT_NOT_ACTIVATED, say_not_yet, NULL,
	  "is the clock of this host right?" },
	{ GNUTLS_CERT_UNEXPECTED_OWNER, say_other_name, NULL,
	  "name the server as its certificate does" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, NULL, "its signature is of a kind that is not safe any more",
	  NULL },
	{ GNUTLS_CERT_SIGNER_NOT_CA, NULL, "its issuer is not an authority", NULL },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, NULL, "it is not meant for servers", NULL },
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, NULL,
	  "its issuer may not issue it", NULL },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, NULL, "its signature is wrong", NULL },
};

/* An expired issuer counts, too: the words are about the one that is. */
static gnutls_x509_crt_t
subject_of(const struct chain *c, unsigned status)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);

	for (unsigned i = 0; i < c->n && status == GNUTLS_CERT_EXPIRED; i++)
		if (gnutls_x509_crt_get_expiration_time(c->certificates[i]) < now)
			return c->certificates[i];
	return c->certificates[status == GNUTLS_CERT_SIGNER_NOT_FOUND
			       ? c->n - 1 : 0];
}

static bool
tell(const struct chain *c, unsigned status, const char *name,
     struct error *err)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(sizeof(err->text));

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		const struct reason *r = &reasons[i];

		if (!(status & r->status))
			continue;
		if (r->say != NULL)
			r->say(&b, subject_of(c, r->status));
		else
			buf_add_str(&b, r->words);
		error_set(err, ERROR_PROTOCOL, "the certificate of %s is not "
			  "right: %s", name, buf_str(&b));
		return r->hint == NULL || error_hint(err, "%s", r->hint);
	}
	return error_set(err, ERROR_PROTOCOL,
			 "the certificate of %s is not right", name);
}

bool
verify_session(gnutls_session_t session, gnutls_x509_trust_list_t authorities,
	       const char *name, struct error *err)
{
	AUTO(chain_fini) struct chain c = { .n = 0 };
	gnutls_typed_vdata_st wanted[] = {
		{ GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)name, 0 },
		{ GNUTLS_DT_KEY_PURPOSE_OID,
		  (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0 },
	};
	unsigned status = 0;

	if (!chain_read(session, &c))
		return error_set(err, ERROR_PROTOCOL, "%s showed no "
				 "certificate that can be read", name);
	if (gnutls_x509_trust_list_verify_crt2(authorities, c.certificates,
					       c.n, wanted, ARRAY_SIZE(wanted),
					       0, &status, NULL) < 0)
		return error_set(err, ERROR_PROTOCOL, "the certificate of %s "
				 "cannot be judged", name);
	return status == 0 || (tell(&c, status, name, err), false);
}
