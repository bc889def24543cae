/* remedy.c - a table; the first row that fits speaks */
#include "dispatch/remedy.h"

#include "base/macros.h"
#include "dispatch/verdict.h"

#include <strings.h>
#include <string.h>

static const char send_as[] =
	"The mailbox that the route signs in with may not send as this "
	"sender. Grant it Send As for that address (in Exchange: "
	"Add-RecipientPermission ADDRESS -Trustee MAILBOX -AccessRights "
	"SendAs), or let the device send as the mailbox.";

static const char enough[] =
	"The mailbox has reached its provider's daily limit: wait, spread the "
	"devices over several mailboxes, or use a connector.";
static const char banned[] =
	"The provider has blocked the account for what it sent: look for a "
	"compromised device or a stolen password, then have the account "
	"unblocked (at Microsoft: in the Defender portal under restricted "
	"entities, or by a support case).";

static const char wrong_password[] =
	"The server does not accept the user and the password: check `user' and "
	"`password' of the route.";
static const char no_passwords[] =
	"This server accepts no passwords any more (basic authentication): use "
	"backend oauth for this route.";
static const char comes_round[] =
	"The message travels in a circle: a server sends it back to one that "
	"it came from. The Received fields of the message show which; no route "
	"must lead to a server that sends its mail to this gateway.";

static const struct reply_row {
	int class, subject, detail;	/* of the enhanced code; 0: any */
	enum login login;		/* LOGIN_NONE: with any, or none */
	const char *words;		/* that the reply has; NULL: any */
	const char *remedy;
} reply_rows[] = {
	{ 5, 2, 252, LOGIN_NONE, NULL, send_as },
	{ 5, 7, 60,  LOGIN_NONE, NULL, send_as },
	{ 0, 0, 0,   LOGIN_NONE, "SendAsDenied", send_as },
	{ 5, 7, 139, LOGIN_PASSWORD, "basic authentication", no_passwords },
	{ 5, 7, 139, LOGIN_NONE, NULL,
	  "SMTP AUTH is switched off for the tenant or the mailbox, or the "
	  "sign-in was blocked: Set-CASMailbox MAILBOX "
	  "-SmtpClientAuthenticationDisabled $false, and check Security "
	  "Defaults and Conditional Access." },
	{ 5, 7, 3,   LOGIN_PASSWORD, NULL, wrong_password },
	{ 5, 7, 3,   LOGIN_NONE, "Authentication unsuccessful",
	  "The token is for another mailbox or another service, SMTP AUTH is "
	  "off for the mailbox, or the application is not registered in "
	  "Exchange (New-ServicePrincipal with the object id of the enterprise "
	  "application, Add-MailboxPermission FullAccess)." },
	{ 5, 7, 64,  LOGIN_NONE, NULL,
	  "No inbound connector matched the gateway: compare the certificate's "
	  "names with the connector and the accepted domains, and check that "
	  "the certificate's file contains the whole chain." },
	{ 5, 7, 68,  LOGIN_NONE, NULL,
	  "The tenant refuses direct send to its own domains "
	  "(RejectDirectSend): use a route with a connector or with OAuth for "
	  "these domains." },
	{ 5, 7, 30,  LOGIN_PASSWORD, NULL, no_passwords },
	{ 5, 4, 6,   LOGIN_NONE, NULL, comes_round },
	{ 5, 4, 12,  LOGIN_NONE, NULL, comes_round },
	{ 5, 4, 14,  LOGIN_NONE, NULL, comes_round },
	{ 5, 1, 90,  LOGIN_NONE, NULL, enough },
	{ 5, 2, 0,   LOGIN_NONE, "submission quota", enough },
	{ 5, 2, 0,   LOGIN_NONE, "SubmissionQuota", enough },
	{ 5, 4, 5,   LOGIN_NONE, NULL, enough },
	{ 5, 7, 232, LOGIN_NONE, NULL, enough },
	{ 5, 7, 233, LOGIN_NONE, NULL, enough },
	{ 5, 7, 236, LOGIN_NONE, NULL, enough },
	{ 5, 2, 2,   LOGIN_NONE, "QuotaExceeded",
	  "The sending mailbox is full, usually of its own Sent Items: empty "
	  "that folder." },
	{ 5, 1, 8,   LOGIN_NONE, "outbound sender", banned },
	{ 5, 7, 501, LOGIN_NONE, NULL, banned },
	{ 5, 7, 502, LOGIN_NONE, NULL, banned },
	{ 5, 7, 503, LOGIN_NONE, NULL, banned },
	{ 5, 7, 705, LOGIN_NONE, NULL, banned },
	{ 5, 7, 750, LOGIN_NONE, NULL,
	  "The sender's domain is not registered with the tenant: add it to "
	  "its accepted domains." },
	{ 5, 7, 57,  LOGIN_NONE, NULL,
	  "The server requires a login, or a client certificate that it trusts, "
	  "before it accepts mail." },
};

/* What a server that relays for those whose certificate it knows may mean. */
static const char *const certificate_remedies[] = {
	[SHOWN_NOT_ASKED] =
	  "The server did not ask for the gateway's certificate: the server's "
	  "administrator must configure this, or admit the gateway in another "
	  "way.",
	[SHOWN_MISSING] =
	  "The server asked for a client certificate, and none is configured: "
	  "name one with `certificate' and `key'.",
	[SHOWN_CERTIFICATE] =
	  "The server got the gateway's certificate: check that the server "
	  "knows this certificate, and that the certificate's file also "
	  "contains its issuers.",
	[SHOWN_EXPIRED] =
	  "The gateway's certificate has expired: renew it in the same file; no "
	  "reload is needed.",
};

