/* draft.c - receiving a body
 *
 * A small body is one buffer, which becomes the sealed body as it is.  Once
 * it outgrows that (sooner when the budget is used up), full buffers go to a
 * worker one after the other, two under way at most, and what stays in
 * memory is the header section.
 *
 * What can fail: the file (told by `sealed'; bytes that come after the
 * failure are dropped), and, in a store without files, the budget.
 */
#include "spool/draft.h"

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

_Static_assert(2 * LIMIT_INLINE_BODY <= LIMIT_CHUNK,
	       "a buffer must hold more than what makes it be shipped");

enum {
	SHIP = LIMIT_INLINE_BODY,	/* a buffer as full as this is shipped */
	SPILL_TIGHT = LIMIT_INLINE_BODY / 4,	/* with the budget used up */
	FIRST_ROOM = 4096,		/* saves growing for most messages */
	MEMORY_BODY = 512 * 1024 * 1024, /* largest in a store without files */
};

struct draft {
	struct files *files;		/* NULL: no files, all in `whole' */
	struct spool *spool;
	struct budget *budget;
	struct loop *loop;
	struct draft_events ev;
	void *arg;
	uint64_t id;
	struct buf chunk;		/* being filled by the session */
	struct buf whole;		/* all before it, without files */
	struct buf head;		/* of a spilled one: the header section */
	uint64_t shipped;		/* bytes that left `chunk' */
	uint64_t sent;			/* of these, given to a worker */
	int64_t charged;
	bool spilled, head_done, tight;
	bool blocked;			/* we owe a `drained' */
	bool has_8bit, header_8bit;
	bool sealing, dropped, over;
	bool failed;			/* status and err say how */
	enum spool_status status;
	struct error err;

	struct buf waiting;		/* full, behind the one under way */
	struct buf spare;		/* to fill next */
	/* the task's own while it is under way */
	struct task task;
	bool busy;
	struct buf writing;
	uint64_t offset;
	int fd;
	bool last, write_failed, write_full;
	struct error write_err;
};

struct draft *
draft_new(struct spool *s, struct loop *loop, uint64_t id,
	  const struct draft_events *ev, void *arg)
{
	struct draft *d = NEW(struct draft);

	d->spool = s;
	d->files = spool_files(s) ? files_ref(spool_files(s)) : NULL;
	d->budget = spool_budget(s);
	d->loop = loop;
	d->ev = *ev;
	d->arg = arg;
	d->id = id;
	d->fd = -1;
	d->chunk = d->waiting = d->spare = d->writing = BUF_MAX(LIMIT_CHUNK);
	d->whole = BUF_MAX(MEMORY_BODY);
	d->head = BUF_MAX(LIMIT_HEADER);
	buf_room(&d->chunk, FIRST_ROOM);
	return d;
}

struct buf *
draft_buffer(struct draft *d)
{
	return &d->chunk;
}

uint64_t
draft_size(const struct draft *d)
{
	return d->shipped + d->chunk.len;
}

struct span
draft_head(const struct draft *d)
{
	if (d->spilled)
		return buf_span(&d->head);
	return d->whole.len ? buf_span(&d->whole) : buf_span(&d->chunk);
}

static void
draft_free(struct draft *d)
{
	if (d->charged > 0)
		budget_give(d->budget, d->charged);
	buf_fini(&d->chunk);
	buf_fini(&d->whole);
	buf_fini(&d->head);
	buf_fini(&d->waiting);
	buf_fini(&d->spare);
	buf_fini(&d->writing);
	files_unref(&d->files);
	mem_free(d);
}

static void
draft_fail(struct draft *d, enum spool_status status, const struct error *err)
{
	if (d->failed)
		return;
	d->failed = true;
	d->status = status;
	d->err = *err;
}

/* --- the budget ------------------------------------------------------ */

