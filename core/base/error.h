/* error.h - what went wrong, told to the operator
 *
 * Three things are not errors of this kind and must not be dressed as one:
 *   a bug            bug("...")        aborts, with the place
 *   a remote's "no"  struct outcome    travels with the recipient
 *   not yet          a callback later  the loop will call back
 *
 * A struct error is a plain value on the caller's stack.  A function that
 * can fail takes it as its last argument, returns false, and has then filled
 * it; on success it does not touch it.  Passing NULL is not allowed.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/limits.h"

#include <stdbool.h>

enum error_kind {
	ERROR_CONFIG,		/* the operator can mend it in a file */
	ERROR_SYSTEM,		/* a system call or a library said no */
	ERROR_LIMIT,		/* one of base/limits.h, or of limits: */
	ERROR_PROTOCOL,		/* a peer broke a grammar or a rule */
	ERROR_LACK,		/* this host has no descriptor, port or network
				 * to reach a peer with, who may be well */
};

struct error {
	enum error_kind kind;
	char text[400];		/* "DKIM key: /etc/k.pem: permission denied" */
	char hint[LIMIT_HINT];	/* "make it readable by group postern", or "" */
};

/* All of these return false, so that a failing function ends in one line.
 * error_set forgets what *err held; error_prefix puts "PREFIX: " before the
 * text; both cut what is too long, the latter with "..." at the end. */
bool error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool error_prefix(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool error_hint(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ERROR_SYSTEM with ": " and the words for errno at the end. */
bool error_errno(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The exit status of sysexits(3) that fits: 78 for ERROR_CONFIG, 71, 75, 76,
 * 71. */
int error_exit_status(const struct error *err);

/* A promise inside the program was broken: says where, and aborts. */
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define must(cond) ((cond) ? (void)0 : bug("broken promise: %s", #cond))
/* fn is called before the abort, by whoever found the bug.  To be set before
 * there are threads. */
void bug_last_words(void (*fn)(void));

#endif
