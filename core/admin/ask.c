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
	struct asks *asks;
	struct ask_wait *next;		/* of those who wait */
	struct mailbox *answers;	/* the asker sleeps at it */
	struct letter answer, broken_off;
	atomic_bool answered;
	_Atomic unsigned holders;
};

void
asks_init(struct asks *s)
{
	pthread_mutex_init(&s->lock, NULL);
	s->ending = false;
	s->first = NULL;
}

void
asks_fini(struct asks *s)
{
	pthread_mutex_destroy(&s->lock);
}

bool
asks_ending(struct asks *s)
{
	bool ending;

	pthread_mutex_lock(&s->lock);
	ending = s->ending;
	pthread_mutex_unlock(&s->lock);
	return ending;
}

void
asks_end(struct asks *s, struct loop *loop)
{
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_mutex_unlock(&s->lock);
	loop_drain(loop);	/* what was posted before; no more comes */
	pthread_mutex_lock(&s->lock);
	for (struct ask_wait *w = s->first; w != NULL; w = w->next)
		mailbox_post(w->answers, &w->broken_off);
	pthread_mutex_unlock(&s->lock);
}

/* The asker waits from here on; false: there is nobody to ask any more. */
static bool
ask_post(struct admin *admin, struct ask *a)
{
	struct asks *s = &admin->asks;
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = !s->ending;
	if (ok) {
		a->wait->next = s->first;
		s->first = a->wait;
		mailbox_post(loop_mailbox(admin->deps.loop), &a->letter);
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void
ask_waits_no_more(struct ask_wait *w)
{
	struct ask_wait **at = &w->asks->first;

	pthread_mutex_lock(&w->asks->lock);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	pthread_mutex_unlock(&w->asks->lock);
}

/* Nothing is begun any more when the gateway stops; asks_end() says so. */
static void
ask_deliver(struct letter *l)
{
	struct ask *a = container_of(l, struct ask, letter);

	if (asks_ending(a->wait->asks))
		ask_release(a);
	else
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
	atomic_store(&a->wait->answered, true);
	mailbox_post(a->wait->answers, &a->wait->answer);
	ask_release(a);
}

bool
ask_and_wait(struct admin *admin, struct ask *a, int64_t patience_ms)
{
	struct ask_wait *w = a->wait = NEW(struct ask_wait);

	w->asks = &admin->asks;
	w->answers = mailbox_new(NULL, NULL);
	w->holders = 2;
	a->letter.deliver = ask_deliver;
	if (!ask_post(admin, a)) {
		w->holders = 1;
		return false;
	}
	mailbox_wait(w->answers, patience_ms);
	ask_waits_no_more(w);
	return atomic_load(&w->answered);
}

unsigned
ask_failed(struct admin *admin, int64_t patience_ms, json_t **ret)
{
	if (asks_ending(&admin->asks))
		return api_error(503, ret, "the gateway is stopping");
	return api_error(503, ret, "the delivery loop has not answered for "
			 "%d seconds", (int)(patience_ms / 1000));
}
