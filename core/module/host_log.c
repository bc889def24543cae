/* host_log.c - a module speaks to the operator */
#include "module/instance.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 2000 };		/* of a worker's modest stack */

void
postern_log(postern_instance *me, int level, const char *fmt, ...)
{
	static const enum log_level levels[] = {
		[POSTERN_ERROR] = LOG_LEVEL_ERROR,
		[POSTERN_WARNING] = LOG_LEVEL_WARNING,
		[POSTERN_INFO] = LOG_LEVEL_INFO,
		[POSTERN_DEBUG] = LOG_LEVEL_DEBUG,
	};
	char line[LINE];
	va_list ap;

	if (level < 0 || (size_t)level >= ARRAY_SIZE(levels))
		level = POSTERN_WARNING;
	if (!log_wants(levels[level]))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_event(&me->log, levels[level], NULL, 0, "%s", line);
}

void
instance_mistake(const struct postern_instance *me, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_error(&me->log, "mistake of the module: %s", line);
}

void
postern_fail(postern_instance *me, const char *fmt, ...)
{
	struct failure *f;
	char line[sizeof(f->err.text) + sizeof(f->err.hint)], *hint;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!me->failing) {
		instance_mistake(me, "postern_fail() outside of check() and "
				 "open(): %s", line);
		return;
	}
	if (me->failure_count++ == FAILURES_MAX)
		return;
	hint = strchr(line, '\n');
	if (hint != NULL)
		*hint++ = '\0';
	f = ARENA_NEW(me->arena, struct failure);
	f->before = me->failures;
	me->failures = f;
	error_set(&f->err, ERROR_CONFIG, "%s", line);
	error_hint(&f->err, "%s", hint ? hint : "");
}
