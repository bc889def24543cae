/* destination.c - the lines in which deliveries wait, and their rests
 *
 * A destination rests when its host fails: the pause doubles with each
 * further failure, and the first delivery after it goes alone, to probe.  A
 * short rest is waited out in memory; before a long one, whatever waits goes
 * back to the spool until it ends.  When only some connections fail while
 * others succeed, the host has enough of us: then the line is narrowed, not
 * stopped, and widened again by success.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "base/macros.h"
#include "dispatch/retry.h"

enum {
	REST_FIRST_MS = 1000,
	REST_LONGEST_MS = 5 * 60 * 1000,
	REST_IN_MEMORY_MS = 3000,	/* longer ones empty the line */
	HEALTHY_MS = 10 * 1000,		/* a success so long ago still counts */
	IDLE_MS = 10 * 60 * 1000,
	CONNECTIONS = 20,		/* where nobody says how many */
	PUT_OFF_LEAST_MS = 5 * 1000,
};

/* --- the table ------------------------------------------------------- */

static struct destination **
destination_bucket(struct dispatch *d, uint64_t hash)
{
	return &d->destinations[hash % DESTINATION_BUCKETS];
}

void
destination_free(struct destination *t)
{
	struct dispatch *d = t->outlet->dispatch;
	struct destination **p = destination_bucket(d, t->hash);

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	d->destination_count--;
	timer_stop(&t->timer);
	tally_unref(d, &t->tally);
	pace_fini(&t->pace);
	mem_free(t->name);
	mem_free(t->words);
	mem_free(t->why);
	mem_free(t);
}

static bool
destination_is_idle(const struct destination *t)
{
	return t->waiting == 0 && t->active == 0 && !t->stalled &&
	       t->filling == NULL;
}

/* Senders choose how many there are: too many of them are not kept, and one
 * that rests is forgotten when nothing waits for it. */
static bool
destinations_abound(const struct dispatch *d)
{
	return d->destination_count > LIMIT_DESTINATIONS;
}

/* The end of a rest, or of a long time without work. */
static void
on_timer(struct timer *timer)
{
	struct destination *t = container_of(timer, struct destination, timer);
	int64_t left = destination_rest_ms(t);

	if (destination_is_idle(t) && (t->rest_until_ms == 0 ||
				       destinations_abound(t->outlet->dispatch)))
		destination_free(t);
	else if (left > 0)
		timer_start(&t->timer, left);
	else
		destination_run(t);
}

static struct destination *
destination_new(struct outlet *o, const char *name, uint64_t hash)
{
	struct dispatch *d = o->dispatch;
	struct destination *t = NEW(struct destination);
	struct destination **bucket = destination_bucket(d, hash);

	t->outlet = o;
	t->name = mem_strdup(name);
	t->tally = tally_get(d, o->name, name);
	t->hash = hash;
	t->last = &t->first;
	timer_init(&t->timer, d->loop, on_timer);
	t->next = *bucket;
	*bucket = t;
	d->destination_count++;
	return t;
}

void
destination_suit(struct destination *t)
{
	unsigned per_minute = t->outlet->per_minute;

	pace_set(&t->pace, per_minute > 0 ? per_minute : t->per_minute);
}

struct destination *
destination_get(struct outlet *o, const struct backend_destination *what)
{
	struct span s = span_of(what->name);
	uint64_t hash = span_hash_nocase(s) ^ (uintptr_t)o / sizeof(*o);
	struct destination *t = *destination_bucket(o->dispatch, hash);

	while (t != NULL && !(t->hash == hash && t->outlet == o &&
			      span_eq_nocase(span_of(t->name), s)))
		t = t->next;
	if (t == NULL)
		t = destination_new(o, what->name, hash);
	t->connections = what->connections;
	t->per_minute = what->per_minute;
	destination_suit(t);
	return t;
}

void
destinations_each(struct dispatch *d,
		  void (*fn)(void *arg, struct destination *t), void *arg)
{
	for (size_t i = 0; i < DESTINATION_BUCKETS; i++) {
		struct destination *next;

		for (struct destination *t = d->destinations[i]; t != NULL;
		     t = next) {
			next = t->next;
			fn(arg, t);
		}
	}
}

