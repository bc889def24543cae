/* postern-plugin.h - the one header that a module includes
 *
 * See postern-plugin(3) for the whole story with examples.
 *
 * A module is a shared object with one const table, made by POSTERN_MODULE().
 * It is a backend (delivers messages), a filter (looks at or changes messages
 * on their way in), or both.  The gateway opens an instance of it for each
 * block of configuration that names it, with memory of its own (`self'),
 * filled in from the options that the table declares.
 *
 * Every name that begins with postern_ or POSTERN_ is the ABI, and nothing
 * else is.  Structures grow only at their end; Postern reads no further than
 * .size says, so a module built against an older header keeps working.  The
 * number is 0 while the interface may still change; a module must then be
 * built for exactly this one.
 *
 * Threads: a backend's callbacks run on the delivery loop, a filter's on the
 * intake loop that its instance was opened for; they must not block.  A
 * backend with POSTERN_BLOCKING is called on a worker of its own instead, one
 * job at a time, and may.  postern_resume() and postern_log() alone may be
 * called from any thread.
 *
 * Strings and pointers that a service returns are borrowed: until the
 * callback returns for a transaction, until the last recipient is settled
 * for a job, for ever for an option.
 */
#ifndef POSTERN_PLUGIN_H
#define POSTERN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_ABI 0

#if defined(__GNUC__)
#define POSTERN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define POSTERN_EXPORT __attribute__((visibility("default")))
#else
#define POSTERN_PRINTF(f, a)
#define POSTERN_EXPORT
#endif

/* --- options: what the block in the YAML may say ------------------------- */

enum {
	POSTERN_STRING = 0,	/* const char *: NULL when not given */
	POSTERN_BOOL = 1,	/* int32_t: 0 or 1 */
	POSTERN_INT = 2,	/* int64_t */
	POSTERN_SIZE = 3,	/* int64_t, bytes; K M G */
	POSTERN_DURATION = 4,	/* int64_t, milliseconds; ms s m h d */
	POSTERN_ENUM = 5,	/* int32_t: the place in `words', from 0 */
	POSTERN_PATH = 6,	/* const char *, made absolute */
	POSTERN_STRINGS = 7	/* struct postern_strings */
};

enum { POSTERN_REQUIRED = 1 };		/* flags of an option */

struct postern_strings {
	const char *const *v;
	size_t n;
};

/* The core parses, checks, documents and fills in; most modules contain no
 * parsing.  A table ends with a row whose key is NULL. */
struct postern_option {
	const char *key;
	int32_t type;
	uint32_t flags;
	size_t offset;			/* in self */
	const char *fallback;		/* as it would be written; NULL: none */
	const char *words;		/* POSTERN_ENUM: "a|b|c" */
	int64_t min, max;		/* numbers; both 0: no bounds */
	const char *help;		/* one sentence */
};

/* --- an instance --------------------------------------------------------- */

typedef struct postern_instance postern_instance;

/* What went wrong, for the operator; for open() and check(), which then
 * return -1.  One sentence: the thing, the reason, the remedy. */
void postern_fail(postern_instance *me, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);

enum { POSTERN_ERROR = 0, POSTERN_WARNING = 1, POSTERN_INFO = 2,
       POSTERN_DEBUG = 3 };

