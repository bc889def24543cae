/* tls_cert.c - identities and authorities out of PEM files
 *
 * Whatever is wrong names the file first, so that `check' can point at the
 * line that named it.
 */
#include "io/tls_inside.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

static uint64_t
next_number(void)
{
	static atomic_uint_fast64_t last_number;

	return atomic_fetch_add(&last_number, 1) + 1;
}

/* --- files ----------------------------------------------------------- */

static bool
pem_read(const char *path, struct buf *pem, struct error *err)
{
	if (file_read(pem, path, err))
		return true;
	if (errno == EACCES && err->kind == ERROR_SYSTEM)
		error_hint(err, "make it readable for the user that the "
			   "gateway runs as");
	return false;
}

static gnutls_datum_t
datum(const struct buf *b)
{
	struct span s = buf_span(b);

	return (gnutls_datum_t){ (unsigned char *)s.p, (unsigned)s.n };
}

/* A list of certificates with its length, freed together. */
struct list {
	gnutls_x509_crt_t *v;
	unsigned n;
};

static void
list_free(struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		gnutls_x509_crt_deinit(l->v[i]);
	gnutls_free(l->v);
}

/* Each is signed by the next (RFC 8446 section 4.4.2 is more lenient, but
 * servers of mail are not). */
static bool
chain_check(const char *path, const struct list *l, struct error *err)
{
	AUTO(buf_fini) struct buf a = BUF_MAX(LIMIT_NAMES_SHOWN + 8);
	AUTO(buf_fini) struct buf b = BUF_MAX(LIMIT_NAMES_SHOWN + 8);

	if (l->n > LIMIT_CHAIN)
		return error_set(err, ERROR_LIMIT, "%s: %u certificates, at "
				 "most %d", path, l->n, LIMIT_CHAIN);
	for (unsigned i = 0; i + 1 < l->n; i++) {
		if (gnutls_x509_crt_check_issuer(l->v[i], l->v[i + 1]))
			continue;
		certificate_issuer(l->v[i], &a);
		certificate_subject(l->v[i + 1], &b);
		error_set(err, ERROR_CONFIG, "%s: the chain is in the wrong "
			  "order: certificate %u was issued by %s, but the next "
			  "one is %s", path, i + 1, buf_str(&a), buf_str(&b));
		return error_hint(err, "put the gateway's own certificate "
				  "first, and after each certificate its "
				  "issuer's");
	}
	return true;
}

static bool
no_certificate(const char *path, const struct buf *pem, struct error *err)
{
	error_set(err, ERROR_CONFIG, "%s: the file contains no certificate in PEM",
		  path);
	return certificate_hint(path, buf_span(pem), err);
}

static bool
chain_import(const char *path, const struct buf *pem, struct list *ret,
	     struct error *err)
{
	gnutls_datum_t bytes = datum(pem);
	int code = gnutls_x509_crt_list_import2(&ret->v, &ret->n, &bytes,
						GNUTLS_X509_FMT_PEM, 0);

	if (code >= 0)
		return chain_check(path, ret, err);
	*ret = (struct list){ .n = 0 };
	if (code == GNUTLS_E_NO_CERTIFICATE_FOUND ||
	    code == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR)
		return no_certificate(path, pem, err);
	return error_set(err, ERROR_CONFIG, "%s: cannot be read as a "
			 "certificate: %s", path, gnutls_strerror(code));
}

static const struct {
	int code;
	const char *words;
} key_words[] = {
	{ GNUTLS_E_DECRYPTION_FAILED, "the key is encrypted with a password" },
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, "the file contains no key in PEM" },
	{ GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR,
	  "the file contains no key in PEM" },
	{ GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE,
	  "the file contains no key in PEM" },
};