static void
free_one(void *arg, struct destination *t)
{
	(void)arg;
	destination_free(t);
}

void
destinations_free(struct dispatch *d)
{
	destinations_each(d, free_one, NULL);
}

/* --- the line -------------------------------------------------------- */

int64_t
destination_rest_ms(const struct destination *t)
{
	int64_t left;

	if (t->rest_until_ms == 0)
		return 0;
	left = t->rest_until_ms - clock_now_ms();
	return MAX(left, 0);
}

unsigned
destination_limit(const struct destination *t)
{
	const struct outlet *o = t->outlet;
	unsigned limit = o->connections > 0 ? o->connections
		       : t->connections > 0 ? t->connections
					    : CONNECTIONS;

	limit = MIN(limit, o->parallel);
	if (t->probing || outlet_is_paused(o))
		return 1;
	return t->narrow > 0 ? MIN(limit, t->narrow) : limit;
}

static struct delivery *
destination_shift(struct destination *t)
{
	struct delivery *y = t->first;

	t->first = y->next;
	if (t->first == NULL)
		t->last = &t->first;
	y->next = NULL;
	t->waiting--;
	return y;
}

void
destination_take(struct destination *t, struct delivery *y)
{
	struct delivery **p = &t->first;

	while (*p != y)
		p = &(*p)->next;
	*p = y->next;
	if (t->last == &y->next)
		t->last = p;
	y->next = NULL;
	t->waiting--;
}

/* The backend is busy with other destinations: wait for a turn. */
static void
destination_stall(struct destination *t)
{
	struct outlet *o = t->outlet;

	if (t->stalled)
		return;
	t->stalled = true;
	t->next_stalled = NULL;
	*o->stalled_last = t;
	o->stalled_last = &t->next_stalled;
}

static void
destination_rest_in_idleness(struct destination *t)
{
	struct dispatch *d = t->outlet->dispatch;

	if (timer_runs(&t->timer))
		return;
	timer_start(&t->timer, destinations_abound(d) ? 0 : IDLE_MS);
}

static void
destination_start(struct destination *t)
{
	struct delivery *y = destination_shift(t);

	if (!delivery_is_prepared(y)) {
		delivery_put_off(y, 0);
		return;
	}
	t->active++;
	t->outlet->active++;
	pace_note(&t->pace, clock_now_ms());
	y->probe = outlet_probe_begins(t->outlet);
	delivery_start(y);
}

void
destination_run(struct destination *t)
{
	struct outlet *o = t->outlet;

	if (o->dispatch->stopping || destination_rest_ms(t) > 0)
		return;
	if (t->rest_until_ms != 0) {
		t->rest_until_ms = 0;
		t->probing = true;
		timer_stop(&t->timer);
	}
	while (t->first != NULL && t->active < destination_limit(t) &&
	       outlet_may_start(o)) {
		int64_t wait_ms = pace_wait_ms(&t->pace, clock_now_ms());

		if (wait_ms > 0) {
			timer_start(&t->timer, wait_ms);
			return;
		}
		if (o->active >= o->parallel) {
			destination_stall(t);
			return;
		}
		destination_start(t);
	}
	if (destination_is_idle(t))
		destination_rest_in_idleness(t);
}

/* How long until the line has been worked off, roughly. */
static int64_t
destination_backlog_ms(const struct destination *t)
{
	int64_t ms = t->pace_ms * t->waiting / MAX(destination_limit(t), 1u);

	return MIN(MAX(ms, PUT_OFF_LEAST_MS), RETRY_PUT_OFF_MOST_MS);
}

void
destination_add(struct destination *t, struct delivery *y)
{
	int64_t rest_ms = destination_rest_ms(t);

	if (outlet_turns_away(t->outlet)) {
		delivery_turn_away_paused(y);
		return;
	}
	if (rest_ms > REST_IN_MEMORY_MS && t->why != NULL) {
		delivery_turn_away(y, t->why, rest_ms);
		return;
	}
	if (t->waiting >= LIMIT_WAITING) {
		delivery_put_off(y, destination_backlog_ms(t));
		return;
	}
	y->next = NULL;
	*t->last = y;
	t->last = &y->next;
	t->waiting++;
	if (rest_ms == 0)
		destination_run(t);
}

