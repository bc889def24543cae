/* hooks.h - asking the filters
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

/* list is the YAML list under `filters:' (NULL: an empty chain). */
struct filters *filters_open(const struct node *list,
			     const struct instance_place *place,
			     struct error *err);
void filters_close(struct filters **f);
bool filters_empty(const struct filters *f);
/* The same checks, without opening. */
bool filters_check(const struct node *list, struct diags *d);

enum hook { HOOK_CONNECT, HOOK_HELO, HOOK_MAIL, HOOK_RCPT, HOOK_MESSAGE };

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
	struct reply reply;		/* what a filter said; code 0: nothing */
	struct hooks_wait *wait;	/* private to hooks.c */
	struct arena *arena;		/* private: strings handed to filters */
};

void txn_init(struct postern_txn *txn, const struct txn_ops *ops);
/* Gives up a pending question, frees what the hooks made. */
void txn_fini(struct postern_txn *txn);

postern_verdict filters_ask(struct filters *f, enum hook hook,
			    struct postern_txn *txn);
/* on_end for those filters that were asked since the last one. */
void filters_end(struct filters *f, struct postern_txn *txn);

#endif
