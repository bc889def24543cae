/* client.h - one connection of the engine
 *
 * Private to smtpc/.  A client talks to one server: it connects, says EHLO,
 * carries transactions for one attempt after another, waits in the pool
 * between them, says QUIT.  What it says and hears is the table in
 * dialogue.c; client.c moves it along that table.  It is freed by the loop
 * when it has been in ST_CLOSED.
 */
#ifndef SMTPC_CLIENT_H
#define SMTPC_CLIENT_H

#include "base/ip.h"
#include "base/loop.h"
#include "io/stream.h"
#include "mail/reply.h"
#include "smtpc/smtpc.h"

struct errand;

enum state {
	ST_CONNECT,
	ST_GREETING,
	ST_EHLO,
	ST_HELO,
	ST_STARTTLS,
	ST_SHAKE,		/* the TLS handshake */
	ST_AUTH,
	ST_AUTH_STEP,
	ST_IDLE,		/* in the pool */
	ST_MAIL,
	ST_RCPT,
	ST_DATA,
	ST_BODY,		/* not all of the message has been written */
	ST_DOT,
	ST_NO_BODY,		/* 354 came, but there is nobody to send to */
	ST_RSET,
	ST_QUIT,
	ST_CLOSED,
	STATES,
};

/* What the server said to EHLO. */
struct offers {
	bool pipelining, eightbit, smtputf8, dsn, size, starttls;
	unsigned auth;			/* bits of enum auth_mechanism */
	uint64_t size_max;		/* 0: no limit was named */
	unsigned mail_max, rcpt_max;	/* RFC 9422; 0: no limit */
};

/* Patience: the plan's timeouts, how long to be idle, and for ever. */
enum { PATIENCE_IDLE = SMTPC_TIMEOUTS, PATIENCE_NONE, PATIENCES };

/* What another attempt must have in common with the one that made a
 * connection, to use it.  All owned. */
struct kinship {
	char *host, *helo, *server_name;
	char *self;			/* "" : no name of ours was looked for */
	char *user;			/* "" : nobody logs in */
	struct buf secret;		/* wiped */
	unsigned mechanisms;
	uint16_t port;
	struct ip source;		/* family 0: any */
	enum tls_policy tls;
	bool implicit;
	bool hosts_written;		/* see smtpc_plan */
	struct tls_identity *identity;	/* or NULL */
	struct tls_trust *trust;	/* or NULL */
};

struct client {
	struct smtpc *engine;
	struct client *next, **prev;	/* all of the engine's */
	struct client *idle_next, *idle_prev;	/* when pooled */
	struct stream *stream;		/* NULL once closed */
	struct reply_parser parser;
	struct later later;
	struct errand *errand;	/* who it works for, or NULL */
	enum state state;

	struct kinship kin;

	struct endpoint to;
	char where[256];		/* "mx1.example.org[192.0.2.1]:25" */
	struct offers offers;
	int64_t patience_ms[PATIENCES];
	unsigned messages, reuse;	/* transactions begun; at most */
	size_t pending;			/* at the last look: does it move? */

	enum auth_mechanism mechanism;	/* of the login under way */
	unsigned auth_step;
	bool auth_at_once;		/* the response stands in AUTH's line */
	unsigned auth_refused;		/* mechanisms, bits */
	bool greeted;
	bool secured;			/* by TLS */
	bool plainly;			/* opportunistic, and TLS had failed */

	/* the transaction */
	size_t rcpt_said;		/* commands whose replies are due */
	size_t rcpt_at;			/* those before have their replies */
	size_t accepted;
	bool ahead;			/* all up to DATA has been said */
	bool sent;			/* all of the message has been put out */
	bool pumping;			/* transfer.c is at it */

	bool pooled;			/* is in the pool's list */
	bool kept;			/* came from the pool */
	bool heard;			/* has said something since, or since
					 * TLS began */
	bool uncalled;			/* bytes came before we had spoken */
};

/* --- client.c: life, and moving along the table ---------------------- */

/* Connects for a, which it then works for.  plainly: without TLS, where it
 * is opportunistic. */
struct client *client_connect(struct errand *a, struct endpoint to,
			      const char *host, bool plainly);
