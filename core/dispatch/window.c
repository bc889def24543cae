/* window.c - the items that are in memory, and pulling those that are due
 *
 * `taken' counts the items here and the room that was promised, to intake for
 * what it is about to commit and to a claim under way; so the window cannot
 * overflow.  Intake may fill three quarters of it: the rest is for what is
 * tried again.  `bytes' does the same by weight, within a share of
 * limits.memory: what a sender makes large waits in the spool, where it
 * costs nothing.
 *
 * No due time is waited for that is farther ahead than the schedule leads: a
 * clock that was wrong wrote it, and it is due now.
 *
 * A claim that fails is made again after a while; nothing else can fail.
 */
#include "dispatch/inside.h"

#include "base/arena.h"
#include "base/clock.h"
#include "dispatch/retry.h"

enum {
	PULL_LEAST = 64,		/* room that is worth a claim */
	PULL_MOST = 256,
	PULL_AGAIN_MS = 5000,		/* after a claim that failed */
	PULL_SLEEP_MS = 60000,		/* a suspended machine's timers wait */
	WINDOW_SHARE = 4,		/* the window has a quarter of memory */
	CLAIM_SHARE = 4,		/* and a claim a quarter of that */
};

/* What a recipient can cost while his item is here, beside his place in the
 * envelope: an outcome and its words, twice over where his host is the only
 * one of its kind, and the delivery that is his alone. */
enum {
	WEIGHT_ITEM = sizeof(struct item) + sizeof(struct body) +
		      sizeof(struct attempt) + 1024,
	WEIGHT_RCPT = 2 * (sizeof(struct outcome) + LIMIT_OUTCOME_TEXT + 400) +
		      sizeof(struct delivery) + sizeof(struct destination),
};

static int64_t
item_weight(const struct item *item)
{
	return (int64_t)(WEIGHT_ITEM + item->prefix.cap +
			 arena_size(item->env->arena) +
			 item->env->rcpt_count * WEIGHT_RCPT);
}

/* --- room: any thread ------------------------------------------------ */

/* The bytes that the window may hold; a reload may have changed them. */
static int64_t
window_limit(const struct dispatch *d)
{
	return d->memory != NULL ? d->memory->limit / WINDOW_SHARE : INT64_MAX;
}

static bool
window_take(struct window *w, size_t n, size_t limit)
{
	if (atomic_fetch_add(&w->taken, n) + n <= limit)
		return true;
	atomic_fetch_sub(&w->taken, n);
	return false;
}

static bool
window_take_bytes(struct window *w, int64_t bytes, int64_t limit)
{
	if (atomic_fetch_add(&w->bytes, bytes) <= limit - bytes)
		return true;
	atomic_fetch_sub(&w->bytes, bytes);
	return false;
}

/* From now on the item is accounted for here, and its envelope with it. */
static void
window_weigh(struct dispatch *d, struct item *item)
{
	item->weight = item_weight(item);
	envelope_uncharge(item->env);
	if (d->memory != NULL)
		budget_charge(d->memory, item->weight);
}

static void
window_give(struct dispatch *d, const struct item *item)
{
	atomic_fetch_sub(&d->window.taken, 1);
	atomic_fetch_sub(&d->window.bytes, item->weight);
	if (d->memory != NULL)
		budget_give(d->memory, item->weight);
}

