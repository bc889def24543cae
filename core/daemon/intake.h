/* intake.h - the intake loops, their threads and their listeners
 *
 * Each loop has an smtpd and, for each address, a listening socket of its
 * own (SO_REUSEPORT: the kernel deals connections round).  Sockets are bound
 * by the main thread, as root where that is needed, and begin to listen when
 * everything else is up.
 */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "base/error.h"
#include "base/loop.h"
#include "conf/snapshot.h"
#include "smtpd/smtpd.h"

#include <pthread.h>

struct intake_loop;
struct tls_identity;

struct intake {
	struct intake_loop *loops;
	size_t n;
	struct ports *ports;		/* bound, by address */
};

/* Binds the listen addresses of snap for n loops; nothing listens yet. */
bool intake_bind(struct intake *in, size_t n, const struct snapshot *snap,
		 struct error *err);
/* Makes loops and smtpds, opens the filters. */
bool intake_open(struct intake *in, const struct smtpd_deps *deps,
		 struct snapshot *snap, struct error *err);
/* What sessions show that begin TLS from now on; each loop takes a reference.
 * NULL: there is no TLS. */
void intake_certificate(struct intake *in, struct tls_identity *i);
/* Starts threads and listeners; clients can connect when it returns. */
bool intake_start(struct intake *in, struct error *err);

/* Gives snap to all loops.  New addresses are bound first, gone ones closed
 * after.  done is called on home's loop; with an error nothing has changed. */
void intake_configure(struct intake *in, struct snapshot *snap,
		      struct loop *home,
		      void (*done)(void *arg, const struct error *err),
		      void *arg);

/* Closes the listeners, lets sessions finish; done on home's loop. */
void intake_stop(struct intake *in, int64_t patience_ms, struct loop *home,
		 void (*done)(void *arg), void *arg);
/* Cuts off the sessions that intake_stop() waits for. */
void intake_hurry(struct intake *in);
/* Ends the threads (after intake_stop has been answered, or when patience is
 * over) and frees sessions and filters, once the spool owes them no answer
 * and the workers no file. */
void intake_close(struct intake *in, struct spool *spool,
		  struct workers *workers);
/* Frees loops and ports; nobody may post to the loops any more. */
void intake_fini(struct intake *in);

void intake_stats(const struct intake *in, struct smtpd_stats *ret);

#endif
