/* module-ear.h - a module that remembers who it is, and what it has heard */
#ifndef TESTS_MODULE_EAR_H
#define TESTS_MODULE_EAR_H

#include "service-world.h"

struct self {
	postern_instance *me;
};

static postern_instance *me;
static char heard[2000];		/* "a OK b ..." */

#define CHECK_HEARD(text)						\
	do {								\
		assert_string_equal(heard, (text));			\
		heard[0] = '\0';					\
	} while (0)

static inline void
hear(const char *fmt, ...)
{
	size_t n = strlen(heard);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(heard + n, sizeof(heard) - n, fmt, ap);
	va_end(ap);
}

static inline int
on_open(void *self, postern_instance *instance)
{
	((struct self *)self)->me = me = instance;
	return 0;
}

static const struct postern_module ear = {
	.self_size = sizeof(struct self), .open = on_open,
};

/* A backend of it. */
static inline void
ear_open(struct service_world *w)
{
	heard[0] = '\0';
	service_open(w, &ear);
}

/* --- answers about its state ------------------------------------------ */

static inline void
on_got(void *arg, const void *bytes, int64_t n)
{
	hear("%s: %lld%s%.*s. ", (const char *)arg, (long long)n,
	     n == -2 || n > 0 ? " " : "",
	     n == -2 ? 300 : n > 0 ? (int)n : 0, (const char *)bytes);
}

static inline void
on_kept(void *arg, int32_t ok, const char *why)
{
	hear("%s: %d%s%s. ", (const char *)arg, ok, why[0] ? " " : "", why);
}

#endif
