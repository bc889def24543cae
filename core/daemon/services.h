/* services.h - what backends are given: names, web servers, TLS, SMTP, files
 *
 * One set for the delivery loop of the gateway, and one for a command that
 * runs a backend's action without a gateway.  All of it lives on the loop.
 */
#ifndef DAEMON_SERVICES_H
#define DAEMON_SERVICES_H

#include "base/loop.h"
#include "base/worker.h"
#include "module/host.h"

struct snapshot;

struct services {
	struct workers *files;		/* one thread, for the state folder */
	struct dns *dns;
	struct tls_store *tls;
	struct http *http;
	struct smtpc *smtpc;
	struct host host;		/* of these; strings are the snapshot's */
};

/* Nothing is looked up or connected before it is needed.  workers outlive
 * it. */
void services_start(struct services *s, struct loop *loop,
		    struct workers *workers, const struct snapshot *snap);
/* A new configuration is in force. */
void services_configure(struct services *s, const struct snapshot *snap);
/* All backends are closed and the loop does not run any more.  What it had
 * given to the workers ends after it. */
void services_stop(struct services *s);

#endif
