/* token.c - one access token, for all jobs of the route
 *
 *   LOADING ---> IDLE <---> FETCHING ---> KEEPING ---> IDLE
 *    |   ^         ^           |   ^                     |
 *    v   |         |           v   |        waiting jobs are sent
 *   MISSING -------+          DOUBTING
 *        (by a sign-in)
 *
 * Whoever comes while a token is being fetched waits for the same answer.  A
 * sign-in that the provider replaces is made durable before the access token
 * that came with it is used: after a crash the old one may be worth nothing.
 * For the same reason a fetch that was begun is waited for, also by an instance
 * that is retired; what has begun by then is all that it does.
 */
#include "oauth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEAST_LEFT_MS = 30 * 1000,	/* of a token that is used at all */
	HOUR_MS = 3600 * 1000,
	DAY_MS = 24 * 3600 * 1000,
	REST_MOST_MS = 3600 * 1000,	/* that a provider may ask for */
};

/* --- those who wait -------------------------------------------------- */

static void
waiter_add(struct token *t, struct waiter *w)
{
	w->next = NULL;
	w->queued = 1;
	*t->last = w;
	t->last = &w->next;
}

static struct waiter *
waiter_take(struct token *t)
{
	struct waiter *w = t->first;

	if (w == NULL)
		return NULL;
	t->first = w->next;
	if (t->first == NULL)
		t->last = &t->first;
	w->queued = 0;
	return w;
}

void
token_leave(struct oauth *o, struct waiter *w)
{
	struct waiter **p = &o->token.first;

	if (!w->queued)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (o->token.last == &w->next)
		o->token.last = p;
	w->queued = 0;
}

/* Only those that are here now: a job that fails may come back at once. */
static void
waiters_each(struct oauth *o, void (*fn)(struct oauth *o, struct waiter *w))
{
	struct token list = { .first = o->token.first };

	list.last = o->token.first ? o->token.last : &list.first;
	o->token.first = NULL;
	o->token.last = &o->token.first;
	for (struct waiter *w; (w = waiter_take(&list)) != NULL; )
		fn(o, w);
}

static void
send_one(struct oauth *o, struct waiter *w)
{
	(void)o;
	job_send(w);
}

static void
fail_one(struct oauth *o, struct waiter *w)
{
	job_settle(w, "no access token: %s", o->token.why);
}

/* --- states ---------------------------------------------------------- */

static int
token_lives(const struct token *t, int64_t until_ms)
{
	return t->access != NULL && oauth_now_ms() < until_ms;
}

static int
token_is_good(const struct token *t)
{
	return token_lives(t, t->renew_ms);
}

/* Good enough when there is no better one. */
static int
token_will_do(const struct token *t)
{
	return token_lives(t, t->expires_ms - LEAST_LEFT_MS);
}

/* A job let through while the route is paused wants to know; otherwise the
 * provider has said no, and asking on would only lock somebody out. */
void
token_ends(struct oauth *o, int ok)
{
	struct token *t = &o->token;

	t->state = TOKEN_IDLE;
	if (ok && t->refused) {
		t->refused = 0;
		/* who signs in is told, and so is the route, when the server
		 * has taken it */
		if (!o->login.trying)
			postern_ready(o->me);
	}
	login_tried(o, ok, t->why);
	waiters_each(o, ok || token_will_do(t) ? send_one : fail_one);
}

/* Why there is none, as it is told to everybody from now on. */
static void token_says(struct oauth *o, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);

static void
token_says(struct oauth *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->token.why, sizeof(o->token.why), fmt, ap);
	va_end(ap);
}

/* Nobody has signed in, and only that will help: said again whenever a job
 * is let through, for somebody may have ended the pause. */
static void
token_is_missing(struct oauth *o)
{
	o->token.refused = 1;
	postern_pause(o->me, "%s", o->token.why);
	login_tried(o, 0, o->token.why);
	waiters_each(o, fail_one);
}

/* --- fetching -------------------------------------------------------- */

