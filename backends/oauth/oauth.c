/* oauth.c - a backend that submits as a mailbox, with OAuth 2.0
 *
 * A job waits for an access token and goes to the SMTP client with it.  A
 * token that the server refuses is fetched anew once; when that is refused,
 * too, the gateway pauses the route (POSTERN_RELAY): no message is at fault.
 */
#include "oauth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPTION(field, type, ...) \
	POSTERN_OPTION(struct oauth, field, type, __VA_ARGS__)

static const struct postern_option oauth_options[] = {
	OPTION(provider, POSTERN_ENUM, .flags = POSTERN_REQUIRED,
	       .words = OAUTH_PROVIDERS,
	       .help = "The provider of the mailbox. custom: set the endpoints and "
	       "the host yourself."),
	OPTION(tenant, POSTERN_STRING,
	       .help = "Microsoft only: the id of the directory, or one of the "
	       "directory's domains."),
	OPTION(client_id, POSTERN_STRING, .flags = POSTERN_REQUIRED,
	       .help = "The id of the registered application."),
	OPTION(client_secret, POSTERN_SECRET,
	       .help = "The secret of the application, if the application has "
	       "one."),
	OPTION(grant, POSTERN_ENUM, .fallback = "device_code",
	       .words = OAUTH_GRANTS,
	       .help = "How the gateway gets tokens. device_code: a person signs "
	       "in once with `postern login'. refresh_token: a person signed "
	       "in elsewhere and brought a refresh token. client_credentials: "
	       "the application gets tokens by itself."),
	OPTION(refresh_token, POSTERN_SECRET,
	       .help = "The first refresh token, for `grant: refresh_token'. The "
	       "gateway stores the later ones itself."),
	OPTION(user, POSTERN_STRING, .flags = POSTERN_REQUIRED,
	       .help = "The mailbox that submits."),
	OPTION(scope, POSTERN_STRINGS,
	       .help = "The OAuth scopes to ask for. The default depends on the "
	       "provider."),
	OPTION(token_endpoint, POSTERN_STRING,
	       .help = "The URL of the token endpoint. The default depends on the "
	       "provider."),
	OPTION(device_endpoint, POSTERN_STRING,
	       .help = "The URL of the device code endpoint. The default depends "
	       "on the provider."),
	OPTION(endpoint_trust_file, POSTERN_PATH, .flags = POSTERN_READABLE,
	       .help = "The certificate authorities for the endpoints (PEM). "
	       "Default: the gateway's."),
	OPTION(endpoint_timeout, POSTERN_DURATION, .fallback = "30s",
	       .min = 1000, .max = 600 * 1000,
	       .help = "The timeout for an answer of an endpoint."),
	OPTION(proxy, POSTERN_SECRET,
	       .help = "An HTTP proxy for the endpoints: "
	       "http://proxy.example.org:3128, or with a password "
	       "http://USER:PASSWORD@proxy.example.org:3128."),
	OPTION(margin, POSTERN_DURATION, .fallback = "600s", .min = 0,
	       .max = 24 * 3600 * 1000,
	       .help = "The gateway renews a token this long before it expires."),
	OPTION(mechanism, POSTERN_ENUM, .fallback = "xoauth2",
	       .words = "xoauth2|oauthbearer", .help = "The SASL mechanism."),
	OPTION(host, POSTERN_STRING, .flags = POSTERN_NEXT_HOP,
	       .help = "The server that accepts submissions. The default depends "
	       "on the provider."),
	OPTION(smtp, POSTERN_SMTP, .fallback = "port=587 tls=verify",
	       .help = "The keys of every SMTP backend."),
	{ 0 },
};

/* A token grows old while the machine is suspended, too. */
int64_t
oauth_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t
oauth_post(struct oauth *o, const char *url, struct form *form,
	   void (*done)(void *arg, const struct postern_http_answer *answer))
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		"Accept: application/json",
	};
	const struct postern_http_request rq = {
		.url = url, .headers = headers, .header_count = 2,
		.body = form->text, .body_size = form->n,
		.timeout_ms = o->endpoint_timeout,
		.trust_file = o->endpoint_trust_file, .proxy = o->proxy,
	};
	uint64_t question = postern_http(o->me, &rq, done, o);

	form_free(form);
	return question;
}

