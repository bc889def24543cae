/* spool.c - opening and closing, looking, the pool of readers, the sweep */
#include "spool/inside.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "spool/backlog.h"

#include <stdio.h>
#include <string.h>

enum { READERS = 4 };	/* kept open for reading back; more are closed */

static const struct log spool_log = { .room = "spool" };

static const struct {
	const char *scheme;
	const struct store_ops *ops;
} stores[] = {
	{ "sqlite:", &sqlite_store },
	{ "memory:", &memory_store },
};

void
ids_add(struct ids *ids, uint64_t id)
{
	if (ids->n == ids->room) {
		ids->room = ids->room ? ids->room * 2 : 16;
		ids->v = mem_resize(ids->v, ids->room, sizeof(*ids->v));
	}
	ids->v[ids->n++] = id;
}

void
ids_fini(struct ids *ids)
{
	mem_free(ids->v);
	*ids = (struct ids){ 0 };
}

bool
claim_goes_on(const struct spool_claim *c, int64_t *room)
{
	if (c->n == 0 || c->weigh == NULL)
		return c->n < c->most;
	*room -= c->weigh(c->items[c->n - 1]);
	return c->n < c->most && *room > 0;
}

/* --- the sweep after the start --------------------------------------- */

struct sweep {
	struct task task;
	struct spool *spool;
	struct spool_reader *reader;
	uint64_t upto;			/* a younger body may be on its way */
};

static bool
sweep_known(void *arg, uint64_t id)
{
	struct sweep *w = arg;
	struct error err;
	bool has = true;

	if (!w->spool->ops->has_body(w->reader, id, &has, &err))
		return true;
	return has;
}

static void
sweep_work(struct task *t)
{
	struct sweep *w = container_of(t, struct sweep, task);
	struct store *st = w->spool->store;
	struct error err;
	size_t n = 0;

	w->reader = spool_reader_open(w->spool, &err);
	if (w->reader != NULL)
		n = files_sweep(st->files, w->upto, sweep_known, w,
				&w->spool->closing);
	spool_reader_close(&w->reader);
	if (n > 0)
		log_info(&spool_log, "removed bodies that belong to no message: %zu",
			 n);
	spool_leave(w->spool);
}

static void
sweep_done(struct task *t)
{
	mem_free(container_of(t, struct sweep, task));
}

static void
sweep_start(struct spool *s)
{
	struct sweep *w;

	if (s->store->files == NULL)
		return;
	w = NEW(struct sweep);
	w->spool = s;
	w->upto = s->store->seed;
	w->task.work = sweep_work;
	w->task.done = sweep_done;
	spool_enter(s);
	workers_submit(s->workers, &w->task);
}

/* --- opening and closing --------------------------------------------- */

static const struct store_ops *
store_find(const char *url)
{
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++)
		if (strncmp(url, stores[i].scheme,
			    strlen(stores[i].scheme)) == 0)
			return stores[i].ops;
	return NULL;
}

static void
stop_deliver(struct letter *l)
{
	container_of(l, struct spool, stop)->stopping = true;
}

struct spool *
spool_open(const struct spool_config *c, const struct spool_hooks *hooks,
	   struct error *err)
{
	const struct store_ops *ops = store_find(c->url);
	struct store *store;
	struct spool *s;

	if (ops == NULL) {
		error_set(err, ERROR_CONFIG, "spool: `%s' is not known", c->url);
		error_hint(err, "sqlite:FOLDER, or memory:");
		return NULL;
	}
	store = ops->open(c, err);
	if (store == NULL) {
		error_prefix(err, "spool");
		return NULL;
	}
	message_id_seed(store->seed);

	s = NEW(struct spool);
	s->store = store;
	s->ops = ops;
	if (hooks != NULL)
		s->hooks = *hooks;
	s->workers = c->workers;
	s->budget = c->budget;
	atomic_init(&s->free_space, c->free_space);
	s->space = true;
	s->portion = PORTION_MOST;
	s->due_ms = INT64_MAX;
	atomic_init(&s->accepting, true);
	op_list_init(&s->ready);
	op_list_init(&s->kept);
	op_list_init(&s->batch);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->left, NULL);
	s->stop.deliver = stop_deliver;
	s->mailbox = mailbox_new(NULL, NULL);
	sweep_start(s);
	s->thread = thread_start("spool", spool_main, s);
	return s;
}

