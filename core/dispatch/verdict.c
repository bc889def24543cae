/* verdict.c - a table, first match wins, and the end of patience */
#include "dispatch/verdict.h"

#include "base/macros.h"
#include "dispatch/retry.h"

#include <string.h>

#define P(phase) (1u << (phase))
#define K(kind) (1u << (kind))
#define M(manner) (1u << (manner))

enum {
	ANY = -1,
	REPLY = K(OUTCOME_REPLY),
	TRUST = K(OUTCOME_SECURITY),
	OURS = K(OUTCOME_UNSUPPORTED),
	SELF = K(OUTCOME_LOCAL),
	EVERY = (1 << PHASE_COUNT) - 1,
	RESOLVE = P(PHASE_RESOLVE),
	EHLO = P(PHASE_EHLO),
	MAIL = P(PHASE_MAIL),
	RCPT = P(PHASE_RCPT),
	DOT = P(PHASE_DOT),
	/* answers about a recipient, and about the message as a whole */
	ITSELF = RCPT | DOT,
	/* answers about us, who want to send */
	US = P(PHASE_GREETING) | EHLO | P(PHASE_STARTTLS) | P(PHASE_AUTH) | MAIL,
	/* and what the message is already known to be there */
	ITS_SHAPE = MAIL | P(PHASE_DATA),
	/* in a transaction */
	INSIDE = EVERY & ~(MAIL - 1),
	RELAY = M(BACKEND_RELAY),
	RECEIVERS = M(BACKEND_RECEIVERS),
	ALL = RELAY | RECEIVERS | M(BACKEND_NEUTRAL),
};

/* class, subject and detail are those of the enhanced status code (RFC 3463);
 * ANY matches everything, also that there was none.  Words are needed where a
 * provider has one code for two things. */
