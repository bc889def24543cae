/* mailbox.c - a list under a mutex; waking only when it was empty, so that a
 * burst costs one wake-up */
#include "base/mailbox.h"

#include "base/error.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct mailbox {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct letter *first, **last;
	void (*wake)(void *arg);
	void *arg;
};

struct mailbox *
mailbox_new(void (*wake)(void *arg), void *arg)
{
	struct mailbox *m = NEW(struct mailbox);
	pthread_condattr_t attr;

	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->filled, &attr);
	pthread_condattr_destroy(&attr);
	m->last = &m->first;
	m->wake = wake;
	m->arg = arg;
	return m;
}

void
mailbox_free(struct mailbox **m)
{
	if (*m == NULL)
		return;
	must((*m)->first == NULL);
	pthread_mutex_destroy(&(*m)->lock);
	pthread_cond_destroy(&(*m)->filled);
	mem_free(*m);
	*m = NULL;
}

void
mailbox_post(struct mailbox *m, struct letter *l)
{
	bool was_empty;

	l->next = NULL;
	pthread_mutex_lock(&m->lock);
	was_empty = m->first == NULL;
	*m->last = l;
	m->last = &l->next;
	if (was_empty && m->wake == NULL)
		pthread_cond_signal(&m->filled);
	/* under the lock: the owner cannot free what is being woken */
	if (was_empty && m->wake != NULL)
		m->wake(m->arg);
	pthread_mutex_unlock(&m->lock);
}

static struct letter *
take_locked(struct mailbox *m)
{
	struct letter *list = m->first;

	m->first = NULL;
	m->last = &m->first;
	return list;
}

struct letter *
mailbox_take(struct mailbox *m)
{
	struct letter *list;

	pthread_mutex_lock(&m->lock);
	list = take_locked(m);
	pthread_mutex_unlock(&m->lock);
	return list;
}

struct letter *
mailbox_wait(struct mailbox *m, int64_t timeout_ms)
{
	struct letter *list;
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (timeout_ms > 0) {
		until.tv_sec += timeout_ms / 1000;
		until.tv_nsec += timeout_ms % 1000 * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	}
	pthread_mutex_lock(&m->lock);
	while (m->first == NULL && rc == 0)
		rc = timeout_ms < 0
		   ? pthread_cond_wait(&m->filled, &m->lock)
		   : pthread_cond_timedwait(&m->filled, &m->lock, &until);
	list = take_locked(m);
	pthread_mutex_unlock(&m->lock);
	return list;
}

void
letters_deliver(struct letter *list)
{
	while (list != NULL) {
		struct letter *l = list;

		list = l->next;
		l->deliver(l);
	}
}
