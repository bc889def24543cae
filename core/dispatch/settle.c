/* settle.c - what became of recipients, on its way to the spool
 *
 * A final result is settled as soon as its delivery has ended (FATE_STAY), so
 * that a crash meanwhile does not send it twice; what only waits goes with
 * the last settlement, which lets the item go.  Settlements of one item are
 * committed in the order in which they were posted.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

struct settlement {
	struct spool_settle settle;
	struct attempt *attempt;
};

void
accept_free(struct dispatch *d, struct spool_accept **accept)
{
	struct spool_accept *acc = *accept;

	if (acc == NULL)
		return;
	for (size_t i = 0; i < acc->n; i++) {
		/* what was committed is gone from here */
		if (acc->items[i] == NULL)
			continue;
		if (acc->items[i]->claimed)
			dispatch_window_give(d, &acc->items[i], 1);
		item_free(&acc->items[i]);
	}
	mem_free(acc);
	*accept = NULL;
}

static void
on_settled(struct spool_op *op)
{
	struct spool_settle *t = container_of(op, struct spool_settle, op);
	struct settlement *s = container_of(t, struct settlement, settle);
	struct attempt *a = s->attempt;
	char id[ITEM_TEXT];

	if (op->status != SPOOL_OK)
		log_warning(&dispatch_log, "%s: the result of an attempt was "
			    "not stored: %s", item_id_text(t->id, id),
			    op->status == SPOOL_GONE ? "the message was removed"
						     : op->err.text);
	accept_free(a->dispatch, &t->also);
	spool_settle_clear(t);
	mem_free(s);
	a->settling--;
	if (a->leaving && a->settling == 0)
		attempt_end(a);
}

static enum item_fate
settle_fate(const struct attempt *a, bool is_last)
{
	if (!is_last)
		return FATE_STAY;
	return a->queued > 0 ? FATE_RELEASE : FATE_DONE;
}

static void
settle_fill(struct spool_settle *t, struct attempt *a, enum item_fate fate)
{
	const struct item *item = a->item;
	const char *words;

	t->id = item->id;
	t->fate = fate;
	t->due_ms = a->due_ms == INT64_MAX ? clock_steady_ms() : a->due_ms;
	t->warned_ms = item->warned_ms;
	t->paused_ms = item->paused_ms;
	if (a->pauses && fate == FATE_RELEASE) {
		t->paused_ms += MAX(t->due_ms - clock_steady_ms(), 0);
		t->paused_ms = MIN(t->paused_ms, MAX(item->paused_ms,
			a->dispatch->config->retry.paused_longest));
	}
	t->attempts = item->attempts +
		      (fate != FATE_STAY && a->counts ? 1 : 0);
	if (a->resealed && fate == FATE_RELEASE) {
		t->prefix = BUF_MAX(LIMIT_PREFIX);
		buf_add(&t->prefix, buf_span(&item->prefix));
		t->sealed = item->sealed;
		t->sealed_by = item->sealed_by;
	}
	t->rcpts = a->results;
	t->rcpt_count = a->result_count;
	a->results = NULL;
	a->result_count = a->result_room = 0;
	a->news = false;
	/* the row is written as a whole, also while the item stays */
	words = a->last != NULL ? a->last : item->last;
	t->last = words != NULL && fate != FATE_DONE ? mem_strdup(words) : NULL;
}

void
settle_flush(struct attempt *a, struct spool_accept *also)
{
	struct dispatch *d = a->dispatch;
	bool is_last = a->under_way == 0 && a->reports == 0;
	struct settlement *s;

	if (a->leaving || (!is_last && !a->news && also == NULL))
		return;
	s = NEW(struct settlement);
	s->attempt = a;
	settle_fill(&s->settle, a, settle_fate(a, is_last));
	s->settle.also = also;
	s->settle.op.home = loop_mailbox(d->loop);
	s->settle.op.done = on_settled;
	a->leaving = is_last;
	a->settling++;
	spool_settle(d->spool, &s->settle);
}
