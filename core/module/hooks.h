/* hooks.h - asking the filters
 *
 * Lives on one intake loop.
 *
 * A `filters' object is the chain of one `filters:' list on one intake loop:
 * an instance for each entry.  A txn is what the hooks see of a session; it
 * is embedded by smtpd/ and filled with borrowed facts.
 *
 * filters_ask() runs one hook through the chain.  It returns the verdict, or
 * POSTERN_PENDING: then `answered' of the txn is called later, on the loop,
 * with the final verdict, after the chain has gone on where it waited.
 */
#ifndef MODULE_HOOKS_H
#define MODULE_HOOKS_H

#include "base/loop.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "module/module.h"
#include "postern-plugin.h"

struct filters;
struct hooks_seen;
struct hooks_wait;

enum { FILTER_PATIENCE_MS = 60 * 1000 };	/* for a pending answer */

/* list is the YAML list under `filters:' (NULL: an empty chain). */
struct filters *filters_open(const struct node *list,
			     const struct instance_place *place,
			     struct error *err);
void filters_close(struct filters **f);
bool filters_empty(const struct filters *f);
/* The same checks, without opening; loads the modules.  complete: all modules
 * that the configuration names are loaded, so that an unknown one is an
 * error. */
bool filters_check(const struct node *list, bool complete, struct diags *d);
/* How long a pending answer may take, instead of FILTER_PATIENCE_MS. */
void filters_set_patience(struct filters *f, int64_t ms);

enum hook {
	HOOK_CONNECT, HOOK_HELO, HOOK_MAIL, HOOK_RCPT, HOOK_MESSAGE,
	HOOK_END,			/* filters_end() alone */
};

struct txn_ops {
	void (*answered)(struct postern_txn *txn, postern_verdict v);
};

struct postern_txn {
	const struct txn_ops *ops;
	const char *client, *helo;	/* borrowed, NUL-terminated */
	const struct envelope *env;	/* NULL before MAIL */
	const char *rcpt;		/* HOOK_RCPT: the one that is asked about */
	struct span head;		/* HOOK_MESSAGE: the header section */
	uint64_t size;
	struct buf *prefix;		/* HOOK_MESSAGE: where fields are added */
	struct reply reply;		/* for POSTERN_REJECT and POSTERN_DEFER:
					 * the filter's words, or standard ones */
	/* private to the hooks */
	struct hooks_wait *wait;	/* the question that is pending */
	struct hooks_seen *seen;	/* who is to hear of the end */
	struct hooks_seen *current;	/* who is being asked */
	enum hook hook;
	struct arena *arena;		/* strings handed to filters */
};

void txn_init(struct postern_txn *txn, const struct txn_ops *ops);
/* Gives up a pending question, frees what the hooks made.  filters_end() has
 * been called for every chain that was asked. */
void txn_fini(struct postern_txn *txn);

/* Never asks while a question of the same txn is pending. */
postern_verdict filters_ask(struct filters *f, enum hook hook,
			    struct postern_txn *txn);
/* on_end for those filters that were asked since the last one; gives up a
 * question of theirs that is pending.  Does nothing for one that was not
 * asked.  A txn may be with several chains: the gateway's and its routes'. */
void filters_end(struct filters *f, struct postern_txn *txn);

#endif
