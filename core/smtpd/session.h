/* session.h - one connection of a client, and the transaction in it
 *
 * Private to this room.  A session lives on its intake loop from
 * session_start() to session_close(), which any handler may call: the memory
 * is freed by the loop afterwards.  Input is processed as long as there is
 * some and nothing is waited for; replies are gathered and leave in one
 * write when the turn is over.
 *
 * Waiting happens in exactly these places: a filter was asked, the draft or
 * the client cannot take more bytes, a message is being committed, TLS is
 * being agreed on.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "io/stream.h"
#include "mail/command.h"
#include "mail/fixup.h"
#include "mail/reply.h"
#include "module/hooks.h"
#include "smtpd/server.h"
#include "spool/draft.h"

struct command_row;

/* What the bytes that arrive are; rows in session.c. */
enum input {
	INPUT_COMMAND,
	INPUT_RESYNC,		/* the rest of a line that was too long */
	INPUT_DATA,
	INPUT_DATA_REFUSED,	/* DATA that is read to be forgotten */
	INPUT_CHUNK,
	INPUT_CHUNK_REFUSED,
	INPUT_IGNORED,		/* the session ends */
	INPUT_KINDS,
};

enum wait {
	WAIT_NONE,
	WAIT_FILTER,		/* an answer is pending */
	WAIT_DRAFT,		/* memory or the disk is behind */
	WAIT_COMMIT,
	WAIT_OUTPUT,		/* the client does not read its replies */
	WAIT_TLS,		/* the last reply in the clear, a handshake */
};

/* What a session has, as far as a command may need it. */
enum have {
	HAVE_HELLO = 1 << 0,
	HAVE_NO_SENDER = 1 << 1,
	HAVE_SENDER = 1 << 2,
	HAVE_NO_CHUNK = 1 << 3,	/* no BDAT has begun the message */
	HAVE_RCPT = 1 << 4,
	HAVE_TLS = 1 << 5,	/* or need none here */
};

struct transaction {
	struct generation *gen;		/* held from MAIL, or while asking */
	struct envelope *env;		/* from MAIL's check on */
	bool open;			/* MAIL was accepted */
	bool chunked;			/* a BDAT was accepted */
	bool discarded;			/* by a filter */
	bool routes_asked;		/* filters of routes were asked */
	uint64_t id;			/* of the message; 0: none yet */
	struct draft *draft;
	struct fixup fixup;		/* what stands before the draft */
	struct commit *commit;		/* being prepared */
	size_t asking;			/* whose filters are asked: 0 the
					 * gateway's, i + 1 the item's */
	unsigned char *kept;		/* of its facts: owned */
};

/* What the command in progress said, between its two halves; spans point
 * into the input, which is not read into meanwhile. */
union parsed {
	struct span name;		/* EHLO, HELO */
	struct mail_command mail;
	struct rcpt_command rcpt;
};

/* What is told of a session that ends without a message; see trace.c. */
enum told {
	TOLD_NOT,
	TOLD,				/* a refusal had its line */
	TOLD_HELD_BACK,			/* it had none, lest there be too many */
};

struct trace {
	unsigned seen;			/* of enum seen */
	enum told told;
	bool tried;			/* to send, since the last message */
	bool had_message;		/* one was accepted */
	bool over;
	int64_t began_ms;		/* monotonic */
	const char *last;		/* the command's verb, or "" */
	char answer[160];		/* what it was answered */
	char name[80];			/* of EHLO, right or wrong; or "" */
};

struct session {
	struct smtpd *server;
	struct stream *stream;
	struct session *next, **link;	/* the server's list */
	struct later freed;
	uint64_t ticket;
	struct ip client;
	char client_text[IP_TEXT];
	char listener[ENDPOINT_TEXT + 8];
	char *helo;			/* owned; NULL: nothing yet */
	bool extended;			/* it was EHLO */
	int tls;			/* the listener's: enum listener_tls */
	bool secured;			/* TLS is spoken */
	bool shaking;			/* its handshake is under way */
	bool stepping;			/* session_step() is at work */
	bool peer_done;			/* the client sends no more */
	bool closing;			/* close when all is written */
	bool linger;			/* ... and the client has had time */
	bool moved;			/* a command was done in this step */
	bool quiet;			/* the refusal has been logged */
	enum input input;
	enum wait wait;
	unsigned bad;			/* commands without sense */
	const struct command_row *command;	/* in progress */
	size_t line;			/* its bytes in the input */
	size_t scanned;			/* bytes without a line end */
	union parsed parsed;
	uint64_t chunk_size, chunk_left;	/* BDAT's octets */
	bool chunk_last;
	struct reply *refusal;		/* for *_REFUSED; owned */
	struct transaction tx;
	struct postern_txn txn;		/* what filters see */
	char *asked_rcpt;		/* owned: for HOOK_RCPT */
	struct trace trace;
};

/* --- session.c ------------------------------------------------------- */

void session_start(struct smtpd *server, int fd, struct endpoint peer,
		   const struct listener_config *where);
/* Ends it now; what waits to be written is lost. */
void session_close(struct session *s);
/* The server stops: says so, unless a transaction is open. */
void session_stop(struct session *s);

/* Gives a reply, and with it ends the command in progress. */
void session_answer(struct session *s, const struct reply *r);
/* The line of the command in progress is not needed any more. */
void session_drop_line(struct session *s);
/* Waits.  But for a commit the stream is paused, so that spans into its input
 * stay good. */
void session_sleep(struct session *s, enum wait why);
/* What was waited for has come; after this session_step(). */
void session_wake(struct session *s);
/* Processes the input as far as it goes; does nothing when it is at work
 * already (further up the stack). */
void session_step(struct session *s);

const struct smtpd_config *session_config(const struct session *s);

