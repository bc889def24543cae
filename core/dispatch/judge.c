/* judge.c - carrying out verdicts on the recipients of one delivery
 *
 * What is decided is verdict.c's; here recipients change their state, counters
 * count, one line is logged for each group that fared alike, and whoever is
 * to be told gets into a report.  A recipient that bounces stays out of the
 * ordinary results: it is settled together with its report.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = LIMIT_OUTCOME_TEXT + 400 };

struct judging {
	struct delivery *delivery;
	struct attempt *attempt;
	const struct judgement *j;
	struct verdict_facts facts;
	struct report *report;		/* made at first need */
	bool warn;			/* a delay is told this time */
	bool counts;			/* as an attempt */
};

static const struct outcome *
outcome_at(const struct judgement *j, size_t k)
{
	return &j->outcomes[j->single ? 0 : k];
}

static void
count(struct delivery *y, enum verdict v)
{
	struct destination *t = y->destination;

	if (t == NULL)
		return;
	tally_count(t->tally, v);
	tally_count(t->outlet->tally, v);
	if (v == VERDICT_DELIVERED && !t->outlet->retired &&
	    !outlet_is_paused(t->outlet))
		notice_route_works(t->outlet);
}

static const char *
outcome_words(const struct judging *g, const struct outcome *o, char *buf,
	      size_t size)
{
	const struct destination *t = g->delivery->destination;
	size_t n = 0;

	if (!g->j->tried && !g->j->paused)
		n = (size_t)snprintf(buf, size, "not tried, %.100s is in backoff: ",
				     t != NULL ? t->name : "the host");
	outcome_text_at(o, buf + n, size - n);
	return buf;
}

static void
tell(struct judging *g, size_t rcpt, enum dsn_action action,
     const struct outcome *o)
{
	struct attempt *a = g->attempt;
	unsigned audience = report_audience(a->item, rcpt, action,
					    a->dispatch->config);
	const struct destination *t = g->delivery->destination;
	char remedy[REMEDY_MAX];

	if (audience == TOLD_NOBODY && action != DSN_FAILED)
		return;
	if (g->report == NULL)
		g->report = attempt_held(a, t);
	if (g->report == NULL)
		g->report = report_new(a);
	told_remedy(a->item, t != NULL ? t->outlet : NULL, o, remedy);
	report_add(g->report, &(struct told_rcpt){
		.index = rcpt, .action = action, .audience = audience,
		.outcome = *o,
		.remedy = remedy[0] != '\0' ? mem_strdup(remedy) : NULL,
	});
}

/* RFC 3461 section 5.2.2: relayed when it left the world of reports with an
 * SMTP reply, delivered when the backend itself is the end of the way. */
static void
rcpt_delivered(struct judging *g, size_t rcpt, const struct outcome *o)
{
	struct attempt *a = g->attempt;

	a->queued--;
	a->item->rcpts[rcpt].state = RCPT_DELIVERED;
	attempt_result(a, rcpt, RCPT_DELIVERED, NULL);
	if (!o->dsn_passed_on)
		tell(g, rcpt, o->phase == PHASE_NONE ? DSN_DELIVERED
						     : DSN_RELAYED, o);
}

static void
rcpt_bounced(struct judging *g, size_t rcpt, const struct outcome *o)
{
	g->attempt->queued--;
	g->attempt->item->rcpts[rcpt].state = RCPT_BOUNCED;
	tell(g, rcpt, DSN_FAILED, o);
}

static void
rcpt_waits(struct judging *g, size_t rcpt, const struct outcome *o)
{
	struct attempt *a = g->attempt;
	char words[WORDS];

	attempt_result(a, rcpt, RCPT_QUEUED,
		       outcome_words(g, o, words, sizeof(words)));
	if (g->warn)
		tell(g, rcpt, DSN_DELAYED, o);
}

/* When the sender is told that it waits; INT64_MAX: not any more. */
static int64_t
item_warn_ms(const struct item *item, const struct retry_policy *p)
{
	return p->warn_after > 0 && item->warned_ms == 0
	     ? item->created_ms + p->warn_after : INT64_MAX;
}

static void
apply(struct judging *g, size_t rcpt, enum verdict v, const struct outcome *o)
{
	struct attempt *a = g->attempt;

	count(g->delivery, v);
	switch (v) {
	case VERDICT_DELIVERED:
		rcpt_delivered(g, rcpt, o);
		break;
	case VERDICT_BOUNCE:
		rcpt_bounced(g, rcpt, o);
		break;
	case VERDICT_RETRY:
		attempt_wish(a, g->counts
			     ? clock_steady_ms() + attempt_pause(a)
			     : g->j->due_ms);
		rcpt_waits(g, rcpt, o);
		break;
	case VERDICT_RETRY_NOW:
		attempt_wish(a, clock_steady_ms());
		rcpt_waits(g, rcpt, o);
		break;
	case VERDICT_PAUSE:
		attempt_wish(a, clock_steady_ms() +
				outlet_pause_ms(g->delivery->destination->outlet));
		/* looked at again when its sender is to be told */
		if (!g->warn)
			attempt_wish(a, item_warn_ms(a->item,
				&a->dispatch->config->retry));
		a->pauses = true;
		rcpt_waits(g, rcpt, o);
		break;
	}
	/* the rest of a long list made progress: that was no failure */
	if (g->counts && (v == VERDICT_RETRY || v == VERDICT_BOUNCE ||
			  (v == VERDICT_PAUSE && g->facts.pauses_used_up)))
		a->counts = true;
}

