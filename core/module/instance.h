/* instance.h - an instance as the files of this room see it; for no other */
#ifndef MODULE_INSTANCE_H
#define MODULE_INSTANCE_H

#include "base/log.h"
#include "io/dns.h"
#include "module/loaded.h"

struct host;
struct module_timer;
struct question;
struct state_question;
struct tickets;

/* The state of a route is one instance's at a time. */
enum state_turn {
	STATE_OURS,
	STATE_LATER,		/* what is asked waits for its turn */
	STATE_OVER,		/* another has it: nothing is to be had */
};

enum { FAILURES_MAX = 50 };		/* of one check() or open() */

struct failure {
	struct failure *before;
	struct error err;
};

struct postern_instance {
	struct module *module;
	void *self;
	struct arena *arena;		/* self, and what its options hold */
	struct loop *loop;		/* NULL: it is only being checked */
	const char *route, *hostname;
	struct log log;			/* read by any thread */
	bool blocking;			/* its jobs run on a worker */
	const struct host *host;	/* NULL: no services */
	const struct backend_events *events;	/* NULL: not a backend */
	void *arg;			/* for them */
	struct tickets *timers;		/* NULL: none yet */
	struct module_timer *first_timer;
	struct tickets *asked;		/* NULL: none yet */
	struct question *questions;
	unsigned awaited;		/* of them: see backend_busy() */
	bool closing;			/* nobody is told any more */
	enum state_turn turn;
	struct state_question *held;	/* until it is our turn, in order */
	bool failing;			/* postern_fail() may speak */
	struct failure *failures;	/* what it said, the latest first */
	size_t failure_count;
};

/* The module broke a rule of the ABI: said to the operator as that. */
void instance_mistake(const struct postern_instance *me, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Who wrote the names that the module has us look up. */
enum dns_author instance_author(const struct postern_instance *me);

void instance_timers_end(struct postern_instance *me);
void instance_questions_end(struct postern_instance *me);
/* Its turn has come. */
void instance_state_begin(struct postern_instance *me);

#endif
