/* window.c - the items that are in memory, and pulling those that are due
 *
 * `taken' counts the items here and the room that was promised, to intake for
 * what it is about to commit and to a claim under way; so the window cannot
 * overflow.  Intake may fill three quarters of it: the rest is for what is
 * tried again.
 *
 * A claim that fails is made again after a while; nothing else can fail.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

enum {
	PULL_LEAST = 64,		/* room that is worth a claim */
	PULL_MOST = 256,
	PULL_AGAIN_MS = 5000,		/* after a claim that failed */
	PULL_SLEEP_MS = 60000,		/* the wall clock may jump */
};

/* --- room: any thread ------------------------------------------------ */

static bool
window_take(struct window *w, size_t n, size_t limit)
{
	if (atomic_fetch_add(&w->taken, n) + n <= limit)
		return true;
	atomic_fetch_sub(&w->taken, n);
	return false;
}

bool
dispatch_window(void *dispatch, size_t n)
{
	struct dispatch *d = dispatch;

	return !d->window.closed &&
	       window_take(&d->window, n, LIMIT_WINDOW_INTAKE);
}

void
dispatch_window_give(void *dispatch, size_t n)
{
	struct dispatch *d = dispatch;

	atomic_fetch_sub(&d->window.taken, n);
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

	dispatch_window_give(d, unused);
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
		c->next_due_ms = clock_wall_ms() + PULL_AGAIN_MS;
	}
	claim_over(d, c->max - n);
	for (size_t i = 0; i < n; i++)
		attempt_begin(d, items[i]);
	mem_free(items);
	c->items = NULL;
	window_pull(d);
	dispatch_check_stopped(d);
}

static void
window_claim(struct dispatch *d, size_t n, int64_t now_ms)
{
	struct window *w = &d->window;

	w->claiming = true;
	w->noted_due_ms = INT64_MAX;
	w->claim = (struct spool_claim){
		.op = { .home = loop_mailbox(d->loop), .done = on_claimed },
		.max = n, .now_ms = now_ms, .next_due_ms = -1,
	};
	spool_claim(d->spool, &w->claim);
}

void
window_pull(struct dispatch *d)
{
	struct window *w = &d->window;
	int64_t now_ms;
	size_t n = PULL_MOST;

	if (d->spool == NULL || w->claiming || d->stopping ||
	    d->routes == NULL || w->next_due_ms == INT64_MAX)
		return;
	now_ms = clock_wall_ms();
	if (w->next_due_ms > now_ms) {
		timer_start(&w->timer, MIN(w->next_due_ms - now_ms + 1,
					   PULL_SLEEP_MS));
		return;
	}
	timer_stop(&w->timer);
	/* without room: whatever leaves the window calls again */
	while (n >= PULL_LEAST && !window_take(w, n, LIMIT_WINDOW))
		n /= 2;
	if (n >= PULL_LEAST)
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
	dispatch_window_give(d, 1);
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
