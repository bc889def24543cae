/* batch.c - the spool thread: batches, and what happens when one fails
 *
 * No timer gathers a batch: while one sync runs, the next gathers by itself.
 *
 * A batch that fails is rolled back whole.  Accepts and claims go home with
 * a failure; settles and acts are kept, in their order, and tried again
 * without the others after a pause that grows.  When the store itself is in
 * doubt (an I/O or sync error), it is opened anew and must prove itself by a
 * commit before anything else is tried; what the failed commit may have left
 * behind is put right by that same commit.
 *
 * Where a batch of results, removals and claims finds no room, fewer of them
 * are tried at a time, in the end one: each takes some room before it makes
 * some, and what is too much at once is not too much in turn.
 *
 * What a store in trouble means for mail that wants in: trouble.h.
 */
#include "spool/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/trouble.h"

enum {
	BATCH_OPS = PORTION_MOST,
	BATCH_BYTES = 8 * 1024 * 1024,	/* one transaction brings no more */
	IDLE_MS = 300,			/* quiet for so long: house-keeping */
	PAUSE_MS = 20,			/* after a failure; doubles */
	PAUSE_MAX_MS = 5000,
	PAUSE_CLOSING_MS = 10,
	CLOSING_TRIES = 8,		/* of a store in trouble, at the end */
};

static const struct log spool_log = { .room = "spool" };

void
doubt_add(struct spool *s, uint64_t id, bool remove)
{
	if (s->doubt_count == s->doubt_room) {
		s->doubt_room = s->doubt_room ? s->doubt_room * 2 : 16;
		s->doubts = mem_resize(s->doubts, s->doubt_room,
				       sizeof(*s->doubts));
	}
	s->doubts[s->doubt_count++] = (struct doubt){ id, remove };
}

void
spool_due(struct spool *s, int64_t due_ms)
{
	s->due_ms = MIN(s->due_ms, due_ms);
}

/* --- a store in doubt ------------------------------------------------ */

