/* inside.h - the spool's own struct; for spool.c, batch.c and ops.c alone
 *
 * Marked by who touches it: what is not atomic and not under `lock' belongs
 * to the spool thread, or does not change after spool_open.
 */
#ifndef SPOOL_INSIDE_H
#define SPOOL_INSIDE_H

#include "spool/store.h"

#include <pthread.h>

enum { PORTION_MOST = 1000 };

struct op_list {
	struct letter *first, **last;
	size_t n;
};

struct spool {
	struct spool_hooks hooks;
	struct mailbox *mailbox;
	struct workers *workers;
	struct budget *budget;
	struct store *store;
	const struct store_ops *ops;
	pthread_t thread;
	struct letter stop;

	/* the spool thread */
	struct op_list ready;		/* taken from the mailbox */
	struct op_list kept;		/* of a failed batch: to be tried again */
	struct op_list batch;		/* in the transaction */
	bool stopping;
	bool broken;			/* the store wants to be proved */
	size_t portion;			/* rows, or kept ones, tried at once */
	unsigned failures;		/* in a row */
	int64_t retry_ms;		/* when the kept ones may try again */
	int64_t space_ms;		/* when free space was looked at, and */
	int64_t space_wanted;		/* how much of it was wanted then */
	bool full;			/* a batch found no room */
	int64_t full_until_ms;		/* then it is looked for again */
	bool space;
	int64_t due_ms;			/* earliest of what became unclaimed */
	struct doubt *doubts;
	size_t doubt_count, doubt_room;
	struct ids doubt_files;

	/* everybody */
	pthread_mutex_t lock;
	pthread_cond_t left;
	unsigned users;			/* reads on workers; under lock */
	struct spool_reader *readers;	/* the pool; under lock */
	unsigned reader_count;
	enum spool_status trouble_status;	/* under lock, with trouble */
	struct error trouble;
	_Atomic int64_t free_space;
	_Atomic bool accepting;
	_Atomic bool closing;
	_Atomic uint64_t commits, operations, accepted, settled;
	_Atomic uint64_t failed_batches;
};

/* What is particular to an operation (ops.c). */
struct op_kind {
	bool keeps;		/* tried again when its batch fails */
	bool takes;		/* makes the store larger by what a client sent */
	enum store_result (*run)(struct spool *s, struct spool_op *op);
	/* Its transaction is durable.  False: there is another step. */
	bool (*committed)(struct spool *s, struct spool_op *op);
	/* Its transaction is rolled back; in doubt: perhaps it was not. */
	void (*undo)(struct spool *s, struct spool_op *op, bool doubt);
	/* It will not be tried again; NULL: nothing to do. */
	void (*abandon)(struct spool *s, struct spool_op *op);
	/* bytes that it brings into a transaction */
	size_t (*weight)(const struct spool_op *op);
};

void op_list_init(struct op_list *l);
void op_list_add(struct op_list *l, struct spool_op *op);
struct spool_op *op_list_take(struct op_list *l);	/* the first, or NULL */

void op_post(struct spool *s, struct spool_op *op, const struct op_kind *kind);
void op_home(struct spool_op *op);	/* it is its owner's again */
void doubt_add(struct spool *s, uint64_t id, bool remove);
void spool_due(struct spool *s, int64_t due_ms);

void *spool_main(void *spool);		/* the thread (batch.c) */

#endif
