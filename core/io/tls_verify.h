/* tls_verify.h - whether a server's certificate is right, and why not
 *
 * For a session of GnuTLS whose handshake is done, whoever made it: a layer
 * of ours, or libcurl.  Pure: no files, no waiting.  The words name the
 * server, the reasons, and the authority or the names that the certificate
 * is for; the hint says who can mend it.
 *
 * Private to io/.  RFC 5280 section 6; RFC 9525 (names).
 */
#ifndef IO_TLS_VERIFY_H
#define IO_TLS_VERIFY_H

#include "base/error.h"

#include <gnutls/gnutls.h>

struct tls_trust;

/* name: a host's name or an address, which the certificate must bear.  When
 * it is not right, *alert (alert may be NULL) is what the peer may be told. */
bool tls_verify(gnutls_session_t session, const struct tls_trust *trust,
		const char *name, gnutls_alert_description_t *alert,
		struct error *err);

#endif
