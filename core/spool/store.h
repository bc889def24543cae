/* store.h - what a store does for the spool; private to this room
 *
 * spool.c has the thread, the batches and what happens when one fails; a
 * store has rows.  All but the reader's functions are called on the spool
 * thread (open and close before and after it), never two at once.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include "spool/files.h"
#include "spool/spool.h"

enum store_result {
	STORE_OK,
	STORE_GONE,		/* there is no such item */
	STORE_REFUSED,		/* this operation is at fault; it left nothing */
	STORE_FULL,		/* no space; the store itself is sound */
	STORE_FAILED,		/* not now; the store itself is sound */
	STORE_BROKEN,		/* I/O: reopen and prove it before all else */
};

struct store_ops;
struct backlogs;

/* --- met.c: what an act meets ------------------------------------------- */

/* Whether a note is wanted of the next item. */
bool met_wants(const struct spool_act *a);
/* Of an item that was changed; NULL: it cannot be read. */
void met_add(struct spool_act *a, uint64_t id, const struct item *item);
void met_tell(struct spool_act *a);	/* after the commit */
void met_clear(struct spool_act *a);

/* What house-keeping there is time, or need, for. */
enum store_house {
	HOUSE_BUSY,		/* between batches: what must be */
	HOUSE_IDLE,		/* nothing else is to be done */
	HOUSE_FULL,		/* the disk is full: give back what can be */
};

/* A list of ids. */
struct ids {
	uint64_t *v;
	size_t n, room;
};
void ids_add(struct ids *ids, uint64_t id);
void ids_fini(struct ids *ids);

/* Whether a claim takes more; room is what is left of c->room, and is
 * lessened by the last item that it took. */
bool claim_goes_on(const struct spool_claim *c, int64_t *room);

/* Begins each store's own struct. */
struct store {
	const struct store_ops *ops;
	char *folder;			/* NULL: memory */
	struct files *files;		/* NULL: memory */
	uint64_t owner;			/* this boot's id */
	uint64_t seed;			/* the highest message id at the start */
	bool unproved;			/* it could not be opened for want of
					 * room, as `why' says: prove() first */
	struct error why;
	struct ids gone;		/* bodies' files to unlink when committed */
	bool dirty;			/* housekeep() has something to do */
};

/* One of the n operations of a message's accept was perhaps committed by a
 * batch that failed: what proof() is to put right. */
struct doubt {
	uint64_t id;
	bool remove;			/* else: it becomes nobody's again */
};

struct store_ops {
	struct store *(*open)(const struct spool_config *c, struct error *err);
	void (*close)(struct store **st);
	/* After STORE_BROKEN: opens anew, and commits a test row together
	 * with the putting right of doubts. */
	bool (*prove)(struct store *st, const struct doubt *doubts, size_t n,
		      struct error *err);

	enum store_result (*begin)(struct store *st, struct error *err);
	enum store_result (*commit)(struct store *st, struct error *err);
	void (*rollback)(struct store *st);

	enum store_result (*accept)(struct store *st, struct spool_accept *a,
				    struct error *err);
	enum store_result (*claim)(struct store *st, struct spool_claim *c,
				   struct error *err);
	/* what comes with it in `also' was accepted just before */
	enum store_result (*settle)(struct store *st, struct spool_settle *t,
				    struct error *err);
	/* Goes on from a->at, at most `max' rows; moves a->ran_at and a->ran.
	 * *more: not through yet. */
	enum store_result (*act)(struct store *st, struct spool_act *a,
				 size_t max, bool *more, struct error *err);
	/* STORE_OK, or STORE_GONE */
	enum store_result (*exists)(struct store *st, uint64_t id,
				    struct error *err);
	/* When the next unclaimed item is due; -1: there is none. */
	int64_t (*next_due)(struct store *st);
	/* Between batches. */
	enum store_result (*housekeep)(struct store *st, enum store_house how,
				       struct error *err);

	/* A reader belongs to one thread at a time. */
	struct spool_reader *(*reader_open)(struct store *st,
					    struct error *err);
	void (*reader_close)(struct spool_reader **r);
	/* Rows of which there are at most max, in order. */
	bool (*view)(struct spool_reader *r, const struct spool_query *q,
		     void (*row)(void *arg, const struct item *item),
		     void *arg, struct error *err);
	enum spool_status (*view_item)(struct spool_reader *r, uint64_t id,
				       struct item **ret, struct error *err);
	bool (*count)(struct spool_reader *r, int64_t now_ms,
		      struct spool_counts *ret, struct error *err);
	/* Adds every item. */
	bool (*backlogs)(struct spool_reader *r, struct backlogs *all,
			 struct error *err);
	/* A piece of a body that is in a row; *got is 0 at the end. */
	bool (*read_row)(struct spool_reader *r, uint64_t id, uint64_t offset,
			 char *to, size_t max, size_t *got, struct error *err);
	/* Whether a body of this id is in the store, as a row or a file. */
	bool (*has_body)(struct spool_reader *r, uint64_t id, bool *ret,
			 struct error *err);
};

/* Begins each store's own reader. */
struct spool_reader {
	const struct store_ops *ops;
	struct spool *spool;
	struct spool_reader *next;	/* in the pool */
};

extern const struct store_ops sqlite_store, memory_store;

/* --- what spool.c offers to draft.c and source.c --------------------- */

struct files *spool_files(const struct spool *s);	/* NULL: memory */
struct budget *spool_budget(const struct spool *s);	/* or NULL */
struct workers *spool_workers(const struct spool *s);
/* False when bodies need not be taken in; why says so. */
bool spool_accepts(struct spool *s, enum spool_status *status,
		   struct error *why);

/* The pool of readers, for what reads back bodies on workers. */
struct spool_reader *readers_take(struct spool *s, struct error *err);
void readers_give(struct spool *s, struct spool_reader *r);
/* A piece of a stored body, wherever it is.  Blocks. */
bool body_pread(struct spool *s, const struct body *b, uint64_t offset,
		char *to, size_t max, size_t *got, struct error *err);

/* How many such reads are on workers: spool_close waits for them. */
void spool_enter(struct spool *s);
void spool_leave(struct spool *s);

#endif
