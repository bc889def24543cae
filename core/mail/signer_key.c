/* signer_key.c - a key is looked at once, when it is made
 *
 * GnuTLS reads whatever form the file has.  For libopendkim, which makes the
 * RSA signatures, it is written anew: PKCS#8 in PEM, whatever it was.
 */
#include "mail/signer_inside.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/address.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

enum { KEY_TEXT_MAX = 16 * 1024 };	/* RSA-4096 has 3,300 */

static void
pubkey_deinit(gnutls_pubkey_t *k)
{
	if (*k != NULL)
		gnutls_pubkey_deinit(*k);
}

static void
x509_deinit(gnutls_x509_privkey_t *k)
{
	if (*k != NULL)
		gnutls_x509_privkey_deinit(*k);
}

static void
datum_wipe(gnutls_datum_t *d)
{
	if (d->data != NULL)
		gnutls_memset(d->data, 0, d->size);
	gnutls_free(d->data);
}

static bool
buf_add_datum(struct buf *b, const gnutls_datum_t *d)
{
	return buf_add(b, (struct span){ (const char *)d->data, d->size });
}

/* --- the private half ------------------------------------------------ */

static bool
import_failed(int rc, struct span pem, struct error *err)
{
	static const char public[] = "-----BEGIN PUBLIC KEY-----";
	bool is_public = memmem(pem.n ? pem.p : "", pem.n, public,
				sizeof(public) - 1) != NULL;

	if (rc == GNUTLS_E_DECRYPTION_FAILED) {
		error_set(err, ERROR_CONFIG, "the key is encrypted with a "
			  "password");
		return error_hint(err, "write it without one: `openssl pkey "
				  "-in OLD -out NEW'");
	}
	error_set(err, ERROR_CONFIG, is_public
		  ? "this is a public key, the private one is needed"
		  : "there is no private key in PEM");
	return error_hint(err, "make one with `postern dkim new DOMAIN'");
}

static bool
kind_check(struct signer_key *k, int kind, struct error *err)
{
	const char *name = gnutls_pk_algorithm_get_name(kind);

	if (kind == GNUTLS_PK_EDDSA_ED25519) {
		k->algorithm = SIGNER_ED25519;
		return true;
	}
	k->algorithm = SIGNER_RSA;
	if (kind != GNUTLS_PK_RSA) {
		error_set(err, ERROR_CONFIG, "a key of type %s cannot sign "
			  "mail", name ? name : "unknown");
		return error_hint(err, "DKIM knows RSA and ed25519: make one "
				  "with `postern dkim new DOMAIN'");
	}
	if (k->bits >= SIGNER_BITS_MIN && k->bits <= SIGNER_BITS_MAX)
		return true;
	error_set(err, ERROR_CONFIG, "an RSA key of %u bits is too %s", k->bits,
		  k->bits < SIGNER_BITS_MIN ? "short: no receiver takes it"
		  : "long: receivers need not take more than 4096");
	return error_hint(err, "make one with `postern dkim new DOMAIN --bits "
			  "2048'");
}

static bool
private_import(struct signer_key *k, struct span pem,
	       gnutls_x509_privkey_t x, struct error *err)
{
	const gnutls_datum_t in = { (void *)pem.p, (unsigned)pem.n };
	AUTO(datum_wipe) gnutls_datum_t out = { NULL, 0 };
	int rc = gnutls_x509_privkey_import2(x, &in, GNUTLS_X509_FMT_PEM, NULL,
					     GNUTLS_PKCS_PLAIN);

	if (rc < 0)
		return import_failed(rc, pem, err);
	rc = gnutls_x509_privkey_get_pk_algorithm2(x, &k->bits);
	if (!kind_check(k, rc, err))
		return false;
	if (k->algorithm != SIGNER_RSA)
		return true;
	rc = gnutls_x509_privkey_export2_pkcs8(x, GNUTLS_X509_FMT_PEM, NULL,
					       GNUTLS_PKCS_PLAIN, &out);
	if (rc < 0 || !buf_add_datum(&k->pem, &out))
		return error_set(err, ERROR_SYSTEM, "the key cannot be "
				 "written in PEM: %s", gnutls_strerror(rc));
	buf_str(&k->pem);	/* the NUL that libopendkim looks for */
	return true;
}

/* --- the public half ------------------------------------------------- */

/* The whole SubjectPublicKeyInfo for RSA; for ed25519 the bare 32 bytes (RFC
 * 8463 section 4). */
static int
public_export(gnutls_pubkey_t public, enum signer_algorithm a,
	      gnutls_datum_t *ret)
{
	gnutls_ecc_curve_t curve;

	if (a == SIGNER_RSA)
		return gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, ret);
	return gnutls_pubkey_export_ecc_raw2(public, &curve, ret, NULL, 0);
}

