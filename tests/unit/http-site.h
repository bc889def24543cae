/* http-site.h - a web server that does what its paths say, plain or by TLS,
 * and a proxy that does CONNECT; threads of their own
 *
 *   /ok            200 "hello"          /status/404    that status
 *   /echo          the body again       /field/NAME    a field of the request
 *   /chunked       in three chunks      /large/N       N bytes
 *   /endless       chunks for ever      /fields        header fields for ever
 *   /slow          a byte now and then  /never         nothing
 *   /hangup        closes               /part          closes in the middle
 *   /noise         is not HTTP          /redirect      302 to /ok
 *   /early         103, then 200        /once          200, and closes
 *   /wait/VALUE    503 with Retry-After
 */
#ifndef TESTS_HTTP_SITE_H
#define TESTS_HTTP_SITE_H

#include <stdatomic.h>
#include <stdint.h>

enum certificate {
	CERT_NONE,			/* plain */
	CERT_GOOD,			/* ok.test, 127.0.0.1; by the authority */
	CERT_STRANGER,			/* by another authority */
	CERT_SELF,			/* by itself */
	CERT_EXPIRED,
	CERT_FUTURE,
	CERT_CLIENT,			/* not meant for servers */
	CERT_STAPLE,			/* vows to send OCSP answers */
	CERT_OLD_TLS,			/* good, but TLS 1.1 at most */
	CERT_MUTE,			/* accepts, and never shakes hands */
	CERT_KINDS
};

/* Makes the authority (its PEM goes to ca_path) and all certificates. */
void site_certificates(const char *ca_path);
void site_certificates_free(void);

struct site;

struct site *site_new(enum certificate kind);
/* CONNECT to any name goes to 127.0.0.1 at that name's port; status 200, or
 * what is answered instead.  wants: the Proxy-Authorization, or NULL. */
struct site *site_new_proxy(int status, const char *wants);
void site_free(struct site **s);
uint16_t site_port(const struct site *s);
unsigned site_connections(struct site *s);	/* accepted until now */
unsigned site_requests(struct site *s);
unsigned site_open(struct site *s);		/* connections now */

/* A port on 127.0.0.1 whose queue is full: connections are never made. */
struct full_port {
	uint16_t port;
	int fds[4];
};
void full_port_open(struct full_port *p);
void full_port_close(struct full_port *p);

/* A port on 127.0.0.1 where nobody listens. */
uint16_t nobody_port(void);

#endif
