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
 * else is.  The table carries the ABI number and the sizes of all structures
 * that pass between module and gateway, as this header had them.  Structures
 * grow only at their end, so from ABI 1 on a module built against an older
 * header keeps working.  The number is 0 while the interface may still
 * change; a module must then be built for exactly this one.
 *
 * Threads: all callbacks of an instance run on one thread, the delivery loop
 * for a backend, an intake loop for a filter, and must not block.  Only the
 * deliver() of a backend with POSTERN_BLOCKING runs on a worker of its
 * instance, one job at a time, and may.  postern_log(), postern_resume() and
 * postern_answer() may be called from any thread, all else only from within
 * a callback.
 *
 * Strings: what you pass in is copied.  What a service returns is borrowed:
 * for a transaction until the callback returns, for a job until its last
 * recipient is settled, for an instance and its options until close()
 * returns.  Text is UTF-8 without a guarantee: mail is what strangers send.
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

#if !defined(__cplusplus) \
    && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L)
#define POSTERN_C90		/* no macros with __VA_ARGS__ */
#endif

/* --- options: what the block in the YAML may say ------------------------- */

enum {
	POSTERN_STRING = 0,	/* const char *: NULL when not given */
	POSTERN_BOOL = 1,	/* int32_t: 0 or 1 */
	POSTERN_INT = 2,	/* int64_t */
	POSTERN_SIZE = 3,	/* int64_t, bytes; K M G */
	POSTERN_DURATION = 4,	/* int64_t, milliseconds; ms s m h d */
	POSTERN_ENUM = 5,	/* int32_t: the place in `words', from 0 */
	POSTERN_PATH = 6,	/* const char *, relative to the file; ${NAME} */
	POSTERN_STRINGS = 7,	/* struct postern_strings: a list or a scalar */
	POSTERN_BLOCK = 8,	/* no field: a nested block, `block' has its rows */
	POSTERN_SECRET = 9,	/* const char *: KEY, KEY_file or KEY_credential;
				 * never logged, wiped when the instance ends */
	POSTERN_SMTP = 10	/* struct postern_smtp_plan: the keys that every
				 * SMTP client has, right in this block; fallback
				 * may set others than the usual defaults:
				 * "port=587 tls=verify" */
};

enum {					/* flags of an option */
	POSTERN_REQUIRED = 1,
	POSTERN_READABLE = 2		/* POSTERN_PATH: a file that must be
					 * there and readable for the gateway */
};

struct postern_strings {		/* never grows: it lies in self */
	const char *const *v;
	size_t n;
};

/* The core parses, checks, documents and fills in; most modules contain no
 * parsing.  A table ends with a row whose key is NULL. */
struct postern_option {
	const char *key;		/* a-z 0-9 _ */
	size_t offset;			/* in self, also within a block */
	uint32_t size;			/* of the field there; 0: not said */
	int32_t type;
	uint32_t flags;
	const char *fallback;		/* as it would be written; NULL: none,
					 * then a number is 0 */
	const char *words;		/* POSTERN_ENUM: "a|b|c" */
	int64_t min, max;		/* numbers; both 0: no bounds */
	const struct postern_option *block;	/* POSTERN_BLOCK */
	const char *help;		/* required: one sentence */
};

#ifndef POSTERN_C90
/* The row of self's field of the same name:
 *   POSTERN_OPTION(struct tag, value, POSTERN_STRING, .help = "...") */
#define POSTERN_OPTION(s, field, type_, ...)				\
	{ .key = #field, .offset = offsetof(s, field),			\
	  .size = sizeof(((s *)0)->field), .type = (type_), __VA_ARGS__ }
#endif

/* --- an instance --------------------------------------------------------- */

typedef struct postern_instance postern_instance;

/* What is wrong, for the operator, from check() and open(), which then return
 * -1.  One sentence: the thing, the reason, the remedy. */
void postern_fail(postern_instance *me, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);

