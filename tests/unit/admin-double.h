/* admin-double.h - doubles of what the control socket stands upon: actions
 * that do what their names say, and a queue that is empty
 *
 *	login	says a line, and goes on until the test ends it
 *	test	says a line and ends well, at once
 *	chatty	says 300 lines and ends badly, at once
 *	slow	says a line, and ends well after a moment
 * There is one route, `office'.
 */
#ifndef TESTS_ADMIN_DOUBLE_H
#define TESTS_ADMIN_DOUBLE_H

#include "unit.h"

#include "admin/admin.h"
#include "base/loop.h"
#include "module/action.h"

struct postern_action_run {
	const struct action_events *events;	/* NULL: it has ended, or */
	void *arg;
	bool abandoned;			/* nobody waits */
	struct timer timer;
};

enum { RUNS = 64 };

struct dispatch {
	struct loop *loop;
	struct postern_action_run runs[RUNS];
	size_t n;
};

void action_say(struct postern_action_run *run, const char *line);
void action_end(struct postern_action_run *run, enum action_end how,
		const char *line);

/* Timers of a second and more do not run by the clock: they fire here, on the
 * thread that calls. */
void time_passes(int64_t ms);

/* Who sleeps at a mailbox gives up after a thousandth of its patience. */
void be_impatient(bool on);

#endif