/* --- rests ----------------------------------------------------------- */

static void
destination_empty(struct destination *t, int64_t rest_ms)
{
	while (t->first != NULL)
		delivery_turn_away(destination_shift(t), t->why, rest_ms);
}

void
destination_turn_away_paused(struct destination *t)
{
	while (t->first != NULL)
		delivery_turn_away_paused(destination_shift(t));
}

static void
destination_rest(struct destination *t)
{
	struct dispatch *d = t->outlet->dispatch;
	const struct retry_policy *p = &d->config->retry;
	int64_t now_ms = clock_now_ms(), rest_ms;

	/* who wants retries sooner than we rest gets them */
	t->failures++;
	rest_ms = retry_rest(MIN(REST_FIRST_MS, p->first),
			     MIN(REST_LONGEST_MS, p->longest), t->failures,
			     dispatch_dice(d));
	t->rested_ms = now_ms;
	t->rest_until_ms = now_ms + rest_ms;
	t->narrow = 0;
	timer_start(&t->timer, destinations_abound(d) ? 0 : rest_ms);
	log_info(&dispatch_log, "route `%s': backoff of %s for %lld s: %s",
		 t->outlet->name, t->name, (long long)(rest_ms + 999) / 1000,
		 t->words != NULL ? t->words : "it failed");
	if (rest_ms > REST_IN_MEMORY_MS)
		destination_empty(t, rest_ms);
}

void
destination_wake(struct destination *t)
{
	if (t->rest_until_ms == 0)
		return;
	t->rest_until_ms = clock_now_ms();
	timer_start(&t->timer, 0);
}

/* --- what comes back ------------------------------------------------- */

static void
destination_blame(struct destination *t, const struct delivery *y,
		  const struct outcome *o)
{
	bool known = t->failures > 0 && y->started_ms <= t->rested_ms;
	bool healthy = t->active > 0 && t->succeeded_ms != 0 &&
		       clock_now_ms() - t->succeeded_ms < HEALTHY_MS;

	if (t->why == NULL)
		t->why = NEW(struct outcome);
	*t->why = *o;
	/* those that were under way when it fell fail with it, once */
	if (known)
		return;
	if (healthy) {
		t->narrow = t->active;
		t->ease = 0;
		return;
	}
	destination_rest(t);
}

static void
destination_praise(struct destination *t)
{
	t->succeeded_ms = clock_now_ms();
	t->failures = 0;
	t->probing = false;
	t->rest_until_ms = 0;
	if (t->narrow > 0 && ++t->ease >= t->narrow) {
		t->ease = 0;
		if (++t->narrow >= destination_limit(t))
			t->narrow = 0;
	}
}

void
destination_failed(struct destination *t, const struct outcome *o)
{
	char words[LIMIT_OUTCOME_TEXT + 200];

	mem_free(t->words);
	t->words = mem_strdup(outcome_text_at(o, words, sizeof(words)));
}

void
destination_job_over(struct destination *t, const struct delivery *y)
{
	const struct outcome *blame = NULL;
	bool answered = false;
	int64_t took = clock_now_ms() - y->started_ms;

	t->active--;
	t->pace_ms = t->pace_ms == 0 ? took : (t->pace_ms * 7 + took) / 8;
	for (size_t i = 0; i < y->job.rcpt_count; i++) {
		const struct outcome *o = &y->job.outcomes[i];

		if (verdict_blames_host(o, t->outlet->manner))
			blame = o;
		else if (o->kind == OUTCOME_REPLY)
			answered = true;
	}
	if (blame != NULL) {
		destination_failed(t, blame);
		destination_blame(t, y, blame);
	} else if (answered) {
		destination_praise(t);
	} else if (t->probing) {
		t->probing = false;	/* our own trouble proves nothing */
	}
}