void
spool_close(struct spool **ptr)
{
	struct spool *s = *ptr;

	*ptr = NULL;
	if (s == NULL)
		return;
	atomic_store(&s->closing, true);
	mailbox_post(s->mailbox, &s->stop);
	pthread_join(s->thread, NULL);

	pthread_mutex_lock(&s->lock);
	while (s->users > 0)
		pthread_cond_wait(&s->left, &s->lock);
	pthread_mutex_unlock(&s->lock);
	while (s->readers != NULL) {
		struct spool_reader *r = s->readers;

		s->readers = r->next;
		s->ops->reader_close(&r);
	}
	s->ops->close(&s->store);
	mailbox_free(&s->mailbox);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->left);
	ids_fini(&s->doubt_files);
	mem_free(s->doubts);
	mem_free(s);
}

void
spool_set_free_space(struct spool *s, int64_t bytes)
{
	atomic_store(&s->free_space, bytes);
}

const char *
spool_folder(const struct spool *s)
{
	return s->store->folder;
}

struct files *
spool_files(const struct spool *s)
{
	return s->store->files;
}

struct budget *
spool_budget(const struct spool *s)
{
	return s->budget;
}

struct workers *
spool_workers(const struct spool *s)
{
	return s->workers;
}

bool
spool_accepts(struct spool *s, enum spool_status *status, struct error *why)
{
	if (atomic_load(&s->accepting))
		return true;
	pthread_mutex_lock(&s->lock);
	*status = s->trouble_status;
	*why = s->trouble;
	pthread_mutex_unlock(&s->lock);
	return false;
}

void
spool_stats(struct spool *s, struct spool_stats *ret)
{
	enum spool_status status;
	struct error why;

	*ret = (struct spool_stats){
		.commits = atomic_load(&s->commits),
		.operations = atomic_load(&s->operations),
		.accepted = atomic_load(&s->accepted),
		.settled = atomic_load(&s->settled),
		.failed_batches = atomic_load(&s->failed_batches),
	};
	ret->accepting = spool_accepts(s, &status, &why);
	if (!ret->accepting)
		snprintf(ret->trouble, sizeof(ret->trouble), "%.199s",
			 why.text);
}

/* --- readers --------------------------------------------------------- */

void
spool_enter(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	s->users++;
	pthread_mutex_unlock(&s->lock);
}

void
spool_leave(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	if (--s->users == 0)
		pthread_cond_signal(&s->left);
	pthread_mutex_unlock(&s->lock);
}

struct spool_reader *
spool_reader_open(struct spool *s, struct error *err)
{
	struct spool_reader *r = s->ops->reader_open(s->store, err);

	if (r == NULL)
		return NULL;
	r->ops = s->ops;
	r->spool = s;
	return r;
}

void
spool_reader_close(struct spool_reader **r)
{
	if (*r != NULL)
		(*r)->ops->reader_close(r);
}

struct spool_reader *
readers_take(struct spool *s, struct error *err)
{
	struct spool_reader *r;

	pthread_mutex_lock(&s->lock);
	r = s->readers;
	if (r != NULL) {
		s->readers = r->next;
		s->reader_count--;
	}
	pthread_mutex_unlock(&s->lock);
	return r != NULL ? r : spool_reader_open(s, err);
}

void
readers_give(struct spool *s, struct spool_reader *r)
{
	pthread_mutex_lock(&s->lock);
	if (s->reader_count < READERS) {
		r->next = s->readers;
		s->readers = r;
		s->reader_count++;
		r = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	spool_reader_close(&r);
}

bool
body_pread(struct spool *s, const struct body *b, uint64_t offset, char *to,
	   size_t max, size_t *got, struct error *err)
{
	struct spool_reader *r;
	bool ok;

	if (b->in_file)
		return files_read(s->store->files, b->id, offset, to, max,
				  got, err);
	r = readers_take(s, err);
	if (r == NULL)
		return false;
	ok = s->ops->read_row(r, b->id, offset, to, max, got, err);
	if (ok)
		readers_give(s, r);
	else
		spool_reader_close(&r);	/* perhaps it is what is at fault */
	return ok;
}

bool
spool_view(struct spool_reader *r, const struct spool_query *q,
	   void (*row)(void *arg, const struct item *item), void *arg,
	   struct error *err)
{
	return r->ops->view(r, q, row, arg, err);
}

enum spool_status
spool_view_item(struct spool_reader *r, uint64_t id, struct item **ret,
		struct error *err)
{
	return r->ops->view_item(r, id, ret, err);
}

bool
spool_count(struct spool_reader *r, int64_t now_ms, struct spool_counts *ret,
	    struct error *err)
{
	return r->ops->count(r, now_ms, ret, err);
}

bool
spool_backlogs(struct spool_reader *r, size_t max,
	       void (*row)(void *arg, const struct spool_backlog *b),
	       void *arg, struct error *err)
{
	AUTO(backlogs_fini) struct backlogs all = { .n = 0 };

	if (!r->ops->backlogs(r, &all, err))
		return false;
	backlogs_tell(&all, max, row, arg);
	return true;
}
