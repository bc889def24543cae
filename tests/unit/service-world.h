/* service-world.h - a module in the test's own words, and doubles of what the
 * house asks for it: DNS, web servers, certificates, and the SMTP client
 *
 * What is asked lies in a list until the test answers it, or is answered at
 * once.  The module's callbacks are those of the test.
 */
#ifndef TESTS_SERVICE_WORLD_H
#define TESTS_SERVICE_WORLD_H

#include "test-module.h"

#include "base/worker.h"
#include "io/dns.h"
#include "io/http.h"
#include "io/tls_store.h"
#include "module/host.h"
#include "module/instance.h"
#include "module/loaded.h"
#include "smtpc/smtpc.h"

enum { ASKED = 16, TICKET = 1000 };	/* tickets count from there */

/* One question to a double; forgotten: it was given up. */
struct asked {
	bool open, forgotten;
	void *arg;
	char text[400];			/* what it was about */
	enum dns_author author;
	dns_answer_fn *dns;
	http_fn *http;
	tls_store_fn *tls;
};

struct dns {
	struct asked asked[ASKED];
	size_t n;
	const struct dns_answer *at_once;
};

struct http {
	struct asked asked[ASKED];
	size_t n;
};

struct tls_store {
	struct asked asked[ASKED];
	size_t n, doubts;
	bool at_once;			/* with `made', or err when it is set */
	struct tls_made made;
	struct error err;
};

/* Holds each attempt until smtpc_answer(); the latest is in plan. */
struct smtpc {
	const struct smtpc_plan *plan;
	const struct smtpc_message *message;
	const struct smtpc_events *events;
	void *arg;
	enum phase upto;		/* of a probe, which has no message */
	size_t sent, cancelled, forgotten;
};

struct service_world {
	struct loop *loop;
	struct workers *workers;
	struct host host;
	struct dns dns;
	struct http http;
	struct tls_store tls;
	struct smtpc smtpc;
	char state[64];			/* folder; "" : there is none */
	struct module *module;
	struct backend *backend;
	postern_instance *me;		/* of the backend, or the filter */
	char paused[400];		/* its latest words */
	int pauses, readies, answers;

	struct envelope *env;
	struct body_source *body;
	size_t rcpts[2];
	struct outcome outcomes[2];
	struct job job;
	int finished;
};

/* The table is completed: what must be there is; a backend, unless it has a
 * filter. */
void service_open(struct service_world *w, const struct postern_module *table);
/* Its state folder goes with it. */
void service_close(struct service_world *w);
/* Turns of the loop until all workers are idle and all is delivered. */
void service_settle(struct service_world *w);

/* All recipients of the attempt get this outcome, and it is done. */
void smtpc_answer(struct smtpc *c, const struct outcome *o);

/* The deliver() of who has none of its own. */
void deliver_nothing(void *self, postern_job *job);

/* A job for a@x.test and b@x.test. */
void service_deliver(struct service_world *w);

#endif
