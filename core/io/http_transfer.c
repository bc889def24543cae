/* http_transfer.c - what curl is told to do for one request
 *
 * curl's own verification is off and ours is in its place, in the moment
 * between the handshake and the request (CURLOPT_PREREQFUNCTION): the GnuTLS
 * flavour of curl reads the file of authorities for every connection, which
 * takes 10 to 20 ms with Debian's.  It fails closed: without that callback's
 * consent nothing is sent, and no answer is passed on.
 *
 * Known limit: curl's own copies of a request and of an answer are freed
 * without being overwritten.
 */
#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/http_inside.h"
#include "io/tls.h"
#include "io/tls_verify.h"

#include <string.h>

enum {
	CONNECT_MS = 10 * 1000,		/* TCP and TLS, all addresses */
	HEADER_MAX = 64 * 1024,		/* of an answer, all fields */
	RETRY_AFTER_MAX_S = 365 * 86400,
};

#define SET(r, option, value) \
	must(curl_easy_setopt((r)->easy, CURLOPT_##option, value) == CURLE_OK)

/* --- what comes ------------------------------------------------------ */

/* Returning less than there is ends the transfer. */
static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct request *r = arg;

	/* all at once: growing would leave copies behind */
	if (buf_room(&r->answer, r->answer.max - r->answer.len) != NULL &&
	    buf_add(&r->answer, (struct span){ p, size * n }))
		return size * n;
	error_set(&r->err, ERROR_LIMIT, "the answer is larger than %zu bytes",
		  r->answer.max);
	return 0;
}

/* Seconds, or a date in one of HTTP's three forms (RFC 9110 section 10.2.3). */
static int64_t
retry_after(struct span value)
{
	char date[64];
	uint64_t seconds;
	time_t when;
	int64_t ms;

	if (span_u64(value, UINT64_MAX, &seconds))
		return (int64_t)MIN(seconds, RETRY_AFTER_MAX_S) * 1000;
	if (value.n == 0 || value.n >= sizeof(date))
		return -1;
	memcpy(date, value.p, value.n);
	date[value.n] = '\0';
	when = curl_getdate(date, NULL);
	if (when == -1)
		return -1;
	ms = (int64_t)when * 1000 - clock_wall_ms();
	return MIN(MAX(ms, 0), RETRY_AFTER_MAX_S * INT64_C(1000));
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	struct span line = { p, size * n }, name;

	r->header_bytes += line.n;
	if (r->header_bytes > HEADER_MAX) {
		error_set(&r->err, ERROR_LIMIT, "the answer's header is larger "
			  "than %d bytes", HEADER_MAX);
		return 0;
	}
	if (span_starts_nocase(line, SPAN("HTTP/")))
		r->retry_after_ms = -1;		/* what was before was not it */
	while (line.n > 0 && (line.p[line.n - 1] == '\n' ||
			      line.p[line.n - 1] == '\r'))
		line.n--;
	if (span_split(&line, ':', &name) &&
	    span_eq_nocase(name, SPAN("Retry-After")))
		r->retry_after_ms = retry_after(span_trim(line));
	return size * n;
}

/* Connected, and nothing sent yet; also on a connection that is used again. */
static int
on_connected(void *arg, char *peer, char *local, int port, int local_port)
{
	struct request *r = arg;
	const struct curl_tlssessioninfo *tls = NULL;

	(void)peer, (void)local, (void)port, (void)local_port;
	r->asked = !r->to.https;
	if (r->asked)
		return CURL_PREREQFUNC_OK;
	if (curl_easy_getinfo(r->easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK ||
	    tls == NULL || tls->internals == NULL ||
	    tls->backend != CURLSSLBACKEND_GNUTLS) {
		error_set(&r->err, ERROR_SYSTEM, "https needs a libcurl that "
			  "is built with GnuTLS");
		error_hint(&r->err, "on Debian: libcurl3-gnutls");
		return CURL_PREREQFUNC_ABORT;
	}
	r->asked = tls_verify(tls->internals, r->trust, r->to.host, NULL,
			      &r->err);
	return r->asked ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* --- what is asked --------------------------------------------------- */

/* A line break would smuggle in a field of somebody else's. */
bool
header_check(const char *header, struct error *err)
{
	struct span h = span_of(header);
	size_t colon = span_find(h, ':');

	if (colon == h.n || colon == 0)
		return error_set(err, ERROR_CONFIG,
				 "a header field for the request has no name");
	if (strpbrk(header, "\r\n") == NULL)
		return true;
	return error_set(err, ERROR_CONFIG, "the header field %.*s has a line "
			 "break", (int)MIN(colon, 64), header);
}

bool
method_check(const char *method, struct error *err)
{
	size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return (n > 0 && method[n] == '\0') ||
	       error_set(err, ERROR_CONFIG,
			 "the method of a request is not a word of capitals");
}

static void
transfer_method(struct request *r)
{
	bool head = r->method != NULL && strcmp(r->method, "HEAD") == 0;

	if (r->has_body) {
		SET(r, POST, 1L);
		SET(r, POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		SET(r, POSTFIELDS, buf_str(&r->body));
	} else if (head) {
		SET(r, NOBODY, 1L);
	} else {
		SET(r, HTTPGET, 1L);
	}
	if (r->method != NULL && !head)
		SET(r, CUSTOMREQUEST, r->method);
}

/* Whatever an environment or a library's default might add is off. */
static void
transfer_rules(struct request *r, const char *user_agent)
{
	SET(r, PROTOCOLS_STR, "http,https");
	SET(r, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(r, FOLLOWLOCATION, 0L);
	SET(r, NETRC, (long)CURL_NETRC_IGNORED);
	SET(r, NOSIGNAL, 1L);
	SET(r, TCP_NODELAY, 1L);
	SET(r, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(r, SSL_VERIFYPEER, 0L);	/* on_connected() does it */
	SET(r, SSL_VERIFYHOST, 0L);
	SET(r, CAINFO, (char *)NULL);	/* or it would be read all the same */
	SET(r, CAPATH, (char *)NULL);
	SET(r, SSL_SESSIONID_CACHE, 0L);
	SET(r, USERAGENT, user_agent);
	SET(r, SUPPRESS_CONNECT_HEADERS, 1L);
}

static void
transfer_way(struct request *r)
{
	int64_t left = MAX(r->ends_ms - clock_now_ms(), 1);

	SET(r, URL, r->url);
	SET(r, CONNECTTIMEOUT_MS, (long)MIN(left, CONNECT_MS));
	SET(r, RESOLVE, r->resolve);
	/* an address must not be forgotten under a transfer that begins anew:
	 * curl would ask a resolver of its own */
	SET(r, DNS_CACHE_TIMEOUT, (long)(left / 1000 + 60));
	SET(r, PROXY, r->proxy.host != NULL ? r->proxy.host : "");
	SET(r, NOPROXY, "");		/* nor what the environment exempts */
	if (r->proxy.host == NULL)
		return;
	SET(r, PROXYTYPE, (long)CURLPROXY_HTTP);
	SET(r, PROXYPORT, (long)r->proxy.port);
	SET(r, PROXYUSERNAME, r->proxy.user);
	SET(r, PROXYPASSWORD, r->proxy.password);
}

void
transfer_start(struct request *r, struct http_multi *m, const char *user_agent)
{
	r->easy = curl_easy_init();
	must(r->easy != NULL);
	transfer_rules(r, user_agent);
	transfer_way(r);
	transfer_method(r);
	SET(r, HTTPHEADER, r->headers);
	SET(r, PRIVATE, r);
	SET(r, ERRORBUFFER, r->curl_says);
	SET(r, WRITEFUNCTION, on_body);
	SET(r, WRITEDATA, r);
	SET(r, HEADERFUNCTION, on_header);
	SET(r, HEADERDATA, r);
	SET(r, PREREQFUNCTION, on_connected);
	SET(r, PREREQDATA, r);
	http_multi_add(m, r->easy);
}

/* --- its end --------------------------------------------------------- */

void
transfer_stop(struct request *r, struct http_multi *m)
{
	if (r->easy == NULL)
		return;
	http_multi_remove(m, r->easy);
	curl_easy_cleanup(r->easy);
	r->easy = NULL;
}

void
transfer_ended(struct request *r, CURLcode code)
{
	const char *type = NULL;
	long status = 0;

	if (code != CURLE_OK) {
		words_curl(r, code);
		return;
	}
	if (!r->asked) {		/* a libcurl that breaks its promise */
		error_set(&r->err, ERROR_SYSTEM, "%s: the server was not "
			  "verified", r->to.shown);
		return;
	}
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	r->type = mem_strdup(type != NULL ? type : "");
	r->status = (int)status;
	if (status == 0)
		words_curl(r, CURLE_WEIRD_SERVER_REPLY);
}
