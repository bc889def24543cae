/* http_url.h - a web address, taken apart
 *
 * Plain values; curl's own parser.  `shown' is what messages may say of it:
 * scheme, host, port and path, never the query or a password.
 */
#ifndef IO_HTTP_URL_H
#define IO_HTTP_URL_H

#include "base/error.h"

#include <stdint.h>

struct http_url {
	bool https;
	char *host;			/* without brackets */
	uint16_t port;
	char *user, *password;		/* decoded; NULL: none */
	char *shown;
};

/* False: err says why, without repeating the text. */
bool http_url_parse(const char *text, struct http_url *ret,
		    struct error *err);
/* "http://user:password@proxy:3128": the port has no default. */
bool http_proxy_parse(const char *text, struct http_url *ret,
		      struct error *err);
void http_url_fini(struct http_url *u);		/* wipes; zeroes are fine */

/* Overwrites a string before it is freed; NULL is allowed. */
void http_wipe(char *s);

#endif