static void
draft_charge(struct draft *d)
{
	int64_t want = (int64_t)(d->chunk.cap + d->whole.cap + d->head.cap +
				 d->waiting.cap + d->spare.cap +
				 d->writing.cap);

	d->tight = false;
	if (d->budget == NULL)
		return;
	if (want > d->charged) {
		d->tight = !budget_take(d->budget, want - d->charged);
		if (d->tight)
			return;
	} else {
		budget_give(d->budget, d->charged - want);
	}
	d->charged = want;
}

/* --- the file -------------------------------------------------------- */

static bool
write_piece(struct draft *d)
{
	if (d->fd < 0 && !files_create(d->files, d->id, &d->fd, &d->write_err))
		return false;
	if (!files_write(d->fd, buf_span(&d->writing), d->offset,
			 &d->write_err))
		return false;
	return !d->last || files_sync(d->files, d->id, d->fd, &d->write_err);
}

static void
write_close(struct draft *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static void
write_work(struct task *t)
{
	struct draft *d = container_of(t, struct draft, task);

	if (!write_piece(d)) {
		d->write_full = errno == ENOSPC || errno == EDQUOT;
		d->write_failed = true;
		write_close(d);
		files_unlink(d->files, d->id);
	} else if (d->last) {
		write_close(d);
	}
}

static void write_done(struct task *t);

static void
write_start(struct draft *d, struct buf *from, bool last)
{
	d->busy = true;
	buf_fini(&d->writing);
	buf_move(&d->writing, from);
	d->offset = d->sent;
	d->sent += d->writing.len;
	d->last = last;
	d->task.work = write_work;
	d->task.done = write_done;
	d->task.home = loop_mailbox(d->loop);
	workers_submit(files_workers(d->files), &d->task);
}

/* Gives the worker its next piece; the last one, which may be empty, brings
 * the sync. */
static void
write_next(struct draft *d)
{
	if (d->busy || d->failed)
		return;
	if (d->waiting.len > 0) {
		write_start(d, &d->waiting, false);
	} else if (d->sealing) {
		d->shipped += d->chunk.len;
		write_start(d, &d->chunk, true);
	}
}

/* Gone without an answer: the file goes with it, on a worker. */
static void
draft_discard(struct draft *d)
{
	bool made = d->fd >= 0;

	write_close(d);
	if (made)
		files_remove(d->files, &d->id, 1);
	draft_free(d);
}

/* --- the end --------------------------------------------------------- */

static struct body *
body_of(struct draft *d, struct buf *bytes)
{
	struct body *b = NEW(struct body);

	b->refs = 1;
	b->id = d->id;
	b->size = d->shipped + d->chunk.len;
	b->has_8bit = d->has_8bit;
	b->header_8bit = d->header_8bit;
	b->in_file = d->spilled;
	if (d->spilled) {
		b->files = files_ref(d->files);
		return b;
	}
	b->bytes.max = bytes->max;
	buf_move(&b->bytes, bytes);
	/* the charge moves along; one over the budget has none, and its
	 * bytes are let go when the store has them */
	if (d->charged >= (int64_t)b->bytes.cap) {
		d->charged -= (int64_t)b->bytes.cap;
		b->budget = d->budget;
	}
	return b;
}

static void
draft_finish(struct draft *d)
{
	struct body *b = NULL;

	if (!d->failed)
		b = body_of(d, d->whole.len ? &d->whole : &d->chunk);
	d->over = true;
	d->ev.sealed(d->arg, b, d->failed ? d->status : SPOOL_OK,
		     d->failed ? &d->err : NULL);
	draft_free(d);
}

static bool draft_advance(struct draft *d);

static void
write_done(struct task *t)
{
	struct draft *d = container_of(t, struct draft, task);

	d->busy = false;
	if (d->write_failed)
		draft_fail(d, d->write_full ? SPOOL_FULL : SPOOL_FAILED,
			   &d->write_err);
	if (d->dropped) {
		if (d->last && !d->write_failed)
			files_remove(d->files, &d->id, 1);
		draft_discard(d);
		return;
	}
	if (d->sealing && (d->last || d->failed)) {
		draft_finish(d);
		return;
	}
	buf_clear(&d->writing);
	if (d->spare.data == NULL && !d->tight)
		buf_move(&d->spare, &d->writing);
	else
		buf_fini(&d->writing);
	write_next(d);
	if (d->blocked && draft_advance(d))
		d->ev.drained(d->arg);
}

/* --- taking in ------------------------------------------------------- */

/* Where the header section ends in s, or 0. */
static size_t
header_end(struct span s)
{
	const char *at;

	if (s.n >= 2 && memcmp(s.p, "\r\n", 2) == 0)
		return 2;
	at = memmem(s.p, s.n, "\r\n\r\n", 4);
	return at ? (size_t)(at - s.p) + 4 : 0;
}

/* Keeps what of the chunk belongs to the header section. */
static void
keep_head(struct draft *d)
{
	size_t had = d->head.len, end;
	struct span s;

	if (d->head_done)
		return;
	/* until its end is found, the head is all of the message so far */
	s = span_from(buf_span(&d->chunk), had - d->shipped);
	buf_add(&d->head, span_sub(s, 0, LIMIT_HEADER - had));
	end = header_end(buf_span(&d->head));
	if (end > 0)
		buf_cut(&d->head, end);
	d->head_done = end > 0 || d->head.len == LIMIT_HEADER;
}

/* Ships the chunk when it is full enough; false when it is and cannot be. */
static bool
draft_advance(struct draft *d)
{
	d->blocked = false;
	if (d->failed || d->sealing)
		return true;
	keep_head(d);
	draft_charge(d);
	if (d->chunk.len < (d->tight ? SPILL_TIGHT : SHIP))
		return true;
	if (d->busy && (d->tight || d->waiting.len > 0)) {
		d->blocked = true;
		return false;
	}
	d->shipped += d->chunk.len;
	buf_fini(&d->waiting);
	buf_move(&d->waiting, &d->chunk);
	if (d->spare.data != NULL)
		buf_move(&d->chunk, &d->spare);
	write_next(d);
	return true;
}

/* Without files all of it stays in memory, as far as that reaches. */
static void
draft_collect(struct draft *d, bool all)
{
	struct error err;
	bool fits = true;

	/* of the head, at once: it must be in one piece */
	all = all || d->whole.len < LIMIT_HEADER;
	if (d->chunk.len >= SHIP || (all && d->whole.len > 0)) {
		d->shipped += d->chunk.len;
		fits = buf_add(&d->whole, buf_span(&d->chunk));
		buf_clear(&d->chunk);
	}
	draft_charge(d);
	if (fits && !d->tight)
		return;
	error_set(&err, ERROR_LIMIT, "the memory for bodies is used up");
	error_hint(&err, "raise limits.memory, or use a spool with files");
	draft_fail(d, SPOOL_FULL, &err);
	buf_fini(&d->whole);
}

/* From now on it is a file. */
static void
draft_spill(struct draft *d)
{
	enum spool_status status;
	struct error err;

	d->spilled = true;
	if (!spool_accepts(d->spool, &status, &err))
		draft_fail(d, status, &err);
}

bool
draft_more(struct draft *d)
{
	must(!d->sealing);
	if (d->failed) {
		d->shipped += d->chunk.len;
		buf_clear(&d->chunk);
		return true;
	}
	if (d->files == NULL) {
		draft_collect(d, false);
		return true;
	}
	draft_charge(d);
	if (!d->spilled && d->chunk.len > (d->tight ? SPILL_TIGHT : SHIP))
		draft_spill(d);
	return !d->spilled || draft_advance(d);
}

void
draft_seal(struct draft *d, bool has_8bit, bool header_8bit)
{
	d->has_8bit = has_8bit;
	d->header_8bit = header_8bit;
	draft_more(d);
	if (d->files == NULL && !d->failed)
		draft_collect(d, true);
	d->sealing = true;
	if (!d->spilled || (d->failed && !d->busy))
		draft_finish(d);
	else
		write_next(d);
}

void
draft_drop(struct draft **ptr)
{
	struct draft *d = *ptr;

	*ptr = NULL;
	if (d == NULL || d->over)
		return;
	d->dropped = true;
	if (!d->busy)
		draft_discard(d);
}