/* From now on c works for a, by a's plan. */
void client_adopt(struct client *c, struct errand *a);

/* The only place that changes a state. */
void client_go(struct client *c, enum state next);

/* Host, DSN and the times, as far as they are known now. */
void client_facts(const struct client *c, struct outcome *o);

/* The server has let us down: the attempt is told, and the connection ends
 * (next: ST_QUIT for a server that still talks to us, else ST_CLOSED). */
void client_fail(struct client *c, struct outcome *o, enum state next);
/* The same, for a break of the protocol or of the connection. */
void client_broken(struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Cuts the connection off, in the middle of whatever it is; the attempt is
 * let go of and not told. */
void client_cut(struct client *c);

/* Enters ST_CLOSED. */
void client_shut(struct client *c);

/* --- pool.c: connections that wait ----------------------------------- */

void pool_put(struct client *c);	/* enters ST_IDLE */
void pool_leave(struct client *c);

/* Takes one out for a, who adopts it; it stays in ST_IDLE.  The hosts of the
 * plan are gone through in order.  NULL: none is there. */
struct client *pool_take(struct errand *a);

/* --- dialogue.c: the table ------------------------------------------- */

struct state_row {
	const char *name;
	enum phase phase;
	unsigned patience;		/* index into patience_ms */
	bool speaks;			/* enter says something that nobody has
					 * said ahead */
	void (*enter)(struct client *c);
	/* NULL: no reply is due. */
	enum state (*reply)(struct client *c, const struct smtp_reply *r);
};
extern const struct state_row client_rows[STATES];

bool reply_class(const struct smtp_reply *r, int class);
/* A reply that is no success and ends the connection: the server does not
 * want us, or what it says has no meaning here.  The state to go to. */
enum state heard_refusal(struct client *c, const struct smtp_reply *r);

/* Chooses the next recipients and returns ST_MAIL, or where to go when none
 * is left; settles those that this server cannot take. */
enum state transaction_begin(struct client *c);
/* Whether transaction_begin() would settle nobody. */
bool transaction_fits(const struct client *c);

/* --- kinship.c ------------------------------------------------------- */

void kinship_init(struct kinship *k, const struct smtpc_plan *p,
		  const char *host);
void kinship_fini(struct kinship *k);
/* Pure: whether a plan, on its way to host, may use such a connection. */
bool kinship_holds(const struct kinship *k, const struct smtpc_plan *p,
		   const char *host);

/* --- secure.c: STARTTLS, TLS and AUTH --------------------------------- */

/* After the reply r to EHLO (or HELO), or to a STARTTLS that may fail: what
 * comes before the transaction, if anything. */
enum state secure_next(struct client *c, const struct smtp_reply *r);
void secure_shaken(struct client *c);	/* the handshake is done */
/* "TLS1.3 AES-256-GCM, verified, our certificate sent"; "" in the clear. */
void secure_facts(const struct client *c, struct outcome *o);

/* For their rows in the table. */
void enter_starttls(struct client *c);
enum state on_starttls(struct client *c, const struct smtp_reply *r);
void enter_shake(struct client *c);
void enter_auth(struct client *c);
enum state on_auth(struct client *c, const struct smtp_reply *r);

/* What is said to the challenge with number step, without the line's end. */
enum auth_say login_line(const struct client *c, unsigned step,
			 struct buf *line);
#define LOGIN_LINE BUF_MAX(4 * AUTH_TOKEN_MAX)

/* --- hide.c ----------------------------------------------------------- */

/* Writes stars over what of our login stands in text, which the server said
 * before it let us in. */
void hide_login(const struct client *c, char *text, size_t n);

/* --- ehlo.c, say.c, transfer.c --------------------------------------- */

struct offers offers_parse(struct span text);

/* Add one command to the output. */
void say_hello(struct client *c, const char *verb);
void say_mail(struct client *c);
void say_rcpt(struct client *c, const struct rcpt *r);
void say_line(struct client *c, struct span line);


bool needs_smtputf8(const struct errand *a);

/* Puts the message out, as the connection takes it. */
void transfer_begin(struct client *c);
void transfer_drained(struct client *c);
void transfer_failed(struct client *c, const char *why);

#endif