static void
pause_after(struct spool *s, unsigned failures)
{
	int64_t pause = PAUSE_MS;

	for (unsigned i = 1; i < failures && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	s->retry_ms = clock_now_ms() +
		      MIN(pause, s->stopping ? PAUSE_CLOSING_MS : PAUSE_MAX_MS);
}

static void
store_broke(struct spool *s, const struct error *err)
{
	s->broken = true;
	s->failures++;
	pause_after(s, s->failures);
	trouble_store(s, err);
}

static void
store_mend(struct spool *s)
{
	struct error err;

	if (clock_now_ms() < s->retry_ms)
		return;
	if (!s->ops->prove(s->store, s->doubts, s->doubt_count, &err)) {
		store_broke(s, &err);
		return;
	}
	if (s->store->files != NULL)
		files_remove(s->store->files, s->doubt_files.v,
			     s->doubt_files.n);
	message_id_seed(s->store->seed);
	s->doubt_files.n = s->doubt_count = 0;
	s->store->gone.n = 0;
	s->broken = false;
	s->failures = 0;
	s->retry_ms = 0;
	log_info(&spool_log, "the spool was opened again and works");
	/* what a doubtful claim had taken is to be claimed again */
	spool_due(s, clock_steady_ms());
}

/* --- ends of an operation -------------------------------------------- */

static void
op_fail(struct spool_op *op, enum spool_status status, const struct error *err)
{
	op->status = status;
	op->err = *err;
	op_home(op);
}

/* Sends home what is not kept, with the trouble's own words. */
static void
op_refuse(struct spool *s, struct spool_op *op)
{
	if (op->kind->keeps)
		op_list_add(&s->kept, op);
	else
		op_fail(op, s->trouble_status, &s->trouble);
}

static void
tell_due(struct spool *s)
{
	if (s->due_ms == INT64_MAX)
		return;
	if (s->hooks.work != NULL)
		s->hooks.work(s->hooks.arg, s->due_ms);
	s->due_ms = INT64_MAX;
}

/* Of what is tried until it works; the first tells for all. */
static bool
batch_is_kept(const struct spool *s)
{
	return container_of(s->batch.first, struct spool_op,
			    letter)->kind->keeps;
}

static void
batch_committed(struct spool *s)
{
	struct op_list done, again;
	struct spool_op *op;
	bool portioned = batch_is_kept(s);

	op_list_init(&done);
	op_list_init(&again);
	atomic_fetch_add(&s->commits, 1);
	atomic_fetch_add(&s->operations, s->batch.n);
	while ((op = op_list_take(&s->batch)) != NULL)
		op_list_add(op->kind->committed(s, op) ? &done : &again, op);
	if (portioned)
		s->portion = MIN(s->portion * 2, (size_t)PORTION_MOST);
	tell_due(s);
	while ((op = op_list_take(&done)) != NULL)
		op_home(op);
	while ((op = op_list_take(&again)) != NULL)
		op_list_add(&s->ready, op);
	if (s->store->files != NULL)
		files_remove(s->store->files, s->store->gone.v,
			     s->store->gone.n);
	s->store->gone.n = 0;
	s->failures = 0;
	s->retry_ms = 0;
}

/* It was full for what makes room, or only moves things about. */
static bool
batch_makes_room(const struct spool *s)
{
	for (struct letter *l = s->batch.first; l != NULL; l = l->next)
		if (container_of(l, struct spool_op, letter)->kind->takes)
			return false;
	return true;
}

/* n operations, or one that has as many rows as a portion, were too much. */
static void
portion_cut(struct spool *s, size_t n)
{
	if (n > 1)
		s->portion = MIN(s->portion, n);
	s->portion = MAX(s->portion / 4, (size_t)1);
}

/* What was kept before goes first again, so that two settles of one item
 * stay in order. */
static void
batch_failed(struct spool *s, enum store_result r, bool in_commit,
	     const struct error *err)
{
	enum spool_status status = r == STORE_FULL ? SPOOL_FULL : SPOOL_FAILED;
	bool doubt = in_commit && r == STORE_BROKEN;
	bool makes_room = batch_makes_room(s);
	size_t n = s->batch.n;
	struct op_list kept = s->kept;
	struct spool_op *op;

	s->ops->rollback(s->store);
	s->store->gone.n = 0;
	atomic_fetch_add(&s->failed_batches, 1);
	if (kept.first == NULL)
		kept.last = &kept.first;
	op_list_init(&s->kept);
	while ((op = op_list_take(&s->batch)) != NULL) {
		op->kind->undo(s, op, doubt);
		if (op->kind->keeps)
			op_list_add(&s->kept, op);
		else
			op_fail(op, status, err);
	}
	while ((op = op_list_take(&kept)) != NULL)
		op_list_add(&s->kept, op);

	if (r == STORE_BROKEN) {
		store_broke(s, err);
		return;
	}
	/* the first time they try again at once, alone: settles make room */
	if (s->failures++ > 0)
		pause_after(s, s->failures - 1);
	if (r != STORE_FULL) {
		log_warning(&spool_log, "a batch failed: %s", err->text);
		return;
	}
	if (makes_room)
		portion_cut(s, n);
	trouble_full(s, makes_room, err);
}

/* --- one batch ------------------------------------------------------- */

static bool
op_run(struct spool *s, struct spool_op *op, enum store_result *r)
{
	static const enum spool_status statuses[] = {
		[STORE_OK] = SPOOL_OK, [STORE_GONE] = SPOOL_GONE,
		[STORE_REFUSED] = SPOOL_FAILED,
	};

	*r = op->kind->run(s, op);
	if (*r > STORE_REFUSED)
		return false;
	op->status = statuses[*r];
	if (*r == STORE_REFUSED)
		log_error(&spool_log, "an operation was refused: %s",
			  op->err.text);
	return true;
}

static void
batch_run(struct spool *s)
{
	enum store_result r;
	struct error err = { .text = "" };
	bool in_commit = false;

	if (s->batch.n == 0)
		return;
	r = s->ops->begin(s->store, &err);
	for (struct letter *l = s->batch.first; r == STORE_OK && l != NULL;
	     l = l->next) {
		struct spool_op *op = container_of(l, struct spool_op, letter);

		if (op_run(s, op, &r))
			r = STORE_OK;
		else
			err = op->err;
	}
	if (r == STORE_OK) {
		in_commit = true;
		r = s->ops->commit(s->store, &err);
	}
	if (r == STORE_OK)
		batch_committed(s);
	else
		batch_failed(s, r, in_commit, &err);
}

static void
batch_choose_kept(struct spool *s)
{
	size_t bytes = 0;
	struct spool_op *op;

	while (s->batch.n < s->portion && bytes < BATCH_BYTES &&
	       (op = op_list_take(&s->kept)) != NULL) {
		bytes += op->kind->weight(op);
		op_list_add(&s->batch, op);
	}
}

/* The kept ones alone when their time has come, else as many of those that
 * wait as make one transaction. */
static void
batch_choose(struct spool *s)
{
	bool space = room_is_there(s);
	size_t bytes = 0;
	struct spool_op *op;

	if (space)
		trouble_end(s);
	if (s->kept.n > 0 && clock_now_ms() >= s->retry_ms) {
		batch_choose_kept(s);
		return;
	}
	while (s->batch.n < BATCH_OPS && bytes < BATCH_BYTES &&
	       (op = op_list_take(&s->ready)) != NULL) {
		if ((op->kind->takes && !space) ||
		    (op->kind->keeps && s->kept.n > 0)) {
			op_refuse(s, op);
			continue;
		}
		bytes += op->kind->weight(op);
		op_list_add(&s->batch, op);
	}
}

static void
housekeep(struct spool *s, enum store_house how)
{
	struct error err = { .text = "" };

	if (!s->broken && s->store->dirty &&
	    s->ops->housekeep(s->store, how, &err) == STORE_BROKEN)
		store_broke(s, &err);
}

static void
turn(struct spool *s)
{
	struct spool_op *op;

	if (s->broken)
		store_mend(s);
	if (s->broken) {
		while ((op = op_list_take(&s->ready)) != NULL)
			op_refuse(s, op);
		return;
	}
	batch_choose(s);
	batch_run(s);
	tell_due(s);
	/* on a full disk the log must not grow: its room is used again */
	housekeep(s, s->full ? HOUSE_FULL : HOUSE_BUSY);
}

/* How long nothing is to be done unless something comes. */
static int64_t
sleep_ms(const struct spool *s)
{
	int64_t ms = -1;

	if (s->ready.n > 0)
		return 0;
	if (s->kept.n > 0 || s->broken)
		return MAX(s->retry_ms - clock_now_ms(), 0);
	if (s->store->dirty)
		ms = IDLE_MS;
	if (!atomic_load(&s->accepting))
		ms = ms < 0 ? ROOM_LOOK_MS : MIN(ms, ROOM_LOOK_MS);
	return ms;
}

/* The store stayed in trouble to the end: the items are as they were, and
 * the next start takes them for uncertain. */
static void
give_up(struct spool *s)
{
	struct spool_op *op;

	if (s->kept.n > 0)
		log_error(&spool_log, "%zu results could not be stored; their "
			  "mail may be delivered again", s->kept.n);
	while ((op = op_list_take(&s->kept)) != NULL) {
		if (op->kind->abandon != NULL)
			op->kind->abandon(s, op);
		op_fail(op, SPOOL_FAILED, &s->trouble);
	}
}

static void
begin(struct spool *s)
{
	int64_t due;

	if (s->store->unproved) {
		store_broke(s, &s->store->why);
		return;
	}
	room_find(s);
	due = s->ops->next_due(s->store);
	s->due_ms = due >= 0 ? due : INT64_MAX;
	tell_due(s);
}

void *
spool_main(void *arg)
{
	struct spool *s = arg;

	begin(s);
	while (!s->stopping || s->ready.n > 0 ||
	       (s->kept.n > 0 && s->failures < CLOSING_TRIES)) {
		int64_t ms = sleep_ms(s);
		struct letter *l = ms == 0 ? mailbox_take(s->mailbox)
					   : mailbox_wait(s->mailbox, ms);

		letters_deliver(l);
		if (l == NULL && ms != 0)
			housekeep(s, s->full ? HOUSE_FULL : HOUSE_IDLE);
		turn(s);
	}
	give_up(s);
	return NULL;
}
