/* http_url.c - taking web addresses apart, and whom credentials may be sent to
 *
 * What is refused here would otherwise mean one thing to us and another to
 * the library: the parser is curl's, so there is only one opinion.
 *
 * RFC 3986; RFC 6749 section 3.1 (no fragment).
 */
#include "io/http_url.h"

#include "base/ip.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/http.h"

#include <curl/curl.h>
#include <string.h>

enum { SHOWN_PATH_MAX = 120 };		/* the rest is left out of messages */

void
http_wipe(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	mem_free(s);
}

void
http_url_fini(struct http_url *u)
{
	mem_free(u->host);
	mem_free(u->user);
	http_wipe(u->password);
	mem_free(u->shown);
	*u = (struct http_url){ .https = false };
}

static void
part_free(char **part)
{
	if (*part != NULL)
		explicit_bzero(*part, strlen(*part));
	curl_free(*part);
}

static void
handle_free(CURLU **handle)
{
	curl_url_cleanup(*handle);
}

/* A copy of a part, or NULL when there is none. */
static char *
url_part(CURLU *u, CURLUPart part, unsigned flags)
{
	AUTO(part_free) char *text = NULL;

	if (curl_url_get(u, part, &text, flags) != CURLUE_OK)
		return NULL;
	return mem_strdup(text);
}

/* The host, without the brackets of an IPv6 address. */
static bool
url_host(CURLU *u, struct http_url *ret, struct error *err)
{
	struct span host;

	ret->host = url_part(u, CURLUPART_HOST, 0);
	host = span_of(ret->host);
	if (host.n == 0)
		return error_set(err, ERROR_CONFIG, "the URL names no host");
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] >= 0x80) {
			error_set(err, ERROR_CONFIG, "the URL's host has "
				  "letters that are not ASCII");
			return error_hint(err, "write it in its A-label form, "
					  "which begins with xn--");
		}
	if (host.p[host.n - 1] == '.')
		return error_set(err, ERROR_CONFIG, "the URL's host must not "
				 "end in a dot");
	if (host.p[0] != '[')
		return true;
	memmove(ret->host, ret->host + 1, host.n - 2);
	ret->host[host.n - 2] = '\0';
	return true;
}

static void
url_shown(CURLU *u, struct http_url *ret)
{
	char *path = url_part(u, CURLUPART_PATH, 0), *port = NULL;
	bool v6 = strchr(ret->host, ':') != NULL;

	if (ret->port != (ret->https ? 443 : 80))
		port = mem_printf(":%u", ret->port);
	ret->shown = mem_printf("%s://%s%s%s%s%.*s%s",
				ret->https ? "https" : "http", v6 ? "[" : "",
				ret->host, v6 ? "]" : "", port ? port : "",
				SHOWN_PATH_MAX, path,
				strlen(path) > SHOWN_PATH_MAX ? "..." : "");
	mem_free(port);
	mem_free(path);
}

static bool
url_read(const char *text, struct http_url *ret, struct error *err)
{
	AUTO(handle_free) CURLU *u = curl_url();
	CURLUcode code = curl_url_set(u, CURLUPART_URL, text, 0);
	char *scheme, *port;
	uint64_t number = 0;
	bool http;

	if (code == CURLUE_BAD_SCHEME || code == CURLUE_UNSUPPORTED_SCHEME)
		return error_set(err, ERROR_CONFIG,
				 "the URL does not begin with https://");
	if (code != CURLUE_OK)
		return error_set(err, ERROR_CONFIG, "the URL is malformed: %s",
				 curl_url_strerror(code));
	scheme = url_part(u, CURLUPART_SCHEME, 0);
	ret->https = scheme != NULL && strcmp(scheme, "https") == 0;
	http = scheme != NULL && strcmp(scheme, "http") == 0;
	mem_free(scheme);
	if (!ret->https && !http)
		return error_set(err, ERROR_CONFIG, "the URL begins neither "
				 "with https:// nor with http://");
	port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	if (!span_u64(span_of(port), UINT16_MAX, &number) || number == 0) {
		mem_free(port);
		return error_set(err, ERROR_CONFIG,
				 "the URL's port is not one of 1 to 65535");
	}
	mem_free(port);
	ret->port = (uint16_t)number;
	ret->user = url_part(u, CURLUPART_USER, CURLU_URLDECODE);
	ret->password = url_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
	if (!url_host(u, ret, err))
		return false;
	url_shown(u, ret);
	return true;
}

bool
http_url_parse(const char *text, struct http_url *ret, struct error *err)
{
	*ret = (struct http_url){ .https = false };
	if (!url_read(text, ret, err)) {
		http_url_fini(ret);
		return false;
	}
	if (ret->user == NULL && ret->password == NULL)
		return true;
	http_url_fini(ret);
	error_set(err, ERROR_CONFIG, "the URL holds a user or a password");
	return error_hint(err, "write them under keys of their own, not in the URL");
}

/* Whether the text names its port; curl would take 1080 otherwise. */
static bool
port_named(const char *text)
{
	AUTO(handle_free) CURLU *u = curl_url();
	char *port = NULL;
	bool named;

	named = curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
		(port = url_part(u, CURLUPART_PORT, 0)) != NULL;
	mem_free(port);
	return named;
}

bool
http_proxy_parse(const char *text, struct http_url *ret, struct error *err)
{
	*ret = (struct http_url){ .https = false };
	if (url_read(text, ret, err) && !ret->https && port_named(text))
		return true;
	http_url_fini(ret);
	error_set(err, ERROR_CONFIG, "the URL of the proxy is not valid");
	return error_hint(err, "write http://HOST:PORT, or "
			  "http://USER:PASSWORD@HOST:PORT");
}

bool
http_proxy_check(const char *proxy, struct error *err)
{
	AUTO(http_url_fini) struct http_url u;

	return http_proxy_parse(proxy, &u, err);
}

bool
http_url_check(const char *url, struct error *err)
{
	AUTO(http_url_fini) struct http_url u;
	struct ip ip;

	if (!http_url_parse(url, &u, err))
		return false;
	if (strchr(url, '#') != NULL)
		return error_set(err, ERROR_CONFIG, "%s: the URL has a "
				 "fragment (#)", u.shown);
	if (u.https || strcasecmp(u.host, "localhost") == 0 ||
	    (ip_parse(span_of(u.host), &ip) && ip_is_loopback(ip)))
		return true;
	error_set(err, ERROR_CONFIG, "%s: credentials would be sent without "
		  "encryption", u.shown);
	return error_hint(err, "write https://; http:// is for 127.0.0.1, ::1 "
			  "and localhost");
}