/* --- refusal.c ------------------------------------------------------- */

/* Where the end of the session will say more (sign, of enum seen), its line is
 * enough. */
void session_log_refusal(struct session *s, const struct reply *r,
			 unsigned sign);

/* --- trace.c --------------------------------------------------------- */

void trace_begin(struct session *s);
/* The name in EHLO or HELO, whether it is one or not. */
void trace_name(struct session *s, struct span name);
/* A command was answered; of enum seen, what its refusal says by itself. */
unsigned trace_answer(struct session *s, const struct command_row *row,
		      const struct reply *r);
/* A refusal has had its line in the log, or was held back. */
void trace_told(struct session *s, bool logged);
/* A message is with the spool, or was discarded. */
void trace_accepted(struct session *s);
/* The first call says how the session ended; why may be NULL.  While the
 * transaction is still there. */
void trace_end(struct session *s, enum ending how, const struct error *why);
/* Tells how many sessions had no line, if there are any. */
void trace_flush(struct smtpd *server);

/* --- cmd_tls.c ------------------------------------------------------- */

/* Whether EHLO offers STARTTLS. */
bool tls_is_offered(const struct session *s);
/* Begins the handshake; false when there is no certificate. */
bool tls_begin(struct session *s);
/* It is done: nothing that was said before counts any more. */
void tls_done(struct session *s);
void tls_failed(struct session *s, const struct error *err);
/* "TLS1.3 AES-256-GCM", or "". */
struct span tls_text(const struct session *s);
/* For Received: "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"; false in the
 * clear. */
bool tls_trace(const struct session *s, struct buf *out);

/* --- command.c ------------------------------------------------------- */

struct command_row {
	const char *verb;
	/* Well-formed and allowed?  False with *reterr filled. */
	bool (*check)(struct session *s, struct span args,
		      struct reply *reterr);
	/* Lets it happen.  A reply with code 0: it will be given later. */
	struct reply (*proceed)(struct session *s);
	unsigned needs;			/* of enum have */
	unsigned flags;			/* of enum command_flag */
	int hook;			/* of enum hook, or -1 */
};

enum command_flag {
	REFUSED_CLOSES = 1 << 0,	/* a filter's no ends the session */
	HAS_PAYLOAD = 1 << 1,		/* octets follow, come what may */
	ENDS_MESSAGE = 1 << 2,		/* its reply ends the transaction */
	TELL_REFUSED = 1 << 3,		/* a refusal is logged */
	TRIES_TO_SEND = 1 << 4,		/* it leads to a message */
};

extern const struct command_row command_connect, command_end_of_message;

/* A complete line without its end. */
void command_line(struct session *s, struct span line);
/* A step that is no line of the client's. */
void command_start(struct session *s, const struct command_row *row,
		   struct span args);
void command_answered(struct postern_txn *txn, postern_verdict v);

/* --- transaction.c --------------------------------------------------- */

/* Holds the newest generation unless one is held already. */
void transaction_hold(struct session *s);
/* Forgets the transaction, whatever state it is in. */
void transaction_end(struct session *s);
/* Begins the message that DATA or the first BDAT brings. */
void transaction_receive(struct session *s);

/* --- cmd_hello.c ----------------------------------------------------- */

void hello_forget(struct session *s);

/* --- cmd_mail.c ------------------------------------------------------ */

struct facts;

/* What is known of the transaction; the recipient is left to the caller. */
void route_facts(struct session *s, struct facts *ret);
/* No route takes the recipient of f: why. */
struct reply refuse_route(struct session *s, const struct facts *f);

/* --- cmd_data.c ------------------------------------------------------ */

/* What readers of INPUT_* do: true when they got on. */
bool data_read(struct session *s);
bool data_read_refused(struct session *s);
bool chunk_read(struct session *s);
bool chunk_read_refused(struct session *s);
struct reply refuse_size(void);
/* BDAT is refused: its octets are swallowed, then the reply is given. */
void chunk_refuse(struct session *s, const struct reply *r);

/* --- finish.c -------------------------------------------------------- */

/* The gateway's filters have let it pass: gives every item its prefix,
 * once. */
void finish_prefixes(struct session *s);
/* For struct draft_events. */
void finish_sealed(void *arg, struct body *body, enum spool_status status,
		   const struct error *err);

/* --- handlers -------------------------------------------------------- */

#define COMMAND_CHECK(name) \
	bool name(struct session *s, struct span args, struct reply *reterr)
#define COMMAND_PROCEED(name) struct reply name(struct session *s)

COMMAND_CHECK(hello_check);
COMMAND_PROCEED(connect_proceed);
COMMAND_PROCEED(helo_proceed);
COMMAND_PROCEED(ehlo_proceed);
COMMAND_CHECK(starttls_check);
COMMAND_PROCEED(starttls_proceed);
COMMAND_CHECK(mail_check);
COMMAND_PROCEED(mail_proceed);
COMMAND_CHECK(rcpt_check);
COMMAND_PROCEED(rcpt_proceed);
COMMAND_CHECK(no_arguments_check);
COMMAND_PROCEED(data_proceed);
COMMAND_CHECK(bdat_check);
COMMAND_PROCEED(bdat_proceed);
COMMAND_CHECK(finish_check);
COMMAND_PROCEED(finish_proceed);
COMMAND_CHECK(vrfy_check);
COMMAND_PROCEED(rset_proceed);
COMMAND_PROCEED(noop_proceed);
COMMAND_PROCEED(vrfy_proceed);
COMMAND_PROCEED(expn_proceed);
COMMAND_PROCEED(help_proceed);
COMMAND_PROCEED(quit_proceed);
COMMAND_PROCEED(unknown_proceed);
COMMAND_PROCEED(foreign_proceed);

#endif
