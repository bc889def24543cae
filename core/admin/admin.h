/* admin.h - the control socket and the API behind it
 *
 * HTTP with JSON on a Unix socket, served by libmicrohttpd on a thread of
 * its own.  Root, the service's user and members of its group may speak
 * (SO_PEERCRED).  What concerns live state is asked of the loop that owns it
 * and waited for; the queue is read with a reader of its own, in pages.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/error.h"
#include "base/loop.h"
#include "base/who.h"

struct admin;
struct dispatch;
struct spool;

enum { ADMIN_KINDS = 16 };

struct admin_intake {
	uint64_t sessions, open, accepted, refused, greeted;
	/* Sessions that ended without a message, by kind; names are static.
	 * Ends at the first without a name. */
	struct {
		const char *name;
		uint64_t n;
	} failed[ADMIN_KINDS + 1];
};

/* What does not change, whatever is reloaded; the strings outlive admin. */
struct admin_facts {
	const char *version;
	const char *config;		/* path of postern.yaml */
	int64_t started_ms;		/* steady clock */
};

struct admin_deps {
	const char *socket;		/* path; an old one is replaced */
	struct loop *loop;		/* of dispatch */
	struct dispatch *dispatch;
	struct spool *spool;
	struct admin_facts facts;
	void *arg;			/* for all that follow */
	/* Any thread. */
	void (*intake)(void *arg, struct admin_intake *ret);
	/* Our host name, listeners and routes as they are in force now, and
	 * whether answers of the DNS are validated (dns: asked, validating,
	 * why), as one JSON object text that the caller frees with mem_free.
	 * On the loop, which owns what a reload replaces. */
	char *(*describe)(void *arg);
	/* On the loop: begins a reload that `by' wants; done is called on the
	 * loop, with the diagnostics as text (borrowed). */
	void (*reload)(void *arg, const struct who *by,
		       void (*done)(void *done_arg, bool ok, const char *text),
		       void *done_arg);
};

struct admin *admin_start(const struct admin_deps *deps, struct error *err);
/* On the thread of the loop, which may have stopped.  Ends the admin thread;
 * requests under way get a 503 at once, or no answer, and nothing is begun
 * for them. */
void admin_stop(struct admin **a);

#endif