static bool
key_import(const char *path, const struct buf *pem, bool alone,
	   gnutls_privkey_t *ret, struct error *err)
{
	gnutls_datum_t bytes = datum(pem);
	const char *words = NULL;
	int code;

	must(gnutls_privkey_init(ret) >= 0);
	code = gnutls_privkey_import_x509_raw(*ret, &bytes,
					      GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code >= 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(key_words); i++)
		if (code == key_words[i].code)
			words = key_words[i].words;
	error_set(err, ERROR_CONFIG, "%s: %s", path,
		  words ? words : gnutls_strerror(code));
	if (code == GNUTLS_E_DECRYPTION_FAILED)
		return error_hint(err, "remove the password with `openssl pkey "
				  "-in OLD -out NEW'");
	if (words == NULL)
		return false;
	if (!alone)
		return error_hint(err, "append the key to the certificate, or "
				  "name its file as `key'");
	return key_hint(path, buf_span(pem), err);
}

static bool
key_differs(const char *certificate, const char *key, const char *names,
	    struct error *err)
{
	error_set(err, ERROR_CONFIG, "%s: this is not the key of the "
		  "certificate in %s", key, certificate);
	return error_hint(err, "that certificate is for %.120s: name its own "
			  "key, or get a new certificate for this key",
			  names[0] ? names : "nobody");
}

static bool
same_key(gnutls_x509_crt_t crt, gnutls_privkey_t key)
{
	unsigned char a[64], b[64];
	size_t an = sizeof(a), bn = sizeof(b);
	gnutls_pubkey_t public;
	bool same;

	must(gnutls_pubkey_init(&public) >= 0);
	same = gnutls_pubkey_import_privkey(public, key, 0, 0) >= 0 &&
	       gnutls_pubkey_get_key_id(public, 0, a, &an) >= 0 &&
	       gnutls_x509_crt_get_key_id(crt, 0, b, &bn) >= 0 &&
	       an == bn && memcmp(a, b, an) == 0;
	gnutls_pubkey_deinit(public);
	return same;
}

/* --- identities ------------------------------------------------------ */

static bool
identity_fill(struct tls_identity *i, const struct list *l, struct error *err)
{
	AUTO(buf_fini) struct buf names = BUF_MAX(4 * LIMIT_NAMES_SHOWN);

	i->chain = mem_array(l->n, sizeof(*i->chain));
	while (i->length < l->n) {
		int code = gnutls_pcert_import_x509(&i->chain[i->length],
						    l->v[i->length], 0);

		if (code < 0)
			return error_set(err, ERROR_CONFIG, "certificate %u: "
					 "%s", i->length + 1,
					 gnutls_strerror(code));
		i->length++;
	}
	certificate_names(l->v[0], &names);
	i->names = mem_strdup(buf_str(&names));
	if (l->n == 1 && !gnutls_x509_crt_check_issuer(l->v[0], l->v[0])) {
		buf_clear(&names);
		certificate_issuer(l->v[0], &names);
		i->lacks_issuer = mem_strdup(buf_str(&names));
	}
	i->expires_ms = (int64_t)gnutls_x509_crt_get_expiration_time(l->v[0]) *
			1000;
	return true;
}

struct tls_identity *
tls_identity_read(const char *certificate, const char *key, struct error *err)
{
	AUTO(tls_identity_unref) struct tls_identity *i =
		NEW(struct tls_identity);
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_CERTIFICATE_FILE);
	AUTO(list_free) struct list list = { .n = 0 };
	struct tls_identity *ret;

	atomic_init(&i->refs, 1);
	i->number = next_number();
	if (!pem_read(certificate, &pem, err) ||
	    !chain_import(certificate, &pem, &list, err))
		return NULL;
	if (!identity_fill(i, &list, err)) {
		error_prefix(err, "%s", certificate);
		return NULL;
	}
	if (key != NULL) {
		buf_clear(&pem);
		if (!pem_read(key, &pem, err))
			return NULL;
	}
	if (!key_import(key ? key : certificate, &pem, key != NULL, &i->key,
			err))
		return NULL;
	if (!same_key(list.v[0], i->key)) {
		key_differs(certificate, key ? key : certificate, i->names,
			    err);
		return NULL;
	}
	ret = i;
	i = NULL;
	return ret;
}

