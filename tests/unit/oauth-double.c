/* oauth-double.c - see the header */
#include "oauth-double.h"

#include <stdio.h>

enum { QUESTIONS = 32, TIMERS = 32, FIRST = 1000 };

struct question {
	bool open;
	enum asked_for what;
	char text[1000];
	void (*http)(void *arg, const struct postern_http_answer *answer);
	void (*get)(void *arg, const void *bytes, int64_t n);
	void (*put)(void *arg, int32_t ok, const char *why);
	void (*smtp)(void *arg, const struct postern_probe_answer *answer);
	void *arg;
};

struct fuse {
	bool open;
	int64_t at_ms;
	void (*fire)(void *arg);
	void *arg;
};

struct oauth *oauth;
char heard[4000];
struct waiter jobs[4];
bool puts_fail;
const char *token_user;

static struct oauth instance;
static struct question questions[QUESTIONS];
static struct fuse fuses[TIMERS];
static size_t question_count, fuse_count;
static int64_t now_ms = 1000;
static char file[1000];

static void
hear(const char *fmt, ...)
{
	size_t n = strlen(heard);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(heard + n, sizeof(heard) - n, fmt, ap);
	va_end(ap);
}

/* --- time ------------------------------------------------------------- */

int64_t
oauth_now_ms(void)
{
	return now_ms;
}

uint64_t
postern_timer(postern_instance *me, int64_t in_ms, void (*fire)(void *arg),
	      void *arg)
{
	(void)me;
	assert_true(fuse_count < TIMERS);
	fuses[fuse_count] = (struct fuse){ true, now_ms + in_ms, fire, arg };
	return FIRST + fuse_count++;
}

void
postern_timer_stop(postern_instance *me, uint64_t timer)
{
	(void)me;
	if (timer != 0)
		fuses[timer - FIRST].open = false;
}

static struct fuse *
next_fuse(int64_t until_ms)
{
	struct fuse *ret = NULL;

	for (size_t i = 0; i < fuse_count; i++)
		if (fuses[i].open && fuses[i].at_ms <= until_ms
		    && (ret == NULL || fuses[i].at_ms < ret->at_ms))
			ret = &fuses[i];
	return ret;
}

void
pass(int64_t ms)
{
	int64_t until_ms = now_ms + ms;
	struct fuse *f;

	while ((f = next_fuse(until_ms)) != NULL) {
		now_ms = f->at_ms;
		f->open = false;
		f->fire(f->arg);
	}
	now_ms = until_ms;
}

/* --- questions -------------------------------------------------------- */

static struct question *
ask(enum asked_for what, void *arg, const char *text, size_t n)
{
	struct question *q = &questions[question_count++];

	assert_true(question_count <= QUESTIONS);
	*q = (struct question){ .open = true, .what = what, .arg = arg };
	snprintf(q->text, sizeof(q->text), "%.*s", (int)n, text);
	return q;
}

static struct question *
oldest(enum asked_for what)
{
	for (size_t i = 0; i < question_count; i++)
		if (questions[i].open && questions[i].what == what)
			return &questions[i];
	fail_msg("nothing is asked");
	return NULL;
}

static struct question *
answered(enum asked_for what)
{
	struct question *q = oldest(what);

	q->open = false;
	return q;
}

size_t
waiting(enum asked_for what)
{
	size_t n = 0;

	for (size_t i = 0; i < question_count; i++)
		n += questions[i].open && questions[i].what == what;
	return n;
}

const char *
asked(enum asked_for what)
{
	return oldest(what)->text;
}

void
postern_give_up(postern_instance *me, uint64_t question)
{
	(void)me;
	if (question != 0)
		questions[question - FIRST].open = false;
}

uint64_t
oauth_post(struct oauth *o, const char *url, struct form *form,
	   void (*done)(void *arg, const struct postern_http_answer *answer))
{
	struct question *q = ask(ASKED_HTTP, o, form->text, form->n);

	(void)url;
	form_free(form);
	q->http = done;
	return FIRST + (uint64_t)(q - questions);
}

uint64_t
postern_state_get(postern_instance *me, const char *key,
		  void (*done)(void *arg, const void *bytes, int64_t n),
		  void *arg)
{
	struct question *q = ask(ASKED_GET, arg, key, strlen(key));

	(void)me;
	q->get = done;
	return FIRST + (uint64_t)(q - questions);
}

uint64_t
postern_state_put(postern_instance *me, const char *key, const void *bytes,
		  size_t n, void (*done)(void *arg, int32_t ok, const char *why),
		  void *arg)
{
	struct question *q;

	(void)me, (void)key;
	if (puts_fail) {
		done(arg, 0, "too large");
		return 0;
	}
	q = ask(ASKED_PUT, arg, bytes, n);
	q->put = done;
	return FIRST + (uint64_t)(q - questions);
}

uint64_t
postern_smtp_probe(postern_instance *me, const struct postern_probe *probe,
		   void (*done)(void *arg,
				const struct postern_probe_answer *answer),
		   void *arg)
{
	struct question *q = ask(ASKED_SMTP, arg, probe->plan->secret,
				 strlen(probe->plan->secret));

	(void)me;
	assert_int_equal(probe->upto, POSTERN_PHASE_AUTH);
	q->smtp = done;
	return FIRST + (uint64_t)(q - questions);
}

/* --- answers ---------------------------------------------------------- */

