/* spool.h - the durable queue: its contract
 *
 * One spool for each gateway.  The spool thread is its only writer: it takes
 * everything that waits for it, makes one transaction and one sync of it, and
 * posts the completions home.  No operation blocks its caller.  The stores
 * behind it (sqlite, memory) are chosen by spool_open and pass the same
 * contract tests.
 *
 * An operation is a struct that the caller owns again when `done' is called,
 * on the thread of `home'; it must not touch it in between.  What it handed
 * over inside (items, bodies) is the spool's, unless status is not SPOOL_OK:
 * then it is in the operation again, to be freed; a body in a file cannot be
 * accepted a second time.
 *
 * Narrated: a session seals a body (spool/draft.h), makes its items, reserves
 * room in dispatch's window (then item->claimed is true), calls
 * spool_accept().  The spool thread inserts, commits, hands each claimed item
 * to hooks.committed, and posts the operation home: the session says 250.
 * Dispatch delivers, and calls spool_settle() with what became of each
 * recipient.  When nobody is left, the item's row, and with the last item
 * the body, are gone with that commit.
 *
 * Time: everything that is kept is a time of the steady clock (base/clock.h),
 * and the store keeps where that clock stands.  spool_open() lets it go on from
 * there, so one process has one spool; in memory, and in an empty spool that is
 * far from the wall clock, it starts there.  In a spool that has no such mark (an older
 * version's, or one that cannot be true) the newest item stands for it, and what
 * lies in the future is now.
 *
 * Failure: when a batch fails, its accepts come home with SPOOL_FULL or
 * SPOOL_FAILED (452 for the client); settles stay and are tried again.  After
 * an I/O or sync error the store is reopened and accepts nothing until a
 * test commit succeeds.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/error.h"
#include "base/worker.h"
#include "spool/item.h"

struct spool;
struct op_kind;

struct spool_config {
	/* sqlite:FOLDER | memory:
	 * "?vfs=NAME" behind a folder names another file layer of SQLite. */
	const char *url;
	int64_t free_space;		/* bytes: below it accepts are refused */
	struct workers *workers;	/* for large bodies and reading back */
	struct budget *budget;		/* memory for bodies */
};

struct spool_hooks {
	void *arg;
	/* On the spool thread, after the commit: the item is handed over, and
	 * was inserted as claimed by this gateway.  Must only post it. */
	void (*committed)(void *arg, struct item *item);
	/* On the spool thread: unclaimed items exist that are due (next_due
	 * by the steady clock, or now). */
	void (*work)(void *arg, int64_t next_due_ms);
};

/* Locks the folder, opens or makes the store, checks its schema version
 * (a newer one: ERROR_CONFIG, untouched), gives other boots' claims back as
 * uncertain, starts the thread.  Blocks; not on a loop. */
struct spool *spool_open(const struct spool_config *c,
			 const struct spool_hooks *hooks, struct error *err);
/* Finishes what was posted; checkpoints; ends the thread; unlocks.  Readers
 * and sources are freed before it; the loops that drafts live on, and then
 * the workers, may end after it. */
void spool_close(struct spool **s);

/* From now on; any thread. */
void spool_set_free_space(struct spool *s, int64_t bytes);

const char *spool_folder(const struct spool *s);	/* NULL: memory */

enum spool_status {
	SPOOL_OK,
	SPOOL_FULL,			/* no space: 452 4.3.1 */
	SPOOL_FAILED,			/* the store failed: 451 4.3.0 */
	SPOOL_GONE,			/* no such item any more */
};

struct spool_op {
	struct letter letter;		/* private */
	const struct op_kind *kind;	/* private */
	struct spool *spool;		/* private */
	bool doubtful;			/* private: perhaps it is done already */
	struct mailbox *home;
	void (*done)(struct spool_op *op);
	enum spool_status status;
	struct error err;		/* words when not SPOOL_OK */
};

/* --- accept: all items of one message, or none ----------------------- */

struct spool_accept {
	struct spool_op op;
	struct item *items[64];
	size_t n;
};
void spool_accept(struct spool *s, struct spool_accept *a);

/* --- claim: items that are due become ours --------------------------- */

struct spool_claim {
	struct spool_op op;
	size_t max;			/* at most this many */
	/* No more once they weigh room together (the first one is taken in
	 * any case).  On the spool thread; NULL: only max counts. */
	int64_t (*weigh)(const struct item *item);
	int64_t room;
	int64_t now_ms;			/* steady clock */
	/* What is due later than this is due at now_ms: no schedule says so,
	 * but a clock that was wrong did.  0: nothing is too late.  Of very
	 * many each claim takes some; next_due_ms is later than this, then. */
	int64_t latest_ms;
	struct item **items;		/* handed to the caller: items and array */
	size_t n;
	int64_t next_due_ms;		/* the next after these; -1: none */
	size_t most;			/* private: of max, in one batch */
};
void spool_claim(struct spool *s, struct spool_claim *c);

/* --- settle: what became of an attempt ------------------------------- */

enum item_fate {
	FATE_STAY,			/* still ours, more to come */
	FATE_RELEASE,			/* nobody's until due_ms */
	FATE_DONE,			/* every recipient is through: remove */
};

