/* mem.c - allocation that does not fail: a gateway without memory for its
 * own small objects is restarted by its supervisor, and loses no mail */
#include "base/mem.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *p, size_t size)
{
	if (p == NULL && size != 0)
		bug("out of memory for %zu bytes", size);
	return p;
}

void *
mem_new(size_t size)
{
	return checked(calloc(1, size ? size : 1), size ? size : 1);
}

void *
mem_array(size_t n, size_t size)
{
	n = n ? n : 1;
	return checked(calloc(n, size), n);
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	return checked(reallocarray(p, n ? n : 1, size), n);
}

char *
mem_strdup(const char *s)
{
	return checked(strdup(s), 1);
}

char *
mem_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s, 1);
}

void
mem_free(void *p)
{
	free(p);
}
