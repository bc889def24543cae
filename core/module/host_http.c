/* host_http.c - a module asks a web server */
#include "module/question.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/http.h"
#include "module/host.h"

#include <stdio.h>
#include <string.h>

struct http_question {
	struct question question;
	uint64_t request;
	void (*done)(void *arg, const struct postern_http_answer *answer);
	void *arg;
};

static void
http_forgotten(struct question *question)
{
	struct http_question *q = container_of(question, struct http_question,
					       question);

	http_cancel(q->question.me->host->http, q->request);
	mem_free(q);
}

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct http_question *q = arg;
	const struct postern_http_answer answer = {
		.status = a->status, .why = a->why, .type = a->type,
		.retry_after_ms = a->retry_after_ms,
		.body = a->body.p, .body_size = a->body.n,
	};

	question_end(&q->question);
	q->done(q->arg, &answer);
	mem_free(q);
}

/* As the module's header had it. */
static struct http_request
request_copy(const struct postern_instance *me,
	     const struct postern_http_request *given)
{
	const struct postern_module *t = &me->module->table;
	struct postern_http_request rq;

	memset(&rq, 0, sizeof(rq));
	memcpy(&rq, given, t->sizes[POSTERN_SIZEOF_HTTP_REQUEST]);
	return (struct http_request){
		.method = rq.method, .url = rq.url,
		.headers = rq.headers, .header_count = rq.header_count,
		.body = { rq.body, rq.body_size },
		.timeout_ms = rq.timeout_ms, .answer_max = rq.answer_max,
		.trust_file = rq.trust_file, .proxy = rq.proxy,
		.author = instance_author(me),
	};
}

uint64_t
postern_http(postern_instance *me, const struct postern_http_request *request,
	     void (*done)(void *arg, const struct postern_http_answer *answer),
	     void *arg)
{
	static const struct postern_http_answer none = {
		.why = "there is no HTTP here", .type = "",
		.retry_after_ms = -1,
	};
	struct http_request rq;
	struct http_question *q;

	if (!question_allowed(me, "postern_http()") || me->host->http == NULL) {
		done(arg, &none);
		return 0;
	}
	q = NEW(struct http_question);
	q->done = done;
	q->arg = arg;
	q->question.forget = http_forgotten;
	q->question.awaited = true;
	question_begin(&q->question, me);
	rq = request_copy(me, request);
	q->request = http_send(me->host->http, &rq, on_answer, q);
	return q->question.ticket;
}

int32_t
postern_http_check(const char *url, const char *proxy, char *why, size_t size)
{
	struct error err = { .text = "" };

	if ((url == NULL || http_url_check(url, &err)) &&
	    (proxy == NULL || http_proxy_check(proxy, &err)))
		return 0;
	snprintf(why, size, "%s%s%s", err.text, err.hint[0] ? "; " : "",
		 err.hint);
	return -1;
}
