/* http.c - requests, from the line to the answer
 *
 * A request waits in line, has the name of its first hop looked up (the
 * proxy's, where there is one), gets the authorities if it is https, and is
 * given to curl.  One timer is for all of it.  It is told and freed by
 * loop_later() with nothing of curl's below on the stack, so that its user
 * may do anything, and one that is cancelled is only freed.
 */
#include "io/http.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"
#include "io/dns.h"
#include "io/http_inside.h"
#include "io/tls.h"
#include "io/tls_store.h"

#include <string.h>

enum { IDLE_MS = 60 * 1000 };		/* connections are kept so long */

struct http {
	struct loop *loop;
	struct dns *dns;
	struct tls_store *store;
	struct http_multi *multi;
	struct tickets *tickets;
	struct request *first;		/* all that are not told */
	struct request *line, **line_end;
	size_t under_way;
	char *trust_file, *user_agent;
};

/* --- its memory ------------------------------------------------------ */

static void
headers_free(struct curl_slist *list)
{
	for (struct curl_slist *h = list; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(list);
}

static void
request_free(struct request *r)
{
	mem_free(r->method);
	http_wipe(r->url);
	headers_free(r->headers);
	buf_wipe(&r->body);
	http_url_fini(&r->to);
	http_url_fini(&r->proxy);
	mem_free(r->trust_file);
	tls_trust_unref(&r->trust);
	curl_slist_free_all(r->resolve);
	buf_wipe(&r->answer);
	mem_free(r->type);
	mem_free(r);
}

/* Nothing is under way for it any more. */
static void
request_stop(struct request *r)
{
	timer_stop(&r->timer);
	dns_forget(r->http->dns, r->dns_ticket);
	tls_store_forget(r->http->store, r->trust_ticket);
	r->dns_ticket = r->trust_ticket = 0;
	transfer_stop(r, r->http->multi);
}

static void
request_detach(struct request *r)
{
	ticket_close(r->http->tickets, r->ticket);
	*r->prev = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->http = NULL;
}

/* --- the line -------------------------------------------------------- */

static void
line_join(struct http *h, struct request *r)
{
	*h->line_end = r;
	h->line_end = &r->behind;
}

static void
line_leave(struct http *h, struct request *r)
{
	struct request **at = &h->line;

	while (*at != NULL && *at != r)
		at = &(*at)->behind;
	if (*at == NULL)
		return;
	*at = r->behind;
	if (h->line_end == &r->behind)
		h->line_end = at;
	r->behind = NULL;
}

/* --- the end --------------------------------------------------------- */

static void
request_tell(struct request *r)
{
	AUTO(buf_fini) struct buf why = BUF_MAX(sizeof(r->err));
	struct http_answer a = {
		.status = r->status, .type = r->type ? r->type : "",
		.retry_after_ms = r->retry_after_ms,
	};

	if (r->status != 0) {
		a.body = buf_span(&r->answer);
	} else {
		buf_addf(&why, "%s%s%s", r->err.text,
			 r->err.hint[0] ? "; " : "", r->err.hint);
		a.why = buf_str(&why);
	}
	r->done(r->arg, &a);
}

static void line_advance(struct http *h);

static void
on_told(struct later *l)
{
	struct request *r = container_of(l, struct request, later);
	struct http *h = r->http;

	if (h != NULL) {
		request_detach(r);
		line_advance(h);
		request_tell(r);	/* h may be gone now */
	}
	request_free(r);
}

void
request_end(struct request *r)
{
	struct http *h = r->http;

	if (r->stage == HTTP_ENDED)
		return;
	if (r->stage == HTTP_IN_LINE)
		line_leave(h, r);
	else
		h->under_way--;
	request_stop(r);
	r->stage = HTTP_ENDED;
	loop_later(h->loop, &r->later);
}

/* Ends one without words for anybody; line_advance() is the caller's. */
static void
request_forget(struct request *r)
{
	struct loop *loop = r->http->loop;

	request_end(r);
	request_detach(r);
	loop_later(loop, &r->later);
}

static void
on_request_timer(struct timer *t)
{
	struct request *r = container_of(t, struct request, timer);

	words_timed_out(r);
	request_end(r);
}

static void
on_transfer_ended(CURL *easy, CURLcode code)
{
	struct request *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
	transfer_ended(r, code);
	request_end(r);
}

static void
on_transfer_listens(CURL *easy)
{
	struct request *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
	r->connected = true;
}

static const struct http_multi_events transfer_events = {
	.ended = on_transfer_ended, .listens = on_transfer_listens,
};

/* --- the stages ------------------------------------------------------ */

static void
request_transfer(struct request *r)
{
	r->stage = HTTP_TRANSFER;
	transfer_start(r, r->http->multi, r->http->user_agent);
}

static void
on_trust(void *arg, const struct tls_made *made, const struct error *err)
{
	struct request *r = arg;

	r->trust_ticket = 0;
	if (err == NULL) {
		r->trust = tls_trust_ref(made->trust);
		request_transfer(r);
		return;
	}
	r->err = *err;
	error_prefix(&r->err, "%s: no certificate authorities to verify the "
			      "server with",
		     r->to.shown);
	request_end(r);
}

static void
request_trust(struct request *r)
{
	struct tls_files files = { .trust = true, .trust_file = r->trust_file };
	uint64_t ticket;

	if (!r->to.https) {
		request_transfer(r);
		return;
	}
	r->stage = HTTP_READING_TRUST;
	ticket = tls_store_get(r->http->store, &files, on_trust, r);
	if (ticket != 0)
		r->trust_ticket = ticket;
}

/* "+HOST:PORT:ADDRESS,[ADDRESS]", for CURLOPT_RESOLVE; the plus: to be
 * forgotten after a while. */
static void
request_resolved(struct request *r, const struct dns_addresses *a)
{
	const struct http_url *hop = r->proxy.host ? &r->proxy : &r->to;
	AUTO(buf_fini) struct buf b = BUF_MAX(64 * 1024);
	char text[IP_TEXT];

	buf_addf(&b, "+%s:%u:", hop->host, hop->port);
	for (size_t i = 0; i < a->n; i++) {
		bool v6 = a->ips[i].family == 6;

		buf_addf(&b, "%s%s%s%s", i ? "," : "", v6 ? "[" : "",
			 ip_text(a->ips[i], text), v6 ? "]" : "");
	}
	/* curl reads an address in the URL by itself, without asking */
	if (strchr(hop->host, ':') == NULL)
		r->resolve = curl_slist_append(NULL, buf_str(&b));
}

static void
on_addresses(void *arg, const struct dns_addresses *a)
{
	struct request *r = arg;
	const char *host = r->proxy.host ? r->proxy.host : r->to.host;
	const char *whose = r->proxy.host ? "the proxy's name " : "the name ";

	r->dns_ticket = 0;
	if (a->status == DNS_OK) {
		request_resolved(r, a);
		request_trust(r);
		return;
	}
	if (a->status == DNS_NXDOMAIN) {
		error_set(&r->err, ERROR_PROTOCOL, "%s: %s%s does not exist",
			  r->to.shown, whose, host);
		error_hint(&r->err, "check the spelling");
	} else if (a->status == DNS_NODATA) {
		error_set(&r->err, ERROR_PROTOCOL, "%s: %s%s has no address",
			  r->to.shown, whose, host);
	} else {
		error_set(&r->err, ERROR_SYSTEM, "%s: %s%s cannot be looked "
			  "up: %s", r->to.shown, whose, host,
			  a->why ? a->why : "no answer");
	}
	request_end(r);
}

static void
request_start(struct request *r)
{
	const char *host = r->proxy.host ? r->proxy.host : r->to.host;
	uint64_t ticket;

	r->stage = HTTP_LOOKING_UP;
	ticket = dns_lookup(r->http->dns, host, r->author, on_addresses, r);
	if (ticket != 0)
		r->dns_ticket = ticket;
}

static void
line_advance(struct http *h)
{
	while (h->line != NULL && h->under_way < HTTP_UNDER_WAY) {
		struct request *r = h->line;

		line_leave(h, r);
		h->under_way++;
		request_start(r);
	}
}

/* --- what users call ------------------------------------------------- */

/* Copies; false: r->err says what is wrong with it. */
static bool
request_copy(struct request *r, const struct http_request *rq)
{
	struct error *err = &r->err;

	if (rq->method != NULL && !method_check(rq->method, err))
		return false;
	if (!http_url_parse(rq->url, &r->to, err) ||
	    (rq->proxy != NULL && !http_proxy_parse(rq->proxy, &r->proxy, err)))
		return false;
	for (size_t i = 0; i < rq->header_count; i++) {
		struct curl_slist *longer;

		if (!header_check(rq->headers[i], err))
			return error_prefix(err, "%s", r->to.shown);
		longer = curl_slist_append(r->headers, rq->headers[i]);
		must(longer != NULL);
		r->headers = longer;
	}
	r->url = mem_strdup(rq->url);
	if (rq->method != NULL)
		r->method = mem_strdup(rq->method);
	r->author = rq->author;
	r->has_body = rq->body.p != NULL;
	r->body = BUF_MAX(rq->body.n);
	buf_add(&r->body, rq->body);
	return true;
}

static struct request *
request_new(struct http *h, const struct http_request *rq)
{
	struct request *r = NEW(struct request);
	const char *trust = rq->trust_file ? rq->trust_file : h->trust_file;

	r->http = h;
	r->later.run = on_told;
	timer_init(&r->timer, h->loop, on_request_timer);
	r->timeout_ms = rq->timeout_ms > 0 ? rq->timeout_ms : HTTP_PATIENCE_MS;
	r->ends_ms = clock_now_ms() + r->timeout_ms;
	r->retry_after_ms = -1;
	r->answer = BUF_MAX(rq->answer_max ? rq->answer_max : HTTP_ANSWER_MAX);
	if (trust != NULL)
		r->trust_file = mem_strdup(trust);
	r->ticket = ticket_open(h->tickets, r);
	r->next = h->first;
	r->prev = &h->first;
	if (h->first != NULL)
		h->first->prev = &r->next;
	h->first = r;
	return r;
}

uint64_t
http_send(struct http *h, const struct http_request *rq, http_fn *done,
	  void *arg)
{
	struct request *r = request_new(h, rq);

	r->done = done;
	r->arg = arg;
	if (!request_copy(r, rq)) {
		request_end(r);
		return r->ticket;
	}
	timer_start(&r->timer, r->timeout_ms);
	line_join(h, r);
	line_advance(h);
	return r->ticket;
}

void
http_cancel(struct http *h, uint64_t ticket)
{
	struct request *r = ticket_find(h->tickets, ticket);

	if (r == NULL)
		return;
	request_forget(r);
	line_advance(h);
}

static char *
copied(const char *s, const char *otherwise)
{
	s = s != NULL ? s : otherwise;
	return s != NULL ? mem_strdup(s) : NULL;
}

void
http_configure(struct http *h, const struct http_settings *settings)
{
	char *trust = copied(settings->trust_file, NULL);
	char *agent = copied(settings->user_agent, "postern");

	mem_free(h->trust_file);
	mem_free(h->user_agent);
	h->trust_file = trust;
	h->user_agent = agent;
}

struct http *
http_new(struct loop *loop, struct dns *dns, struct tls_store *store,
	 const struct http_settings *settings)
{
	struct http *h = NEW(struct http);

	h->loop = loop;
	h->dns = dns;
	h->store = store;
	h->multi = http_multi_new(loop, &transfer_events, IDLE_MS);
	h->tickets = tickets_new();
	h->line_end = &h->line;
	http_configure(h, settings);
	return h;
}

void
http_free(struct http **ptr)
{
	struct http *h = *ptr;

	if (h == NULL)
		return;
	*ptr = NULL;
	while (h->first != NULL)
		request_forget(h->first);
	http_multi_free(&h->multi);
	tickets_free(&h->tickets);
	mem_free(h->trust_file);
	mem_free(h->user_agent);
	mem_free(h);
}
