/* error.c - filling a struct error, and ending on a bug */
#include "base/error.h"

#include "base/put.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUG_WAIT_MS = 1000 };

static void (*last_words)(void);

bool
error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	err->kind = kind;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return false;
}

bool
error_prefix(struct error *err, const char *fmt, ...)
{
	static const char cut[] = "...";
	char old[sizeof(err->text)];
	va_list ap;
	int n;

	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		n += snprintf(err->text + n, sizeof(err->text) - (size_t)n,
			      ": %s", old);
	if (n >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - sizeof(cut), cut,
		       sizeof(cut));
	return false;
}

bool
error_hint(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return false;
}

bool
error_errno(struct error *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	int n;

	err->kind = ERROR_SYSTEM;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n,
			 ": %s", strerrordesc_np(saved));
	return false;
}

int
error_exit_status(const struct error *err)
{
	static const int status[] = {
		[ERROR_CONFIG]   = 78,	/* EX_CONFIG */
		[ERROR_SYSTEM]   = 71,	/* EX_OSERR */
		[ERROR_LIMIT]    = 75,	/* EX_TEMPFAIL */
		[ERROR_PROTOCOL] = 76,	/* EX_PROTOCOL */
		[ERROR_LACK]     = 71,	/* EX_OSERR */
	};

	return status[err->kind];
}

void
bug_last_words(void (*fn)(void))
{
	last_words = fn;
}

void
bug_at(const char *file, int line, const char *fmt, ...)
{
	struct error err;
	char text[sizeof(err.text) + 200];
	va_list ap;
	int n;

	if (last_words != NULL)
		last_words();
	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	n = snprintf(text, sizeof(text), "postern: bug at %.150s:%d: %s\n",
		     file, line, err.text);
	/* nobody may hold up an abort */
	put_write(STDERR_FILENO, &(struct span){ text, (size_t)n }, BUG_WAIT_MS);
	abort();
}