static const struct rule {
	unsigned manners, kinds, phases;
	int from, to;			/* reply codes */
	int class, subject, detail;
	bool others;			/* only when others were accepted */
	const char *words;		/* in the text, in any case; NULL: any */
	enum verdict verdict;
} rules[] = {
	{ ALL,       REPLY, EVERY,     200, 299, ANY, ANY, ANY, false, NULL, VERDICT_DELIVERED },

	/* too many recipients: those that were taken are through, so each
	 * further transaction makes progress */
	{ ALL,       REPLY, RCPT,      400, 599, ANY, 5,   3,   true,  NULL, VERDICT_RETRY_NOW },
	{ ALL,       REPLY, RCPT,      452, 452, ANY, 0,   0,   true,  NULL, VERDICT_RETRY_NOW },

	/* the mailbox may not send as this sender: the message's own matter */
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   60,  false, NULL, VERDICT_BOUNCE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   2,   252, false, NULL, VERDICT_BOUNCE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   2,   ANY, false, "SendAsDenied", VERDICT_BOUNCE },

	/* the account we send by has had enough for today, or is blocked: no
	 * other message would fare better */
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   1,   90,  false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   1,   8,   false, "outbound sender", VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   2,   ANY, false, "submission quota", VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   2,   ANY, false, "SubmissionQuota", VERDICT_PAUSE },
	{ RELAY,     REPLY, DOT,       500, 599, 5,   2,   2,   false, "QuotaExceeded", VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   4,   5,   false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   232, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   233, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   236, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   501, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   502, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   503, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   705, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   708, false, NULL, VERDICT_PAUSE },
	{ RELAY,     REPLY, INSIDE,    500, 599, 5,   7,   750, false, NULL, VERDICT_PAUSE },

	/* address, mailbox, message too big, conversion */
	{ ALL,       REPLY, ITSELF,    500, 599, 5,   1,   ANY, false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, ITSELF,    500, 599, 5,   2,   ANY, false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, ITSELF,    500, 599, 5,   3,   4,   false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, ITSELF,    500, 599, 5,   6,   ANY, false, NULL, VERDICT_BOUNCE },
	/* the same, said as soon as MAIL told of it */
	{ ALL,       REPLY, ITS_SHAPE, 500, 599, 5,   3,   4,   false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, ITS_SHAPE, 552, 552, 0,   ANY, ANY, false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, ITS_SHAPE, 500, 599, 5,   6,   7,   false, NULL, VERDICT_BOUNCE },
	/* its sender's address is this message's matter, too, and must not
	 * stop the others.  "Sender address rejected" alone does not tell:
	 * so speaks Postfix, too, to whom it does not know */
	{ RELAY,     REPLY, MAIL,      500, 599, 5,   1,   ANY, false, NULL, VERDICT_RETRY },
	{ RELAY,     REPLY, MAIL,      501, 501, ANY, ANY, ANY, false, NULL, VERDICT_RETRY },
	{ RELAY,     REPLY, MAIL,      553, 553, ANY, ANY, ANY, false, NULL, VERDICT_RETRY },
	{ RELAY,     REPLY, MAIL,      555, 555, ANY, ANY, ANY, false, NULL, VERDICT_RETRY },
	{ RELAY,     REPLY, MAIL,      500, 599, ANY, ANY, ANY, false, "not owned by", VERDICT_RETRY },

	/* it has gone round, and would again */
	{ ALL,       REPLY, INSIDE,    500, 599, 5,   4,   6,   false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, INSIDE,    500, 599, 5,   4,   12,  false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, INSIDE,    500, 599, 5,   4,   14,  false, NULL, VERDICT_BOUNCE },
	{ ALL,       REPLY, DOT,       500, 599, ANY, ANY, ANY, false, "too many hops", VERDICT_BOUNCE },
	{ ALL,       REPLY, DOT,       500, 599, ANY, ANY, ANY, false, "mail loop", VERDICT_BOUNCE },

	/* a recipient's own server: its no is final */
	{ RECEIVERS, REPLY, ITSELF,    500, 599, ANY, ANY, ANY, false, NULL, VERDICT_BOUNCE },
	/* an answer of the DNS: there is no such domain, or it takes no mail */
	{ ALL,       REPLY, RESOLVE,   500, 599, 5,   ANY, ANY, false, NULL, VERDICT_BOUNCE },

	/* what we found out ourselves, and called final */
	{ ALL,       OURS,  EVERY,     0,   999, 5,   ANY, ANY, false, NULL, VERDICT_BOUNCE },

	/* the one next hop does not want us, or we may not trust it */
	{ RELAY,     REPLY, US,        500, 599, ANY, ANY, ANY, false, NULL, VERDICT_PAUSE },
	{ RELAY,     TRUST, EVERY,     0,   0,   ANY, ANY, ANY, false, NULL, VERDICT_PAUSE },
	/* it is this gateway itself */
	{ RELAY,     SELF,  EHLO,      0,   0,   4,   4,   6,   false, NULL, VERDICT_PAUSE },
	/* a certificate that Postfix does not trust: 421, for EHLO by TLS */
	{ RELAY,     REPLY, EHLO,      400, 499, 4,   7,   ANY, false, NULL, VERDICT_PAUSE },
};

static bool
fits(int want, int is)
{
	return want == ANY || want == is;
}

static bool
rule_matches(const struct rule *r, const struct outcome *o,
	     const struct verdict_facts *f)
{
	return (r->manners & M(f->manner)) != 0 &&
	       (r->kinds & K(o->kind)) != 0 && (r->phases & P(o->phase)) != 0 &&
	       o->code >= r->from && o->code <= r->to &&
	       fits(r->class, o->enhanced.class) &&
	       fits(r->subject, o->enhanced.subject) &&
	       fits(r->detail, o->enhanced.detail) &&
	       (!r->others || f->others_accepted) &&
	       (r->words == NULL || strcasestr(o->text, r->words) != NULL);
}

