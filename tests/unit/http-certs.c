/* http-certs.c - an authority and what it issues, made anew for each run */
#include "unit.h"

#include "http-certs.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <gnutls/x509-ext.h>
#include <time.h>

struct holder {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static struct holder authority, stranger;
static gnutls_certificate_credentials_t made[CERT_KINDS];

static const struct kind {
	enum certificate kind;
	struct holder *issuer;		/* NULL: itself */
	int from_days, until_days;
	const char *purpose;
} kinds[] = {
	{ CERT_GOOD, &authority, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_OLD_TLS, &authority, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_MUTE, &authority, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_STRANGER, &stranger, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_SELF, NULL, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_EXPIRED, &authority, -60, -30, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_FUTURE, &authority, 30, 60, GNUTLS_KP_TLS_WWW_SERVER },
	{ CERT_CLIENT, &authority, -1, 30, GNUTLS_KP_TLS_WWW_CLIENT },
	{ CERT_STAPLE, &authority, -1, 30, GNUTLS_KP_TLS_WWW_SERVER },
};

static void
vow_to_staple(gnutls_x509_crt_t crt)
{
	gnutls_x509_tlsfeatures_t features;

	gnutls_x509_tlsfeatures_init(&features);
	gnutls_x509_tlsfeatures_add(features, 5);
	gnutls_x509_crt_set_tlsfeatures(crt, features);
	gnutls_x509_tlsfeatures_deinit(features);
}

/* A key, and a certificate that is not signed yet. */
static void
holder_init(struct holder *h, const char *name, int from_days, int until_days)
{
	static unsigned char serial;
	unsigned char id[] = { 1, ++serial };

	gnutls_x509_privkey_init(&h->key);
	assert_int_equal(gnutls_x509_privkey_generate(h->key, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	gnutls_x509_crt_init(&h->crt);
	gnutls_x509_crt_set_version(h->crt, 3);
	gnutls_x509_crt_set_serial(h->crt, id, sizeof(id));
	gnutls_x509_crt_set_dn_by_oid(h->crt, GNUTLS_OID_X520_COMMON_NAME, 0,
				      name, (unsigned)strlen(name));
	gnutls_x509_crt_set_key(h->crt, h->key);
	gnutls_x509_crt_set_activation_time(h->crt,
					    time(NULL) + from_days * 86400);
	gnutls_x509_crt_set_expiration_time(h->crt,
					    time(NULL) + until_days * 86400);
}

static void
holder_sign(struct holder *h, struct holder *by)
{
	assert_int_equal(gnutls_x509_crt_sign2(h->crt, by->crt, by->key,
					       GNUTLS_DIG_SHA256, 0), 0);
}

static void
holder_fini(struct holder *h)
{
	gnutls_x509_crt_deinit(h->crt);
	gnutls_x509_privkey_deinit(h->key);
}

static void
authority_init(struct holder *h, const char *name)
{
	holder_init(h, name, -100, 100);
	gnutls_x509_crt_set_basic_constraints(h->crt, 1, -1);
	gnutls_x509_crt_set_key_usage(h->crt, GNUTLS_KEY_KEY_CERT_SIGN);
	holder_sign(h, h);
}

static void
issue(const struct kind *k)
{
	static const char *const names[] = { "ok.test", "www.ok.test",
					     "proxied.test" };
	struct in_addr ip = { htonl(INADDR_LOOPBACK) };
	struct holder h;

	holder_init(&h, "ok.test", k->from_days, k->until_days);
	for (size_t i = 0; i < 3; i++)
		gnutls_x509_crt_set_subject_alt_name(
			h.crt, GNUTLS_SAN_DNSNAME, names[i],
			(unsigned)strlen(names[i]), GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_subject_alt_name(h.crt, GNUTLS_SAN_IPADDRESS, &ip,
					     sizeof(ip), GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_key_purpose_oid(h.crt, k->purpose, 0);
	if (k->kind == CERT_STAPLE)
		vow_to_staple(h.crt);
	holder_sign(&h, k->issuer != NULL ? k->issuer : &h);
	gnutls_certificate_allocate_credentials(&made[k->kind]);
	assert_int_equal(gnutls_certificate_set_x509_key(made[k->kind], &h.crt,
							 1, h.key), 0);
	holder_fini(&h);
}

void
site_certificates(const char *ca_path)
{
	gnutls_datum_t pem;
	struct error err;

	authority_init(&authority, "Test Authority");
	authority_init(&stranger, "Strange Authority");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		issue(&kinds[i]);
	assert_int_equal(gnutls_x509_crt_export2(authority.crt,
						 GNUTLS_X509_FMT_PEM, &pem), 0);
	assert_true(file_replace(ca_path, (struct span){ (char *)pem.data,
							 pem.size }, 0600, &err));
	gnutls_free(pem.data);
}

void
site_certificates_free(void)
{
	for (size_t i = 0; i < CERT_KINDS; i++)
		if (made[i] != NULL)
			gnutls_certificate_free_credentials(made[i]);
	memset(made, 0, sizeof(made));
	holder_fini(&authority);
	holder_fini(&stranger);
}

gnutls_certificate_credentials_t
certs_of(enum certificate kind)
{
	return made[kind];
}
