/* action.h - what the operator may ask of a backend
 *
 * On the delivery loop.
 */
#ifndef MODULE_ACTION_H
#define MODULE_ACTION_H

#include "module/backend.h"

struct postern_action_run;

/* As POSTERN_ACTION_FAILED and so on. */
enum action_end { ACTION_FAILED, ACTION_DONE, ACTION_UNPROVED };

struct action_events {
	void (*said)(void *arg, const char *line);
	/* The last; the run is over when this returns. */
	void (*ended)(void *arg, enum action_end how, const char *line);
};

/* Begins the action called name; NULL with err when the module has none of
 * that name (and the names that it has).  The events come later than this
 * returns, or before. */
struct postern_action_run *action_begin(struct backend *b, const char *name,
					const struct action_events *ev,
					void *arg, struct error *err);
bool module_has_action(const struct module *m, const char *name);
/* Says that a route has no such action, or (backend is NULL) is not there.
 * The hint names have, the n routes that have it. */
bool action_refuse(struct error *err, const char *route, const char *backend,
		   const char *action, const char *const *have, size_t n);
/* Nobody waits any more: no event is called from now on. */
void action_abandon(struct postern_action_run **run);

#endif
