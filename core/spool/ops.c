/* ops.c - the operations: what each does in a batch and after it */
#include "spool/inside.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

void
op_list_init(struct op_list *l)
{
	l->first = NULL;
	l->last = &l->first;
	l->n = 0;
}

void
op_list_add(struct op_list *l, struct spool_op *op)
{
	op->letter.next = NULL;
	*l->last = &op->letter;
	l->last = &op->letter.next;
	l->n++;
}

struct spool_op *
op_list_take(struct op_list *l)
{
	struct letter *first = l->first;

	if (first == NULL)
		return NULL;
	l->first = first->next;
	l->n--;
	if (l->first == NULL)
		l->last = &l->first;
	return container_of(first, struct spool_op, letter);
}

static void
op_arrive(struct letter *l)
{
	struct spool_op *op = container_of(l, struct spool_op, letter);

	op_list_add(&op->spool->ready, op);
}

void
op_post(struct spool *s, struct spool_op *op, const struct op_kind *kind)
{
	op->spool = s;
	op->kind = kind;
	op->doubtful = false;
	op->status = SPOOL_OK;
	op->err.text[0] = op->err.hint[0] = '\0';
	op->letter.deliver = op_arrive;
	mailbox_post(s->mailbox, &op->letter);
}

static void
op_deliver_home(struct letter *l)
{
	struct spool_op *op = container_of(l, struct spool_op, letter);

	op->done(op);
}

void
op_home(struct spool_op *op)
{
	op->letter.deliver = op_deliver_home;
	mailbox_post(op->home, &op->letter);
}

/* --- accept ---------------------------------------------------------- */

static enum store_result
accept_run(struct spool *s, struct spool_op *op)
{
	struct spool_accept *a = container_of(op, struct spool_accept, op);

	return s->ops->accept(s->store, a, &op->err);
}

/* The store has the body: its file is named, and memory over the budget is
 * given back.  Before any item is handed over, while all are ours. */
static void
body_committed(struct spool *s, struct body *b)
{
	files_unref(&b->files);
	if (s->store->files != NULL && s->budget != NULL && b->budget == NULL)
		body_forget_bytes(b);
}

static void
items_committed(struct spool *s, struct spool_accept *a)
{
	for (size_t i = 0; i < a->n; i++)
		body_committed(s, a->items[i]->body);
	for (size_t i = 0; i < a->n; i++) {
		struct item *item = a->items[i];

		a->items[i] = NULL;
		if (item->claimed && s->hooks.committed != NULL) {
			s->hooks.committed(s->hooks.arg, item);
			continue;
		}
		if (!item->claimed && !item->held)
			spool_due(s, item->due_ms);
		item_free(&item);
	}
	atomic_fetch_add(&s->accepted, a->n);
}

static bool
accept_committed(struct spool *s, struct spool_op *op)
{
	if (op->status == SPOOL_OK)
		items_committed(s, container_of(op, struct spool_accept, op));
	return true;
}

/* In doubt the rows may come back with the reopened store; until that has
 * been put right the files must not go with the last reference. */
static void
files_stay(struct spool *s, struct spool_accept *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct body *b = a->items[i]->body;

		if (b->files != NULL)
			ids_add(&s->doubt_files, b->id);
		files_unref(&b->files);
	}
}

static void
accept_undo(struct spool *s, struct spool_op *op, bool doubt)
{
	struct spool_accept *a = container_of(op, struct spool_accept, op);

	if (!doubt)
		return;
	for (size_t i = 0; i < a->n; i++)
		doubt_add(s, a->items[i]->id, true);
	files_stay(s, a);
}

static size_t
accept_weight(const struct spool_op *op)
{
	const struct spool_accept *a =
		container_of(op, const struct spool_accept, op);
	size_t sum = 0;

	for (size_t i = 0; i < a->n; i++)
		sum += a->items[i]->prefix.len + 1024;
	return sum + a->items[0]->body->bytes.len;
}

static const struct op_kind kind_accept = {
	.takes = true, .run = accept_run, .committed = accept_committed,
	.undo = accept_undo, .weight = accept_weight,
};

void
spool_accept(struct spool *s, struct spool_accept *a)
{
	must(a->n > 0 && a->n <= ARRAY_SIZE(a->items));
	op_post(s, &a->op, &kind_accept);
}

/* --- claim ----------------------------------------------------------- */

static enum store_result
claim_run(struct spool *s, struct spool_op *op)
{
	struct spool_claim *c = container_of(op, struct spool_claim, op);

	c->items = NULL;
	c->n = 0;
	c->next_due_ms = -1;
	c->most = MIN(c->max, s->portion);
	return s->ops->claim(s->store, c, &op->err);
}

static bool
claim_committed(struct spool *s, struct spool_op *op)
{
	(void)s, (void)op;
	return true;
}

