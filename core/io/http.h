/* http.h - asking web servers without blocking the loop
 *
 * Lives on the delivery loop; libcurl's multi interface.  Names are resolved
 * by our own DNS (io/dns.h) and handed over, so that cancelling never waits
 * for a resolver's thread and `dns:' holds for web servers, too.  Redirects
 * are not followed: a request may carry credentials.  https is verified
 * always, before the request is sent, with authorities from a tls_store:
 * curl would read their file anew for each connection, on the loop.
 *
 * Messages show of a URL its scheme, host and path only.
 *
 * RFC 9110, 9112.
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "base/error.h"
#include "base/loop.h"
#include "base/span.h"
#include "io/dns.h"

struct http;
struct tls_store;

struct http_settings {			/* copied */
	const char *trust_file;		/* where a request names none; NULL:
					 * the store's */
	const char *user_agent;		/* "postern/0.1.0" */
};

/* Copied; the body's copy is wiped. */
struct http_request {
	const char *method;		/* NULL: GET, with a body POST */
	const char *url;		/* http: or https: */
	const char *const *headers;	/* "Accept: application/json" */
	size_t header_count;
	struct span body;		/* p NULL: none */
	int64_t timeout_ms;		/* for all of it; 0: HTTP_PATIENCE_MS */
	size_t answer_max;		/* 0: HTTP_ANSWER_MAX */
	const char *trust_file;		/* NULL: the settings' */
	const char *proxy;		/* "http://proxy:3128"; NULL: none, also
					 * when the environment names one */
	enum dns_author author;		/* who wrote the URL and the proxy */
};
enum { HTTP_PATIENCE_MS = 30 * 1000, HTTP_ANSWER_MAX = 64 * 1024,
       HTTP_UNDER_WAY = 100 };		/* at once; more wait in line */

/* Borrowed until the callback returns; the body is wiped after it. */
struct http_answer {
	int status;			/* 0: there was no answer */
	const char *why;		/* then: words, with host and remedy */
	const char *type;		/* of the content, or "" */
	int64_t retry_after_ms;		/* -1: not said */
	struct span body;
};
typedef void http_fn(void *arg, const struct http_answer *a);

/* Nothing is loaded or connected before the first request.  dns and store
 * outlive it. */
struct http *http_new(struct loop *loop, struct dns *dns,
		      struct tls_store *store,
		      const struct http_settings *settings);
void http_free(struct http **h);	/* forgets what is under way */
void http_configure(struct http *h, const struct http_settings *settings);

/* A ticket for http_cancel(); done comes later than this returns, once.  In
 * it all of these may be called, http_free() too. */
uint64_t http_send(struct http *h, const struct http_request *rq,
		   http_fn *done, void *arg);
void http_cancel(struct http *h, uint64_t ticket);	/* never blocks */

/* Whether a URL is one that credentials may be sent to: https, or http to a
 * loopback address or localhost.  False: err says it. */
bool http_url_check(const char *url, struct error *err);
/* Whether it names a proxy; what is said repeats no password. */
bool http_proxy_check(const char *proxy, struct error *err);

#endif
