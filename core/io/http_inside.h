/* http_inside.h - what the files of http share: one request and its life */
#ifndef IO_HTTP_INSIDE_H
#define IO_HTTP_INSIDE_H

#include "io/http.h"
#include "io/http_multi.h"
#include "io/http_url.h"

#include "base/buf.h"

struct tls_trust;

/* In order; the words of a stage are in messages. */
enum http_stage {
	HTTP_IN_LINE,			/* too many others are under way */
	HTTP_LOOKING_UP,		/* waits for the DNS */
	HTTP_READING_TRUST,		/* waits for the authorities */
	HTTP_TRANSFER,			/* with curl */
	HTTP_ENDED,			/* to be told, then freed */
};

struct request {
	struct http *http;		/* NULL: forgotten, only to be freed */
	struct request *next, **prev;	/* all of http's */
	struct request *behind;		/* in the line */
	uint64_t ticket;
	http_fn *done;
	void *arg;
	enum http_stage stage;
	struct timer timer;		/* for all of it */
	struct later later;
	int64_t timeout_ms, ends_ms;

	/* what is asked */
	char *method;			/* NULL: by whether there is a body */
	char *url;			/* wiped, as what follows */
	struct curl_slist *headers;
	struct buf body;
	bool has_body;
	struct http_url to, proxy;	/* proxy.host NULL: none */
	enum dns_author author;
	char *trust_file;

	/* what is needed for it */
	uint64_t dns_ticket, trust_ticket;
	struct tls_trust *trust;	/* https: a reference */
	struct curl_slist *resolve;	/* the addresses, for curl */
	CURL *easy;			/* while HTTP_TRANSFER */
	char curl_says[CURL_ERROR_SIZE];
	bool connected;			/* TCP stands, with the first hop */
	bool asked;			/* all is ready, the request may go;
					 * https: and has been verified */

	/* what came of it */
	struct buf answer;
	size_t header_bytes;
	int64_t retry_after_ms;
	char *type;
	int status;			/* 0: err says why */
	struct error err;		/* without text until it fails */
};

/* --- http.c ---------------------------------------------------------- */

/* The end, with words in r->err when r->status is 0. */
void request_end(struct request *r);

/* --- http_transfer.c: what curl does for one request ------------------ */

/* Whether curl may be given it; false: err says why not. */
bool header_check(const char *header, struct error *err);
bool method_check(const char *method, struct error *err);

void transfer_start(struct request *r, struct http_multi *m,
		    const char *user_agent);
void transfer_stop(struct request *r, struct http_multi *m);
/* Fills what came of it. */
void transfer_ended(struct request *r, CURLcode code);

/* --- http_words.c ----------------------------------------------------- */

void words_timed_out(struct request *r);
void words_curl(struct request *r, CURLcode code);

#endif
