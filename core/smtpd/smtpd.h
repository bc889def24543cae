/* smtpd.h - the SMTP server of one intake loop
 *
 * One smtpd for each intake loop; sessions live and die on the loop that took
 * them.  What it needs from elsewhere is handed in once.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "base/ip.h"
#include "base/loop.h"
#include "conf/snapshot.h"
#include "smtpd/failure.h"
#include "spool/spool.h"

struct guard;
struct smtpd;
struct tls_identity;

struct smtpd_deps {
	struct loop *loop;
	struct spool *spool;
	struct budget *memory;		/* limits.memory */
	struct guard *guard;		/* shared by all intake loops */
	/* Room for these items in dispatch's window: true reserves it, and
	 * the items are committed as claimed.  Any thread. */
	bool (*window)(void *arg, struct item *const *items, size_t n);
	/* Gives back what was reserved and not used. */
	void (*window_give)(void *arg, struct item *const *items, size_t n);
	void *window_arg;
	/* Stands behind our name in the reply to EHLO, so that our own client
	 * knows whom it has reached, by whatever address; NULL: nothing. */
	const char *mark;
};

struct smtpd *smtpd_new(const struct smtpd_deps *deps);
/* Opens the filters of a snapshot and takes it for the sessions and
 * transactions that begin from now on.  False: the old one stays. */
bool smtpd_configure(struct smtpd *s, struct snapshot *snap,
		     struct error *err);

/* What sessions show that begin TLS from now on; takes a reference of its own.
 * NULL: TLS is not to be had.  On the loop, or before it runs. */
void smtpd_certificate(struct smtpd *s, struct tls_identity *identity);

/* A connection; takes the descriptor.  On the loop. */
void smtpd_accept(struct smtpd *s, int fd, struct endpoint peer,
		  const struct listener_config *where);

/* No new transactions; sessions end when theirs is done (421), at the latest
 * after patience_ms; then done is called, once. */
void smtpd_stop(struct smtpd *s, int64_t patience_ms, void (*done)(void *arg),
		void *arg);
/* Ends every session now; commits that are out still come home. */
void smtpd_cut(struct smtpd *s);
void smtpd_free(struct smtpd **s);

/* Any thread. */
struct smtpd_stats {
	uint64_t sessions, accepted, refused, open;
	uint64_t greeted;		/* said hello and nothing more */
	uint64_t failed[FAILURE_KINDS];	/* ended without a message */
};
void smtpd_stats(const struct smtpd *s, struct smtpd_stats *ret);

#endif
