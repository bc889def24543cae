/* smtp_attempt.h - a job that is with the SMTP client
 *
 * On the loop of its backend.
 */
#ifndef MODULE_SMTP_ATTEMPT_H
#define MODULE_SMTP_ATTEMPT_H

#include "base/ip.h"
#include "io/tls_store.h"
#include "smtpc/smtpc.h"

#include <postern-plugin.h>

/* In the job's arena: what the client borrows until it is done. */
struct smtp_attempt {
	uint64_t ticket;		/* with the client, or 0 */
	uint64_t files;			/* certificates are being read, or 0 */
	struct smtpc_plan plan;
	struct smtpc_message message;
	struct tls_files wanted;
	struct ip source;
	size_t *places;			/* of its recipients in the job */
	int32_t (*failed)(void *self, postern_job *job,
			  const struct postern_outcome *o);
	bool cancelled;
};

/* What is wrong with a module's plan, or NULL. */
const char *plan_fault(const struct postern_smtp_plan *p);
/* Copies it into the job's attempt: the module may forget it.  The secret is
 * wiped with the job. */
void plan_copy(struct postern_job *j, const struct postern_smtp_plan *from);

#endif
