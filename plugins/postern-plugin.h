/* postern-plugin.h - the one header that a module includes
 *
 * postern-plugin(3) explains everything, with examples.
 *
 * A module is a shared object with one const table, made by POSTERN_MODULE().
 * A module is a backend (it delivers messages), a filter (it examines or
 * changes incoming messages), or both.  For each block of configuration that
 * names the module the gateway opens an instance.  Each instance has its own
 * memory (`self'), which the gateway fills in from the options that the table
 * declares.
 *
 * Every name that begins with postern_ or POSTERN_ is the ABI, and nothing
 * else is.  The table carries the ABI number and the sizes of all structures
 * that pass between module and gateway, as this header had them.  Structures
 * grow only at their end, so from ABI 1 on a module built with an older
 * header keeps working.  While the ABI number is 0, the interface may still
 * change, and a module must be built for exactly this header.
 *
 * Threads: all callbacks of an instance run on one thread: the delivery loop
 * for a backend, an intake loop for a filter.  A callback must not block.
 * There is one exception: the deliver() of a backend with POSTERN_BLOCKING
 * runs on a worker of its instance, one job at a time, and may block.
 * postern_log(), postern_resume() and postern_answer() may be called from any
 * thread; all other functions only from within a callback.
 *
 * Strings: the gateway copies what you pass in.  The gateway lends what a
 * function returns: for a transaction until the callback returns, for a job
 * until its last recipient is settled, for an instance and its options until
 * close() returns.  Text should be UTF-8, but need not be: strangers send it.
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

/* --- options: the keys of the block in the YAML -------------------------- */

enum {
	POSTERN_STRING = 0,	/* const char *: NULL when not given */
	POSTERN_BOOL = 1,	/* int32_t: 0 or 1 */
	POSTERN_INT = 2,	/* int64_t */
	POSTERN_SIZE = 3,	/* int64_t, bytes; K M G */
	POSTERN_DURATION = 4,	/* int64_t, milliseconds; ms s m h d */
	POSTERN_ENUM = 5,	/* int32_t: the index in `words', from 0 */
	POSTERN_PATH = 6,	/* const char *, relative to the file; ${NAME} */
	POSTERN_STRINGS = 7,	/* struct postern_strings: a list or a scalar */
	POSTERN_BLOCK = 8,	/* no field: a nested block, `block' has its rows */
	POSTERN_SECRET = 9,	/* const char *: KEY, KEY_file or KEY_credential;
				 * never logged, wiped when the instance ends */
	POSTERN_SMTP = 10	/* struct postern_smtp_plan: the keys of every
				 * SMTP client, directly in this block; fallback
				 * may change their defaults:
				 * "port=587 tls=verify" */
};

enum {					/* flags of an option */
	POSTERN_REQUIRED = 1,
	POSTERN_READABLE = 2,		/* POSTERN_PATH: a file that must
					 * exist and that the gateway can read */
	POSTERN_NEXT_HOP = 4		/* POSTERN_STRING: the host of the
					 * POSTERN_SMTP beside it; must not be
					 * a listener of this gateway */
};

struct postern_strings {		/* never grows: it is part of self */
	const char *const *v;
	size_t n;
};

/* The gateway parses, checks, documents and fills in the options; most modules
 * parse nothing themselves.  A table ends with a row whose key is NULL. */
struct postern_option {
	const char *key;		/* a-z 0-9 _ */
	size_t offset;			/* of the field in self, also in a block */
	uint32_t size;			/* of this field; 0: unknown */
	int32_t type;
	uint32_t flags;
	const char *fallback;		/* the default, as written in the YAML;
					 * NULL: none, and a number is 0 */
	const char *words;		/* POSTERN_ENUM: "a|b|c" */
	int64_t min, max;		/* of a number; both 0: no limits */
	const struct postern_option *block;	/* POSTERN_BLOCK */
	const char *help;		/* required: one sentence */
};

#ifndef POSTERN_C90
/* A row for the key with the name of the field:
 *   POSTERN_OPTION(struct tag, value, POSTERN_STRING, .help = "...") */
#define POSTERN_OPTION(s, field, type_, ...)				\
	{ .key = #field, .offset = offsetof(s, field),			\
	  .size = sizeof(((s *)0)->field), .type = (type_), __VA_ARGS__ }
#endif

/* --- an instance --------------------------------------------------------- */

typedef struct postern_instance postern_instance;

