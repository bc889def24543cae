/* backlog.h - items counted by route, for spool_backlogs()
 *
 * Both stores go over all of their items and add each as a backlog of one.
 */
#ifndef SPOOL_BACKLOG_H
#define SPOOL_BACKLOG_H

#include "spool/spool.h"

struct backlogs {
	struct backlog *v;
	size_t n, room;
	struct backlog *recent;		/* the one added to last */
};

/* What one has is copied where it is kept. */
void backlogs_add(struct backlogs *all, const struct spool_backlog *one);
void backlogs_add_item(struct backlogs *all, const struct item *item);
/* Those with most items first. */
void backlogs_tell(struct backlogs *all, size_t max,
		   void (*row)(void *arg, const struct spool_backlog *b),
		   void *arg);
void backlogs_fini(struct backlogs *all);

#endif
