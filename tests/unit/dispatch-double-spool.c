/* dispatch-double-spool.c - a spool that remembers what it was told */
#include "dispatch-double.h"

#include "spool/draft.h"

#include <stdio.h>

/* --- items ----------------------------------------------------------- */

void
body_unref(struct body **b)
{
	if (*b != NULL && atomic_fetch_sub(&(*b)->refs, 1) == 1) {
		buf_fini(&(*b)->bytes);
		mem_free(*b);
	}
	*b = NULL;
}

struct item *
item_new(void)
{
	struct item *item = NEW(struct item);

	item->prefix = BUF_MAX(LIMIT_PREFIX);
	return item;
}

void
item_free(struct item **ptr)
{
	struct item *item = *ptr;

	if (item == NULL)
		return;
	envelope_free(&item->env);
	buf_fini(&item->prefix);
	body_unref(&item->body);
	mem_free(item->rcpts);
	mem_free(item->route);
	mem_free(item->last);
	mem_free(item->origin.client);
	mem_free(item);
	*ptr = NULL;
}

const char *
item_id_text(uint64_t id, char *buf)
{
	snprintf(buf, ITEM_TEXT, "%llu", (unsigned long long)id);
	return buf;
}

uint64_t
message_id_next(void)
{
	return 1000 + world->next_id++;
}

/* --- the spool ------------------------------------------------------- */

struct source {
	struct body_source base;
	const struct item *item;
};

static void
source_read(struct body_source *b, uint64_t offset, size_t max,
	    body_read_fn *done, void *arg)
{
	const struct item *item = container_of(b, struct source, base)->item;
	struct span s;

	if (offset < item->prefix.len)
		s = span_sub(buf_span(&item->prefix), offset, max);
	else
		s = span_sub(buf_span(&item->body->bytes),
			     offset - item->prefix.len, max);
	done(arg, s, NULL);
}

/* For a message whose bytes are not in the item: it has none, or they cannot
 * be had. */
static bool
source_pread(struct body_source *b, uint64_t offset, char *to, size_t max,
	     size_t *got, struct error *err)
{
	(void)b, (void)offset, (void)to, (void)max;
	*got = 0;
	if (world->reads_wait != NULL)
		sem_wait(world->reads_wait);
	return !world->reads_fail ||
	       error_set(err, ERROR_SYSTEM, "the disk is gone");
}

static void
source_free(struct body_source *b)
{
	mem_free(container_of(b, struct source, base));
}

struct body_source *
spool_source(struct spool *s, const struct item *item, struct loop *loop)
{
	static const struct body_ops ops = {
		.read = source_read, .pread = source_pread,
		.free = source_free,
	};
	struct source *src = NEW(struct source);

	(void)s, (void)loop;
	src->base.ops = &ops;
	src->base.size = item_size(item);
	src->item = item;
	return &src->base;
}

static void
go_home(struct letter *l)
{
	struct spool_op *op = container_of(l, struct spool_op, letter);

	op->done(op);
}

static void
post_home(struct spool_op *op, enum spool_status status)
{
	op->status = status;
	op->letter.deliver = go_home;
	mailbox_post(op->home, &op->letter);
}

static void
see_report(struct seen_settle *seen, struct item *item)
{
	size_t k = seen->reports++;

	snprintf(seen->report[k].route, sizeof(seen->report[k].route), "%s",
		 item->route);
	snprintf(seen->report[k].to, sizeof(seen->report[k].to), "%.*s",
		 SPAN_ARG(item->env->rcpts[0].address.text));
	snprintf(seen->report[k].text, sizeof(seen->report[k].text), "%s",
		 buf_str(&item->body->bytes));
	assert_int_equal(item->env->sender.text.n, 0);
}

void
spool_settle(struct spool *s, struct spool_settle *t)
{
	struct seen_settle *seen = &world->settles[world->settle_count++];

	(void)s;
	assert_true(world->settle_count < SEEN_MAX);
	seen->id = t->id;
	seen->fate = t->fate;
	seen->due_ms = t->due_ms;
	seen->warned_ms = t->warned_ms;
	seen->paused_ms = t->paused_ms;
	seen->attempts = t->attempts;
	seen->sealed_by = t->sealed_by;
	snprintf(seen->prefix, sizeof(seen->prefix), "%.*s",
		 SPAN_ARG(buf_span(&t->prefix)));
	snprintf(seen->last, sizeof(seen->last), "%s", t->last ? t->last : "");
	seen->n = t->rcpt_count;
	for (size_t i = 0; i < t->rcpt_count; i++) {
		seen->rcpts[i].index = t->rcpts[i].index;
		seen->rcpts[i].state = t->rcpts[i].state;
	}
	for (size_t i = 0; t->also != NULL && i < t->also->n; i++) {
		see_report(seen, t->also->items[i]);
		if (world->settles_gone)
			continue;
		/* as if it were unclaimed */
		if (t->also->items[i]->claimed)
			dispatch_window_give(world->d, &t->also->items[i], 1);
		item_free(&t->also->items[i]);
	}
	post_home(&t->op, world->settles_gone ? SPOOL_GONE : SPOOL_OK);
}

