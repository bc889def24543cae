/* verify.h - whether a server's certificate is right, and why not
 *
 * Pure: no files, no waiting.  For a TLS session after its handshake, whoever
 * made it.  The words name the server, the reason, and the authority or the
 * names that the certificate is for.
 *
 * RFC 5280 section 6; RFC 9525 (names).
 */
#ifndef IO_VERIFY_H
#define IO_VERIFY_H

#include "base/error.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* name: a host's name or an address, which the certificate must bear. */
bool verify_session(gnutls_session_t session,
		    gnutls_x509_trust_list_t authorities, const char *name,
		    struct error *err);

#endif