/* The remedy first: providers say much, and what is long is cut. */
static void
say_refused(struct oauth *o, const struct token_reply *r)
{
	switch (o->grant) {
	case GRANT_DEVICE_CODE:
		token_says(o, "the provider refuses a token; sign in again with "
			   "`postern login %s': %s", postern_route(o->me),
			   r->why);
		break;
	case GRANT_REFRESH_TOKEN:
		token_says(o, "the provider refuses a token; obtain a new "
			   "refresh token, write it into the configuration, "
			   "and reload: %s", r->why);
		break;
	default:
		token_says(o, "the provider refuses a token; check %sclient_id "
			   "and client_secret, and reload: %s",
			   provider_asks_tenant(o) ? "tenant, " : "", r->why);
	}
}

static void
token_is_refused(struct oauth *o)
{
	o->token.refused = 1;
	postern_pause(o->me, "%s", o->token.why);
	token_ends(o, 0);
}

static void
token_refused(struct oauth *o, const struct token_reply *r)
{
	struct token *t = &o->token;

	secret_free(&t->access);
	say_refused(o, r);
	t->dead = r->dead && grant_has_sign_in(o);
	if (t->dead && !t->unkept && !o->retired) {
		t->state = TOKEN_DOUBTING;
		t->question = store_load(o);
		return;
	}
	token_is_refused(o);
}

static void
token_waits(struct oauth *o, const struct token_reply *r)
{
	int64_t rest_ms = r->retry_after_ms;

	if (rest_ms > REST_MOST_MS)
		rest_ms = REST_MOST_MS;
	if (rest_ms > 0)
		o->token.not_before_ms = oauth_now_ms() + rest_ms;
	postern_log(o->me, POSTERN_WARNING, "no access token for now: %s",
		    r->why);
	token_says(o, "%s", r->why);
	token_ends(o, 0);
}

static void
on_token(void *arg, const struct postern_http_answer *a)
{
	struct oauth *o = arg;
	struct token_reply r;

	o->token.question = 0;
	token_reply_parse(a, &r);
	oauth_hide(o, r.why);
	if (r.kind == REPLY_TOKEN)
		token_take(o, &r);
	else if (r.kind == REPLY_REFUSED)
		token_refused(o, &r);
	else
		token_waits(o, &r);
	token_reply_free(&r);
}

static void
token_fetch(struct oauth *o)
{
	struct form form = { NULL, 0, 0 };

	if (grant_has_sign_in(o)) {
		form_add(&form, "grant_type", "refresh_token");
		form_add(&form, "refresh_token", o->token.refresh);
	} else {
		form_add(&form, "grant_type", "client_credentials");
	}
	form_add(&form, "client_id", o->client_id);
	form_add(&form, "client_secret", o->client_secret);
	form_add(&form, "scope", o->scope_text);
	o->token.state = TOKEN_FETCHING;
	o->token.question = oauth_post(o, o->token_url, &form, on_token);
}

static void
token_load(struct oauth *o)
{
	o->token.state = TOKEN_LOADING;
	o->token.question = store_load(o);
}

void
token_renew(struct oauth *o)
{
	struct token *t = &o->token;

	if (t->state != TOKEN_IDLE && t->state != TOKEN_MISSING)
		return;
	if (o->retired) {
		token_says(o, "the route has changed, or the gateway stops");
		token_ends(o, 0);
	} else if (t->state == TOKEN_MISSING) {
		token_load(o);
	} else if (oauth_now_ms() < t->not_before_ms) {
		token_ends(o, 0);	/* with the words of the last time */
	} else {
		token_fetch(o);
	}
}

void
token_wait(struct oauth *o, struct waiter *w)
{
	if (o->token.state == TOKEN_IDLE && token_is_good(&o->token)) {
		job_send(w);
		return;
	}
	waiter_add(&o->token, w);
	token_renew(o);
}

void
token_spoil(struct oauth *o)
{
	if (o->token.state == TOKEN_IDLE)
		secret_free(&o->token.access);
}

