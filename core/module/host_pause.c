/* host_pause.c - a backend that cannot deliver at all, or can again */
#include "module/backend.h"
#include "module/instance.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

static bool
pause_allowed(const struct postern_instance *me)
{
	if (me->events != NULL && me->loop != NULL && !me->blocking)
		return true;
	instance_mistake(me, "postern_pause() and postern_ready() are for "
			 "backends that do not block, and not for check()");
	return false;
}

void
postern_pause(postern_instance *me, const char *fmt, ...)
{
	char why[LIMIT_OUTCOME_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (pause_allowed(me))
		me->events->paused(me->arg, why);
}

void
postern_ready(postern_instance *me)
{
	if (pause_allowed(me))
		me->events->ready(me->arg);
}
