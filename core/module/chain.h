/* chain.h - a chain of filters as this room sees it; for no other */
#ifndef MODULE_CHAIN_H
#define MODULE_CHAIN_H

#include "module/hooks.h"
#include "module/instance.h"

struct filters {
	struct loop *loop;
	int64_t patience_ms;
	size_t n;
	struct postern_instance **v;
};

/* A filter that a transaction has met: it hears of the end. */
struct hooks_seen {
	struct hooks_seen *next;
	struct filters *chain;
	size_t place;			/* in the chain */
	bool begun;			/* on_end is due */
	void *data;			/* postern_txn_data() */
	size_t data_size;
};

typedef postern_verdict hooks_answer_fn(void *arg, postern_txn *txn);

/* --- wait.c: tickets ------------------------------------------------- */

/* A question that is pending.  Made with its ticket; armed when the filter
 * returns POSTERN_PENDING. */
struct hooks_wait {
	struct letter letter;		/* the answer, on its way to the loop */
	uint64_t ticket;
	struct loop *loop;
	struct postern_txn *txn;	/* NULL: given up */
	struct filters *chain;
	size_t place;
	struct timer patience;
	struct later later;		/* for its end */
	/* under the lock of the table of tickets */
	bool redeemed;
	postern_verdict verdict;
	hooks_answer_fn *answer;
	void *arg;
};

struct hooks_wait *wait_new(struct filters *chain, size_t place,
			    struct postern_txn *txn);
/* Closes the ticket, forgets the transaction.  What was redeemed meanwhile is
 * thrown away when it arrives.  *w is NULL then. */
void wait_give_up(struct hooks_wait **w);

/* --- hooks.c --------------------------------------------------------- */

/* The answer to txn's pending question, or (w->answer and verdict unset) the
 * end of patience; w is freed. */
void hooks_answered(struct hooks_wait *w);
void hooks_timed_out(struct hooks_wait *w);

#endif