/* --- a token has come ------------------------------------------------ */

static void
on_renewal(void *arg)
{
	struct oauth *o = arg;

	o->token.timer = 0;
	/* nobody sent in all that time: the next who does will fetch one */
	if (o->token.used)
		token_renew(o);
}

static void
token_schedule(struct oauth *o, int64_t life_ms)
{
	struct token *t = &o->token;
	int64_t margin_ms = o->margin, now_ms = oauth_now_ms();

	/* one that lives no longer than that is used for half of its life */
	if (margin_ms > life_ms / 2)
		margin_ms = life_ms / 2;
	t->expires_ms = now_ms + life_ms;
	t->renew_ms = t->expires_ms - margin_ms;
	t->used = 0;
	postern_timer_stop(o->me, t->timer);
	t->timer = postern_timer(o->me, life_ms - margin_ms, on_renewal, o);
}

static void
token_replace(struct token *t, char *refresh)
{
	secret_free(&t->refresh);
	t->refresh = refresh;
	t->dead = 0;
}

void
token_take(struct oauth *o, struct token_reply *r)
{
	struct token *t = &o->token;

	/* a sign-in came while another was still being tried, or read */
	postern_give_up(o->me, t->question);
	t->question = 0;
	secret_free(&t->access);
	t->access = r->access;
	r->access = NULL;
	t->generation++;
	t->not_before_ms = 0;
	t->why[0] = '\0';
	snprintf(t->who, sizeof(t->who), "%s", r->who);
	token_schedule(o, r->expires_s * 1000);
	if (r->refresh != NULL && grant_has_sign_in(o)) {
		token_replace(t, r->refresh);
		r->refresh = NULL;
		t->state = TOKEN_KEEPING;
		token_keep(o);
		return;
	}
	token_ends(o, 1);
}

/* --- the beginning --------------------------------------------------- */

/* An unused sign-in ends some day, at Microsoft after 90. */
static void
on_day(void *arg)
{
	struct oauth *o = arg;

	o->token.day = postern_timer(o->me, DAY_MS, on_day, o);
	if (o->token.state == TOKEN_IDLE && !o->token.refused)
		token_renew(o);
}

void
token_open(struct oauth *o)
{
	o->token.last = &o->token.first;
	if (!grant_has_sign_in(o)) {
		o->token.state = TOKEN_IDLE;
		return;
	}
	/* some gateways are switched off at night */
	o->token.day = postern_timer(o->me, HOUR_MS, on_day, o);
	token_load(o);
}

/* Another than the dead one is tried once: it is the same next time. */
static void
token_doubted(struct oauth *o, char *refresh)
{
	struct token *t = &o->token;

	if (refresh == NULL || strcmp(refresh, t->refresh) == 0) {
		secret_free(&refresh);
		token_is_refused(o);
		return;
	}
	token_replace(t, refresh);
	token_fetch(o);
}

void
token_loaded(struct oauth *o, char *refresh, const char *why)
{
	struct token *t = &o->token;

	t->question = 0;
	if (t->state == TOKEN_DOUBTING) {
		token_doubted(o, refresh);
		return;
	}
	if (refresh == NULL) {
		t->state = TOKEN_MISSING;
		token_says(o, "%s", why);
		token_is_missing(o);
		return;
	}
	token_replace(t, refresh);
	t->state = TOKEN_IDLE;
	/* a retired one's, too: they have waited for this */
	if (t->first != NULL || o->login.trying || t->refused)
		token_fetch(o);
}

/* An answer that is on its way says it, too. */
int
token_look_again(struct oauth *o)
{
	if (!o->token.refused)
		return 0;
	token_renew(o);
	return 1;
}

void
token_retire(struct oauth *o)
{
	o->retired = 1;
	postern_timer_stop(o->me, o->token.again);
	/* the last chance */
	if (o->token.unkept && !o->token.keeping)
		token_keep(o);
}

void
token_close(struct oauth *o)
{
	secret_free(&o->token.access);
	secret_free(&o->token.refresh);
}
