/* smtpc.h - the SMTP client engine: carries messages to a next hop
 *
 * Lives on the delivery loop.  It knows no configuration and no queue: it is
 * given a plan (where, how, how patiently) and a message (envelope, which of
 * its recipients, body), and tells what became of each recipient.  What an
 * outcome means is not decided here.
 *
 * An address that could not be reached is tried after the others of its plan
 * for a while (away.h).
 *
 * Connections are kept for a while and used again for the next message with
 * the same host, port, name, source address, TLS and login.  What a server
 * offers is made use of: PIPELINING, SIZE, 8BITMIME, SMTPUTF8, DSN, LIMITS.
 *
 * RFC 5321 (SMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531
 * (SMTPUTF8), 3461 (DSN), 9422 (LIMITS), 3207 (STARTTLS), 4954 (AUTH).
 */
#ifndef SMTPC_SMTPC_H
#define SMTPC_SMTPC_H

#include "io/tls.h"
#include "mail/auth.h"
#include "mail/body.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

struct dns;
struct ip;
struct loop;
struct smtpc;

/* What is waited for, each with a patience of its own.  The order is that of
 * postern_smtp_plan.timeouts_ms. */
enum smtpc_timeout {
	SMTPC_CONNECT,
	SMTPC_GREETING,
	SMTPC_EHLO,		/* also HELO and RSET */
	SMTPC_MAIL,
	SMTPC_RCPT,
	SMTPC_DATA,
	SMTPC_BLOCK,		/* until some of the message can be sent on */
	SMTPC_DOT,
	SMTPC_QUIT,
	SMTPC_TLS,		/* the handshake */
	SMTPC_AUTH,		/* each step of it */
	SMTPC_TIMEOUTS,
};

/* One row for each: the key under `timeouts:', how long it is unless said
 * otherwise, and a sentence for the manual. */
struct smtpc_timeout_row {
	const char *key;
	int64_t default_ms;
	const char *help;
};
extern const struct smtpc_timeout_row smtpc_timeout_rows[SMTPC_TIMEOUTS];

enum { SMTPC_IDLE_MS = 5000, SMTPC_REUSE = 100 };	/* the defaults */

/* Borrowed, with all it points to, until done.  Zeroes are the defaults. */
struct smtpc_plan {
	const char *const *hosts;	/* names or addresses, in order */
	size_t host_count;		/* at least 1 */
	bool hosts_written;		/* by the administrator: see dns.h */
	uint16_t port;			/* 0: 25 */
	const char *helo;		/* our name; NULL: the address that we
					 * connect from, in brackets */
	/* Who answers EHLO by this name is us, too (smtpc_know()), whom the
	 * message would only reach again: the attempt ends.  NULL: does not
	 * matter. */
	const char *self;
	const struct ip *source;	/* NULL: any */
	unsigned reuse;			/* messages for each connection */
	int64_t idle_ms;		/* how long it is kept between them */
	int64_t timeouts_ms[SMTPC_TIMEOUTS];
	/* TLS_OPPORTUNISTIC: a server whose handshake fails is spoken to in
	 * the clear.  implicit: TLS before the greeting; not with that. */
	enum tls_policy tls;
	bool implicit;
	const char *server_name;	/* to verify; NULL: the host's */
	struct tls_identity *identity;	/* NULL: none to show */
	struct tls_trust *trust;	/* for TLS_VERIFY */
	/* Its secret leaves by TLS alone: without it the attempt fails.  host
	 * and port are filled in by the engine. */
	struct auth_credentials auth;
};

/* Borrowed, with all it points to, until done. */
struct smtpc_message {
	const char *id;			/* for debug lines */
	const struct envelope *env;
	const size_t *rcpts;		/* indexes into env->rcpts */
	size_t rcpt_count;		/* at least 1 */
	struct body_source *body;
};

/* Neither is called before smtpc_send() has returned. */
struct smtpc_events {
	/* Exactly once for each recipient; i is the place in message.rcpts.
	 * o is borrowed until this returns. */
	void (*settled)(void *arg, size_t i, const struct outcome *o);
	/* Once, after the last of them: nothing that was lent is looked at
	 * any more, and the ticket is over.  Sending the next message from
	 * here gives it the connection that has just become free. */
	void (*done)(void *arg);
};

struct smtpc *smtpc_new(struct loop *loop, struct dns *dns);
/* On its loop.  Idle connections are closed, what is under way is broken off
 * and forgotten: nothing is called any more, and what was lent is free. */
void smtpc_free(struct smtpc **c);

/* A server whose reply to EHLO has these words behind its name is this very
 * gateway: nothing is given to it.  Borrowed; "" or NULL: nobody is. */
void smtpc_know(struct smtpc *c, const char *mark);

/* Begins one attempt; its ticket. */
uint64_t smtpc_send(struct smtpc *c, const struct smtpc_plan *plan,
		    const struct smtpc_message *m,
		    const struct smtpc_events *ev, void *arg);

/* Begins a probe: one that connects anew, goes as far as a phase (PHASE_EHLO,
 * PHASE_STARTTLS or PHASE_AUTH; TLS and login only where the plan has them),
 * says QUIT and carries no message.  settled is called for the number 0: with
 * the reply that let us in, or with what came in its way. */
uint64_t smtpc_probe(struct smtpc *c, const struct smtpc_plan *plan,
		     enum phase upto, const struct smtpc_events *ev,
		     void *arg);

/* Breaks the attempt off: what is not settled is settled soon, as
 * OUTCOME_LOCAL, then done.  A ticket that is over is ignored. */
void smtpc_cancel(struct smtpc *c, uint64_t ticket);
/* Breaks a probe off at once: none of its events is called any more, and
 * what was lent to it is free.  A ticket that is over is ignored. */
void smtpc_forget(struct smtpc *c, uint64_t ticket);

/* Says QUIT on all idle connections, as before a stop. */
void smtpc_quit_idle(struct smtpc *c);

/* For status and metrics. */
struct smtpc_counts {
	size_t attempts;		/* under way */
	size_t connections;		/* open or being opened, with */
	size_t idle;			/* those that wait for a message */
	uint64_t connects, reuses;	/* since the start */
};
struct smtpc_counts smtpc_count(const struct smtpc *c);

#endif
