/* signer_new.c - making keys */
#include "mail/signer_inside.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static int
generate(gnutls_x509_privkey_t x, enum signer_algorithm a, unsigned bits,
	 gnutls_datum_t *ret)
{
	int rc = gnutls_x509_privkey_generate(x, a == SIGNER_RSA
		? GNUTLS_PK_RSA : GNUTLS_PK_EDDSA_ED25519,
		a == SIGNER_RSA ? bits : GNUTLS_CURVE_TO_BITS(
			GNUTLS_ECC_CURVE_ED25519), 0);

	if (rc < 0)
		return rc;
	return gnutls_x509_privkey_export2_pkcs8(x, GNUTLS_X509_FMT_PEM, NULL,
						 GNUTLS_PKCS_PLAIN, ret);
}

bool
signer_generate(enum signer_algorithm a, unsigned bits, struct buf *pem,
		struct error *err)
{
	gnutls_x509_privkey_t x;
	gnutls_datum_t out = { NULL, 0 };
	bool added;
	int rc;

	if (a == SIGNER_RSA &&
	    (bits < SIGNER_BITS_MIN || bits > SIGNER_BITS_MAX)) {
		error_set(err, ERROR_CONFIG, "an RSA key has %d to %d bits, "
			  "not %u", SIGNER_BITS_MIN, SIGNER_BITS_MAX, bits);
		return error_hint(err, "2048 is what all receivers take");
	}
	rc = gnutls_x509_privkey_init(&x);
	if (rc == 0) {
		rc = generate(x, a, bits, &out);
		gnutls_x509_privkey_deinit(x);
	}
	if (rc < 0)
		return error_set(err, ERROR_SYSTEM, "making a key: %s",
				 gnutls_strerror(rc));
	added = buf_add(pem, (struct span){ (const char *)out.data, out.size });
	gnutls_memset(out.data, 0, out.size);
	gnutls_free(out.data);
	return added || error_set(err, ERROR_LIMIT, "making a key: there is "
				  "no room for it");
}
