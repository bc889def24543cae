/* tls_verify.c - GnuTLS judges the chain, a table has the words */
#include "io/tls_verify.h"

#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/macros.h"
#include "io/tls_inside.h"

#include <string.h>

enum { STATUS_REQUEST = 5 };	/* RFC 6066: the number of that extension */

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
	const char *hint;		/* NULL: none */
} faults[] = {
	{ GNUTLS_CERT_UNEXPECTED_OWNER, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, say_owner, NULL,
	  "use a name that is in the server's certificate" },
	{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  WHICH_EXPIRED, say_expired, NULL,
	  "the server's administrator must renew it; check the clock of this "
	  "host, too" },
	{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  WHICH_NOT_YET, say_not_yet, NULL,
	  "check the clock of this host" },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
	  WHICH_LAST, say_issuer, NULL,
	  "if this is your own authority, name its certificate as the "
	  "trust_file" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
	  WHICH_LAST, NULL, "its issuer is no authority", NULL },
	{ GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED,
	  WHICH_LEAF, NULL, "it was revoked", NULL },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "a signature in its chain is wrong", NULL },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "its key or its signature is too weak", NULL },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	  WHICH_LEAF, NULL, "it is not meant for servers", NULL },
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "its issuer is not allowed to certify this name", NULL },
	{ GNUTLS_CERT_INVALID_OCSP_STATUS, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "the OCSP response that came with it is not valid",
	  NULL },
	{ GNUTLS_CERT_MISSING_OCSP_STATUS, GNUTLS_A_BAD_CERTIFICATE,
	  WHICH_LEAF, NULL, "it requires an OCSP response, and the server sent "
			    "none", NULL },
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

static void
tell(gnutls_session_t session, unsigned status, const char *name,
     gnutls_alert_description_t *alert, struct error *err)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(8 * LIMIT_NAMES_SHOWN);
	const char *hint = NULL;

	*alert = GNUTLS_A_BAD_CERTIFICATE;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!(status & faults[i].status))
			continue;
		if (out.len == 0) {
			*alert = faults[i].alert;
			hint = faults[i].hint;
		}
		say_fault(session, i, name, &out);
	}
	error_set(err, ERROR_PROTOCOL, "the certificate of %s is not "
		  "accepted: %s", name,
		  out.len > 0 ? buf_str(&out) : "it is not valid");
	if (hint != NULL)
		error_hint(err, "%s", hint);
}

/* --- the judgement --------------------------------------------------- */

/* What the peer showed. */
struct shown {
	gnutls_x509_crt_t v[LIMIT_CHAIN];
	unsigned n;
};

static void
shown_free(struct shown *s)
{
	while (s->n > 0)
		gnutls_x509_crt_deinit(s->v[--s->n]);
}

static bool
shown_read(gnutls_session_t session, struct shown *s)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);

	if (der == NULL || n == 0 || n > LIMIT_CHAIN)
		return false;
	while (s->n < n) {
		must(gnutls_x509_crt_init(&s->v[s->n]) >= 0);
		s->n++;
		if (gnutls_x509_crt_import(s->v[s->n - 1], &der[s->n - 1],
					   GNUTLS_X509_FMT_DER) < 0)
			return false;
	}
	return true;
}

static void
name_wanted(const char *name, struct ip *ip, gnutls_typed_vdata_st *ret)
{
	if (!ip_parse(span_of(name), ip)) {
		ret->type = GNUTLS_DT_DNS_HOSTNAME;
		ret->data = (unsigned char *)name;
		ret->size = (unsigned)strlen(name);
		return;
	}
	ret->type = GNUTLS_DT_IP_ADDRESS;
	ret->data = ip->bytes;
	ret->size = ip->family == 4 ? 4 : 16;
}

/* RFC 7633: its owner has vowed to send an OCSP answer with it. */
static bool
vows_to_staple(gnutls_x509_crt_t crt)
{
	gnutls_x509_tlsfeatures_t features;
	unsigned critical, feature;
	bool vows = false;

	must(gnutls_x509_tlsfeatures_init(&features) >= 0);
	if (gnutls_x509_crt_get_tlsfeatures(crt, features, 0, &critical) >= 0)
		for (unsigned i = 0; !vows && gnutls_x509_tlsfeatures_get(
			features, i, &feature) >= 0; i++)
			vows = feature == STATUS_REQUEST;
	gnutls_x509_tlsfeatures_deinit(features);
	return vows;
}

/* By our authorities, in a session that has others.  Whether an OCSP answer
 * was sent is looked at, but not what it says. */
static int
judge_elsewhere(gnutls_session_t session, const struct tls_trust *trust,
		struct shown *shown, gnutls_typed_vdata_st *wanted,
		unsigned n, unsigned *status)
{
	gnutls_x509_trust_list_t list;
	gnutls_datum_t staple;
	int rc;

	gnutls_certificate_get_trust_list(trust->credentials, &list);
	rc = gnutls_x509_trust_list_verify_crt2(list, shown->v, shown->n,
		wanted, n, GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW),
		status, NULL);
	if (rc >= 0 && vows_to_staple(shown->v[0]) &&
	    gnutls_ocsp_status_request_get2(session, 0, &staple) < 0)
		*status |= GNUTLS_CERT_INVALID |
			   GNUTLS_CERT_MISSING_OCSP_STATUS;
	return rc;
}

static int
judge(gnutls_session_t session, const struct tls_trust *trust,
      struct shown *shown, gnutls_typed_vdata_st *wanted, unsigned n,
      unsigned *status)
{
	void *credentials = NULL;

	if (gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE,
				   &credentials) >= 0 &&
	    credentials == trust->credentials)
		return gnutls_certificate_verify_peers(session, wanted, n,
						       status);
	return judge_elsewhere(session, trust, shown, wanted, n, status);
}

bool
tls_verify(gnutls_session_t session, const struct tls_trust *trust,
	   const char *name, gnutls_alert_description_t *alert,
	   struct error *err)
{
	AUTO(shown_free) struct shown shown = { .n = 0 };
	gnutls_typed_vdata_st wanted[2] = {
		[1] = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
			.data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER },
	};
	gnutls_alert_description_t ignored;
	unsigned status = 0;
	struct ip ip;

	if (alert == NULL)
		alert = &ignored;
	*alert = GNUTLS_A_BAD_CERTIFICATE;
	if (!shown_read(session, &shown))
		return error_set(err, ERROR_PROTOCOL, "%s sent no certificate "
				 "that can be read", name);
	name_wanted(name, &ip, &wanted[0]);
	if (judge(session, trust, &shown, wanted, ARRAY_SIZE(wanted),
		  &status) < 0)
		return error_set(err, ERROR_PROTOCOL, "the certificate of %s "
				 "cannot be verified", name);
	if (status == 0)
		return true;
	tell(session, status, name, alert, err);
	return false;
}
