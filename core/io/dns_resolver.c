/* dns_resolver.c - which context answers now */
#include "io/dns_resolver.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_hosts.h"

#include <stdio.h>
#include <string.h>
#include <unbound.h>

enum {
	TYPE_DNSKEY = 48,		/* asked for here alone */
	LOOK_EVERY_MS = 30 * 1000,	/* at the files */
	PROBE_EVERY_MS = 60 * 60 * 1000,
	PROBE_SOON_MS = 60 * 1000,	/* without an answer */
	HURRY_MS = 4 * 1000,		/* questions wait no longer */
	FAILURES_MAX = 3,		/* then it is more than a bad moment */
	JUMP_MS = 60 * 1000,		/* of the clock, that matters */
};

static const struct log resolver_log = { .room = "dns" };

enum purpose {
	FIRST,				/* there is none */
	ANEW,				/* if a file has changed */
	CANDIDATE,			/* to see whether it could validate */
	FALLBACK,			/* one that does not validate */
	UNVALIDATED,			/* the same, beside one that does */
};

/* Away on a worker.  It is wanted as long as it is the resolver's `making';
 * resolver is NULL when that is gone, and its workers may be, too. */
struct dns_making {
	struct task task;
	struct dns_resolver *resolver;
	struct dns_making *next;	/* of the resolver's, wanted or not */
	struct dns_plan *plan;
	enum purpose purpose;
	bool validating, unchanged, ok;
	struct dns_stamps stamps;	/* ANEW: the old ones, until it is back */
	struct dns_made made;
	struct error err;
};

static void fallback_make(struct dns_resolver *r);

/* --- making ---------------------------------------------------------- */

/* On a worker. */
static void
making_work(struct task *t)
{
	struct dns_making *m = container_of(t, struct dns_making, task);
	struct dns_stamps now;

	/* before the files are read: what changes meanwhile is seen later */
	dns_plan_stamps(m->plan, &now);
	m->unchanged = m->purpose == ANEW &&
		       memcmp(&now, &m->stamps, sizeof(now)) == 0;
	m->stamps = now;
	if (!m->unchanged)
		m->ok = dns_plan_make(m->plan, m->validating, &m->made,
				      &m->err);
}

static void making_back(struct task *t);

static struct dns_making *
making_begin(struct dns_resolver *r, enum purpose purpose)
{
	struct dns_making *m = NEW(struct dns_making);

	m->task = (struct task){ .work = making_work, .done = making_back,
				 .home = loop_mailbox(r->loop) };
	m->resolver = r;
	m->next = r->away;
	r->away = m;
	m->plan = dns_plan_ref(r->plan);
	m->purpose = purpose;
	m->validating = purpose != FALLBACK && purpose != UNVALIDATED &&
			r->plan->s.dnssec != DNSSEC_OFF;
	m->stamps = r->stamps;
	workers_submit(r->workers, &m->task);
	return m;
}

static void
resolver_make(struct dns_resolver *r, enum purpose purpose)
{
	r->making = making_begin(r, purpose);
}

/* Whatever there is, and is under way, is for yesterday's questions. */
static void
resolver_reset(struct dns_resolver *r)
{
	r->making = r->making_unvalidated = NULL;
	timer_stop(&r->hurry);
	dns_context_forget(&r->probe);
	dns_context_retire(&r->candidate);
	dns_context_retire(&r->unvalidated);
	dns_context_retire(&r->current);
	r->failures = 0;
	r->validating = false;
	r->why[0] = '\0';
}

static void
resolver_use(struct dns_resolver *r, struct dns_context **c)
{
	dns_context_retire(&r->current);
	r->current = *c;
	*c = NULL;
	timer_stop(&r->hurry);
	r->ready(r->arg, NULL);
}

/* --- the probe ------------------------------------------------------- */

static const char *
zone_words(const struct dns_context *c)
{
	const char *zone = dns_context_zone(c);

	return zone[0] != '\0' ? zone : "the root";
}

