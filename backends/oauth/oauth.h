/* oauth.h - the backend oauth, as its files see it
 *
 * One instance is one mailbox on one provider.  Everything runs on the
 * delivery loop.
 *
 *   oauth.c      options, jobs, the table of the module
 *   check.c      what is wrong with the options, all of it
 *   provider.c   what is known of each provider
 *   token.c      one access token, renewed once for all who wait for it
 *   keep.c       a new sign-in is made durable, sooner or later
 *   store.c      the sign-in, kept in the state folder
 *   login.c      the action `login': the device code grant
 *   prove.c      what was signed in is tried at the server
 *   wire.c       forms and JSON
 */
#ifndef OAUTH_OAUTH_H
#define OAUTH_OAUTH_H

#include "provider.h"
#include "wire.h"

#include <postern-plugin.h>

enum { PROVIDER_MICROSOFT, PROVIDER_MICROSOFT_GOV, PROVIDER_MICROSOFT_CHINA,
       PROVIDER_GOOGLE, PROVIDER_CUSTOM };
enum { GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN, GRANT_CLIENT_CREDENTIALS };
#define OAUTH_GRANTS "device_code|refresh_token|client_credentials"

/* A job that has, or waits for, the token.  In the job's own memory. */
struct waiter {
	struct oauth *oauth;
	postern_job *job;
	struct waiter *next;
	unsigned generation;		/* of the token that it was sent with */
	int queued;
	int again;			/* its token was refused once */
};

enum token_state {
	TOKEN_LOADING,			/* the sign-in is being read */
	TOKEN_MISSING,			/* there is none to be had: why says it;
					 * a job that comes has it read again */
	TOKEN_IDLE,
	TOKEN_FETCHING,
	TOKEN_KEEPING,			/* a new sign-in is being written */
	TOKEN_DOUBTING,			/* ours is dead: is the stored one
					 * another?  It is being read */
};

struct token {
	enum token_state state;
	char *access;			/* secret; NULL: none */
	int64_t expires_ms, renew_ms;	/* by oauth_now_ms() */
	unsigned generation;		/* another for each access token */
	char *refresh;			/* secret; the sign-in, or NULL */
	int dead;			/* the provider has said so of it */
	int unkept;			/* it is newer than the stored one */
	int keeping, keep_more;		/* a write is under way; a newer one
					 * follows it */
	int used;			/* since it was fetched */
	int refused;			/* the route is paused for that */
	uint64_t question;		/* while it is fetched or read */
	int64_t not_before_ms;		/* the provider wants a rest */
	char why[500];			/* the latest failure */
	char who[128];			/* whom it is for, when it tells */
	uint64_t timer, day, again;	/* renewal; a sign-in kept alive; and
					 * kept once more */
	struct waiter *first, **last;
};

struct login {
	postern_action_run *run;	/* NULL: nobody signs in */
	struct device_reply device;
	int64_t interval_ms, until_ms;
	uint64_t question, timer;
	int trying;			/* only a token is fetched, and told of */
	int proving;			/* it has come, and the server is asked */
};

struct oauth {
	/* options */
	int32_t provider, grant, mechanism;
	const char *tenant, *client_id, *client_secret, *refresh_token;
	const char *user, *host, *token_endpoint, *device_endpoint;
	const char *endpoint_trust_file, *proxy;
	struct postern_strings scope;
	int64_t endpoint_timeout, margin;
	struct postern_smtp_plan smtp;

	postern_instance *me;
	int retired;			/* nothing is fetched any more */
	char *token_url, *device_url, *scope_text;	/* device: or NULL */
	const char *smtp_host;
	struct token token;
	struct login login;
};

static inline int
grant_has_sign_in(const struct oauth *o)
{
	return o->grant != GRANT_CLIENT_CREDENTIALS;
}

int64_t oauth_now_ms(void);		/* it never jumps */

/* POSTs the form, and wipes it. */
uint64_t oauth_post(struct oauth *o, const char *url, struct form *form,
		    void (*done)(void *arg,
				 const struct postern_http_answer *answer));

/* What a provider said is shown; some repeat in it what they were asked. */
void oauth_hide(const struct oauth *o, char *words);

/* --- oauth.c --------------------------------------------------------- */

void job_send(struct waiter *w);	/* with the token that there is */
/* With the token that there is; it points into o. */
struct postern_smtp_plan oauth_plan(const struct oauth *o);
void job_settle(struct waiter *w, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);

/* --- check.c --------------------------------------------------------- */

int oauth_check(const void *self, postern_instance *me);

/* --- token.c --------------------------------------------------------- */

void token_open(struct oauth *o);
/* What is under way ends as it would, and is kept; nothing else begins. */
void token_retire(struct oauth *o);
void token_close(struct oauth *o);
/* The route is paused, and somebody may have mended the reason.  1: asks again,
 * and says whether the pause goes on; 0: that is not the token's matter. */
int token_look_again(struct oauth *o);
/* Sends the job now, or when there is a token; or settles it. */
void token_wait(struct oauth *o, struct waiter *w);
void token_leave(struct oauth *o, struct waiter *w);
/* The server did not take it. */
void token_spoil(struct oauth *o);
/* Gets a new one, unless that is under way; its end goes to login_tried(). */
void token_renew(struct oauth *o);
/* What came of a sign-in, or of a refresh; r's secrets are taken out. */
void token_take(struct oauth *o, struct token_reply *r);
/* The sign-in was read (NULL: there is none; why says it, with the remedy). */
void token_loaded(struct oauth *o, char *refresh, const char *why);
/* No more is under way: those who wait are sent (ok, or the old one will do),
 * or settled with `why'. */
void token_ends(struct oauth *o, int ok);

/* --- keep.c ---------------------------------------------------------- */

/* Writes the present sign-in, and again later while that fails. */
void token_keep(struct oauth *o);
/* It is durable, or could not be made so. */
void token_kept(struct oauth *o, int ok, const char *why);

/* --- store.c --------------------------------------------------------- */

uint64_t store_load(struct oauth *o);	/* token_loaded() follows */
void store_keep(struct oauth *o);	/* token_kept() follows */

/* --- login.c --------------------------------------------------------- */

void login_begin(void *self, postern_action_run *run);
void login_cancel(void *self, postern_action_run *run);
/* A token was fetched, or was not. */
void login_tried(struct oauth *o, int ok, const char *why);
/* The sign-in is good, but will be over when the program ends. */
void login_unkept(struct oauth *o, const char *why);
/* Says the last line. */
void login_end(struct oauth *o, int how, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

/* --- prove.c --------------------------------------------------------- */

/* The token of somebody who signs in has come; login_end() follows. */
void prove_begin(struct oauth *o);

#endif
