/* tls_file.h - one identity or trust, and the files that it follows
 *
 * Private to io/.  Lives on the loop of the store; a worker reads.  The
 * newest that could be read is kept, whatever becomes of the files.
 */
#ifndef IO_TLS_FILE_H
#define IO_TLS_FILE_H

#include "base/error.h"
#include "base/worker.h"
#include "io/tls.h"

#include <sys/types.h>
#include <time.h>

struct look;

/* A file as it was when it was looked at; zeroes when it was not there. */
struct stamp {
	dev_t device;
	ino_t number;
	off_t size;
	struct timespec modified, changed;
};

struct tls_file {
	struct tls_file *next;		/* the store's list */
	char *names[2];			/* certificate, key; authorities, NULL */
	bool authorities;
	struct tls_identity *identity;	/* the newest that was good, */
	struct tls_trust *trust;	/* one of the two */
	struct stamp seen[2];		/* at the last attempt */
	struct error err;		/* of the last attempt, */
	bool failed;			/* when it failed */
	bool told;			/* the failure is in the log */
	bool doubted;			/* not to be given out before a look
					 * that has yet to begin */
	struct look *look;		/* under way, or NULL */
	int64_t looked_ms, used_ms;
};

struct tls_file *tls_file_new(bool authorities, const char *a, const char *b);
/* A look that is under way is forgotten. */
void tls_file_free(struct tls_file **f);
bool tls_file_is(const struct tls_file *f, bool authorities, const char *a,
		 const char *b);
bool tls_file_is_good(const struct tls_file *f);
/* What was read has not served. */
void tls_file_doubt(struct tls_file *f);

/* Has a worker look, unless one does already; looked is called at home, with
 * whatever came of it in f. */
void tls_file_look(struct tls_file *f, struct workers *workers,
		   struct mailbox *home,
		   void (*looked)(void *arg, struct tls_file *f), void *arg);

#endif
