/* source.c - an item's message, read: its prefix, then its body
 *
 * From memory where it is there.  Otherwise a worker fetches one chunk at a
 * time into a window, out of which the reads are answered; while the last of
 * a window is being sent, the next one is not yet fetched.
 */
#include "spool/store.h"

#include "base/limits.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/body.h"

#include <string.h>

/* The part that travels to a worker; it may outlive its source. */
struct fetch {
	struct task task;
	struct spool *spool;
	struct body *body;
	struct spool_source *source;	/* NULL: nobody waits any more */
	uint64_t offset;		/* in the body */
	size_t got;
	bool ok;
	struct error err;
	char bytes[LIMIT_CHUNK];
};

struct spool_source {
	struct body_source base;
	struct spool *spool;
	struct loop *loop;
	const struct item *item;
	struct fetch *fetch;		/* the window, or NULL */
	bool busy;			/* it is on a worker */
	/* the read under way */
	uint64_t offset;		/* in the message */
	size_t max;
	body_read_fn *done;
	void *arg;
};

static struct spool_source *
source_of(struct body_source *b)
{
	return container_of(b, struct spool_source, base);
}

/* What can be had at once, or an empty span before the end. */
static struct span
source_at_hand(const struct spool_source *s, uint64_t offset, size_t max)
{
	const struct item *item = s->item;
	struct span from;

	if (offset < item->prefix.len)
		return span_sub(buf_span(&item->prefix), offset, max);
	offset -= item->prefix.len;
	if (body_in_memory(item->body))
		return span_sub(buf_span(&item->body->bytes), offset, max);
	if (s->fetch == NULL || s->busy || offset < s->fetch->offset)
		return SPAN_NONE;
	from = (struct span){ s->fetch->bytes, s->fetch->got };
	return span_sub(from, offset - s->fetch->offset, max);
}

static void
fetch_free(struct fetch **f)
{
	if (*f == NULL)
		return;
	body_unref(&(*f)->body);
	mem_free(*f);
	*f = NULL;
}

static void
fetch_work(struct task *t)
{
	struct fetch *f = container_of(t, struct fetch, task);

	f->ok = body_pread(f->spool, f->body, f->offset, f->bytes,
			   sizeof(f->bytes), &f->got, &f->err);
	if (f->ok && f->got == 0)
		f->ok = error_set(&f->err, ERROR_SYSTEM,
				  "a stored body ends too early");
	spool_leave(f->spool);
}

static void
fetch_done(struct task *t)
{
	struct fetch *f = container_of(t, struct fetch, task);
	struct spool_source *s = f->source;

	if (s == NULL) {
		fetch_free(&f);
		return;
	}
	s->busy = false;
	if (f->ok) {
		s->done(s->arg, source_at_hand(s, s->offset, s->max), NULL);
		return;
	}
	s->fetch = NULL;
	s->done(s->arg, SPAN_NONE, &f->err);
	fetch_free(&f);
}

static void
fetch_start(struct spool_source *s, uint64_t offset)
{
	struct fetch *f = s->fetch;

	if (f == NULL) {
		f = s->fetch = NEW(struct fetch);
		f->spool = s->spool;
		f->body = body_ref(s->item->body);
		f->source = s;
		f->task.work = fetch_work;
		f->task.done = fetch_done;
		f->task.home = loop_mailbox(s->loop);
	}
	f->offset = offset;
	f->got = 0;
	s->busy = true;
	spool_enter(s->spool);
	workers_submit(spool_workers(s->spool), &f->task);
}

static void
source_read(struct body_source *b, uint64_t offset, size_t max,
	    body_read_fn *done, void *arg)
{
	struct spool_source *s = source_of(b);
	struct span at_hand;

	must(!s->busy);
	at_hand = source_at_hand(s, offset, max);
	if (at_hand.n > 0 || max == 0 || offset >= b->size) {
		done(arg, at_hand, NULL);
		return;
	}
	s->offset = offset;
	s->max = max;
	s->done = done;
	s->arg = arg;
	fetch_start(s, offset - s->item->prefix.len);
}

static bool
source_pread(struct body_source *b, uint64_t offset, char *to, size_t max,
	     size_t *got, struct error *err)
{
	struct spool_source *s = source_of(b);
	const struct item *item = s->item;
	struct span from = SPAN_NONE;

	*got = 0;
	if (offset >= b->size || max == 0)
		return true;
	if (offset < item->prefix.len || body_in_memory(item->body)) {
		from = source_at_hand(s, offset, max);
		memcpy(to, from.p, from.n);
		*got = from.n;
		return true;
	}
	if (!body_pread(s->spool, item->body, offset - item->prefix.len, to,
			max, got, err))
		return false;
	return *got > 0 || error_set(err, ERROR_SYSTEM,
				     "a stored body ends too early");
}

static void
source_free(struct body_source *b)
{
	struct spool_source *s = source_of(b);

	if (s->busy)
		s->fetch->source = NULL;
	else
		fetch_free(&s->fetch);
	mem_free(s);
}

static const struct body_ops source_ops = {
	.read = source_read, .pread = source_pread, .free = source_free,
};

struct body_source *
spool_source(struct spool *spool, const struct item *item, struct loop *loop)
{
	struct spool_source *s = NEW(struct spool_source);
	bool prefix_8bit = span_has_8bit(buf_span(&item->prefix));

	s->base = (struct body_source){
		.ops = &source_ops,
		.size = item_size(item),
		.has_8bit = item->body->has_8bit || prefix_8bit,
		.header_8bit = item->body->header_8bit || prefix_8bit,
	};
	s->spool = spool;
	s->loop = loop;
	s->item = item;
	return &s->base;
}
