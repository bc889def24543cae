/* worker.c - a pool of threads on one list of tasks; they are started when
 * there is work for them, so an idle gateway has none */
#include "base/worker.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t filled, quiet;
	struct letter *first, **last;
	const char *name;
	pthread_t *threads;
	unsigned max, started, idle;
	unsigned queued;		/* tasks that nobody has taken */
	bool stopping;
};

struct workers *
workers_new(const char *name, unsigned threads)
{
	struct workers *w = NEW(struct workers);

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->filled, NULL);
	pthread_cond_init(&w->quiet, NULL);
	w->last = &w->first;
	w->name = name;
	w->max = threads;
	w->threads = mem_array(threads, sizeof(*w->threads));
	return w;
}

static void
at_home(struct letter *l)
{
	struct task *t = container_of(l, struct task, letter);

	t->done(t);
}

static bool
is_quiet(const struct workers *w)
{
	return w->first == NULL && w->idle == w->started;
}

/* The next task, or NULL when the pool ends. */
static struct task *
next_task(struct workers *w)
{
	struct letter *l;

	pthread_mutex_lock(&w->lock);
	w->idle++;
	if (is_quiet(w))
		pthread_cond_broadcast(&w->quiet);
	while (w->first == NULL && !w->stopping)
		pthread_cond_wait(&w->filled, &w->lock);
	w->idle--;
	l = w->first;
	if (l != NULL) {
		w->queued--;
		w->first = l->next;
		if (w->first == NULL)
			w->last = &w->first;
	}
	pthread_mutex_unlock(&w->lock);
	return l ? container_of(l, struct task, letter) : NULL;
}

static void *
worker_main(void *arg)
{
	struct workers *w = arg;
	struct task *t;

	while ((t = next_task(w)) != NULL) {
		t->work(t);
		if (t->home == NULL) {
			t->done(t);
			continue;
		}
		t->letter.deliver = at_home;
		mailbox_post(t->home, &t->letter);
	}
	return NULL;
}

void
workers_submit(struct workers *w, struct task *t)
{
	pthread_mutex_lock(&w->lock);
	must(!w->stopping);
	t->letter.next = NULL;
	*w->last = &t->letter;
	w->last = &t->letter.next;
	/* an idle one that was signalled already is not free for this */
	if (++w->queued > w->idle && w->started < w->max) {
		w->threads[w->started] = thread_start(w->name, worker_main, w);
		w->started++;
	}
	pthread_cond_signal(&w->filled);
	pthread_mutex_unlock(&w->lock);
}

void
workers_drain(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (!is_quiet(w))
		pthread_cond_wait(&w->quiet, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void
workers_free(struct workers **ptr)
{
	struct workers *w = *ptr;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->filled);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->started; i++)
		pthread_join(w->threads[i], NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->filled);
	pthread_cond_destroy(&w->quiet);
	mem_free(w->threads);
	mem_free(w);
	*ptr = NULL;
}
