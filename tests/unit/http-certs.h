/* http-certs.h - the certificates of the HTTP tests */
#ifndef TESTS_HTTP_CERTS_H
#define TESTS_HTTP_CERTS_H

#include "http-site.h"

#include <gnutls/gnutls.h>

gnutls_certificate_credentials_t certs_of(enum certificate kind);

#endif
