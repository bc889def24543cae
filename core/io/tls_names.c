/* tls_names.c - what certificates call their owners and issuers, for people */
#include "io/tls_inside.h"

#include "base/encode.h"
#include "base/ip.h"
#include "base/limits.h"

#include <string.h>

static void
add_name(struct buf *out, const char *name, size_t n)
{
	if (out->len > 0)
		buf_add_str(out, ", ");
	encode_printable(out, (struct span){ name, n }, LIMIT_NAMES_SHOWN);
}

static void
add_address(struct buf *out, const char *bytes, size_t n)
{
	struct ip ip = { .family = n == 4 ? 4 : 6 };
	char text[IP_TEXT];

	if (n != 4 && n != sizeof(ip.bytes))
		return;
	memcpy(ip.bytes, bytes, n);
	ip_text(ip, text);
	add_name(out, text, strlen(text));
}

void
certificate_names(gnutls_x509_crt_t crt, struct buf *out)
{
	char name[LIMIT_DOMAIN + 1];
	size_t size = sizeof(name);
	int kind;

	for (unsigned i = 0;; i++, size = sizeof(name)) {
		kind = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size,
							    NULL);
		if (kind == GNUTLS_SAN_DNSNAME)
			add_name(out, name, size);
		else if (kind == GNUTLS_SAN_IPADDRESS)
			add_address(out, name, size);
		else if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
	}
	size = sizeof(name);
	if (out->len == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
					  0, name, &size) >= 0)
		add_name(out, name, size);
}

static void
add_dn(struct buf *out, int code, const gnutls_datum_t *dn)
{
	if (code < 0) {
		buf_add_str(out, "nobody");
		return;
	}
	encode_printable(out, (struct span){ (char *)dn->data, dn->size },
			 LIMIT_NAMES_SHOWN);
	gnutls_free(dn->data);
}

void
certificate_subject(gnutls_x509_crt_t crt, struct buf *out)
{
	gnutls_datum_t dn;

	add_dn(out, gnutls_x509_crt_get_dn2(crt, &dn), &dn);
}

void
certificate_issuer(gnutls_x509_crt_t crt, struct buf *out)
{
	gnutls_datum_t dn;

	add_dn(out, gnutls_x509_crt_get_issuer_dn2(crt, &dn), &dn);
}