void
got(const char *bytes)
{
	struct question *q = answered(ASKED_GET);

	q->get(q->arg, bytes ? bytes : "", bytes ? (int64_t)strlen(bytes) : -1);
}

void
got_error(const char *words)
{
	struct question *q = answered(ASKED_GET);

	q->get(q->arg, words, -2);
}

void
kept(void)
{
	struct question *q = answered(ASKED_PUT);

	memcpy(file, q->text, sizeof(file));
	q->put(q->arg, 1, "");
}

void
not_kept(void)
{
	struct question *q = answered(ASKED_PUT);

	q->put(q->arg, 0, "disk full");
}

static void
answer(int status, int64_t retry_after_ms, const char *body)
{
	struct question *q = answered(ASKED_HTTP);
	const struct postern_http_answer a = {
		.status = status, .why = "no route to host",
		.type = "application/json", .retry_after_ms = retry_after_ms,
		.body = body, .body_size = strlen(body),
	};

	q->http(q->arg, &a);
}

void
token(const char *access, const char *refresh, int life_s)
{
	char body[600], more[100] = "";

	if (refresh != NULL)
		snprintf(more, sizeof(more), ",\"refresh_token\":\"%s\"",
			 refresh);
	snprintf(body, sizeof(body), "{\"access_token\":\"%s\",\"expires_in\":%d"
		 "%s%s%s}", access, life_s, more,
		 token_user ? ",\"id_token\":" : "",
		 token_user ? token_user : "");
	answer(200, -1, body);
}

void
refused(const char *error)
{
	char body[100];

	snprintf(body, sizeof(body), "{\"error\":\"%s\"}", error);
	answer(400, -1, body);
}

void
device(void)
{
	answer(200, -1, "{\"device_code\":\"D\",\"user_code\":\"U\",\"interval\":5,"
	       "\"verification_uri\":\"https://x.test/device\"}");
}

void
no_answer(int64_t retry_after_ms)
{
	answer(0, retry_after_ms, "");
}

void
proof(int code, const char *enhanced, const char *text)
{
	struct question *q = answered(ASKED_SMTP);
	const struct postern_outcome o = {
		.code = code, .phase = code ? POSTERN_PHASE_AUTH
					    : POSTERN_PHASE_CONNECT,
		.enhanced = enhanced, .text = text, .host = "smtp.x.test",
	};
	const struct postern_probe_answer a = {
		.ok = code == 235, .outcome = &o,
		.remedy = code == 535 ? "Look here." : NULL,
	};

	q->smtp(q->arg, &a);
}

const char *
record(const char *refresh)
{
	static char text[300];

	if (refresh == NULL)
		return file;
	snprintf(text, sizeof(text), "{\"refresh_token\":\"%s\",\"user\":\"u@x.test\","
		 "\"client_id\":\"app\",\"token_endpoint\":\"https://x.test/token\","
		 "\"seed\":\"%s\"}", refresh,
		 oauth->grant == GRANT_REFRESH_TOKEN ? "af640e4c86024182"
						     : "cbf29ce484222325");
	return text;
}

/* --- what is heard ---------------------------------------------------- */

void
job_send(struct waiter *w)
{
	w->generation = w->oauth->token.generation;
	w->oauth->token.used = 1;
	hear("send %d %s. ", (int)(w - jobs), w->oauth->token.access);
}

struct postern_smtp_plan
oauth_plan(const struct oauth *o)
{
	return (struct postern_smtp_plan){
		.user = o->user, .secret = o->token.access,
	};
}

void
job_settle(struct waiter *w, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hear("fail %d %s. ", (int)(w - jobs), text);
}

void
oauth_hide(const struct oauth *o, char *words)
{
	(void)o, (void)words;
}

void
postern_pause(postern_instance *me, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	(void)me;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hear("pause %s. ", text);
}

void
postern_ready(postern_instance *me)
{
	(void)me;
	hear("ready. ");
}

void
postern_log(postern_instance *me, int level, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	(void)me;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (level == POSTERN_ERROR)
		hear("error %s. ", text);
}

const char *
postern_route(const postern_instance *me)
{
	(void)me;
	return "out";
}

void
postern_action_say(postern_action_run *run, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	(void)run;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (oauth->login.proving)	/* what is said of a code is known */
		hear("say %s. ", text);
}

void
postern_action_end(postern_action_run *run, int ok, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	(void)run;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hear("end %d %s. ", ok, text);
}

/* --- the world -------------------------------------------------------- */

void
world_open(int32_t grant)
{
	oauth = &instance;
	instance = (struct oauth){
		.grant = grant, .user = "u@x.test", .client_id = "app",
		.refresh_token = grant == GRANT_REFRESH_TOKEN ? "S" : NULL,
		.margin = 600 * SEC, .smtp_host = "smtp.x.test",
	};
	instance.token_url = strdup("https://x.test/token");
	instance.device_url = strdup("https://x.test/code");
	heard[0] = '\0';
	puts_fail = false;
	token_user = NULL;
	question_count = fuse_count = 0;
	token_open(oauth);
}

int
world_close(void **state)
{
	(void)state;
	token_close(oauth);
	device_reply_free(&oauth->login.device);
	free(oauth->token_url);
	free(oauth->device_url);
	return 0;
}

void
deliver(int i)
{
	jobs[i] = (struct waiter){ .oauth = oauth };
	token_wait(oauth, &jobs[i]);
}

void
sign_in(void)
{
	login_begin(oauth, (postern_action_run *)&instance);
}
