/* envelope.h - whom a message is from and whom it is for
 *
 * Built by an SMTP session (or read back from the spool), frozen when it is
 * complete, only read after that: a frozen envelope may be read by any
 * thread that was handed it.  It owns an arena; everything that can be got
 * from it is borrowed and lives as long as it does.
 * Grammar: RFC 5321 section 4.1.2; delivery reports: RFC 3461.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/budget.h"
#include "mail/command.h"

struct arena;

struct rcpt {
	struct address address;
	unsigned notify;		/* of enum dsn_notify; 0: not said */
	struct span orcpt;		/* "" : none */
};

struct envelope {
	struct arena *arena;
	struct address sender;
	enum body_kind body;		/* what MAIL said */
	bool smtputf8;
	enum dsn_ret ret;
	struct span envid;		/* xtext */
	struct rcpt *rcpts;
	size_t rcpt_count;
	bool frozen;
	/* private */
	size_t rcpt_room;
	uint32_t *sorted;		/* indexes of rcpts, by address */
	struct budget *budget;
	int64_t charged;
};

/* Copies what m says.  Caller owns the result. */
struct envelope *envelope_new(const struct mail_command *m);
void envelope_free(struct envelope **env);

/* Copies.  A recipient that is there already (address_eq) is not added a
 * second time.  Returns false when there are max of them. */
bool envelope_add(struct envelope *env, const struct rcpt_command *r,
		  size_t max);

/* What a stranger may make it grow to is charged to a budget: before a
 * recipient is added, false when there is no room for him.  The first
 * ENVELOPE_FREE bytes are not charged; the sessions are counted that have
 * them.  envelope_free gives all of it back, envelope_uncharge when somebody
 * else accounts for the envelope from now on. */
enum { ENVELOPE_FREE = 8 * 1024 };
bool envelope_afford(struct envelope *env, const struct rcpt_command *r,
		     struct budget *b);
/* Charges what it is, with room or without. */
void envelope_charge(struct envelope *env, struct budget *b);
void envelope_uncharge(struct envelope *env);
void envelope_freeze(struct envelope *env);

/* A new envelope with only those recipients whose index is listed. */
struct envelope *envelope_subset(const struct envelope *env,
				 const size_t *index, size_t n);

#endif
