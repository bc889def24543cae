/* login.c - the action `login': a person signs in on another device
 *
 * RFC 8628: the provider gives a code for the person and one for us; we ask
 * until the person has typed the first at the provider's page, as often as
 * the provider likes.  For the other grants the action fetches a token.  In
 * both cases the server is then asked whether it takes it (prove.c).
 */
#include "oauth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOWER_MS = 5000, INTERVAL_LEAST_MS = 200 };

static void ask(void *arg);

static void
login_clear(struct oauth *o)
{
	struct login *l = &o->login;

	postern_timer_stop(o->me, l->timer);
	postern_give_up(o->me, l->question);
	device_reply_free(&l->device);
	*l = (struct login){ .run = NULL };
}

void
login_end(struct oauth *o, int how, const char *fmt, ...)
{
	postern_action_run *run = o->login.run;
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	login_clear(o);
	postern_action_end(run, how, "%s", line);
}

/* --- the end of it --------------------------------------------------- */

void
login_tried(struct oauth *o, int ok, const char *why)
{
	if (o->login.run == NULL || !o->login.trying)
		return;
	if (!ok) {
		login_end(o, POSTERN_ACTION_FAILED, "no access token: %s",
			  why);
		return;
	}
	o->login.trying = 0;
	o->login.proving = 1;
	prove_begin(o);
}

void
login_unkept(struct oauth *o, const char *why)
{
	if (o->login.run == NULL || !o->login.trying)
		return;
	login_end(o, POSTERN_ACTION_FAILED, "signed in, but the sign-in cannot "
		  "be stored: %s", why);
	postern_ready(o->me);
}

static void
signed_in(struct oauth *o, struct token_reply *r)
{
	if (r->refresh == NULL && (o->token.refresh == NULL || o->token.dead)) {
		login_end(o, POSTERN_ACTION_FAILED, "the provider gave no "
			  "refresh token, so the sign-in would end within an "
			  "hour: add offline_access to `scope', or allow "
			  "offline access for the application");
		return;
	}
	/* told of when it is durable: login_tried() */
	o->login.trying = 1;
	token_take(o, r);
}

/* --- asking until the person is done --------------------------------- */

static void
ask_again(struct oauth *o, int64_t longer_ms)
{
	struct login *l = &o->login;

	l->interval_ms += longer_ms;
	if (oauth_now_ms() + l->interval_ms > l->until_ms)
		login_end(o, POSTERN_ACTION_FAILED, "the code has expired; "
			  "run the command again");
	else
		l->timer = postern_timer(o->me, l->interval_ms, ask, o);
}

static void
on_answer(void *arg, const struct postern_http_answer *a)
{
	struct oauth *o = arg;
	struct token_reply r;

	o->login.question = 0;
	token_reply_parse(a, &r);
	oauth_hide(o, r.why);
	switch (r.kind) {
	case REPLY_TOKEN:
		signed_in(o, &r);
		break;
	case REPLY_PENDING:
	case REPLY_WAIT:		/* trouble on the way: ask on */
		ask_again(o, 0);
		break;
	case REPLY_SLOW_DOWN:
		ask_again(o, SLOWER_MS);
		break;
	case REPLY_REFUSED:
		login_end(o, POSTERN_ACTION_FAILED, "the sign-in failed: %s", r.why);
		break;
	}
	token_reply_free(&r);
}

static void
ask(void *arg)
{
	struct oauth *o = arg;
	struct form form = { NULL, 0, 0 };

	o->login.timer = 0;
	form_add(&form, "grant_type",
		 "urn:ietf:params:oauth:grant-type:device_code");
	form_add(&form, "client_id", o->client_id);
	form_add(&form, "client_secret", o->client_secret);
	form_add(&form, "device_code", o->login.device.device_code);
	o->login.question = oauth_post(o, o->token_url, &form, on_answer);
}

/* --- beginning ------------------------------------------------------- */

static void
on_device(void *arg, const struct postern_http_answer *a)
{
	struct oauth *o = arg;
	struct login *l = &o->login;

	l->question = 0;
	device_reply_parse(a, &l->device);
	oauth_hide(o, l->device.why);
	if (l->device.device_code == NULL) {
		login_end(o, POSTERN_ACTION_FAILED, "the provider gives no code: %s",
			  l->device.why);
		return;
	}
	postern_action_say(l->run, "To sign in as %s, open", o->user);
	postern_action_say(l->run, "    %s", l->device.uri);
	postern_action_say(l->run, "and enter the code");
	postern_action_say(l->run, "    %s", l->device.user_code);
	l->interval_ms = l->device.interval_s * 1000;
	if (l->interval_ms < INTERVAL_LEAST_MS)
		l->interval_ms = INTERVAL_LEAST_MS;
	l->until_ms = oauth_now_ms() + l->device.expires_s * 1000;
	ask_again(o, 0);
}

void
login_begin(void *self, postern_action_run *run)
{
	struct oauth *o = self;
	struct form form = { NULL, 0, 0 };

	if (o->login.run != NULL) {
		postern_action_end(run, POSTERN_ACTION_FAILED, "another "
				   "sign-in for this route is already running");
		return;
	}
	o->login.run = run;
	if (o->grant != GRANT_DEVICE_CODE) {
		postern_action_say(run, "Nobody needs to sign in with this "
				   "grant; asking the provider for a token ...");
		o->login.trying = 1;
		token_renew(o);
		return;
	}
	form_add(&form, "client_id", o->client_id);
	form_add(&form, "client_secret", o->client_secret);
	form_add(&form, "scope", o->scope_text);
	o->login.question = oauth_post(o, o->device_url, &form, on_device);
}

void
login_cancel(void *self, postern_action_run *run)
{
	struct oauth *o = self;

	if (o->login.run != run)
		return;
	/* the token is there, and mail will show whether it works */
	if (o->login.proving)
		postern_ready(o->me);
	login_end(o, POSTERN_ACTION_FAILED, "the sign-in was cancelled%s",
		  o->login.proving ? "; it is stored already" : "");
}