void
oauth_hide(const struct oauth *o, char *words)
{
	words_hide(words, o->client_secret);
	words_hide(words, o->refresh_token);
	words_hide(words, o->token.refresh);
	words_hide(words, o->token.access);
	words_hide(words, o->login.device.device_code);
}

/* --- an instance ----------------------------------------------------- */

static int
oauth_open(void *self, postern_instance *me)
{
	struct oauth *o = self;

	o->me = me;
	o->token_url = provider_token_endpoint(o);
	o->device_url = provider_device_endpoint(o);
	o->scope_text = provider_scope(o);
	o->smtp_host = provider_host(o);
	token_open(o);
	return 0;
}

static void
oauth_close(void *self)
{
	struct oauth *o = self;

	token_close(o);
	device_reply_free(&o->login.device);
	free(o->token_url);
	free(o->device_url);
	free(o->scope_text);
}

static void
oauth_retire(void *self)
{
	token_retire(self);
}

static int32_t
oauth_look_again(void *self)
{
	return token_look_again(self);
}

/* --- jobs ------------------------------------------------------------ */

static void
oauth_describe(const void *self, const char *recipient,
	       struct postern_destination *ret)
{
	const struct oauth *o = self;
	const struct provider *p = provider_of(o);

	(void)recipient;
	snprintf(ret->name, sizeof(ret->name), "%s", o->user);
	ret->connections = p->connections;
	ret->per_minute = p->per_minute;
	ret->may_refuse = POSTERN_NULL_SENDER;
	snprintf(ret->mailbox, sizeof(ret->mailbox), "%s", o->user);
}

void
job_settle(struct waiter *w, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	const struct postern_outcome o = {
		.phase = POSTERN_PHASE_AUTH, .text = text,
		.host = w->oauth->smtp_host,
	};

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	postern_settle_rest(w->job, &o);
}

/* The host would not have us.  With another token, perhaps. */
static int32_t
on_failed(void *self, postern_job *job, const struct postern_outcome *outcome)
{
	struct oauth *o = self;
	struct waiter *w = postern_job_data(job, sizeof(*w));

	if (outcome->phase != POSTERN_PHASE_AUTH || outcome->code < 500
	    || w->again)
		return 0;
	w->again = 1;
	if (w->generation == o->token.generation)
		token_spoil(o);
	token_wait(o, w);
	return 1;
}

struct postern_smtp_plan
oauth_plan(const struct oauth *o)
{
	struct postern_smtp_plan plan = o->smtp;

	plan.hosts = &o->smtp_host;
	plan.host_count = 1;
	plan.auth = o->mechanism == 0 ? POSTERN_AUTH_XOAUTH2
				      : POSTERN_AUTH_OAUTHBEARER;
	plan.user = o->user;
	plan.secret = o->token.access;
	return plan;
}

void
job_send(struct waiter *w)
{
	struct oauth *o = w->oauth;
	struct postern_smtp_plan plan = oauth_plan(o);

	w->generation = o->token.generation;
	o->token.used = 1;
	plan.failed = on_failed;
	postern_smtp_send(w->job, &plan);
}

static void
oauth_deliver(void *self, postern_job *job)
{
	struct waiter *w = postern_job_data(job, sizeof(*w));

	w->oauth = self;
	w->job = job;
	token_wait(self, w);
}

static void
oauth_cancel(void *self, postern_job *job)
{
	struct waiter *w = postern_job_data(job, sizeof(*w));

	token_leave(self, w);
	job_settle(w, "the gateway stops");
}

static const struct postern_backend oauth_backend = {
	.describe = oauth_describe,
	.deliver = oauth_deliver,
	.cancel = oauth_cancel,
	.retire = oauth_retire,
	.look_again = oauth_look_again,
};

static const struct postern_action oauth_actions[] = {
	{ .name = "login", .summary = "signs in at the provider",
	  .begin = login_begin, .cancel = login_cancel },
	{ 0 },
};

POSTERN_MODULE(
	.name = "oauth",
	.summary = "submits as a mailbox at Microsoft, Google or elsewhere",
	.flags = POSTERN_RELAY | POSTERN_CHECKS_PARTS,
	.options = oauth_options,
	.self_size = sizeof(struct oauth),
	.check = oauth_check,
	.open = oauth_open,
	.close = oauth_close,
	.backend = &oauth_backend,
	.actions = oauth_actions
);
