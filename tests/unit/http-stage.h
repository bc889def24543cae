/* http-stage.h - a loop with everything that asking a web server needs */
#ifndef TESTS_HTTP_STAGE_H
#define TESTS_HTTP_STAGE_H

#include "http-double.h"
#include "http-site.h"

#include "io/http.h"

/* What came; a copy. */
struct got {
	struct http_stage *stage;
	unsigned times;
	int status;
	char why[700], type[80];
	int64_t retry_after_ms;
	char body[256 * 1024];
	size_t n;
};

struct http_stage {
	struct loop *loop;
	struct dns *dns;
	struct tls_store *store;
	struct http *http;
	char folder[64], ca[96], url[256];
	unsigned wanted;		/* answers until the loop stops */
	struct timer timer;
	void (*then)(struct http_stage *s);	/* at the timer's end */
	struct got got;
};

int stage_setup(void **state);		/* for cmocka: *state is the stage */
int stage_teardown(void **state);

/* "http://HOST:PORT/PATH" of a site; borrowed until the next. */
const char *stage_url(struct http_stage *s, const char *scheme,
		      const char *host, const struct site *site,
		      const char *path);
/* Asks and waits for the answer, in s->got. */
const struct got *stage_ask(struct http_stage *s, const struct http_request *rq);
const struct got *stage_get(struct http_stage *s, const char *url);
/* For many: on_got counts, keeps the last, and stops at s->wanted. */
void on_got(void *arg, const struct http_answer *a);
void stage_run(struct http_stage *s);
/* Runs for a while. */
void stage_pass(struct http_stage *s, int64_t ms);
/* Runs until true() is. */
void stage_until(struct http_stage *s, bool (*is)(struct http_stage *s));

#endif