/* As if it were unclaimed. */
void
spool_accept(struct spool *s, struct spool_accept *a)
{
	struct seen_notice *seen = &world->notice[world->notices++];

	(void)s;
	assert_true(world->notices < NOTICES_MAX);
	assert_int_equal(a->n, 1);
	snprintf(seen->route, sizeof(seen->route), "%s", a->items[0]->route);
	snprintf(seen->to, sizeof(seen->to), "%.*s",
		 SPAN_ARG(a->items[0]->env->rcpts[0].address.text));
	snprintf(seen->text, sizeof(seen->text), "%s",
		 buf_str(&a->items[0]->body->bytes));
	assert_int_equal(a->items[0]->env->sender.text.n, 0);
	if (!world->accepts_fail) {
		if (a->items[0]->claimed)
			dispatch_window_give(world->d, &a->items[0], 1);
		item_free(&a->items[0]);
	}
	post_home(&a->op, world->accepts_fail ? SPOOL_FULL : SPOOL_OK);
}

struct spool_reader *
spool_reader_open(struct spool *s, struct error *err)
{
	(void)s, (void)err;
	if (world->reads_wait != NULL)
		sem_wait(world->reads_wait);
	return (struct spool_reader *)world;
}

void
spool_reader_close(struct spool_reader **r)
{
	*r = NULL;
}

bool
spool_backlogs(struct spool_reader *r, size_t max,
	       void (*row)(void *arg, const struct spool_backlog *b),
	       void *arg, struct error *err)
{
	struct spool_backlog out = { .route = "out", .items = 12,
				     .oldest_ms = INT64_C(1700000000000) };
	struct spool_backlog other = { .route = "other", .items = 3 };

	(void)r, (void)max, (void)err;
	if (world->waiting == 0)
		return true;
	out.items = world->waiting;
	row(arg, &other);
	row(arg, &out);
	return true;
}

void
spool_settle_clear(struct spool_settle *t)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		mem_free(t->rcpts[i].last);
	mem_free(t->rcpts);
	mem_free(t->last);
	buf_fini(&t->prefix);
}

void
spool_claim(struct spool *s, struct spool_claim *c)
{
	int64_t bytes = 0;
	size_t kept = 0;

	(void)s;
	world->claims++;
	c->items = mem_array(c->max, sizeof(*c->items));
	for (size_t i = 0; i < world->due_count; i++) {
		struct item *item = world->due[i];
		bool room = c->weigh == NULL || c->n == 0 || bytes < c->room;

		if (c->latest_ms != 0 && item->due_ms > c->latest_ms)
			item->due_ms = c->now_ms;
		if (item->due_ms > c->now_ms || c->n == c->max || !room) {
			world->due[kept++] = item;
			continue;
		}
		c->items[c->n++] = item;
		bytes += c->weigh != NULL ? c->weigh(item) : 0;
	}
	world->due_count = kept;
	c->next_due_ms = kept > 0 ? world->due[0]->due_ms : -1;
	post_home(&c->op, SPOOL_OK);
}

void
spool_act(struct spool *s, struct spool_act *a)
{
	(void)s;
	world->acted = a->verb;
	world->acts++;
	a->changed = 7;
	post_home(&a->op, SPOOL_OK);
}

struct draft {
	struct buf chunk;
	struct draft_events ev;
	void *arg;
};

struct draft *
draft_new(struct spool *s, struct loop *loop, uint64_t id,
	  const struct draft_events *ev, void *arg)
{
	struct draft *d = NEW(struct draft);

	(void)s, (void)loop, (void)id;
	d->chunk = BUF_MAX(LIMIT_CHUNK);
	d->ev = *ev;
	d->arg = arg;
	return d;
}

struct buf *
draft_buffer(struct draft *d)
{
	return &d->chunk;
}

bool
draft_more(struct draft *d)
{
	(void)d;
	return true;
}

void
draft_seal(struct draft *d, bool has_8bit, bool header_8bit)
{
	struct error err = { .text = "disk full" };
	struct body *b = NULL;

	if (!world->drafts_fail) {
		b = NEW(struct body);
		b->refs = 1;
		b->size = d->chunk.len;
		b->has_8bit = has_8bit;
		b->header_8bit = header_8bit;
		b->bytes.max = LIMIT_CHUNK;
		buf_move(&b->bytes, &d->chunk);
	}
	d->ev.sealed(d->arg, b, b ? SPOOL_OK : SPOOL_FULL, b ? NULL : &err);
	buf_fini(&d->chunk);
	mem_free(d);
}

void
draft_drop(struct draft **d)
{
	if (*d == NULL)
		return;
	buf_fini(&(*d)->chunk);
	mem_free(*d);
	*d = NULL;
}