/* check() and open() call this to say what is wrong, and then return -1.  The
 * text is for the operator: name the thing, the reason and, after a line feed,
 * the remedy.  check() may call it once for each mistake. */
void postern_fail(postern_instance *me, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);

enum { POSTERN_ERROR = 0, POSTERN_WARNING = 1, POSTERN_INFO = 2,
       POSTERN_DEBUG = 3 };

/* May be called from any thread; never blocks.  Never pass a secret.  The
 * gateway adds the names of the module and of the route to the line. */
void postern_log(postern_instance *me, int level, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

const char *postern_hostname(const postern_instance *me);  /* of the gateway */
/* The name of the route that the instance belongs to; "" for gateway-wide
 * filters. */
const char *postern_route(const postern_instance *me);

/* Timers run on the instance's loop (a worker gets 0: it may sleep).  A timer
 * fires once.  The number 0 is no timer.  Stopping a timer that has fired does
 * nothing.  close() stops all timers of the instance. */
uint64_t postern_timer(postern_instance *me, int64_t in_ms,
		       void (*fire)(void *arg), void *arg);
void postern_timer_stop(postern_instance *me, uint64_t timer);

/* --- backends ------------------------------------------------------------ */

/* One delivery: one message, and its recipients with the same destination. */
typedef struct postern_job postern_job;

/* What has one throttle and one backoff: usually the next hop.  Recipients
 * whose destinations have the same name are in one job. */
struct postern_destination {		/* the gateway zeroes it before */
	char name[256];			/* "" : the module's name */
	uint32_t connections;		/* at most at the same time, if the next
					 * hop has such a limit; 0: unknown */
	uint32_t per_minute;		/* messages a minute; 0: unknown.  The
					 * route's limits override both */
	uint32_t may_refuse;		/* of POSTERN_NULL_SENDER; 0: nothing
					 * is known that it refuses */
	char mailbox[256];		/* the mailbox or account that the module
					 * logs in as; "" : none */
};

enum {					/* bits of may_refuse */
	POSTERN_NULL_SENDER = 1		/* the sender <> and From: MAILER-DAEMON,
					 * as delivery reports have them */
};

/* The step at which an attempt ended. */
enum {
	POSTERN_PHASE_NONE = 0, POSTERN_PHASE_RESOLVE = 1,
	POSTERN_PHASE_CONNECT = 2, POSTERN_PHASE_GREETING = 3,
	POSTERN_PHASE_EHLO = 4, POSTERN_PHASE_STARTTLS = 5,
	POSTERN_PHASE_AUTH = 6, POSTERN_PHASE_MAIL = 7,
	POSTERN_PHASE_RCPT = 8, POSTERN_PHASE_DATA = 9,
	POSTERN_PHASE_BODY = 10, POSTERN_PHASE_DOT = 11,
	POSTERN_PHASE_QUIT = 12
};

/* What happened to one recipient.  code is an SMTP reply code.  2xx: the
 * message is delivered.  4xx and 5xx: the server's answer in this phase; the
 * gateway decides whether a 5xx is final.  0: there was no answer; the message
 * stays and is tried again. */
struct postern_outcome {
	int32_t code;
	int32_t phase;
	const char *enhanced;		/* "5.1.1", or NULL */
	const char *text;		/* the server's text, or yours */
	const char *host;		/* which host answered, or NULL */
};

const char *postern_job_id(const postern_job *job);	/* for logs */
const char *postern_job_sender(const postern_job *job);	/* "" : <> */
size_t postern_job_rcpt_count(const postern_job *job);
const char *postern_job_rcpt(const postern_job *job, size_t i);
uint64_t postern_job_size(const postern_job *job);	/* octets */
unsigned postern_job_attempt(const postern_job *job);	/* from 1 */

/* Memory that belongs to the job, zeroed; the gateway frees it with the job.
 * postern_job_data() allocates one piece at the first call and returns the same
 * piece at each later call (in cancel(), in a timer), so the size must be the
 * same too.  postern_job_alloc() allocates a new piece at each call. */
void *postern_job_data(postern_job *job, size_t size);
void *postern_job_alloc(postern_job *job, size_t size);

/* The bytes of the message; lines end in CRLF.
 * postern_job_pread() is for blocking backends.  It returns the number of bytes
 * read, 0 at the end, and -1 when the message cannot be read (settle with
 * code 0).
 * postern_job_read() is for all other backends.  It answers with done(),
 * perhaps before it returns; n is 0 at the end and -1 on failure.  A job has
 * one read at a time.  done() is not called for a job that is over. */
int64_t postern_job_pread(postern_job *job, uint64_t offset, void *to,
			  size_t max);
void postern_job_read(postern_job *job, uint64_t offset, size_t max,
		      void (*done)(void *arg, const void *bytes, int64_t n),
		      void *arg);

/* Settle every recipient exactly once.  With the last recipient the job is
 * over: do not use it any more.  postern_settle_rest() settles all recipients
 * that are not settled yet.  A recipient that is settled twice keeps its first
 * outcome, and the gateway reports the module. */
void postern_settle(postern_job *job, size_t rcpt,
		    const struct postern_outcome *o);
void postern_settle_rest(postern_job *job, const struct postern_outcome *o);

/* A backend that cannot deliver at all (a sign-in was refused, a certificate is
 * missing) calls postern_pause().  The route's mail then waits and does not
 * age.  The pause ends with postern_ready(), a reload, a command of the
 * operator, or a successful probe: from time to time the gateway lets one job
 * through.  The text is for the operator: say what is wrong and what to do. */
void postern_pause(postern_instance *me, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);
void postern_ready(postern_instance *me);

enum {					/* indexes of timeouts_ms */
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
	POSTERN_TLS_REQUIRED = 2,	/* STARTTLS; any certificate */
	POSTERN_TLS_VERIFY = 3,		/* STARTTLS; the certificate is verified */
	POSTERN_TLS_IMPLICIT = 4	/* TLS from the first octet; verified */
};

enum {					/* bits of auth: allowed mechanisms */
	POSTERN_AUTH_XOAUTH2 = 1, POSTERN_AUTH_OAUTHBEARER = 2,
	POSTERN_AUTH_PLAIN = 4, POSTERN_AUTH_LOGIN = 8
};

/* Tells the gateway's SMTP client what to do.  With hosts alone and all other
 * members 0, the client does what RFC 5321 says, without TLS.  An option of
 * type POSTERN_SMTP fills in a plan from the configuration; copy this plan and
 * add the hosts. */
struct postern_smtp_plan {
	const char *const *hosts;	/* names or addresses, tried in order */
	size_t host_count;
	uint32_t port;			/* 0: 25 */
	uint32_t reuse;			/* messages a connection; 0: 100 */
	int64_t idle_ms;		/* keep a connection; 0: 5 s; -1: never */
	const char *helo;		/* NULL: the gateway's host name */
	const char *source;		/* local address; NULL: any */
	int64_t timeouts_ms[POSTERN_TIMEOUTS];	/* 0: RFC 5321 4.5.3.2 */

	int32_t tls;
	uint32_t auth;			/* 0: no login; a login needs TLS */
	const char *server_name;	/* to verify; NULL: the host's name */
	const char *certificate, *key;	/* PEM files: the client certificate,
					 * sent when the server asks; NULL: none;
					 * key NULL: in the certificate's file */
	const char *trust_file;		/* trusted authorities; NULL: the gateway's */
	const char *user, *secret;	/* for auth: a password, or a token of at
					 * most 16 KiB */
	/* Called when the attempt ended before any RCPT: the client reached
	 * no host, or each host refused the gateway.  Return 1 to take the job
	 * back, and settle it or send it again.  Return 0, or leave this
	 * member NULL, and the outcome counts for all recipients that are not
	 * settled yet.  In phase RESOLVE enhanced is "4.4.4" when the DNS has
	 * answered that the last host has no address. */
	int32_t (*failed)(void *self, postern_job *job,
			  const struct postern_outcome *o);
};

/* Hands the job to the SMTP client, which settles all recipients that are not
 * settled yet.  The job is over for the module, unless `failed' takes it back.
 * The plan is copied.  Not for blocking backends. */
void postern_smtp_send(postern_job *job, const struct postern_smtp_plan *plan);

/* Takes the way of a message as far as a phase, on a connection of its own, and
 * then says QUIT.  Sends no message.  TLS and the login take place where the
 * plan has them.  The rules of "asking others" below hold. */
struct postern_probe {
	const struct postern_smtp_plan *plan;	/* copied; failed, reuse and
					 * idle_ms have no effect */
	int32_t upto;			/* POSTERN_PHASE_EHLO, _STARTTLS or
					 * _AUTH */
	int64_t timeout_ms;		/* for the whole probe; 0: 60 s */
};
struct postern_probe_answer {
	int32_t ok;			/* 1: the probe came so far */
	const struct postern_outcome *outcome;	/* the last reply, or the
					 * failure; code 0 means no reply,
					 * which proves nothing */
	const char *remedy;		/* what the operator can do, or NULL */
};
uint64_t postern_smtp_probe(postern_instance *me,
			    const struct postern_probe *probe,
			    void (*done)(void *arg,
				const struct postern_probe_answer *answer),
			    void *arg);

struct postern_backend {
	/* Names the recipient's destination.  Pure: the answer depends on self
	 * and the address alone, and comes at once.  Runs on the delivery
	 * loop, also for a blocking backend; at a check, on any thread, with
	 * the options alone. */
	void (*describe)(const void *self, const char *recipient,
			 struct postern_destination *ret);
	/* Begins a delivery.  A blocking backend must settle all recipients
	 * before it returns.  After a timeout of 10 minutes its job is over,
	 * and the gateway ignores what it settles later. */
	void (*deliver)(void *self, postern_job *job);
	/* The gateway stops, and its stop timeout has ended: settle all
	 * recipients with code 0 before you return.  The gateway drops the job
	 * otherwise.  The message stays in the queue.  May be NULL; not called
	 * for a blocking backend. */
	void (*cancel)(void *self, postern_job *job);
	/* The route has a new instance, or the gateway stops; close() follows,
	 * perhaps much later.  Finish running jobs and questions, but begin
	 * nothing that can wait, such as renewals ahead of time.  close() waits
	 * for answers of web servers and of the state folder; when the gateway
	 * stops, only for a limited time.  The new instance reads and writes the
	 * state when this instance has no such question open any more; from
	 * then on the gateway refuses this instance's questions.  May be NULL;
	 * not called for a blocking backend. */
	void (*retire)(void *self);
	/* The route is paused by postern_pause(), and a reload or the operator
	 * asks for another try.  1: the module finds out whether the reason
	 * still holds, and calls postern_ready() or postern_pause(), now or
	 * later; the route stays paused until then.  0, or NULL here: only
	 * mail can find that out, so the pause ends.  Not called for a
	 * blocking backend. */
	int32_t (*look_again)(void *self);
};

/* --- DNS, web servers and state; not for blocking backends ---------------- */

/* Each of these functions answers with done(), once, on the delivery loop,
 * perhaps before the function returns.  The answer is valid until done()
 * returns.  The function returns the number of the question; 0 means that
 * done() was called already.  postern_give_up() with this number cancels the
 * question, and done() is not called any more.  close() cancels all open
 * questions, but the gateway finishes each write to the state. */

enum {					/* types of records: the numbers of IANA */
	POSTERN_DNS_A = 1, POSTERN_DNS_CNAME = 5, POSTERN_DNS_PTR = 12,
	POSTERN_DNS_MX = 15, POSTERN_DNS_TXT = 16, POSTERN_DNS_AAAA = 28,
	POSTERN_DNS_TLSA = 52
};
enum {
	POSTERN_DNS_OK = 0,		/* at least one record */
	POSTERN_DNS_NODATA = 1,		/* the name exists without such a record */
	POSTERN_DNS_NXDOMAIN = 2,	/* an answer: there is no such name */
	POSTERN_DNS_FAILED = 3		/* no answer; this proves nothing */
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
	const char *why;		/* the reason when status is not OK */
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
	const void *body;		/* the gateway wipes its copy */
	size_t body_size;
	int64_t timeout_ms;		/* for the whole request; 0: 30 s */
	size_t answer_max;		/* 0: 64 KiB */
	const char *trust_file;		/* NULL: the gateway's */
	const char *proxy;		/* "http://proxy:3128"; NULL: none */
};
struct postern_http_answer {
	int32_t status;			/* 0: there was no answer */
	const char *why;		/* the reason when status is 0 */
	const char *type;		/* the Content-Type, or "" */
	int64_t retry_after_ms;		/* -1: not given */
	const void *body;		/* the gateway wipes it after done() */
	size_t body_size;
};
/* Redirects are not followed; https is always verified. */
uint64_t postern_http(postern_instance *me,
		      const struct postern_http_request *request,
		      void (*done)(void *arg,
				   const struct postern_http_answer *answer),
		      void *arg);

/* Pure; made for check().  Returns 0 when credentials may be sent to url (https,
 * or http to this host itself) and proxy can be used; either may be NULL.
 * Returns -1 otherwise, and writes the reason, without secrets, into why, which
 * has size octets. */
int32_t postern_http_check(const char *url, const char *proxy, char *why,
			   size_t size);

/* Small values that survive a restart.  Each value is a file of the state
 * folder, with mode 0600 and at most 64 KiB.  After a crash the file has the
 * old or the new contents.  A value belongs to the name of the route and to a
 * key; the characters of a key are a-z 0-9 _ -.
 * postern_state_get(): n is -1 when there is no value.  n is -2 when the value
 * cannot be read; bytes then has the reason.
 * postern_state_put(): ok is 1 when the value is durable.  ok is 0 when it is
 * not; why has the reason.  NULL bytes delete the value.
 * The gateway wipes its copies of the bytes. */
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

/* `postern login ROUTE' runs the action `login': in the running gateway or,
 * when no gateway runs, in an instance of its own.  Whoever waits sees each
 * text on a line of its own. */
typedef struct postern_action_run postern_action_run;

struct postern_action {
	const char *name;		/* a-z 0-9 - ; NULL ends the table */
	const char *summary;
	/* Begins the action.  Call postern_action_end() now or later. */
	void (*begin)(void *self, postern_action_run *run);
	/* Nobody waits any more, or the instance is retired: end the action. */
	void (*cancel)(void *self, postern_action_run *run);
};
/* Never pass a secret, except what the person must type elsewhere. */
void postern_action_say(postern_action_run *run, const char *fmt, ...)
	POSTERN_PRINTF(2, 3);
enum {					/* how an action ends */
	POSTERN_ACTION_FAILED = 0,
	POSTERN_ACTION_DONE = 1,
	POSTERN_ACTION_UNPROVED = 2	/* done, but the module could not find
					 * out whether it works */
};
/* Shows the last line; run is invalid afterwards. */
void postern_action_end(postern_action_run *run, int how, const char *fmt, ...)
	POSTERN_PRINTF(3, 4);

/* --- filters ------------------------------------------------------------- */

/* One SMTP session and the transaction in it. */
typedef struct postern_txn postern_txn;

typedef int32_t postern_verdict;
enum {
	POSTERN_CONTINUE = 0,	/* accept: ask the next filter */
	POSTERN_REJECT = 1,	/* refuse for good (5xx) */
	POSTERN_DEFER = 2,	/* refuse for now (4xx) */
	POSTERN_PENDING = 3,	/* the answer comes later, by ticket */
	POSTERN_DISCARD = 4	/* on_message: answer 250, deliver nothing */
};

const char *postern_txn_client(const postern_txn *txn);	/* address */
const char *postern_txn_helo(const postern_txn *txn);	/* or "" */
const char *postern_txn_sender(postern_txn *txn);	/* "" : <> or none */
size_t postern_txn_rcpt_count(const postern_txn *txn);	/* accepted so far */
const char *postern_txn_rcpt(postern_txn *txn, size_t i);

/* Memory for this filter in this transaction: zeroed at the first call, the
 * same at each later one, gone after on_end.  NULL before on_mail. */
void *postern_txn_data(postern_txn *txn, size_t size);

/* In on_message: the nth (from 0) header field of this name, unfolded, or
 * NULL; the size of the message in octets. */
const char *postern_txn_header(postern_txn *txn, const char *name, size_t n);
uint64_t postern_txn_size(const postern_txn *txn);

/* In on_message: adds a header field in front of the message.  Returns 0, or
 * -1 when name or value contain a character that a header field may not
 * contain, or when there are too many fields. */
int postern_txn_add_header(postern_txn *txn, const char *name,
			   const char *value);

/* Sets the reply of a refusal; call it before you return POSTERN_REJECT or
 * POSTERN_DEFER.  code must suit the verdict.  Without this call the gateway
 * gives a standard reply. */
void postern_txn_reply(postern_txn *txn, int code, const char *enhanced,
		       const char *text);

/* To answer later: take a ticket, return POSTERN_PENDING, and use the ticket
 * once, from any thread.  The ticket has a timeout of one minute, after which
 * the gateway acts as for POSTERN_DEFER.  A ticket is over when it was used,
 * after its timeout, and when the client has disconnected.
 *
 * postern_resume() gives a verdict alone; for a ticket that is over it does
 * nothing.  postern_answer() makes the gateway call answer() exactly once.  For
 * a valid ticket answer() runs on the filter's thread with the transaction,
 * like the hook itself: answer() may add fields, set a reply, even take another
 * ticket.  For a ticket that is over answer() runs on any thread and gets NULL,
 * so that it can free arg. */
uint64_t postern_txn_ticket(postern_txn *txn);
void postern_resume(uint64_t ticket, postern_verdict verdict);
void postern_answer(uint64_t ticket,
		    postern_verdict (*answer)(void *arg, postern_txn *txn),
		    void *arg);

struct postern_filter {
	/* Each may be NULL.  For a route's filter the gateway calls on_message
	 * and on_end only; for a gateway-wide filter it calls all hooks. */
	postern_verdict (*on_connect)(void *self, postern_txn *txn);
	postern_verdict (*on_helo)(void *self, postern_txn *txn);
	postern_verdict (*on_mail)(void *self, postern_txn *txn);
	postern_verdict (*on_rcpt)(void *self, postern_txn *txn,
				   const char *recipient);
	postern_verdict (*on_message)(void *self, postern_txn *txn);
	/* The transaction has ended, in whatever way.  Called once for each
	 * on_mail (in a route's filter: for each on_message), also when that
	 * hook is NULL. */
	void (*on_end)(void *self, postern_txn *txn);
};

/* --- the table ----------------------------------------------------------- */

enum {					/* flags of a module, for its backend */
	POSTERN_BLOCKING = 1,
	/* All mail goes to one next hop that knows the gateway: a 5xx before
	 * RCPT pauses the route.  The administrator wrote its hosts and URLs:
	 * they may be names that only the local resolver knows. */
	POSTERN_RELAY = 2,
	/* Mail goes to the servers of its recipients: any 5xx to RCPT or to
	 * the message is final. */
	POSTERN_RECEIVERS = 4,
	/* check() also takes options of which some are missing or wrong: a
	 * required one is NULL or 0 then, and a word that is not known is -1.
	 * The gateway has told those; check() tells all else that is wrong. */
	POSTERN_CHECKS_PARTS = 8
};

enum {					/* indexes of sizes */
	POSTERN_SIZEOF_OPTION = 0, POSTERN_SIZEOF_BACKEND = 1,
	POSTERN_SIZEOF_FILTER = 2, POSTERN_SIZEOF_DESTINATION = 3,
	POSTERN_SIZEOF_OUTCOME = 4, POSTERN_SIZEOF_PLAN = 5,
	POSTERN_SIZEOF_DNS_RECORD = 6, POSTERN_SIZEOF_DNS_ANSWER = 7,
	POSTERN_SIZEOF_HTTP_REQUEST = 8, POSTERN_SIZEOF_HTTP_ANSWER = 9,
	POSTERN_SIZEOF_ACTION = 10, POSTERN_SIZEOF_PROBE = 11,
	POSTERN_SIZEOF_PROBE_ANSWER = 12, POSTERN_SIZES = 16
};

struct postern_module {
	/* POSTERN_MODULE() fills these in: the ABI number and the sizes of this
	 * header.  The places of abi and size never change. */
	uint32_t abi, size;
	uint32_t sizes[POSTERN_SIZES];

	const char *name;		/* required: the key in the YAML, and
					 * the name of the file, NAME.so */
	const char *summary;		/* required: for `postern module list' */
	uint32_t flags;
	const struct postern_option *options;	/* NULL: none */
	size_t self_size;		/* of your instance structure */

	/* Checks what the table of options cannot say, without side effects;
	 * returns -1 after postern_fail().  May be NULL.  Runs on any thread;
	 * me is only for postern_fail(), postern_log() and the names. */
	int (*check)(const void *self, postern_instance *me);
	/* The instance begins and ends; each may be NULL.  me is valid until
	 * close() returns: keep it in self.  open() returns -1 after
	 * postern_fail(); close() is not called then. */
	int (*open)(void *self, postern_instance *me);
	void (*close)(void *self);

	const struct postern_backend *backend;	/* NULL: not a backend */
	const struct postern_filter *filter;	/* NULL: not a filter */
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
	  sizeof(struct postern_action), sizeof(struct postern_probe),	\
	  sizeof(struct postern_probe_answer), 0, 0, 0 }

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

/* For C90 and for C++ before C++20, which have no designated initializers: the
 * first members of a table that lists all members in order.  Declare
 * postern_module_entry extern (in C++: extern "C") and POSTERN_EXPORT. */
#define POSTERN_STAMP							\
	POSTERN_ABI, sizeof(struct postern_module), POSTERN_SIZES_HERE

#endif