struct settle_rcpt {
	size_t index;
	enum rcpt_state state;
	char *last;			/* owned, or NULL */
};

struct spool_settle {
	struct spool_op op;
	uint64_t id;
	enum item_fate fate;
	int64_t due_ms, warned_ms, paused_ms;
	unsigned attempts;
	char *last;			/* owned, or NULL */
	/* FATE_RELEASE of an item that was signed meanwhile: its new prefix,
	 * copied and owned, else empty. */
	struct buf prefix;
	size_t sealed;
	uint64_t sealed_by;
	struct settle_rcpt *rcpts;	/* owned */
	size_t rcpt_count;
	/* New items (delivery reports) in the same transaction, or NULL: a
	 * recipient never becomes RCPT_BOUNCED without its report being
	 * durable.  Owned by the caller like the settle itself. */
	struct spool_accept *also;
};
/* Never fails for good: comes home when it has been committed (or with
 * SPOOL_GONE).  Only spool_close gives up, when the store stays in trouble:
 * SPOOL_FAILED, and the next start finds the item as uncertain.  `last' NULL
 * leaves the words that were there. */
void spool_settle(struct spool *s, struct spool_settle *t);
void spool_settle_clear(struct spool_settle *t);	/* frees what it owns */

/* --- the operator's hand --------------------------------------------- */

enum spool_verb { SPOOL_HOLD, SPOOL_RELEASE, SPOOL_RETRY, SPOOL_REMOVE };

/* An item that an act has changed; words are borrowed. */
struct spool_met {
	uint64_t id;
	const char *from;		/* NULL: its row makes no sense */
	const char *to;			/* recipients, as many as there is room */
};

struct met_notes {			/* private */
	struct met_note *first, **last;
	size_t n;
};

struct spool_act {
	struct spool_op op;
	enum spool_verb verb;
	uint64_t *ids;			/* owned by the caller; NULL: all items */
	size_t n;
	char *route;			/* with ids NULL: only this route's */
	size_t changed;			/* how many rows it met */
	/* Called on the spool thread after the commit, for each of the first
	 * `tell' that were changed; NULL: nobody wants to know. */
	void (*met)(void *arg, const struct spool_met *m);
	void *met_arg;
	size_t tell;			/* lessened by those that were told */
	struct met_notes notes;		/* private */
	uint64_t at, ran_at;		/* private: large ones go in steps */
	size_t ran;			/* private */
	bool more;			/* private */
};
/* REMOVE leaves alone what is claimed, and so does RETRY.  HOLD on what is
 * claimed takes effect when it is released. */
void spool_act(struct spool *s, struct spool_act *a);

/* --- looking (any thread that may block: workers, admin) ------------- */

struct spool_reader;

struct spool_reader *spool_reader_open(struct spool *s, struct error *err);
void spool_reader_close(struct spool_reader **r);

struct spool_query {
	uint64_t after;			/* ids above this: paging */
	size_t max;
	const char *route;		/* or NULL */
	const char *address;		/* sender or recipient contains; or NULL */
	int held;			/* 1, 0, or -1 for either */
};
/* Calls row for each item, in order of id, with a complete item that is
 * borrowed until row returns and whose body is not in memory. */
bool spool_view(struct spool_reader *r, const struct spool_query *q,
		void (*row)(void *arg, const struct item *item), void *arg,
		struct error *err);
/* SPOOL_GONE without an error when there is no such item. */
enum spool_status spool_view_item(struct spool_reader *r, uint64_t id,
				  struct item **ret, struct error *err);

struct spool_counts {
	uint64_t items, held, due;	/* due: unclaimed, and the time has come */
	int64_t oldest_ms;		/* created, steady clock; 0: none */
};
bool spool_count(struct spool_reader *r, int64_t now_ms,
		 struct spool_counts *ret, struct error *err);

/* What waits for one route. */
struct spool_backlog {
	const char *route;		/* perhaps one that is gone */
	uint64_t items, held, claimed;
	int64_t oldest_ms;		/* created; steady clock, as the next */
	int64_t next_due_ms;		/* of those neither held nor claimed;
					 * 0: none is */
	const char *last;		/* words of the one that is due first
					 * of those that have any, or NULL */
};
/* Calls row for each route that has items, for those with most of them first,
 * and at most max times.  It goes over all items: less than half a second for
 * 100,000.  What row is given is borrowed until it returns. */
bool spool_backlogs(struct spool_reader *r, size_t max,
		    void (*row)(void *arg, const struct spool_backlog *b),
		    void *arg, struct error *err);

/* What was measured since the start; any thread. */
struct spool_stats {
	uint64_t commits, operations, accepted, settled, failed_batches;
	bool accepting;			/* false: full, or in trouble */
	char trouble[200];		/* why not, or "" */
};
void spool_stats(struct spool *s, struct spool_stats *ret);

/* --- bytes ----------------------------------------------------------- */

struct body_source;
struct loop;
/* The message of an item as a source for `loop': prefix, then body; from
 * memory, or read back by workers.  Borrows the item, which must outlive it. */
struct body_source *spool_source(struct spool *s, const struct item *item,
				 struct loop *loop);

#endif
