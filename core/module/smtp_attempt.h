/* smtp_attempt.h - a job that is with the SMTP client
 *
 * On the loop of its backend.
 */
#ifndef MODULE_SMTP_ATTEMPT_H
#define MODULE_SMTP_ATTEMPT_H

#include "module/smtp_way.h"

/* In the job's arena: what the client borrows until it is done. */
struct smtp_attempt {
	struct postern_job *job;
	uint64_t ticket;		/* with the client, or 0 */
	struct smtp_way way;
	struct smtpc_message message;
	size_t *places;			/* of its recipients in the job */
	int32_t (*failed)(void *self, postern_job *job,
			  const struct postern_outcome *o);
	bool cancelled;
};

#endif
