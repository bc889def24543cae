/* ask.c - a question to a loop, with patience
 *
 * Two hold it: the asker and the loop.  Whoever lets go last frees it, so
 * that neither an impatient asker nor a late answer meets freed memory.
 */
#include "admin/api.h"

#include "base/macros.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct ask_wait {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	unsigned holders;
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
	bool last;

	pthread_mutex_lock(&w->lock);
	last = --w->holders == 0;
	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->answered);
	mem_free(w);
	a->drop(a);
}

void
ask_answer(struct ask *a)
{
	struct ask_wait *w = a->wait;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->answered);
	pthread_mutex_unlock(&w->lock);
	ask_release(a);
}

bool
ask_and_wait(struct admin *admin, struct ask *a, int64_t patience_ms)
{
	struct ask_wait *w = a->wait = NEW(struct ask_wait);
	struct timespec until;
	bool done;
	int rc = 0;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->answered, NULL);
	w->holders = 2;
	a->letter.deliver = ask_deliver;
	mailbox_post(loop_mailbox(admin->deps.loop), &a->letter);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience_ms / 1000;
	pthread_mutex_lock(&w->lock);
	while (!w->done && rc == 0)
		rc = pthread_cond_timedwait(&w->answered, &w->lock, &until);
	done = w->done;
	pthread_mutex_unlock(&w->lock);
	return done;
}
