/* module-world.h - a backend, a job for it, and a double of the SMTP client */
#ifndef TESTS_UNIT_MODULE_WORLD_H
#define TESTS_UNIT_MODULE_WORLD_H

#include "test-module.h"

#include "module/host.h"
#include "smtpc/smtpc.h"

/* Answers 250 to all, in the next turn of the loop; with `hold' when
 * smtpc_answers() is called; after smtpc_cancel() that it broke off. */
struct smtpc {
	struct loop *loop;
	struct later later;
	const struct smtpc_plan *plan;
	const struct smtpc_message *message;
	const struct smtpc_events *events;
	void *arg;
	bool hold, cancelled;
};
void smtpc_answers(struct later *l);

enum { RCPTS = 3 };

struct world {
	struct loop *loop;
	struct smtpc smtpc;
	struct host host;
	struct yaml yaml;
	struct backend *backend;
	struct envelope *env;		/* one more than is in the job */
	struct body_source *body;
	size_t rcpts[RCPTS];
	struct job job;
	struct outcome outcomes[RCPTS];
	int finished;
};

#define WORLD_MESSAGE "Subject: x\r\n\r\nline\r\n\r\r\nbare\rcr\r\n"

/* Opens a backend of that module with those options. */
void world_init(struct world *w, const char *module, const char *options,
		int64_t deadline_ms);
void world_fini(struct world *w);
/* One delivery, from beginning to end. */
void world_deliver(struct world *w);
/* The job's envelope and body are gone, as after its end; there are new ones. */
void world_renew(struct world *w);

#endif
