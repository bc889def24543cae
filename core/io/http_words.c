/* http_words.c - why there was no answer, and what can be done about it
 *
 * The text begins with the URL as it may be shown.  What curl says in its
 * error buffer is repeated for TLS alone, where it holds GnuTLS' reason and
 * nothing of the request.
 */
#include "base/encode.h"
#include "base/macros.h"
#include "io/http_inside.h"
#include "io/socket.h"

#include <string.h>

/* Who is spoken to first: the proxy, where there is one. */
static const struct http_url *
first_hop(const struct request *r)
{
	return r->proxy.host != NULL ? &r->proxy : &r->to;
}

/* --- time ------------------------------------------------------------ */

/* What a transfer is doing, and with whom; hint is a remedy, or NULL. */
static const char *
transfer_doing(const struct request *r, const char **host, const char **hint)
{
	long answered = 0;
	curl_off_t us = 0;

	curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
	curl_easy_getinfo(r->easy, CURLINFO_STARTTRANSFER_TIME_T, &us);
	if (r->asked)
		return us > 0 ? "reading the answer of"
			      : "waiting for the answer of";
	if (r->connected && (r->proxy.host == NULL || answered != 0))
		return "beginning TLS with";
	*host = first_hop(r)->host;
	if (r->connected)
		return "waiting for the proxy";
	*hint = "check for a firewall in between, and whether a proxy is needed";
	return "connecting to";
}

void
words_timed_out(struct request *r)
{
	static const char *const doing[] = {
		[HTTP_IN_LINE] = "waiting behind other requests for",
		[HTTP_LOOKING_UP] = "looking up",
		[HTTP_READING_TRUST] = "reading the authorities for",
	};
	const char *hint = NULL, *what, *host = r->to.host;

	if (r->stage == HTTP_TRANSFER)
		what = transfer_doing(r, &host, &hint);
	else
		what = doing[r->stage];
	if (r->stage == HTTP_LOOKING_UP)
		host = first_hop(r)->host;
	error_set(&r->err, ERROR_SYSTEM, "%s: timed out while %s %s",
		  r->to.shown, what, host);
	if (hint != NULL)
		error_hint(&r->err, "%s", hint);
}

/* --- what curl reports ------------------------------------------------- */

static void
words_connect(struct request *r)
{
	const struct http_url *to = first_hop(r);
	long number = 0;
	struct error why;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &number);
	if (number == 0)
		error_set(&why, ERROR_SYSTEM, "no connection");
	else
		socket_error(&why, (int)number);
	error_set(&r->err, ERROR_SYSTEM, "%s: %s%s: %s", r->to.shown,
		  r->proxy.host != NULL ? "the proxy " : "", to->host,
		  why.text);
	error_hint(&r->err, "check that a server listens there on port %u",
		   to->port);
}

static void
words_proxy(struct request *r, long code)
{
	error_set(&r->err, ERROR_PROTOCOL, "%s: the proxy %s refused with %ld",
		  r->to.shown, r->proxy.host, code);
	if (code == 407)
		error_hint(&r->err, "the proxy requires a login: write "
			   "http://USER:PASSWORD@%s:%u", r->proxy.host,
			   r->proxy.port);
	else
		error_hint(&r->err, "the proxy must allow this host to connect "
			   "to %s, port %u", r->to.host, r->to.port);
}

static void
words_tls(struct request *r)
{
	AUTO(buf_fini) struct buf said = BUF_MAX(200);

	encode_printable(&said, span_of(r->curl_says), 160);
	error_set(&r->err, ERROR_PROTOCOL, "%s: TLS with %s failed%s%s",
		  r->to.shown, r->to.host, said.len ? ": " : "",
		  buf_str(&said));
	error_hint(&r->err, "check that the server supports TLS 1.2 or newer on "
			    "port %u",
		   r->to.port);
}

static const struct {
	CURLcode code;
	const char *words;
} plain[] = {
	{ CURLE_GOT_NOTHING, "closed the connection without an answer" },
	{ CURLE_PARTIAL_FILE, "closed the connection during its answer" },
	{ CURLE_RECV_ERROR, "reset the connection" },
	{ CURLE_SEND_ERROR, "reset the connection during the request" },
	{ CURLE_UNSUPPORTED_PROTOCOL, "does not speak HTTP" },
	{ CURLE_WEIRD_SERVER_REPLY, "does not speak HTTP" },
	{ CURLE_BAD_CONTENT_ENCODING, "answered in a broken encoding" },
};

static void
words_plain(struct request *r, CURLcode code)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (plain[i].code == code) {
			error_set(&r->err, ERROR_PROTOCOL, "%s: %s %s",
				  r->to.shown, r->to.host, plain[i].words);
			return;
		}
	/* curl's word for the code: nothing of the request is in it */
	error_set(&r->err, ERROR_PROTOCOL, "%s: %s", r->to.shown,
		  curl_easy_strerror(code));
}

void
words_curl(struct request *r, CURLcode code)
{
	long proxied = 0;

	curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &proxied);
	if (r->err.text[0] != '\0')		/* a callback knew */
		error_prefix(&r->err, "%s", r->to.shown);
	else if (proxied != 0 && proxied / 100 != 2)
		words_proxy(r, proxied);
	else if (code == CURLE_COULDNT_CONNECT)
		words_connect(r);
	else if (code == CURLE_SSL_CONNECT_ERROR)
		words_tls(r);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		words_timed_out(r);
	else
		words_plain(r, code);
}
