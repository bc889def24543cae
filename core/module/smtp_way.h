/* smtp_way.h - a module's plan, as the SMTP client takes it
 *
 * Private to this room.  The plan and all that it points to are copied into an
 * arena; the certificates that it names are fetched before it can be used.
 * On the loop of its instance.
 */
#ifndef MODULE_SMTP_WAY_H
#define MODULE_SMTP_WAY_H

#include "base/ip.h"
#include "io/tls_store.h"
#include "module/instance.h"
#include "smtpc/smtpc.h"

#include <postern-plugin.h>

struct smtp_way {
	struct postern_instance *me;
	struct smtpc_plan plan;
	struct tls_files wanted;
	struct ip source;
	uint64_t files;			/* certificates are being read, or 0 */
	void (*ready)(struct smtp_way *w, const struct outcome *o);
};

/* The module's plan, of the size that its header knew. */
void plan_read(const struct postern_instance *me,
	       const struct postern_smtp_plan *from,
	       struct postern_smtp_plan *ret);
/* What is wrong with it, or NULL. */
const char *plan_fault(const struct postern_smtp_plan *p);

/* Copies a plan: the module may forget it.  Its secret is wiped with the
 * arena. */
void way_copy(struct smtp_way *w, struct arena *a,
	      struct postern_instance *me,
	      const struct postern_smtp_plan *from);
/* Fetches the certificates.  ready is called once, perhaps before this
 * returns: with NULL when all is there, else with what is wrong. */
void way_prepare(struct smtp_way *w,
		 void (*ready)(struct smtp_way *w, const struct outcome *o));
/* True: they were still being read, and ready is not called any more. */
bool way_forget(struct smtp_way *w);
/* It has ended so: if our files may be the reason, they are looked at before
 * they are used again. */
void way_doubt(const struct smtp_way *w, const struct outcome *o);
/* The plan is not used any more. */
void way_release(struct smtp_way *w);

/* An outcome as the ABI tells it; it points into o and enhanced. */
struct postern_outcome outcome_told(const struct outcome *o,
				    char enhanced[24]);

#endif