bool
dispatch_window(void *dispatch, struct item *const *items, size_t n)
{
	struct dispatch *d = dispatch;
	struct window *w = &d->window;
	int64_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += item_weight(items[i]);
	if (w->closed || !window_take(w, n, LIMIT_WINDOW_INTAKE))
		return false;
	if (!window_take_bytes(w, bytes, window_limit(d) / 4 * 3)) {
		atomic_fetch_sub(&w->taken, n);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		window_weigh(d, items[i]);
	return true;
}

void
dispatch_window_give(void *dispatch, struct item *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		window_give(dispatch, items[i]);
}

/* --- what comes from the spool thread -------------------------------- */

static void
on_inbox(struct letter *l)
{
	struct dispatch *d = container_of(l, struct dispatch,
					  window.inbox_letter);
	struct letter *list = mailbox_take(d->window.inbox);

	while (list != NULL) {
		struct item *item = container_of(list, struct item, letter);

		list = list->next;
		attempt_begin(d, item);
	}
}

static void
inbox_wake(void *arg)
{
	struct dispatch *d = arg;

	/* only when the inbox was empty: the letter is at home then */
	mailbox_post(loop_mailbox(d->loop), &d->window.inbox_letter);
}

void
dispatch_committed(void *dispatch, struct item *item)
{
	struct dispatch *d = dispatch;

	mailbox_post(d->window.inbox, &item->letter);
}

static void
window_note_due(struct dispatch *d, int64_t due_ms)
{
	struct window *w = &d->window;

	/* a claim under way may or may not have seen it */
	if (w->claiming)
		w->noted_due_ms = MIN(w->noted_due_ms, due_ms);
	else
		w->next_due_ms = MIN(w->next_due_ms, due_ms);
}

static void
on_work(struct letter *l)
{
	struct dispatch *d = container_of(l, struct dispatch,
					  window.work_letter);

	/* in this order: a due time that comes later posts again */
	atomic_store(&d->window.work_posted, false);
	window_note_due(d, atomic_exchange(&d->window.work_due_ms, INT64_MAX));
	window_pull(d);
}

void
dispatch_work(void *dispatch, int64_t next_due_ms)
{
	struct dispatch *d = dispatch;
	struct window *w = &d->window;
	int64_t had = w->work_due_ms;

	while (next_due_ms < had &&
	       !atomic_compare_exchange_weak(&w->work_due_ms, &had,
					     next_due_ms))
		continue;
	if (!atomic_exchange(&w->work_posted, true))
		mailbox_post(loop_mailbox(d->loop), &w->work_letter);
}

/* --- pulling --------------------------------------------------------- */

static void
claim_over(struct dispatch *d, size_t unused)
{
	struct window *w = &d->window;

	atomic_fetch_sub(&w->taken, unused);
	atomic_fetch_sub(&w->bytes, w->share);
	w->claiming = false;
	w->next_due_ms = w->claim.next_due_ms < 0 ? INT64_MAX
						  : w->claim.next_due_ms;
	w->next_due_ms = MIN(w->next_due_ms, w->noted_due_ms);
	w->noted_due_ms = INT64_MAX;
}

static void
on_claimed(struct spool_op *op)
{
	struct spool_claim *c = container_of(op, struct spool_claim, op);
	struct dispatch *d = container_of(c, struct dispatch, window.claim);
	struct item **items = c->items;
	size_t n = c->n;

	if (op->status != SPOOL_OK) {
		log_error(&dispatch_log, "the queue cannot be read: %s; "
			  "trying again in %d s", op->err.text,
			  PULL_AGAIN_MS / 1000);
		n = 0;
		items = NULL;
		c->next_due_ms = clock_steady_ms() + PULL_AGAIN_MS;
	}
	claim_over(d, c->max - n);
	for (size_t i = 0; i < n; i++) {
		window_weigh(d, items[i]);
		atomic_fetch_add(&d->window.bytes, items[i]->weight);
	}
	for (size_t i = 0; i < n; i++)
		attempt_begin(d, items[i]);
	mem_free(items);
	c->items = NULL;
	window_pull(d);
	dispatch_check_stopped(d);
}

/* Due no later than this, or now. */
static int64_t
window_latest(const struct dispatch *d, int64_t now_ms)
{
	return now_ms + retry_farthest(&d->config->retry);
}

static void
window_claim(struct dispatch *d, size_t n, int64_t now_ms)
{
	struct window *w = &d->window;

	w->claiming = true;
	w->noted_due_ms = INT64_MAX;
	w->claim = (struct spool_claim){
		.op = { .home = loop_mailbox(d->loop), .done = on_claimed },
		.max = n, .weigh = d->memory != NULL ? item_weight : NULL,
		.room = w->share,
		.now_ms = now_ms, .latest_ms = window_latest(d, now_ms),
		.next_due_ms = -1,
	};
	spool_claim(d->spool, &w->claim);
}

/* Room for a claim, of how many; 0: whatever leaves the window makes it. */
static size_t
window_reserve(struct dispatch *d)
{
	struct window *w = &d->window;
	int64_t limit = window_limit(d);
	size_t n = PULL_MOST;

	w->share = d->memory != NULL ? limit / CLAIM_SHARE : 0;
	/* an item that weighs more than all there is goes alone */
	if (!window_take_bytes(w, w->share, w->count > 0 ? limit : INT64_MAX))
		return 0;
	while (n >= PULL_LEAST && !window_take(w, n, LIMIT_WINDOW))
		n /= 2;
	if (n >= PULL_LEAST)
		return n;
	atomic_fetch_sub(&w->bytes, w->share);
	return 0;
}

void
window_pull(struct dispatch *d)
{
	struct window *w = &d->window;
	int64_t now_ms;
	size_t n;

	if (d->spool == NULL || w->claiming || d->stopping ||
	    d->routes == NULL || w->next_due_ms == INT64_MAX)
		return;
	now_ms = clock_steady_ms();
	if (w->next_due_ms > now_ms &&
	    w->next_due_ms <= window_latest(d, now_ms)) {
		timer_start(&w->timer, MIN(w->next_due_ms - now_ms + 1,
					   PULL_SLEEP_MS));
		return;
	}
	timer_stop(&w->timer);
	n = window_reserve(d);
	if (n > 0)
		window_claim(d, n, now_ms);
}

static void
on_due(struct timer *t)
{
	window_pull(container_of(t, struct dispatch, window.timer));
}

/* --- the items ------------------------------------------------------- */

static struct attempt **
window_place(struct window *w, uint64_t id)
{
	/* ordinals are the low bits, and mostly 0 */
	return &w->buckets[(id ^ id / ITEM_ORDINALS) % WINDOW_BUCKETS];
}

void
window_add(struct dispatch *d, struct attempt *a)
{
	struct attempt **place = window_place(&d->window, a->item->id);

	a->next = *place;
	*place = a;
	d->window.count++;
}

void
window_remove(struct dispatch *d, struct attempt *a)
{
	struct attempt **p = window_place(&d->window, a->item->id);

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	d->window.count--;
	window_give(d, a->item);
}

struct attempt *
window_find(struct dispatch *d, uint64_t id)
{
	struct attempt *a = *window_place(&d->window, id);

	while (a != NULL && a->item->id != id)
		a = a->next;
	return a;
}

void
window_each(struct dispatch *d, void (*fn)(void *arg, struct attempt *a),
	    void *arg)
{
	for (size_t i = 0; i < WINDOW_BUCKETS; i++) {
		struct attempt *next;

		for (struct attempt *a = d->window.buckets[i]; a != NULL;
		     a = next) {
			next = a->next;
			fn(arg, a);
		}
	}
}

void
window_init(struct dispatch *d)
{
	struct window *w = &d->window;

	w->inbox = mailbox_new(inbox_wake, d);
	w->inbox_letter.deliver = on_inbox;
	w->work_letter.deliver = on_work;
	w->work_due_ms = w->noted_due_ms = INT64_MAX;
	w->next_due_ms = 0;		/* what a former run left behind */
	timer_init(&w->timer, d->loop, on_due);
}

void
window_close(struct dispatch *d)
{
	d->window.closed = true;
	timer_stop(&d->window.timer);
}

void
window_fini(struct dispatch *d)
{
	struct letter *list = mailbox_take(d->window.inbox);

	timer_stop(&d->window.timer);
	while (list != NULL) {
		struct item *item = container_of(list, struct item, letter);

		list = list->next;
		item_free(&item);
	}
	mailbox_free(&d->window.inbox);
}
