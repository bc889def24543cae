/* prove.c - what was signed in is tried at the server, and that is told
 *
 * A provider gives a token to whoever signs in; whether it opens the mailbox
 * of the route only the server can say: it may be another's, the permission
 * may be missing, SMTP AUTH may be off.  So the server is asked as far as
 * AUTH, without a message.
 *
 *   235      the route is ready
 *   5xx      the route is paused with the server's words
 *   no such  nothing is proved: the route is ready, and mail will show it
 *
 * The sign-in is kept in each case: most refusals are mended at the server,
 * and need no other.
 */
#include "oauth.h"

#include <stdio.h>
#include <strings.h>

enum { PROOF_MS = 60 * 1000, WORDS = 700 };

/* "535 5.7.3 Authentication unsuccessful", or what there was instead. */
static const char *
words_of(const struct postern_outcome *o, char *buf, size_t size)
{
	const char *enhanced = o->enhanced != NULL ? o->enhanced : "";

	if (o->code != 0)
		snprintf(buf, size, "%d %s%s%s", (int)o->code, enhanced,
			 enhanced[0] ? " " : "", o->text);
	else
		snprintf(buf, size, "%s%s%s", o->host ? o->host : "",
			 o->host && o->host[0] ? ": " : "", o->text);
	return buf;
}

static int
is_somebody_else(const struct oauth *o)
{
	return o->token.who[0] != '\0'
	       && strcasecmp(o->token.who, o->user) != 0;
}

/* The commonest cause goes before what the reply alone tells. */
static const char *
remedy_for(const struct oauth *o, const struct postern_probe_answer *a,
	   char *buf, size_t size)
{
	if (!is_somebody_else(o))
		return a->remedy;
	snprintf(buf, size, "%s has signed in, and the route submits as %s: "
		 "sign in as %s, or let %s use that mailbox (at Microsoft: "
		 "Full Access).", o->token.who, o->user, o->user,
		 o->token.who);
	return buf;
}

static void
prove_refused(struct oauth *o, const struct postern_probe_answer *a)
{
	char buf[WORDS], more[WORDS];
	const char *words = words_of(a->outcome, buf, sizeof(buf));
	const char *remedy = remedy_for(o, a, more, sizeof(more));

	/* the next to send fetches another */
	token_spoil(o);
	postern_log(o->me, POSTERN_WARNING, "%s refused the sign-in for %s: "
		    "%s%s%s", o->smtp_host, o->user, words,
		    remedy ? "; remedy: " : "", remedy ? remedy : "");
	postern_pause(o->me, "%s refused the sign-in for %s: %s%s%s",
		      o->smtp_host, o->user, words, remedy ? "; remedy: " : "",
		      remedy ? remedy : "");
	postern_action_say(o->login.run, "%s refused the sign-in for %s:",
			   o->smtp_host, o->user);
	postern_action_say(o->login.run, "    %s", words);
	if (remedy != NULL)
		postern_action_say(o->login.run, "%s", remedy);
	login_end(o, POSTERN_ACTION_FAILED, "The sign-in is stored, but "
		  "the route is paused. When you have removed the cause, run: "
		  "postern queue retry --route %s. To sign in again, run: "
		  "postern login %s",
		  postern_route(o->me), postern_route(o->me));
}

static void
prove_nothing(struct oauth *o, const struct postern_probe_answer *a)
{
	char buf[WORDS];

	postern_action_say(o->login.run, "Whether %s accepts the sign-in for "
			   "%s could not be found out:", o->smtp_host,
			   o->user);
	postern_action_say(o->login.run, "    %s",
			   words_of(a->outcome, buf, sizeof(buf)));
	if (a->remedy != NULL)
		postern_action_say(o->login.run, "%s", a->remedy);
	if (is_somebody_else(o))
		postern_action_say(o->login.run, "note: %s has signed in, and "
				   "the route submits as %s", o->token.who,
				   o->user);
	postern_ready(o->me);
	login_end(o, POSTERN_ACTION_UNPROVED, "The sign-in is stored, and "
		  "the next message uses it. To try it again, run: postern "
		  "login %s", postern_route(o->me));
}

static void
on_proof(void *arg, const struct postern_probe_answer *a)
{
	struct oauth *o = arg;

	o->login.question = 0;
	if (!a->ok && a->outcome->code >= 500) {
		prove_refused(o, a);
	} else if (!a->ok) {
		prove_nothing(o, a);
	} else {
		postern_ready(o->me);
		login_end(o, POSTERN_ACTION_DONE, "%s accepted the sign-in for "
			  "%s", o->smtp_host, o->user);
	}
}

void
prove_begin(struct oauth *o)
{
	const struct postern_smtp_plan plan = oauth_plan(o);
	const struct postern_probe probe = {
		.plan = &plan, .upto = POSTERN_PHASE_AUTH,
		.timeout_ms = PROOF_MS,
	};
	uint64_t question;

	if (o->token.who[0] != '\0')
		postern_action_say(o->login.run, "signed in as %s",
				   o->token.who);
	else
		postern_action_say(o->login.run, "the provider gave an access "
				   "token");
	postern_action_say(o->login.run, "asking %s to accept the sign-in ...",
			   o->smtp_host);
	/* answered at once, the action is over */
	question = postern_smtp_probe(o->me, &probe, on_proof, o);
	if (question != 0)
		o->login.question = question;
}