/* Signs a word and checks it, for a damaged file may well be read. */
static bool
halves_fit(const struct signer_key *k, gnutls_pubkey_t public)
{
	gnutls_sign_algorithm_t how = k->algorithm == SIGNER_RSA
		? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_EDDSA_ED25519;
	const gnutls_datum_t word = { (unsigned char *)"DKIM", 4 };
	AUTO(datum_wipe) gnutls_datum_t signature = { NULL, 0 };

	return gnutls_privkey_sign_data2(k->private, how, 0, &word,
					 &signature) >= 0 &&
	       gnutls_pubkey_verify_data2(public, how, 0, &word,
					  &signature) >= 0;
}

static bool
public_fill(struct signer_key *k, gnutls_x509_privkey_t x, struct error *err)
{
	AUTO(pubkey_deinit) gnutls_pubkey_t public = NULL;
	AUTO(datum_wipe) gnutls_datum_t out = { NULL, 0 };
	int rc;

	if ((rc = gnutls_privkey_init(&k->private)) < 0 ||
	    (rc = gnutls_privkey_import_x509(k->private, x,
					     GNUTLS_PRIVKEY_IMPORT_COPY)) < 0 ||
	    (rc = gnutls_pubkey_init(&public)) < 0 ||
	    (rc = gnutls_pubkey_import_privkey(public, k->private, 0, 0)) < 0 ||
	    (rc = public_export(public, k->algorithm, &out)) < 0)
		return error_set(err, ERROR_SYSTEM, "the public half of the "
				 "key: %s", gnutls_strerror(rc));
	if (!halves_fit(k, public))
		return error_set(err, ERROR_CONFIG, "the parts of the key do "
				 "not fit together: the file is damaged");
	return encode_base64(&k->public,
			     (struct span){ (const char *)out.data, out.size });
}

/* --- whose it is ----------------------------------------------------- */

static char *
lower_dup(const char *s)
{
	char *copy = mem_strdup(s);

	for (char *p = copy; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return copy;
}

static bool
names_take(struct signer_key *k, const char *domain, const char *selector,
	   struct error *err)
{
	if (!signer_domain_check(domain, err) ||
	    !signer_selector_check(selector, err))
		return false;
	if (strlen(selector) + sizeof("._domainkey.") + strlen(domain) >
	    LIMIT_DOMAIN - 1)	/* as text; 255 is counted on the wire */
		return error_set(err, ERROR_CONFIG, "`%s._domainkey.%s' is "
				 "longer than a name in the DNS can be",
				 selector, domain);
	k->domain = lower_dup(domain);
	k->selector = mem_strdup(selector);
	return true;
}

static uint64_t
number_of(const struct signer_key *k)
{
	AUTO(buf_fini) struct buf all = BUF_MAX(2 * KEY_TEXT_MAX);
	unsigned char digest[32];
	uint64_t number;

	must(buf_addf(&all, "%s %s %s ", signer_algorithm_name(k->algorithm),
		      k->selector, k->domain) &&
	     buf_add(&all, buf_span(&k->public)) &&
	     gnutls_hash_fast(GNUTLS_DIG_SHA256, all.data + all.head, all.len,
			      digest) == 0);
	memcpy(&number, digest, sizeof(number));
	return number;
}

/* --- the key --------------------------------------------------------- */

static bool
key_fill(struct signer_key *k, struct span pem, struct error *err)
{
	AUTO(x509_deinit) gnutls_x509_privkey_t x = NULL;
	int rc = gnutls_x509_privkey_init(&x);

	if (rc < 0)
		return error_set(err, ERROR_SYSTEM, "GnuTLS: %s",
				 gnutls_strerror(rc));
	return private_import(k, pem, x, err) && public_fill(k, x, err);
}

struct signer_key *
signer_key_new(struct span pem, const char *domain, const char *selector,
	       struct error *err)
{
	struct signer_key *k = NEW(struct signer_key);

	k->pem = BUF_MAX(KEY_TEXT_MAX);
	k->public = BUF_MAX(KEY_TEXT_MAX);
	if (!names_take(k, domain, selector, err) || !key_fill(k, pem, err)) {
		signer_key_free(&k);
		return NULL;
	}
	k->number = number_of(k);
	return k;
}

void
signer_key_free(struct signer_key **k)
{
	if (*k == NULL)
		return;
	if ((*k)->private != NULL)
		gnutls_privkey_deinit((*k)->private);
	buf_wipe(&(*k)->pem);
	buf_fini(&(*k)->public);
	mem_free((*k)->domain);
	mem_free((*k)->selector);
	mem_free(*k);
	*k = NULL;
}

enum signer_algorithm
signer_key_algorithm(const struct signer_key *k)
{
	return k->algorithm;
}

unsigned
signer_key_bits(const struct signer_key *k)
{
	return k->bits;
}

const char *
signer_key_domain(const struct signer_key *k)
{
	return k->domain;
}

const char *
signer_key_selector(const struct signer_key *k)
{
	return k->selector;
}

uint64_t
signer_key_number(const struct signer_key *k)
{
	return k->number;
}

const char *
signer_algorithm_name(enum signer_algorithm a)
{
	return a == SIGNER_RSA ? "rsa" : "ed25519";
}