static void
claim_undo(struct spool *s, struct spool_op *op, bool doubt)
{
	struct spool_claim *c = container_of(op, struct spool_claim, op);

	for (size_t i = 0; i < c->n; i++) {
		if (doubt)
			doubt_add(s, c->items[i]->id, false);
		item_free(&c->items[i]);
	}
	mem_free(c->items);
	c->items = NULL;
	c->n = 0;
}

static size_t
light(const struct spool_op *op)
{
	(void)op;
	return 512;
}

static const struct op_kind kind_claim = {
	.run = claim_run, .committed = claim_committed, .undo = claim_undo,
	.weight = light,
};

void
spool_claim(struct spool *s, struct spool_claim *c)
{
	c->items = NULL;
	c->n = 0;
	op_post(s, &c->op, &kind_claim);
}

/* --- settle ---------------------------------------------------------- */

/* Asked for again after a commit that perhaps took place: what is there
 * already, or gone already, is what was asked for. */
static enum store_result
settle_run(struct spool *s, struct spool_op *op)
{
	struct spool_settle *t = container_of(op, struct spool_settle, op);
	enum store_result r;

	if (t->also != NULL && op->doubtful) {
		r = s->ops->exists(s->store, t->also->items[0]->id, &op->err);
		if (r != STORE_GONE)
			return r;
	}
	if (t->also != NULL) {
		r = s->ops->exists(s->store, t->id, &op->err);
		if (r == STORE_OK)
			r = s->ops->accept(s->store, t->also, &op->err);
		if (r != STORE_OK)
			return r;
	}
	r = s->ops->settle(s->store, t, &op->err);
	return r == STORE_GONE && op->doubtful ? STORE_OK : r;
}

static bool
settle_committed(struct spool *s, struct spool_op *op)
{
	struct spool_settle *t = container_of(op, struct spool_settle, op);

	if (op->status != SPOOL_OK)
		return true;
	if (t->also != NULL)
		items_committed(s, t->also);
	if (t->fate == FATE_RELEASE)
		spool_due(s, t->due_ms);
	atomic_fetch_add(&s->settled, 1);
	return true;
}

static void
settle_undo(struct spool *s, struct spool_op *op, bool doubt)
{
	(void)s;
	op->doubtful = op->doubtful || doubt;
}

static void
settle_abandon(struct spool *s, struct spool_op *op)
{
	struct spool_settle *t = container_of(op, struct spool_settle, op);

	if (t->also != NULL && op->doubtful)
		files_stay(s, t->also);
}

static size_t
settle_weight(const struct spool_op *op)
{
	const struct spool_settle *t =
		container_of(op, const struct spool_settle, op);

	return light(op) + t->prefix.len +
	       (t->also != NULL ? accept_weight(&t->also->op) : 0);
}

static const struct op_kind kind_settle = {
	.keeps = true, .run = settle_run, .committed = settle_committed,
	.undo = settle_undo, .abandon = settle_abandon,
	.weight = settle_weight,
};

void
spool_settle(struct spool *s, struct spool_settle *t)
{
	must(t->also == NULL || t->also->n > 0);
	op_post(s, &t->op, &kind_settle);
}

void
spool_settle_clear(struct spool_settle *t)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		mem_free(t->rcpts[i].last);
	mem_free(t->rcpts);
	mem_free(t->last);
	buf_fini(&t->prefix);
	t->rcpts = NULL;
	t->rcpt_count = 0;
	t->last = NULL;
}

/* --- act ------------------------------------------------------------- */

static enum store_result
act_run(struct spool *s, struct spool_op *op)
{
	struct spool_act *a = container_of(op, struct spool_act, op);

	a->ran_at = a->at;
	a->ran = 0;
	a->more = false;
	/* all of them at once would hold up everybody */
	return s->ops->act(s->store, a, s->portion, &a->more, &op->err);
}

static bool
act_committed(struct spool *s, struct spool_op *op)
{
	struct spool_act *a = container_of(op, struct spool_act, op);

	a->at = a->ran_at;
	a->changed += a->ran;
	met_tell(a);
	if (a->ran > 0 && (a->verb == SPOOL_RELEASE || a->verb == SPOOL_RETRY))
		spool_due(s, clock_steady_ms());
	return !a->more;
}

static void
act_undo(struct spool *s, struct spool_op *op, bool doubt)
{
	settle_undo(s, op, doubt);
	met_clear(container_of(op, struct spool_act, op));
}

static void
act_abandon(struct spool *s, struct spool_op *op)
{
	(void)s;
	met_clear(container_of(op, struct spool_act, op));
}

static const struct op_kind kind_act = {
	.keeps = true, .run = act_run, .committed = act_committed,
	.undo = act_undo, .abandon = act_abandon, .weight = light,
};

void
spool_act(struct spool *s, struct spool_act *a)
{
	a->at = 0;
	a->changed = 0;
	op_post(s, &a->op, &kind_act);
}
