/* tls_hint.c - what a file is in which nothing in PEM was found
 *
 * Authorities and other servers hand certificates out in several forms.  Here
 * they are known by their signs, and the command that makes PEM of them is
 * said with the names of the files.
 */
#include "io/tls_inside.h"

#include <string.h>

/* The name without its last suffix: /etc/tls/relay of /etc/tls/relay.pfx. */
static struct span
stem_of(const char *path)
{
	struct span s = span_of(path);
	size_t dot = span_rfind(s, '.'), slash = span_rfind(s, '/');

	return dot < s.n && (slash == s.n || dot > slash + 1)
		? span_sub(s, 0, dot) : s;
}

static bool
hint_holds(struct span s, const char *sign)
{
	return s.n > 0 && memmem(s.p, s.n, sign, strlen(sign)) != NULL;
}

/* A SEQUENCE of DER (or BER): where its content begins; 0: it is none. */
static size_t
der_content(struct span s)
{
	unsigned char length = s.n > 1 ? (unsigned char)s.p[1] : 0;

	/* 0x30 is also the digit 0 of a text; certificates are long */
	if (length < 0x80 || length > 0x84 || s.p[0] != 0x30)
		return 0;
	return 2 + (length & 0x7f);
}

/* RFC 7292 section 4: version INTEGER { v3(3) } */
static bool
is_pkcs12(struct span s)
{
	size_t at = der_content(s);

	return at > 0 && at + 3 <= s.n &&
	       memcmp(s.p + at, "\x02\x01\x03", 3) == 0;
}

/* RFC 2315 section 14: signedData */
static bool
is_pkcs7(struct span s)
{
	static const char oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
				  "\x02";
	size_t at = der_content(s);

	return at > 0 && at + sizeof(oid) - 1 <= s.n &&
	       memcmp(s.p + at, oid, sizeof(oid) - 1) == 0;
}

static bool
pkcs12_hint(const char *path, struct error *err)
{
	struct span stem = stem_of(path);

	return error_hint(err, "it is a PKCS#12 (.pfx) file; these make the two "
			  "files of it: `openssl pkcs12 -in %s -nokeys -out "
			  "%.*s.pem' and `openssl pkcs12 -in %s -nocerts -nodes "
			  "-out %.*s.key' (with -legacy, where openssl asks for "
			  "it); name them as `certificate' and `key'",
			  path, SPAN_ARG(stem), path, SPAN_ARG(stem));
}

static bool
der_hint(const char *path, const char *tool, const char *suffix,
	 struct error *err)
{
	struct span stem = stem_of(path);

	return error_hint(err, "the file may be in DER; convert it to PEM: "
			  "`openssl %s -inform der -in %s -out %.*s.%s'", tool, path,
			  SPAN_ARG(stem), suffix);
}

bool
certificate_hint(const char *path, struct span s, struct error *err)
{
	struct span stem = stem_of(path);

	if (hint_holds(s, "PRIVATE KEY-----"))
		return error_hint(err, "the file contains a private key: check "
				  "whether certificate and key are swapped");
	if (is_pkcs12(s))
		return pkcs12_hint(path, err);
	if (is_pkcs7(s) || hint_holds(s, "-----BEGIN PKCS7-----"))
		return error_hint(err, "it is a PKCS#7 (.p7b) file; convert it "
				  "to PEM: `openssl pkcs7 -inform %s "
				  "-print_certs -in %s -out %.*s.pem'",
				  is_pkcs7(s) ? "der" : "pem", path,
				  SPAN_ARG(stem));
	if (hint_holds(s, "CERTIFICATE REQUEST-----"))
		return error_hint(err, "the file contains a certificate "
				  "request: name the certificate that the "
				  "authority issued for it");
	if (der_content(s) > 0)
		return der_hint(path, "x509", "pem", err);
	return false;
}

bool
key_hint(const char *path, struct span s, struct error *err)
{
	if (hint_holds(s, "BEGIN CERTIFICATE-----"))
		return error_hint(err, "the file contains a certificate: check "
				  "whether certificate and key are swapped");
	if (is_pkcs12(s))
		return pkcs12_hint(path, err);
	if (der_content(s) > 0)
		return der_hint(path, "pkey", "key", err);
	return false;
}
