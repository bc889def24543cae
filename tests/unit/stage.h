/* stage.h - the client engine on a stage: a play is a scripted server, what
 * is sent to it, and what shall become of it
 *
 * An outcome is written as a letter for the kind, the code, the phase, the
 * enhanced code, the text: "R550 rcpt 5.1.1 no such user".
 */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include "unit.h"

#include "io/dns.h"
#include "script.h"
#include "tls-world.h"
#include "smtpc/smtpc.h"

enum { LINES = 64, WANTS = 8 };

enum {
	EIGHTBIT = 1, UTF8_SENDER = 2, UTF8_RCPT = 4, DSN_WISHES = 8,
	LARGE = 16, SLOW_SOURCE = 32, BROKEN_SOURCE = 64, SHORT_SOURCE = 128,
	AT_ONCE = 256,		/* the messages side by side */
	EMPTY = 512, DEAD_SOURCE = 1024, UTF8_ORCPT = 2048,
	UTF8_HEADER = 4096,
	UTF8_SAID = 8192,	/* perhaps in vain */
};

struct play {
	const char *title;
	unsigned flags;
	size_t rcpts, messages;		/* 0: one */
	const char *self;		/* the plan's */
	const char *mark;		/* the engine's */
	bool no_helo;			/* the plan has none */
	enum phase upto;		/* no message, but a probe so far */
	int64_t patience_ms;		/* of everything; 0: 2 s */
	unsigned reuse;
	int64_t idle_ms;
	/* TLS and the login, for stages with a world */
	enum tls_policy tls;
	bool implicit;
	const char *name;		/* of the server, to be verified */
	bool client;			/* has a certificate to show */
	struct peer {
		enum who who;		/* WHO_CA: WHO_SERVER */
		bool asks, insists;	/* for a certificate of ours */
		bool doubts;		/* and accepts none */
		const char *priority;
	} peer;
	unsigned auth;			/* of enum auth_mechanism, */
	const char *user, *secret;	/* NULL: u@src.test, s3cret */
	const char *script[LINES];
	const char *want[WANTS];	/* for each message, for each recipient */
	const char *facts;		/* of TLS, in the last outcome; NULL: not
					 * looked at */
};

/* Answers a turn later, and perhaps not as it should. */
struct source {
	struct body_source source;
	struct loop *loop;
	struct later later;
	struct span bytes;
	struct span answer;
	unsigned flags;
	body_read_fn *done;
	void *arg;
	bool busy;
};

struct stage {
	const struct play *play;
	struct loop *loop;
	struct workers *workers;
	struct dns *dns;
	struct smtpc *smtpc;
	struct timer watchdog;
	struct envelope *env;
	size_t rcpts[WANTS];
	struct source source;
	struct smtpc_plan plan;
	struct smtpc_message message;
	char got[WANTS][900];
	struct outcome last;
	size_t settled, sent, done;
	bool within_send;
	uint64_t ticket;
	struct buf body;
};

/* Where the certificates of all plays come from: for a group that has TLS, to
 * be made before it and undone behind it. */
extern struct tls_world stage_world;
int stage_open_world(void **state);
int stage_close_world(void **state);
/* The play's server. */
void stage_server(const struct play *p, struct server *server,
		  struct endpoint *at);
/* The engine, a plan for these hosts, and the play's message. */
void stage_init(struct stage *s, const struct play *p,
		const char *const *hosts, size_t host_count, uint16_t port);
void stage_send(struct stage *s);
/* Until all messages are done, or the time is over. */
void stage_run(struct stage *s, int64_t ms);
void stage_fini(struct stage *s);

/* Fails the test unless got begins with what stands before the bar in want,
 * and holds what stands behind it. */
void stage_check(const char *title, const char *want, const char *got);

/* All of it, from the start of the server to the checks. */
void stage_perform(const struct play *p);
/* Each of them; PLAY in the environment names (a part of) the only one, and
 * with VERBOSE their titles are said. */
void stage_perform_all(const struct play *plays, size_t n);

/* Pieces of scripts. */
#define GREET "@", "> 220 mx.test ESMTP", "< EHLO gw.test"
#define PLAIN GREET, "> 250 mx.test"
#define PIPE GREET, "> 250-mx.test", "> 250 PIPELINING"
#define MAIL "< MAIL FROM:<a@src.test>"
#define RCPT0 "< RCPT TO:<r0@dst.test>"
#define RCPT1 "< RCPT TO:<r1@dst.test>"
#define RCPT2 "< RCPT TO:<r2@dst.test>"
#define OK "> 250 2.1.0 ok"
#define STARTTLS GREET, "> 250-mx.test", "> 250 STARTTLS", "< STARTTLS"
#define HELLO "< EHLO gw.test"
#define SECURE STARTTLS, "> 220 go", "T", HELLO
#define ONE MAIL, OK, RCPT0, OK, "< DATA", "> 354 go"
#define ONE_PIPE MAIL, RCPT0, "< DATA", OK, OK, "> 354 go"
#define TAKEN ".", "> 250 2.0.0 taken"

#endif
