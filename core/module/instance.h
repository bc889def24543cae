/* instance.h - an instance as the files of this room see it; for no other */
#ifndef MODULE_INSTANCE_H
#define MODULE_INSTANCE_H

#include "base/log.h"
#include "module/loaded.h"

struct module_timer;

struct postern_instance {
	struct module *module;
	void *self;
	struct arena *arena;		/* self, and what its options hold */
	struct loop *loop;		/* NULL: it is only being checked */
	const char *route, *hostname;
	struct log log;			/* read by any thread */
	bool blocking;			/* its jobs run on a worker */
	struct tickets *timers;		/* NULL: none yet */
	struct module_timer *first_timer;
	struct error *failing;		/* postern_fail() may speak: here */
	bool failed;
};

/* The module broke a rule of the ABI: said to the operator as that. */
void instance_mistake(const struct postern_instance *me, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void instance_timers_end(struct postern_instance *me);

#endif