/* A server that refuses the gateway, whoever sends. */
static const char admit[] =
	"Ask the server's administrator to admit the gateway's address; then "
	"retry the route (postern queue retry --route ROUTE).";

static bool
has(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, words, n) == 0)
			return true;
	return false;
}

static bool
fits(int want, int is)
{
	return want == 0 || want == is;
}

static bool
reply_fits(const struct reply_row *r, const struct outcome *o)
{
	return fits(r->class, o->enhanced.class) &&
	       fits(r->subject, o->enhanced.subject) &&
	       fits(r->detail, o->enhanced.detail) &&
	       (r->login == LOGIN_NONE || r->login == o->login) &&
	       (r->words == NULL || has(o->text, r->words));
}

/* Not every refusal that has to do with policy: only before the message, by
 * a server that decides whom it relays for. */
static const char *
certificate_remedy(const struct outcome *o, enum backend_manner m)
{
	bool policy = o->enhanced.subject == 7 || has(o->text, "certificate");

	if (m != BACKEND_RELAY || !policy || o->phase > PHASE_RCPT)
		return NULL;
	return certificate_remedies[o->shown];
}

/* Whatever the words are. */
static const char *
login_remedy(const struct outcome *o)
{
	static const char *const remedies[] = {
		[LOGIN_NONE] = NULL,
		[LOGIN_PASSWORD] = wrong_password,
		[LOGIN_TOKEN] =
		  "The server does not accept the token: sign in as the mailbox "
		  "of the route (postern login ROUTE).",
	};
	bool named = o->enhanced.class == 5 && o->enhanced.subject == 7 &&
		     o->enhanced.detail == 8;

	return named || (o->phase == PHASE_AUTH &&
			 (o->code == 535 || o->code == 534))
		? remedies[o->login] : NULL;
}

/* After the greeting only a policy says this; with a login it may be about the
 * user, and at MAIL about the sender. */
static const char *
admit_remedy(const struct outcome *o, enum backend_manner m)
{
	bool policy = o->enhanced.class == 5 && o->enhanced.subject == 7 &&
		      o->enhanced.detail == 1 && o->login == LOGIN_NONE &&
		      (o->phase == PHASE_EHLO ||
		       (o->phase == PHASE_MAIL && !has(o->text, "sender")));

	return m == BACKEND_RELAY && o->code >= 500 &&
	       (policy || o->phase == PHASE_GREETING) ? admit : NULL;
}

const char *
remedy_of(const struct outcome *o, enum backend_manner m)
{
	const char *remedy;

	if (o->hint[0] != '\0')
		return o->hint;
	if (o->kind != OUTCOME_REPLY || o->code < 400)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(reply_rows); i++)
		if (reply_fits(&reply_rows[i], o))
			return reply_rows[i].remedy;
	remedy = login_remedy(o);
	if (remedy == NULL)
		remedy = certificate_remedy(o, m);
	return remedy != NULL ? remedy : admit_remedy(o, m);
}

/* --- mail with the null sender --------------------------------------- */

static const char no_null_sender[] =
	"The server does not take delivery reports, which have the null sender "
	"<> and come from MAILER-DAEMON. Let them leave by another route: set "
	"dsn.route to one that does not log in as a mailbox (backend direct, "
	"or connector without a user).";

const char *
remedy_of_own(const struct outcome *o, enum backend_manner m)
{
	const char *remedy = remedy_of(o, m);
	bool of_sender = o->kind == OUTCOME_REPLY && o->code >= 500 &&
			 (o->phase == PHASE_MAIL || o->phase == PHASE_DOT) &&
			 !verdict_wants_login(o);

	/* nobody can be granted Send As for an empty address */
	if (remedy == send_as || (of_sender && (remedy == NULL ||
						remedy == admit)))
		return no_null_sender;
	return remedy;
}

/* --- names ----------------------------------------------------------- */

/* Safe in a command line that somebody copies. */
static bool
is_plain_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') &&
		    !(s.p[i] >= 'A' && s.p[i] <= 'Z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    strchr("@._+-", s.p[i]) == NULL)
			return false;
	return s.n > 0 && s.p[0] != '-';
}

/* The placeholder at the front of s, as a word of its own, or NULL. */
static const char *
placeholder_at(const char *s, const struct remedy_names *names,
	       struct span *value)
{
	const struct { const char *word; struct span value; } rows[] = {
		{ "ROUTE", span_of(names->route) },
		{ "MAILBOX", span_of(names->mailbox) },
		{ "ADDRESS", names->address },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].word);

		if (strncmp(s, rows[i].word, n) != 0 ||
		    (s[n] >= 'A' && s[n] <= 'Z') ||
		    !is_plain_name(rows[i].value))
			continue;
		*value = rows[i].value;
		return rows[i].word;
	}
	return NULL;
}

const char *
remedy_fill(const char *remedy, const struct remedy_names *names, char *buf,
	    size_t size)
{
	size_t n = 0;
	char before = ' ';

	for (const char *s = remedy; s != NULL && *s != '\0' && n + 1 < size; ) {
		struct span value = { s, 1 };
		const char *word = before >= 'A' && before <= 'Z' ? NULL
				 : placeholder_at(s, names, &value);

		before = *s;
		s += word != NULL ? strlen(word) : 1;
		value = span_sub(value, 0, size - 1 - n);
		memcpy(buf + n, value.p, value.n);
		n += value.n;
	}
	buf[n] = '\0';
	return buf;
}