/* What the whole item shows to people: its last trouble. */
static void
remember(struct judging *g, const struct outcome *o)
{
	struct attempt *a = g->attempt;
	char words[WORDS];

	mem_free(a->last);
	a->last = mem_strdup(outcome_words(g, o, words, sizeof(words)));
	if (g->delivery->destination != NULL && g->j->tried)
		destination_failed(g->delivery->destination, o);
}

static bool
outcome_alike(const struct outcome *a, const struct outcome *b)
{
	return a == b ||
	       (a->kind == b->kind && a->code == b->code &&
		a->phase == b->phase && strcmp(a->text, b->text) == 0 &&
		strcmp(a->host, b->host) == 0);
}

/* The route is paused by what its next hop said.  One that is paused already
 * keeps its words: those of the first to fail, or the backend's, which knows
 * better than this outcome what to do. */
static void
pause_for(struct judging *g, const struct outcome *o)
{
	struct outlet *out = g->delivery->destination->outlet;
	char words[WORDS], remedy[REMEDY_MAX];

	if (outlet_is_paused(out) && !out->pause.probing)
		return;
	outcome_text_at(o, words, sizeof(words));
	told_remedy(g->attempt->item, out, o, remedy);
	outlet_pause_for(out, &(struct pause_words){
		.reason = words, .remedy = remedy, .host = o->host,
	});
}

static int64_t
group_pause(struct judging *g, enum verdict v)
{
	if (v == VERDICT_RETRY_NOW)
		return 0;
	if (v == VERDICT_PAUSE)
		return outlet_pause_ms(g->delivery->destination->outlet);
	if (v != VERDICT_RETRY)
		return -1;
	if (g->counts)
		return attempt_pause(g->attempt);
	return MAX(g->j->due_ms - clock_steady_ms(), 0);
}

/* From recipient k on, as many as fared alike. */
static size_t
judge_group(struct judging *g, size_t k)
{
	struct delivery *y = g->delivery;
	const struct outcome *o = outcome_at(g->j, k);
	enum verdict v = verdict_of(o, &g->facts);
	struct logline line;

	if (v == VERDICT_PAUSE && g->j->tried)
		pause_for(g, o);
	line = (struct logline){
		.delivery = y, .outcome = o, .verdict = v,
		.rcpts = &y->rcpts[k], .tried = g->j->tried,
		.attempt = g->facts.attempts,
		.retry_ms = group_pause(g, v),
	};

	do {
		apply(g, y->rcpts[k], v, o);
		line.n++;
		k++;
	} while (k < y->job.rcpt_count &&
		 outcome_alike(o, outcome_at(g->j, k)) &&
		 verdict_of(outcome_at(g->j, k), &g->facts) == v);
	logline_write(&line);
	if (v != VERDICT_DELIVERED)
		remember(g, o);
	return k;
}

static bool
any_accepted(const struct delivery *y, const struct judgement *j)
{
	for (size_t k = 0; k < y->job.rcpt_count && !j->single; k++)
		if (outcome_delivered(&j->outcomes[k]))
			return true;
	return false;
}

/* The gateway ends, and so did the job, for all of its recipients: that is
 * nobody's failure. */
static bool
was_cancelled(const struct delivery *y, const struct judgement *j)
{
	if (!y->attempt->dispatch->cancelled || !j->tried)
		return false;
	for (size_t k = 0; k < y->job.rcpt_count; k++)
		if (outcome_at(j, k)->kind != OUTCOME_LOCAL)
			return false;
	return true;
}

static void
judging_begin(struct judging *g)
{
	struct attempt *a = g->attempt;
	const struct retry_policy *p = &a->dispatch->config->retry;
	int64_t age_ms = item_age_ms(a->item, clock_steady_ms());
	const struct destination *t = g->delivery->destination;

	/* past the end of patience a rest counts, or items would wait for
	 * ever at a host that only ever gets one of them to try */
	g->counts = (g->j->tried && !was_cancelled(g->delivery, g->j)) ||
		    (!g->j->tried && age_ms >= p->give_up);
	g->facts = (struct verdict_facts){
		.policy = p, .age_ms = age_ms,
		.attempts = a->item->attempts + (g->counts ? 1 : 0),
		.others_accepted = any_accepted(g->delivery, g->j),
		.manner = t != NULL ? t->outlet->manner : BACKEND_NEUTRAL,
		.null_sender = a->item->env->sender.text.n == 0,
		.own = item_is_own(a->item),
		.paused = t != NULL && outlet_is_paused(t->outlet),
		.stopping = a->dispatch->cancelled && g->j->tried,
		.pauses_used_up = a->item->paused_ms >= p->paused_longest,
		.retired = t != NULL && t->outlet->retired,
	};
	/* whoever waits wants to know, whatever it is that he waits for */
	g->warn = a->warns || item_warn_ms(a->item, p) <= clock_steady_ms();
}

void
delivery_judge(struct delivery *y, const struct judgement *j)
{
	struct judging g = { .delivery = y, .attempt = y->attempt, .j = j };
	struct judgement cancelled = *j;
	struct attempt *a = y->attempt;
	const struct destination *t;

	if (was_cancelled(y, j)) {
		cancelled.due_ms = clock_steady_ms();
		g.j = &cancelled;
	}
	judging_begin(&g);
	for (size_t k = 0; k < y->job.rcpt_count; )
		k = judge_group(&g, k);
	t = y->destination;
	delivery_end(y);
	attempt_report(a, g.report, t);
}