/* --- one file alone -------------------------------------------------- */

bool
tls_certificate_check(const char *certificate, struct error *err)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_CERTIFICATE_FILE);
	AUTO(list_free) struct list list = { .n = 0 };

	return pem_read(certificate, &pem, err) &&
	       chain_import(certificate, &pem, &list, err);
}

bool
tls_key_check(const char *key, bool alone, struct error *err)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_CERTIFICATE_FILE);
	gnutls_privkey_t k = NULL;
	bool ok = pem_read(key, &pem, err) &&
		  key_import(key, &pem, alone, &k, err);

	if (k != NULL)
		gnutls_privkey_deinit(k);
	return ok;
}

struct tls_identity *
tls_identity_ref(struct tls_identity *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

void
tls_identity_unref(struct tls_identity **ptr)
{
	struct tls_identity *i = *ptr;

	*ptr = NULL;
	if (i == NULL || atomic_fetch_sub(&i->refs, 1) > 1)
		return;
	for (unsigned k = 0; k < i->length; k++)
		gnutls_pcert_deinit(&i->chain[k]);
	mem_free(i->chain);
	if (i->key != NULL)
		gnutls_privkey_deinit(i->key);
	mem_free(i->names);
	mem_free(i->lacks_issuer);
	mem_free(i);
}

const char *
tls_identity_lacks_issuer(const struct tls_identity *i)
{
	return i->lacks_issuer;
}

uint64_t
tls_identity_number(const struct tls_identity *i)
{
	return i->number;
}

int64_t
tls_identity_expires_ms(const struct tls_identity *i)
{
	return i->expires_ms;
}

const char *
tls_identity_names(const struct tls_identity *i)
{
	return i->names;
}

/* --- authorities ----------------------------------------------------- */

struct tls_trust *
tls_trust_read(const char *file, struct error *err)
{
	AUTO(buf_fini) struct buf pem = BUF_MAX(LIMIT_TRUST_FILE);
	AUTO(tls_trust_unref) struct tls_trust *t = NEW(struct tls_trust);
	struct tls_trust *ret;
	gnutls_datum_t bytes;
	int n;

	atomic_init(&t->refs, 1);
	t->number = next_number();
	t->credentials = tls_credentials_new();
	if (!pem_read(file, &pem, err))
		return NULL;
	bytes = datum(&pem);
	n = gnutls_certificate_set_x509_trust_mem(t->credentials, &bytes,
						  GNUTLS_X509_FMT_PEM);
	if (n == 0 || n == GNUTLS_E_NO_CERTIFICATE_FOUND) {
		no_certificate(file, &pem, err);
		return NULL;
	}
	if (n < 0) {
		error_set(err, ERROR_CONFIG, "%s: cannot be read as "
			  "certificates: %s", file, gnutls_strerror(n));
		return NULL;
	}
	ret = t;
	t = NULL;
	return ret;
}

struct tls_trust *
tls_trust_ref(struct tls_trust *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void
tls_trust_unref(struct tls_trust **ptr)
{
	struct tls_trust *t = *ptr;

	*ptr = NULL;
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	mem_free(t);
}

bool
tls_trust_knows_issuer(const struct tls_trust *t, const struct tls_identity *i)
{
	gnutls_x509_crt_t leaf = NULL, issuer = NULL;
	bool known;

	must(gnutls_pcert_export_x509(&i->chain[0], &leaf) >= 0);
	known = gnutls_certificate_get_issuer(t->credentials, leaf, &issuer,
					      0) >= 0;
	gnutls_x509_crt_deinit(leaf);
	return known;
}

uint64_t
tls_trust_number(const struct tls_trust *t)
{
	return t->number;
}
