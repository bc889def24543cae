/* item.h - one message on one route, as it is kept
 *
 * An item is a record that travels: made by intake, made durable by the
 * spool, delivered by dispatch.  Exactly one thread owns it at a time and
 * hands it over by its letter; its envelope is frozen.
 *
 * What is sent is `prefix' (the header fields that we put in front) and then
 * the body, which is what was accepted.  Items of one message share a body,
 * each has its own prefix.
 */
#ifndef SPOOL_ITEM_H
#define SPOOL_ITEM_H

#include "base/budget.h"
#include "base/buf.h"
#include "base/mailbox.h"
#include "mail/envelope.h"

struct files;

/* A sealed body.  Counted by references (atomic); the last one frees the
 * memory and gives it back to the budget.  The stored bytes are the spool's
 * and stay until the last item that names them is gone; a file that no
 * committed item names goes with the last reference.  Between its making and
 * its accept one thread owns it: the bytes are not changed after that. */
struct body {
	_Atomic unsigned refs;
	uint64_t id;			/* the message's id; names it in the spool */
	uint64_t size;
	bool has_8bit;			/* anywhere in it */
	bool header_8bit;		/* in its header section */
	bool in_file;			/* else in a row */
	struct buf bytes;		/* all of it, or empty: read it back */
	struct budget *budget;		/* charged with bytes.cap; or NULL */
	struct files *files;		/* the spool's own; NULL elsewhere */
};
/* Zeroed memory with refs = 1 is a body.  Any thread. */
struct body *body_ref(struct body *b);
void body_unref(struct body **b);
/* Gives the memory back early; only by who owns all references. */
void body_forget_bytes(struct body *b);
static inline bool
body_in_memory(const struct body *b)
{
	return b->bytes.len == b->size;
}

enum rcpt_state { RCPT_QUEUED, RCPT_DELIVERED, RCPT_BOUNCED };

struct item_rcpt {
	enum rcpt_state state;
	char *last;			/* words of its last outcome, or NULL */
};

/* What is known of where a message came from; kept for routing again, for
 * the trace and for people.  All owned strings, NULL when not known. */
struct origin {
	char *client;			/* address */
	char *helo, *user, *listener;
	char *message_id;
};

struct item {
	struct letter letter;		/* for whoever hands it over */
	uint64_t id;			/* message id * 64 + ordinal */
	char *route;
	struct envelope *env;		/* frozen */
	struct item_rcpt *rcpts;	/* env->rcpt_count of them */
	struct origin origin;
	struct buf prefix;		/* BUF_MAX(LIMIT_PREFIX) */
	/* The signatures that the prefix begins with: how long they are, and
	 * the number of the keys that made them; 0: it is not signed. */
	size_t sealed;
	uint64_t sealed_by;
	struct body *body;		/* never NULL; perhaps not in memory */
	int64_t created_ms, due_ms;	/* steady clock, as all of these */
	int64_t warned_ms;		/* a delay was told; 0: not yet */
	int64_t paused_ms;		/* how long it waited for paused routes */
	unsigned attempts;
	unsigned lane;			/* 0 goes first */
	bool held;
	bool uncertain;			/* another boot had it in flight */
	bool claimed;			/* ours since it was inserted */
	int64_t weight;			/* bytes, as dispatch counts them; 0:
					 * it does not */
	char *last;			/* words of the last attempt, or NULL */
};

struct item *item_new(void);		/* zeroed, with its buffer's maximum */
void item_free(struct item **item);

/* "1M5Z8K3QXA", for the second item of a message "1M5Z8K3QXA-2". */
enum { ITEM_TEXT = 16, ITEM_ORDINALS = 64 };
const char *item_id_text(uint64_t id, char *buf);	/* of ITEM_TEXT */
bool item_id_parse(struct span s, uint64_t *ret);
static inline uint64_t
item_message(uint64_t id)
{
	return id / ITEM_ORDINALS;
}

/* Message ids: unique in a spool's life, rising.  Any thread. */
void message_id_seed(uint64_t above);	/* at start: the highest in the spool */
uint64_t message_id_next(void);

/* How old it is, the pauses of its routes not counted; never negative.  now_ms:
 * the steady clock. */
static inline int64_t
item_age_ms(const struct item *item, int64_t now_ms)
{
	int64_t age_ms = now_ms - item->created_ms - item->paused_ms;

	return age_ms > 0 ? age_ms : 0;
}

/* prefix + body in octets */
static inline uint64_t
item_size(const struct item *item)
{
	return item->prefix.len + item->body->size;
}

#endif