static void
validating_set(struct dns_resolver *r, bool validating, const char *why)
{
	if (r->validating != validating || strcmp(r->why, why) != 0)
		log_info(&resolver_log, validating
			 ? "answers are validated with DNSSEC"
			 : "answers are not validated with DNSSEC: %s", why);
	r->validating = validating;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void
probe_came(struct dns_resolver *r)
{
	bool was = r->current != NULL && dns_context_validates(r->current);

	r->failures = 0;
	r->probe_at_ms = clock_now_ms() + PROBE_EVERY_MS;
	validating_set(r, true, "");
	if (was)			/* and has a cache */
		dns_context_retire(&r->candidate);
	else
		resolver_use(r, &r->candidate);
}

/* stripped: there was an answer, and it cannot be trusted; else there was
 * none, which for one that validates may be a bad moment. */
static void
probe_failed(struct dns_resolver *r, bool stripped, const char *why)
{
	r->probe_at_ms = clock_now_ms() +
			 (stripped ? PROBE_EVERY_MS : PROBE_SOON_MS);
	r->failures++;
	dns_context_retire(&r->candidate);
	if (r->validating && !stripped && r->failures < FAILURES_MAX)
		return;
	validating_set(r, false, why);
	if (r->current == NULL || dns_context_validates(r->current))
		fallback_make(r);
}

static void
on_probe(struct dns_asking *q, int err, const struct ub_result *res)
{
	struct dns_resolver *r = container_of(q, struct dns_resolver, probe);
	AUTO(buf_fini) struct buf why = BUF_MAX(sizeof(r->why));
	bool stripped = err == 0 && (res->bogus || res->havedata);

	timer_stop(&r->hurry);
	if (stripped && res->secure) {
		probe_came(r);
		return;
	}
	buf_addf(&why, stripped ? "the resolver gives the key of %s without "
		 "valid signatures" : "no resolver gives the key of %s, which "
		 "validation needs", zone_words(r->candidate));
	if (err == 0 && res->why_bogus != NULL) {
		buf_add_str(&why, ": ");
		encode_printable(&why, span_of(res->why_bogus), 200);
	}
	probe_failed(r, stripped, buf_str(&why));
}

static void
on_hurry(struct timer *t)
{
	struct dns_resolver *r = container_of(t, struct dns_resolver, hurry);
	char why[200];

	snprintf(why, sizeof(why), "the key of %s, which validation needs, has "
		 "not arrived yet", zone_words(r->candidate));
	validating_set(r, false, why);
	fallback_make(r);
}

static void
probe_begin(struct dns_resolver *r)
{
	const char *zone = dns_context_zone(r->candidate);
	struct error err;

	r->probe.answered = on_probe;
	if (!dns_context_ask(r->candidate, &r->probe, zone[0] ? zone : ".",
			     (enum dns_type)TYPE_DNSKEY, &err)) {
		probe_failed(r, false, err.text);
		return;
	}
	if (r->current != NULL)
		return;
	timer_start(&r->hurry, HURRY_MS);
	r->ready(r->arg, NULL);		/* what stands in /etc/hosts */
}

static void
fallback_make(struct dns_resolver *r)
{
	if (r->making == NULL)
		resolver_make(r, FALLBACK);
}

/* --- what was made --------------------------------------------------- */

static void
candidate_made(struct dns_resolver *r, struct dns_making *m)
{
	if (!m->ok) {
		probe_failed(r, false, m->err.text);
		return;
	}
	r->candidate = dns_context_new(r->loop, r->workers, &m->made);
	probe_begin(r);
}

/* The key may have come while this was made. */
static void
fallback_made(struct dns_resolver *r, struct dns_making *m)
{
	struct dns_context *c;

	if (r->validating)
		return;
	if (!m->ok) {
		r->ready(r->arg, &m->err);
		return;
	}
	c = dns_context_new(r->loop, r->workers, &m->made);
	resolver_use(r, &c);
}

static void
first_made(struct dns_resolver *r, struct dns_making *m)
{
	struct dns_context *c;

	r->stamps = m->stamps;
	r->look_at_ms = clock_now_ms() + LOOK_EVERY_MS;
	if (r->plan->s.dnssec == DNSSEC_AUTO) {
		candidate_made(r, m);
		return;
	}
	if (!m->ok) {
		snprintf(r->why, sizeof(r->why), "%s", m->err.text);
		r->ready(r->arg, &m->err);
		return;
	}
	r->validating = m->validating;
	snprintf(r->why, sizeof(r->why), "%s", m->validating
		 ? "" : "it is switched off (`dnssec: off')");
	c = dns_context_new(r->loop, r->workers, &m->made);
	resolver_use(r, &c);
}

static void
making_take(struct dns_resolver *r, struct dns_making *m)
{
	r->making = NULL;
	if (m->unchanged) {
		r->look_at_ms = clock_now_ms() + LOOK_EVERY_MS;
		return;
	}
	switch (m->purpose) {
	case ANEW:
		log_info(&resolver_log, "a file has changed: the next lookups "
			 "use the new file");
		resolver_reset(r);
		first_made(r, m);
		break;
	case FIRST:
		first_made(r, m);
		break;
	case CANDIDATE:
		candidate_made(r, m);
		break;
	case FALLBACK:
		fallback_made(r, m);
		break;
	case UNVALIDATED:
		break;			/* see below */
	}
}

static void
unvalidated_take(struct dns_resolver *r, struct dns_making *m)
{
	r->making_unvalidated = NULL;
	if (!m->ok) {
		r->unvalidated_failed(r->arg, &m->err);
		return;
	}
	r->unvalidated = dns_context_new(r->loop, r->workers, &m->made);
	r->ready(r->arg, NULL);
}

/* On a worker, as deleting waits for a thread. */
static void
unwanted_work(struct task *t)
{
	dns_made_fini(&container_of(t, struct dns_making, task)->made);
}

static void
unwanted_done(struct task *t)
{
	mem_free(container_of(t, struct dns_making, task));
}

static void
making_is_home(struct dns_resolver *r, struct dns_making *m)
{
	struct dns_making **at = &r->away;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	if (r->making == m)
		making_take(r, m);
	else if (r->making_unvalidated == m)
		unvalidated_take(r, m);
}

static void
making_back(struct task *t)
{
	struct dns_making *m = container_of(t, struct dns_making, task);

	if (m->resolver != NULL)
		making_is_home(m->resolver, m);
	dns_plan_unref(&m->plan);
	m->task = (struct task){ .work = unwanted_work, .done = unwanted_done };
	if (m->made.ub != NULL && m->resolver != NULL) {
		workers_submit(m->resolver->workers, &m->task);
		return;
	}
	unwanted_work(&m->task);
	unwanted_done(&m->task);
}

/* --- for questions --------------------------------------------------- */

/* Whatever was found by another time is not believed. */
static void
clock_look(struct dns_resolver *r)
{
	int64_t ahead_ms = clock_wall_ms() - clock_steady_ms();
	int64_t jump_ms = ahead_ms - r->ahead_ms;

	if (jump_ms <= JUMP_MS && jump_ms >= -JUMP_MS)
		return;
	r->ahead_ms = ahead_ms;
	if (r->current == NULL && r->making == NULL && r->candidate == NULL)
		return;
	log_info(&resolver_log, "the clock was set: names are looked up again");
	resolver_reset(r);
}

struct dns_context *
dns_resolver_now(struct dns_resolver *r)
{
	int64_t now = clock_now_ms();

	r->asked = true;
	clock_look(r);
	if (r->current != NULL && dns_context_is_broken(r->current))
		resolver_reset(r);
	if (r->making != NULL || r->candidate != NULL)
		return r->current;
	if (r->current == NULL)
		resolver_make(r, FIRST);
	else if (now >= r->look_at_ms)
		resolver_make(r, ANEW);
	else if (r->plan->s.dnssec == DNSSEC_AUTO && now >= r->probe_at_ms)
		resolver_make(r, CANDIDATE);
	return r->current;
}

struct dns_context *
dns_resolver_unvalidated(struct dns_resolver *r)
{
	if (r->current == NULL || !dns_context_validates(r->current))
		return r->current;
	if (r->unvalidated != NULL && dns_context_is_broken(r->unvalidated))
		dns_context_retire(&r->unvalidated);
	if (r->unvalidated == NULL && r->making_unvalidated == NULL)
		r->making_unvalidated = making_begin(r, UNVALIDATED);
	return r->unvalidated;
}

const struct dns_hosts *
dns_resolver_hosts(const struct dns_resolver *r)
{
	const struct dns_context *c = r->current ? r->current : r->candidate;

	return c != NULL ? dns_context_hosts(c) : NULL;
}

/* --- life ------------------------------------------------------------ */

void
dns_resolver_init(struct dns_resolver *r, struct loop *loop,
		  struct workers *workers)
{
	r->loop = loop;
	r->workers = workers;
	timer_init(&r->hurry, loop, on_hurry);
}

void
dns_resolver_fini(struct dns_resolver *r)
{
	for (struct dns_making *m = r->away; m != NULL; m = m->next)
		m->resolver = NULL;
	resolver_reset(r);
	dns_plan_unref(&r->plan);
}

bool
dns_resolver_configure(struct dns_resolver *r, struct dns_plan *plan)
{
	if (r->plan != NULL && dns_plan_same(r->plan, plan)) {
		dns_plan_unref(&plan);
		return false;
	}
	resolver_reset(r);
	dns_plan_unref(&r->plan);
	r->plan = plan;
	return true;
}
