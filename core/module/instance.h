/* instance.h - an instance as the files of this room see it; for no other */
#ifndef MODULE_INSTANCE_H
#define MODULE_INSTANCE_H

#include "base/log.h"
#include "module/loaded.h"

struct host;
struct module_timer;
struct question;
struct tickets;

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
	struct error *failing;		/* postern_fail() may speak: here */
	bool failed;
};

/* The module broke a rule of the ABI: said to the operator as that. */
void instance_mistake(const struct postern_instance *me, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void instance_timers_end(struct postern_instance *me);
void instance_questions_end(struct postern_instance *me);

#endif
