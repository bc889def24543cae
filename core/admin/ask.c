/* ask.c - a question to a loop, with patience
 *
 * Two hold it: the asker and the loop.  Whoever lets go last frees it, so
 * that neither an impatient asker nor a late answer meets freed memory.
 */
#include "admin/api.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdatomic.h>

struct ask_wait {
	struct mailbox *answers;	/* the asker sleeps at it */
	struct letter answer;
	_Atomic unsigned holders;
};

static void
ask_deliver(struct letter *l)
{
	struct ask *a = container_of(l, struct ask, letter);

	a->on_loop(a);
}

void
ask_release(struct ask *a)
{
	struct ask_wait *w = a->wait;

	if (atomic_fetch_sub(&w->holders, 1) > 1)
		return;
	mailbox_take(w->answers);	/* one that came too late */
	mailbox_free(&w->answers);
	mem_free(w);
	a->drop(a);
}

void
ask_answer(struct ask *a)
{
	mailbox_post(a->wait->answers, &a->wait->answer);
	ask_release(a);
}

bool
ask_and_wait(struct admin *admin, struct ask *a, int64_t patience_ms)
{
	struct ask_wait *w = a->wait = NEW(struct ask_wait);

	w->answers = mailbox_new(NULL, NULL);
	w->holders = 2;
	a->letter.deliver = ask_deliver;
	mailbox_post(loop_mailbox(admin->deps.loop), &a->letter);
	return mailbox_wait(w->answers, patience_ms) != NULL;
}
