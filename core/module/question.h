/* question.h - what an instance asked for, and has not been answered yet
 *
 * Private to this room.  Each service embeds a question in what it keeps of
 * it.  A question ends once: answered, given up by the module, or with its
 * instance.
 */
#ifndef MODULE_QUESTION_H
#define MODULE_QUESTION_H

#include "module/instance.h"

struct question {
	struct postern_instance *me;
	struct question *next, **prev;
	uint64_t ticket;
	bool awaited;			/* closing waits for its answer */
	/* It ends without an answer: stops what is under way, frees. */
	void (*forget)(struct question *q);
};

/* Only a backend that does not block may ask; false after reporting it. */
bool question_allowed(struct postern_instance *me, const char *service);

/* Begins with its ticket; the caller has set forget, and awaited. */
void question_begin(struct question *q, struct postern_instance *me);
/* It is being answered: off the list, its ticket over. */
void question_end(struct question *q);
/* The ticket of a question that was just asked, or 0 when it is over. */
uint64_t question_ticket(const struct postern_instance *me, uint64_t ticket);

#endif