enum { POSTERN_ERROR = 0, POSTERN_WARNING = 1, POSTERN_INFO = 2,
       POSTERN_DEBUG = 3 };

/* Any thread; never blocks.  Never pass a secret.  The line is given the
 * names of the module and of the route. */
void postern_log(postern_instance *me, int level, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

const char *postern_hostname(const postern_instance *me);  /* of the gateway */
/* The name of the route that the instance belongs to; "" for gateway-wide
 * filters. */
const char *postern_route(const postern_instance *me);

/* Timers, on the instance's loop (a worker gets 0: it may sleep).  A timer
 * fires once; 0 is no timer.  Stopping one that is over does nothing.  close()
 * ends them all. */
uint64_t postern_timer(postern_instance *me, int64_t in_ms,
		       void (*fire)(void *arg), void *arg);
void postern_timer_stop(postern_instance *me, uint64_t timer);

/* --- backends ------------------------------------------------------------ */

/* One delivery: one message, and those of its recipients that have the same
 * destination. */
typedef struct postern_job postern_job;

/* What is throttled and rested together: usually the next hop.  Recipients
 * whose destinations have the same name travel in one job. */
struct postern_destination {		/* zeroed before */
	char name[256];			/* "" : the module's */
	uint32_t connections;		/* at once, as the next hop is known to */
	uint32_t per_minute;		/* allow, and messages a minute; 0: not
					 * known.  The route's limits go before */
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

/* Memory that belongs to the job and is gone with it, zeroed.  _data is one
 * piece: made by the first call, the same at each later one (in cancel(), in
 * a timer), so its size must be the same too.  _alloc is new each time. */
void *postern_job_data(postern_job *job, size_t size);
void *postern_job_alloc(postern_job *job, size_t size);

/* The message's bytes, CRLF lines.  The first is for blocking backends:
 * bytes read, 0 at the end, -1 when they cannot be had (settle with code 0).
 * The second is for all others and answers by done(), perhaps before it
 * returns; n is 0 at the end, -1 on failure; one read at a time; a job that
 * is over is not answered any more. */
int64_t postern_job_pread(postern_job *job, uint64_t offset, void *to,
			  size_t max);
void postern_job_read(postern_job *job, uint64_t offset, size_t max,
		      void (*done)(void *arg, const void *bytes, int64_t n),
		      void *arg);

/* Every recipient is settled exactly once; with the last one the job is
 * over and must not be used any more.  settle_rest settles all that are left.
 * A recipient that is settled twice keeps its first outcome, and the module
 * is reported. */
void postern_settle(postern_job *job, size_t rcpt,
		    const struct postern_outcome *o);
void postern_settle_rest(postern_job *job, const struct postern_outcome *o);

/* Waiting is no outcome: a backend that cannot deliver at all (a sign-in was
 * refused, a certificate is missing) says so.  The route's mail waits then,
 * and does not age, until postern_ready(), a reload, the operator, or a probe
 * that succeeds: now and then one job is let through.  The words are for the
 * operator: what is wrong, and what to do. */
void postern_pause(postern_instance *me, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);
void postern_ready(postern_instance *me);

enum {					/* places in timeouts_ms */
	POSTERN_TIMEOUT_CONNECT = 0, POSTERN_TIMEOUT_GREETING = 1,
	POSTERN_TIMEOUT_EHLO = 2, POSTERN_TIMEOUT_MAIL = 3,
	POSTERN_TIMEOUT_RCPT = 4, POSTERN_TIMEOUT_DATA = 5,
	POSTERN_TIMEOUT_BLOCK = 6, POSTERN_TIMEOUT_DOT = 7,
	POSTERN_TIMEOUT_QUIT = 8, POSTERN_TIMEOUT_TLS = 9,
	POSTERN_TIMEOUT_AUTH = 10, POSTERN_TIMEOUTS = 12
};

enum {					/* tls of a plan */
	POSTERN_TLS_NONE = 0,
	POSTERN_TLS_OPPORTUNISTIC = 1,	/* STARTTLS if it is offered and works */
	POSTERN_TLS_REQUIRED = 2,	/* STARTTLS; any certificate will do */
	POSTERN_TLS_VERIFY = 3,		/* STARTTLS; the certificate must be right */
	POSTERN_TLS_IMPLICIT = 4	/* TLS from the first octet; must be right */
};

enum {					/* bits in auth: what may be used */
	POSTERN_AUTH_XOAUTH2 = 1, POSTERN_AUTH_OAUTHBEARER = 2,
	POSTERN_AUTH_PLAIN = 4, POSTERN_AUTH_LOGIN = 8
};

/* What the gateway's SMTP client is to do.  Zeroed but for the hosts, it
 * does what RFC 5321 expects, in the clear.  As the field of an option of
 * type POSTERN_SMTP it holds what the operator said; a copy of it gets the
 * rest. */
struct postern_smtp_plan {
	const char *const *hosts;	/* names or addresses, tried in order */
	size_t host_count;
	uint32_t port;			/* 0: 25 */
	uint32_t reuse;			/* messages for a connection; 0: 100 */
	int64_t idle_ms;		/* a connection is kept; 0: 5 s; -1: not */
	const char *helo;		/* NULL: the gateway's host name */
	const char *source;		/* our address for it; NULL: any */
	int64_t timeouts_ms[POSTERN_TIMEOUTS];	/* 0: as 4.5.3.2 has it */

	int32_t tls;
	uint32_t auth;			/* 0: no login; else not without TLS */
	const char *server_name;	/* to verify; NULL: the host's name */
	const char *certificate, *key;	/* PEM files: what we show when we are
					 * asked who we are; NULL: nothing; key
					 * NULL: it is in the certificate's */
	const char *trust_file;		/* authorities; NULL: the gateway's */
	const char *user, *secret;	/* for auth: a password, or a token of at
					 * most 16 KiB */
	/* The attempt has ended before any recipient could be named: no host
	 * was reached, or would have us.  1: the job is the module's again,
	 * to be settled or sent anew; 0, or NULL here: the outcome stands for
	 * all that are left.  In phase RESOLVE enhanced is "4.4.4" when the
	 * DNS has answered that the last host has no address. */
	int32_t (*failed)(void *self, postern_job *job,
			  const struct postern_outcome *o);
};

/* Hands the job to the SMTP client, which settles what is left of it: for the
 * module it is over, unless `failed' takes it back.  The plan is copied.  Not
 * for blocking backends. */
void postern_smtp_send(postern_job *job, const struct postern_smtp_plan *plan);

struct postern_backend {
	/* Names the recipient's destination.  Pure: from self and the address
	 * alone, at once, always the same answer; on the delivery loop also
	 * for a blocking backend. */
	void (*describe)(const void *self, const char *recipient,
			 struct postern_destination *ret);
	/* Begins a delivery.  A blocking one has settled all recipients when
	 * it returns, within the gateway's patience (10 minutes): past that
	 * the job is over, and what is settled later is ignored. */
	void (*deliver)(void *self, postern_job *job);
	/* The gateway stops and its patience is over: settle what is left
	 * before you return, with code 0.  What you do not settle is dropped:
	 * the message stays in the queue.  May be NULL; not called for a
	 * blocking backend. */
	void (*cancel)(void *self, postern_job *job);
	/* close() is going to follow, perhaps much later: the route has got
	 * another instance, or the gateway stops.  Finish what is under way,
	 * jobs and questions, but begin nothing that can wait: ask no more
	 * ahead of time.  close() waits for answers of web servers and of the
	 * state folder, at a stop within limits.  The next instance reads and
	 * writes the state when this one has no such question open any more;
	 * from then on this one's are refused.  May be NULL; not called for a
	 * blocking backend. */
	void (*retire)(void *self);
};

/* --- asking others, for backends that do not block ----------------------- */

/* Each of these answers by done(), once, on the delivery loop, perhaps before
 * it returns; what done() is given is borrowed until it returns.  A question
 * has a number for giving it up, after which done() is not called any more;
 * 0: it has been answered already.  close() gives up what is left, but what is
 * put into the state is written to its end. */

enum {					/* types of records, IANA's numbers */
	POSTERN_DNS_A = 1, POSTERN_DNS_CNAME = 5, POSTERN_DNS_PTR = 12,
	POSTERN_DNS_MX = 15, POSTERN_DNS_TXT = 16, POSTERN_DNS_AAAA = 28,
	POSTERN_DNS_TLSA = 52
};
enum {
	POSTERN_DNS_OK = 0,		/* at least one record */
	POSTERN_DNS_NODATA = 1,		/* the name exists, such a record not */
	POSTERN_DNS_NXDOMAIN = 2,	/* an answer: there is no such name */
	POSTERN_DNS_FAILED = 3		/* no answer, which proves nothing */
};
struct postern_dns_record {
	const char *text;		/* A, AAAA: the address; MX, CNAME, PTR: a
					 * name without last dot, "" is the root;
					 * TXT: its strings joined; else NULL */
	const void *data;		/* as on the wire */
	uint32_t size;
	uint32_t preference;		/* MX */
};
struct postern_dns_answer {
	int32_t status;
	int32_t secure;			/* 1: validated by DNSSEC */
	const struct postern_dns_record *const *records;
	size_t n;
	const char *canonical;		/* the name behind CNAMEs */
	const char *why;		/* words when not OK */
};
uint64_t postern_dns(postern_instance *me, const char *name, int type,
		     void (*done)(void *arg,
				  const struct postern_dns_answer *answer),
		     void *arg);

struct postern_http_request {
	const char *method;		/* NULL: GET, with a body POST */
	const char *url;
	const char *const *headers;	/* "Accept: application/json" */
	size_t header_count;
	const void *body;		/* its copy is wiped */
	size_t body_size;
	int64_t timeout_ms;		/* for all of it; 0: 30 s */
	size_t answer_max;		/* 0: 64 KiB */
	const char *trust_file;		/* NULL: the gateway's */
	const char *proxy;		/* "http://proxy:3128"; NULL: none */
};
struct postern_http_answer {
	int32_t status;			/* 0: there was no answer */
	const char *why;		/* then: words */
	const char *type;		/* of the content, or "" */
	int64_t retry_after_ms;		/* -1: not said */
	const void *body;		/* wiped afterwards */
	size_t body_size;
};
/* Redirects are not followed; https is always verified. */
uint64_t postern_http(postern_instance *me,
		      const struct postern_http_request *request,
		      void (*done)(void *arg,
				   const struct postern_http_answer *answer),
		      void *arg);

/* Pure, for check() above all: 0 when credentials may be sent to url (https,
 * or http to this very host), and proxy, as above, can be used; either may be
 * NULL.  -1: why, of size octets, gets words without secrets. */
int32_t postern_http_check(const char *url, const char *proxy, char *why,
			   size_t size);

/* Small things that outlive the gateway: files of its state folder, 0600, of
 * at most 64 KiB, written so that after a crash there is the old or the new.
 * They belong to the route's name.  key: a-z 0-9 _ -.
 * get: n is -1 when there is nothing, -2 (and words in bytes) when it cannot
 * be read.  put: ok is 1 when it is durable, 0 with words in why; NULL bytes
 * remove it.  Bytes are wiped. */
uint64_t postern_state_get(postern_instance *me, const char *key,
			   void (*done)(void *arg, const void *bytes,
					int64_t n),
			   void *arg);
uint64_t postern_state_put(postern_instance *me, const char *key,
			   const void *bytes, size_t n,
			   void (*done)(void *arg, int32_t ok,
					const char *why),
			   void *arg);

void postern_give_up(postern_instance *me, uint64_t question);

/* --- actions: what the operator may ask of an instance -------------------- */

/* `postern login ROUTE' runs the action `login', by the running gateway or,
 * when there is none, in an instance of its own.  What is said is shown to
 * whoever waits, a line each. */
typedef struct postern_action_run postern_action_run;

struct postern_action {
	const char *name;		/* a-z 0-9 - ; NULL ends the table */
	const char *summary;
	/* Ends, now or later, by postern_action_end(). */
	void (*begin)(void *self, postern_action_run *run);
	/* Nobody waits any more, or the instance is retired: end it. */
	void (*cancel)(void *self, postern_action_run *run);
};
/* No secrets, but what the person must type elsewhere. */
void postern_action_say(postern_action_run *run, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);
/* The last word; run is over. */
void postern_action_end(postern_action_run *run, int ok, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

/* --- filters ------------------------------------------------------------- */

/* One SMTP session and the transaction in it. */
typedef struct postern_txn postern_txn;

typedef int32_t postern_verdict;
enum {
	POSTERN_CONTINUE = 0,	/* no objection: ask the next filter */
	POSTERN_REJECT = 1,	/* refuse for good (5xx) */
	POSTERN_DEFER = 2,	/* refuse for now (4xx) */
	POSTERN_PENDING = 3,	/* the answer will come for the ticket */
	POSTERN_DISCARD = 4	/* on_message: say 250, deliver nothing */
};

const char *postern_txn_client(const postern_txn *txn);	/* address */
const char *postern_txn_helo(const postern_txn *txn);	/* or "" */
const char *postern_txn_sender(postern_txn *txn);	/* "" : <> or none */
size_t postern_txn_rcpt_count(const postern_txn *txn);	/* accepted so far */
const char *postern_txn_rcpt(postern_txn *txn, size_t i);

/* Memory for this filter in this transaction: zeroed at the first call, the
 * same at each later one, gone after on_end.  NULL before on_mail. */
void *postern_txn_data(postern_txn *txn, size_t size);

/* In on_message: the nth (from 0) field of that name, unfolded, or NULL;
 * the message's size in octets. */
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

/* To answer later: take a ticket, return POSTERN_PENDING, and redeem the
 * ticket once, from any thread.  One that is not redeemed within a minute
 * counts as POSTERN_DEFER.  A ticket is over when it was redeemed, when that
 * minute has passed, and when the session has gone.
 *
 * postern_resume() gives a bare verdict; for a ticket that is over it does
 * nothing.  postern_answer() has answer() called, exactly once: on the
 * filter's thread with the transaction, as if it were the hook (it may add
 * fields, give a reply, even take another ticket); or, when the ticket is
 * over, with NULL and on whatever thread, so that arg can be freed. */
uint64_t postern_txn_ticket(postern_txn *txn);
void postern_resume(uint64_t ticket, postern_verdict verdict);
void postern_answer(uint64_t ticket,
		    postern_verdict (*answer)(void *arg, postern_txn *txn),
		    void *arg);

struct postern_filter {
	/* Each may be NULL.  A route's filters are asked on_message and on_end
	 * only; gateway-wide ones everything. */
	postern_verdict (*on_connect)(void *self, postern_txn *txn);
	postern_verdict (*on_helo)(void *self, postern_txn *txn);
	postern_verdict (*on_mail)(void *self, postern_txn *txn);
	postern_verdict (*on_rcpt)(void *self, postern_txn *txn,
				   const char *recipient);
	postern_verdict (*on_message)(void *self, postern_txn *txn);
	/* The transaction is over, however it ended; once for each on_mail
	 * (or, in a route's filter, on_message) that was or, had it not been
	 * NULL, would have been called. */
	void (*on_end)(void *self, postern_txn *txn);
};

/* --- the table ----------------------------------------------------------- */

enum {					/* flags of a module: of its backend */
	POSTERN_BLOCKING = 1,
	/* Everything goes to one next hop that knows us: what it refuses
	 * before RCPT concerns the route, which is paused. */
	POSTERN_RELAY = 2,
	/* Mail goes to the servers of its recipients: any 5xx to RCPT, or to
	 * the message, is final. */
	POSTERN_RECEIVERS = 4
};

enum {					/* places in sizes */
	POSTERN_SIZEOF_OPTION = 0, POSTERN_SIZEOF_BACKEND = 1,
	POSTERN_SIZEOF_FILTER = 2, POSTERN_SIZEOF_DESTINATION = 3,
	POSTERN_SIZEOF_OUTCOME = 4, POSTERN_SIZEOF_PLAN = 5,
	POSTERN_SIZEOF_DNS_RECORD = 6, POSTERN_SIZEOF_DNS_ANSWER = 7,
	POSTERN_SIZEOF_HTTP_REQUEST = 8, POSTERN_SIZEOF_HTTP_ANSWER = 9,
	POSTERN_SIZEOF_ACTION = 10, POSTERN_SIZES = 16
};

struct postern_module {
	/* Stamped by POSTERN_MODULE(): the number and the sizes of this
	 * header.  abi and size stay where they are for ever. */
	uint32_t abi, size;
	uint32_t sizes[POSTERN_SIZES];

	const char *name;		/* required: the key in the YAML, and
					 * the name of the file, NAME.so */
	const char *summary;		/* required: for `postern module list' */
	uint32_t flags;
	const struct postern_option *options;	/* NULL: none */
	size_t self_size;		/* of your instance structure */

	/* Checks what no table can say, without touching the world; -1 after
	 * postern_fail().  May be NULL.  On any thread; me is for
	 * postern_fail(), postern_log() and the names alone. */
	int (*check)(const void *self, postern_instance *me);
	/* The instance begins and ends; each may be NULL.  me lives until
	 * close() returns: keep it in self.  -1 after postern_fail(); close()
	 * is not called then. */
	int (*open)(void *self, postern_instance *me);
	void (*close)(void *self);

	const struct postern_backend *backend;	/* NULL: is no backend */
	const struct postern_filter *filter;	/* NULL: is no filter */
	const struct postern_action *actions;	/* of a backend; NULL: none */
};

#ifdef __cplusplus
}
#define POSTERN_EXTERN_C extern "C"
#else
#define POSTERN_EXTERN_C extern
#endif

#define POSTERN_SIZES_HERE						\
	{ sizeof(struct postern_option), sizeof(struct postern_backend), \
	  sizeof(struct postern_filter),				\
	  sizeof(struct postern_destination),				\
	  sizeof(struct postern_outcome),				\
	  sizeof(struct postern_smtp_plan),				\
	  sizeof(struct postern_dns_record),				\
	  sizeof(struct postern_dns_answer),				\
	  sizeof(struct postern_http_request),				\
	  sizeof(struct postern_http_answer),				\
	  sizeof(struct postern_action), 0, 0, 0, 0, 0 }

#ifndef POSTERN_C90
/* POSTERN_MODULE(.name = "tag", .summary = "...", ...); */
#define POSTERN_MODULE(...)						\
	POSTERN_EXTERN_C POSTERN_EXPORT					\
	const struct postern_module postern_module_entry;		\
	const struct postern_module postern_module_entry = {		\
		.abi = POSTERN_ABI,					\
		.size = sizeof(struct postern_module),			\
		.sizes = POSTERN_SIZES_HERE,				\
		__VA_ARGS__						\
	}
#endif

/* For C90 and for C++ before 20, which have no designated initializers: the
 * first members of a table that is written out in order.  Declare
 * postern_module_entry extern (in C++: extern "C") and POSTERN_EXPORT. */
#define POSTERN_STAMP							\
	POSTERN_ABI, sizeof(struct postern_module), POSTERN_SIZES_HERE

#endif
