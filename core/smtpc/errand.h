/* errand.h - one message on its way through the engine
 *
 * Private to smtpc/.  An attempt looks for a connection (a kept one, or the
 * hosts of its plan and their addresses in order), has one client carry its
 * recipients, and settles each of them once.  It is freed by the loop after
 * `done' has been called.
 */
#ifndef SMTPC_ERRAND_H
#define SMTPC_ERRAND_H

#include "base/ip.h"
#include "base/loop.h"
#include "mail/dot.h"
#include "smtpc/smtpc.h"

struct client;

enum { ADDRESSES_PER_HOST = 16, PUT_OFF_MAX = 16 };

struct place {
	size_t host;			/* of the plan */
	struct ip ip;
};

/* What has become of one recipient. */
enum rcpt_state {
	RCPT_WAITS,		/* not in any transaction yet */
	RCPT_CHOSEN,		/* belongs to the transaction under way */
	RCPT_SAID,		/* its command has been said */
	RCPT_ACCEPTED,
	RCPT_SETTLED,
};

struct errand {
	struct smtpc *engine;
	struct loop *loop;
	struct errand *next, **prev;	/* all of the engine's */
	uint64_t ticket;
	const struct smtpc_plan *plan;
	const struct smtpc_message *m;
	const struct smtpc_events *events;
	void *arg;
	enum phase upto;		/* of a probe; PHASE_NONE: a message */
	struct client *client;		/* who carries it, or NULL */
	struct later later;

	/* the way to a server */
	size_t host;			/* of the plan: the next to look up */
	uint64_t lookup;		/* under way, or 0 */
	struct ip ips[ADDRESSES_PER_HOST];	/* of host - 1 */
	size_t ip_count, ip_next;
	struct place called;		/* last */
	struct place put_off[PUT_OFF_MAX];	/* were away: when all others
						 * have been tried */
	size_t put_off_count, put_off_next;
	struct outcome last;		/* why the latest server would not do */
	int64_t began_ms, greeted_ms, data_ms;	/* 0: not yet */

	/* the body: see transfer.c */
	uint64_t offset;
	struct dot_encoder dots;

	size_t unsettled;
	bool starting;			/* within smtpc_send() */
	bool fresh;			/* no kept connection any more */
	bool reading;			/* the body has been asked for bytes */
	bool failing;			/* `last' is for all, at the turn's end */
	bool cancelled;
	bool over;			/* dropped: freed at the turn's end, or
					 * when its source has answered */
	unsigned char rcpts[];		/* of enum rcpt_state */
};

struct errand *errand_new(struct smtpc *c, const struct smtpc_plan *plan,
			    const struct smtpc_message *m);

/* Begins, or begins again on a new connection. */
void errand_begin(struct errand *a);
/* At the end of this turn: goes on with the client that it holds, or with
 * what has been marked. */
void errand_later(struct errand *a);

const struct rcpt *errand_rcpt(const struct errand *a, size_t i);
int64_t errand_timeout_ms(const struct errand *a, enum smtpc_timeout t);

/* Settles one, all of a state, or all that are left.  Never ends the
 * attempt: that is errand_finish(), by whoever lets go of it. */
void errand_settle(struct errand *a, size_t i, const struct outcome *o);
void errand_settle_those(struct errand *a, enum rcpt_state s,
			  const struct outcome *o);
void errand_settle_rest(struct errand *a, const struct outcome *o);
void errand_finish(struct errand *a);

/* The client has let go of it: this server would not talk to us at all, so
 * the next one is asked; */
void errand_elsewhere(struct errand *a, const struct outcome *o);
/* or its TLS failed, and it is to be called again without; */
void errand_plainly(struct errand *a);
/* or the connection was a kept one that proved dead before it did anything;
 * or what is left has failed. */
void errand_again(struct errand *a);
void errand_fail(struct errand *a, const struct outcome *o);

/* Breaks it off at once, without a word; it is freed later. */
void errand_drop(struct errand *a);

#endif
