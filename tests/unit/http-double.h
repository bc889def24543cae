/* http-double.h - the DNS and the store of authorities that HTTP is tested
 * with
 *
 *   ok.test, www.ok.test, other.test    127.0.0.1
 *   two.test                  127.0.0.9 (where nobody listens), 127.0.0.1
 *   six.test                  ::1, 127.0.0.1
 *   gone.test                 does not exist
 *   empty.test                has no address
 *   broken.test               no answer
 *   silent.test               is never answered
 *   now.test                  127.0.0.1, before dns_lookup() returns
 */
#ifndef TESTS_HTTP_DOUBLE_H
#define TESTS_HTTP_DOUBLE_H

#include "io/dns.h"
#include "io/tls_store.h"

struct dns *dns_double(struct loop *loop);
void dns_double_free(struct dns **d);		/* nothing may be under way */
unsigned dns_double_waits(const struct dns *d);	/* lookups under way */
const char *dns_double_last(const struct dns *d);
enum dns_author dns_double_last_author(const struct dns *d);

/* Reads at once; a file named "silent" never comes, one named "absent" is an
 * error before tls_store_get() returns. */
struct tls_store *store_double(struct loop *loop, const char *trust_file);
void store_double_free(struct tls_store **s);	/* nothing may be under way */
unsigned store_double_waits(const struct tls_store *s);

#endif