bool
verdict_wants_login(const struct outcome *o)
{
	static const unsigned short details[] = {
		3, 8, 9, 30, 57, 64, 139,
	};
	const struct enhanced *e = &o->enhanced;

	if (o->code == 530 || o->code == 534 || o->code == 535 ||
	    o->code == 538)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (e->class == 5 && e->subject == 7 &&
		    e->detail == details[i])
			return true;
	return false;
}

/* A server that takes no null sender says no to this message, which must
 * neither pause the route nor wait: it is refused tomorrow as well.  The same
 * holds for what is wrong with a report or a notice of ours as a whole. */
static bool
refuses_null_sender(const struct outcome *o, const struct verdict_facts *f)
{
	if (o->kind != OUTCOME_REPLY || o->code < 500)
		return false;
	return (f->null_sender && f->manner == BACKEND_RELAY &&
		o->phase == PHASE_MAIL && !verdict_wants_login(o)) ||
	       (f->own && o->phase == PHASE_DOT);
}

static enum verdict
verdict_from_rules(const struct outcome *o, const struct verdict_facts *f)
{
	const struct rule *r = rules, *end = rules + ARRAY_SIZE(rules);
	enum verdict v;
	bool is_exact;

	while (r < end && !rule_matches(r, o, f))
		r++;
	v = r < end ? r->verdict : VERDICT_RETRY;
	/* what a row knows by its code, such as a quota, stays so */
	is_exact = r < end && r->class != ANY && v == VERDICT_PAUSE;
	if ((v == VERDICT_RETRY || v == VERDICT_PAUSE) && !is_exact &&
	    refuses_null_sender(o, f))
		return VERDICT_BOUNCE;
	return v;
}

enum verdict
verdict_of(const struct outcome *o, const struct verdict_facts *f)
{
	enum verdict v = verdict_from_rules(o, f);

	/* we broke it off ourselves: it may even have gone out */
	if (f->stopping && o->kind == OUTCOME_LOCAL && v == VERDICT_RETRY)
		return v;
	if (v == VERDICT_RETRY && (f->paused || f->retired) &&
	    o->phase <= PHASE_AUTH)
		v = VERDICT_PAUSE;
	if (v == VERDICT_PAUSE && f->retired)
		return VERDICT_RETRY_NOW;
	if ((v == VERDICT_RETRY ||
	     (v == VERDICT_PAUSE && f->pauses_used_up)) &&
	    retry_is_over(f->policy, f->attempts, f->age_ms))
		return VERDICT_BOUNCE;
	return v;
}

bool
verdict_refuses_us(const struct outcome *o, enum backend_manner m)
{
	const struct verdict_facts f = { .manner = m };

	return verdict_from_rules(o, &f) == VERDICT_PAUSE;
}

bool
verdict_blames_host(const struct outcome *o, enum backend_manner m)
{
	/* our own trouble and the message's own needs say nothing of it */
	if (o->kind == OUTCOME_LOCAL || o->kind == OUTCOME_UNSUPPORTED ||
	    (o->kind == OUTCOME_SECURITY && o->host[0] == '\0'))
		return false;
	/* that pauses the route, and need not rest, too */
	if (verdict_refuses_us(o, m))
		return false;
	/* RFC 5321 section 3.8: the service goes away, whatever was asked */
	if (o->kind == OUTCOME_REPLY && o->code == 421)
		return true;
	if (o->kind == OUTCOME_REPLY &&
	    (o->code < 400 || o->phase == PHASE_RESOLVE))
		return false;
	/* a connection that is cut later may be the message's fault */
	if (o->kind == OUTCOME_REPLY)
		return o->phase >= PHASE_CONNECT && o->phase <= PHASE_AUTH;
	return o->phase <= PHASE_AUTH;
}

const char *
verdict_word(enum verdict v)
{
	static const char *const words[] = {
		[VERDICT_DELIVERED] = "delivered", [VERDICT_RETRY] = "deferred",
		[VERDICT_RETRY_NOW] = "deferred", [VERDICT_PAUSE] = "paused",
		[VERDICT_BOUNCE] = "bounced",
	};

	return words[v];
}