/* Any thread; never blocks.  Never pass a secret. */
void postern_log(postern_instance *me, int level, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

const char *postern_hostname(const postern_instance *me);  /* of the gateway */
/* The name of the route that the instance belongs to; "" for gateway-wide
 * filters. */
const char *postern_route(const postern_instance *me);

/* Timers, on the instance's loop (not for blocking modules).  A timer fires
 * once; 0 is no timer.  Stopping one that is over does nothing. */
uint64_t postern_timer(postern_instance *me, int64_t in_ms,
		       void (*fire)(void *arg), void *arg);
void postern_timer_stop(postern_instance *me, uint64_t timer);

/* --- backends ------------------------------------------------------------ */

typedef struct postern_job postern_job;

/* What is throttled and rested together: usually the next hop.  Recipients
 * whose destinations have the same name travel in one job. */
struct postern_destination {
	char name[256];
};

/* Where an attempt was when it ended. */
enum {
	POSTERN_PHASE_NONE = 0, POSTERN_PHASE_RESOLVE = 1,
	POSTERN_PHASE_CONNECT = 2, POSTERN_PHASE_GREETING = 3,
	POSTERN_PHASE_EHLO = 4, POSTERN_PHASE_STARTTLS = 5,
	POSTERN_PHASE_AUTH = 6, POSTERN_PHASE_MAIL = 7,
	POSTERN_PHASE_RCPT = 8, POSTERN_PHASE_DATA = 9,
	POSTERN_PHASE_BODY = 10, POSTERN_PHASE_DOT = 11,
	POSTERN_PHASE_QUIT = 12
};

/* What happened to one recipient.  code is an SMTP reply code: 2xx is
 * delivered, 4xx and 5xx are a remote's answer in that phase (whether a 5xx
 * is final is the gateway's decision), 0 means that there was no answer:
 * the message stays and is tried again. */
struct postern_outcome {
	int32_t code;
	int32_t phase;
	const char *enhanced;		/* "5.1.1", or NULL */
	const char *text;		/* the remote's words, or yours */
	const char *host;		/* who said so, or NULL */
};

const char *postern_job_id(const postern_job *job);	/* for logs */
const char *postern_job_sender(const postern_job *job);	/* "" : <> */
size_t postern_job_rcpt_count(const postern_job *job);
const char *postern_job_rcpt(const postern_job *job, size_t i);
uint64_t postern_job_size(const postern_job *job);	/* octets */
unsigned postern_job_attempt(const postern_job *job);	/* from 1 */

/* The message's bytes, CRLF lines.  The first form is for blocking modules:
 * bytes read, 0 at the end, -1 when they cannot be had (settle with code 0).
 * The second answers by done(), perhaps before it returns; n is 0 at the
 * end, -1 on failure; one read at a time. */
int64_t postern_job_pread(postern_job *job, uint64_t offset, void *to,
			  size_t max);
void postern_job_read(postern_job *job, uint64_t offset, size_t max,
		      void (*done)(void *arg, const void *bytes, int64_t n),
		      void *arg);

/* Every recipient is settled exactly once; with the last one the job is
 * over and must not be used any more.  settle_rest settles all that are left. */
void postern_settle(postern_job *job, size_t rcpt,
		    const struct postern_outcome *o);
void postern_settle_rest(postern_job *job, const struct postern_outcome *o);

/* Memory that belongs to the job and is gone with it; zeroed. */
void *postern_job_alloc(postern_job *job, size_t size);

/* Hands the job to the gateway's SMTP client, which settles what is left of
 * it.  The plan and its strings are copied. */
enum { POSTERN_TIMEOUTS = 10 };
struct postern_smtp_plan {
	uint32_t size;			/* sizeof(struct postern_smtp_plan) */
	const char *const *hosts;	/* names or addresses, tried in order */
	size_t host_count;
	uint16_t port;			/* 25 */
	const char *helo;		/* NULL: the gateway's host name */
	const char *source;		/* our address for it; NULL: any */
	int64_t idle_ms;		/* how long a connection is kept; 0: 5 s */
	uint32_t reuse;			/* messages for each connection; 0: 100 */
	/* connect, greeting, ehlo, mail, rcpt, data, block, dot, quit, spare:
	 * milliseconds, 0: as RFC 5321 section 4.5.3.2 has it */
	int64_t timeouts_ms[POSTERN_TIMEOUTS];
};
void postern_smtp_send(postern_job *job, const struct postern_smtp_plan *plan);

struct postern_backend {
	uint32_t size;			/* sizeof(struct postern_backend) */
	/* Names the recipient's destination.  Pure: from self and the address
	 * alone, at once, always the same answer. */
	void (*describe)(const void *self, const char *recipient,
			 struct postern_destination *ret);
	/* Begins a delivery.  All recipients have the same destination. */
	void (*deliver)(void *self, postern_job *job);
	/* The gateway stops and its patience is over: settle what is left at
	 * once, with code 0.  NULL: nothing is done, and the job is dropped
	 * (its message stays in the queue). */
	void (*cancel)(void *self, postern_job *job);
};

/* --- filters ------------------------------------------------------------- */

/* One SMTP session and the transaction in it. */
typedef struct postern_txn postern_txn;

typedef int32_t postern_verdict;
enum {
	POSTERN_CONTINUE = 0,	/* no objection: ask the next filter */
	POSTERN_REJECT = 1,	/* refuse for good (5xx) */
	POSTERN_DEFER = 2,	/* refuse for now (4xx) */
	POSTERN_PENDING = 3,	/* the answer will come by postern_resume() */
	POSTERN_DISCARD = 4	/* on_message: say 250, deliver nothing */
};

const char *postern_txn_client(const postern_txn *txn);	/* address */
const char *postern_txn_helo(const postern_txn *txn);	/* or "" */
const char *postern_txn_sender(const postern_txn *txn);	/* "" : <> or none */
size_t postern_txn_rcpt_count(const postern_txn *txn);
const char *postern_txn_rcpt(const postern_txn *txn, size_t i);

/* In on_message: the nth (from 0) field of that name, unfolded, or NULL. */
const char *postern_txn_header(postern_txn *txn, const char *name, size_t n);
uint64_t postern_txn_size(const postern_txn *txn);

/* In on_message: puts a field in front of the message.  0, or -1 when name
 * or value hold what no field may hold, or there are too many. */
int postern_txn_add_header(postern_txn *txn, const char *name,
			   const char *value);

/* The words of a refusal, before returning POSTERN_REJECT or POSTERN_DEFER;
 * code must fit the verdict.  Without it a standard reply is given. */
void postern_txn_reply(postern_txn *txn, int code, const char *enhanced,
		       const char *text);

/* To answer later: take a ticket, return POSTERN_PENDING, and redeem it from
 * any thread.  A ticket that is over is ignored; one that is not redeemed
 * within the session's patience (1 minute) counts as POSTERN_DEFER. */
uint64_t postern_txn_ticket(postern_txn *txn);
void postern_resume(uint64_t ticket, postern_verdict verdict);

struct postern_filter {
	uint32_t size;			/* sizeof(struct postern_filter) */
	/* Each may be NULL.  A route's filters are asked on_message and on_end
	 * only; gateway-wide ones everything. */
	postern_verdict (*on_connect)(void *self, postern_txn *txn);
	postern_verdict (*on_helo)(void *self, postern_txn *txn);
	postern_verdict (*on_mail)(void *self, postern_txn *txn);
	postern_verdict (*on_rcpt)(void *self, postern_txn *txn,
				   const char *recipient);
	postern_verdict (*on_message)(void *self, postern_txn *txn);
	/* The transaction is over, however it ended; once for each on_mail
	 * (or, in a route's filter, on_message). */
	void (*on_end)(void *self, postern_txn *txn);
};

/* --- the table ----------------------------------------------------------- */

enum { POSTERN_BLOCKING = 1 };		/* flags of a module */

struct postern_module {
	uint32_t abi, size;		/* filled in by POSTERN_MODULE() */
	const char *name;		/* required; the key in the YAML */
	const char *summary;		/* required; for `postern module list' */
	uint32_t flags;
	const struct postern_option *options;	/* NULL: none */
	size_t self_size;		/* of your instance structure */

	/* Checks what no table can say, without touching the world; -1 after
	 * postern_fail().  May be NULL.  Any thread. */
	int (*check)(const void *self, postern_instance *me);
	/* The instance begins and ends; each may be NULL. */
	int (*open)(void *self, postern_instance *me);
	void (*close)(void *self);

	const struct postern_backend *backend;	/* NULL: is no backend */
	const struct postern_filter *filter;	/* NULL: is no filter */
};

#ifdef __cplusplus
}
#define POSTERN_EXTERN_C extern "C"
#else
#define POSTERN_EXTERN_C extern
#endif

/* POSTERN_MODULE(.name = "tag", .summary = "...", ...); */
#define POSTERN_MODULE(...)						\
	POSTERN_EXTERN_C POSTERN_EXPORT					\
	const struct postern_module postern_module_entry;		\
	const struct postern_module postern_module_entry = {		\
		.abi = POSTERN_ABI,					\
		.size = sizeof(struct postern_module),			\
		__VA_ARGS__						\
	}

#endif
