/* host.h - what the house gives to the instances of backends
 *
 * Made by the daemon (or by a command that runs an action without it), one
 * for the delivery loop; it and all in it outlive the instances.  A member
 * that is NULL is not to be had: its service fails with words.
 */
#ifndef MODULE_HOST_H
#define MODULE_HOST_H

#include "module/backend.h"

struct dns;
struct http;
struct loop;
struct smtpc;
struct tls_store;
struct workers;

struct host {
	struct loop *loop;
	struct smtpc *smtpc;
	struct dns *dns;
	struct http *http;
	struct tls_store *tls;
	struct workers *files;		/* one thread: what is written to the
					 * state folder is written in order */
	const char *state;		/* that folder */
	const char *source;		/* our address for what leaves, where a
					 * plan names none; NULL: any */
	/* What can be done about an outcome, in buf, with the names of the
	 * route and of its mailbox ("" : none); NULL: not known. */
	const char *(*remedy)(const struct outcome *o, enum backend_manner m,
			      const char *route, const char *mailbox,
			      char *buf, size_t size);
};

#endif
