/* test-spool-threads.c - several loops post at once; for ThreadSanitizer
 *
 * Each intake thread takes in bodies and accepts them, the delivery thread
 * settles what is committed, a viewer pages through the queue.
 */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "mail/body.h"

#include <stdatomic.h>

enum { INTAKES = 3, EACH = 60, LARGE_EVERY = 20 };

static struct world *w;
static struct loop *delivery;
static _Atomic unsigned accepted, delivered;
static _Atomic bool over;

/* --- delivery ----------------------------------------------------------- */

struct job {
	struct letter letter;
	struct item *item;
	struct body_source *source;
	uint64_t at;
	struct spool_settle settle;
};

static void
job_settled(struct spool_op *op)
{
	struct job *j = container_of(op, struct job, settle.op);

	must(op->status == SPOOL_OK);
	item_free(&j->item);
	mem_free(j);
	if (atomic_fetch_add(&delivered, 1) + 1 == INTAKES * EACH)
		loop_stop(delivery);
}

static void job_read(struct job *j);

static void
job_bytes(void *arg, struct span bytes, const struct error *err)
{
	struct job *j = arg;

	must(err == NULL);
	for (size_t i = 0; i < bytes.n; i++, j->at++)
		must(j->at < j->item->prefix.len || bytes.p[i] ==
		     world_byte(j->item->body->id,
				j->at - j->item->prefix.len));
	job_read(j);
}

static void
job_read(struct job *j)
{
	if (j->at < item_size(j->item)) {
		j->source->ops->read(j->source, j->at, 65536, job_bytes, j);
		return;
	}
	body_source_free(&j->source);
	j->settle.id = j->item->id;
	j->settle.fate = FATE_DONE;
	j->settle.op.home = loop_mailbox(delivery);
	j->settle.op.done = job_settled;
	spool_settle(w->spool, &j->settle);
}

static void
job_arrives(struct letter *l)
{
	struct job *j = container_of(l, struct job, letter);

	j->source = spool_source(w->spool, j->item, delivery);
	job_read(j);
}

static void
on_committed(void *arg, struct item *item)
{
	struct job *j = NEW(struct job);

	(void)arg;
	j->item = item;
	j->letter.deliver = job_arrives;
	mailbox_post(loop_mailbox(delivery), &j->letter);
}

static void *
run_delivery(void *arg)
{
	(void)arg;
	loop_run(delivery);
	return NULL;
}

/* --- intake ------------------------------------------------------------- */

struct intake {
	struct loop *loop;
	struct draft *draft;
	uint64_t id, at, size;
	unsigned n;
	struct spool_accept accept;
	pthread_t thread;
};

static void intake_next(struct intake *in);

static void
intake_accepted(struct spool_op *op)
{
	must(op->status == SPOOL_OK);
	atomic_fetch_add(&accepted, 1);
	intake_next(container_of(op, struct intake, accept.op));
}

static void
intake_sealed(void *arg, struct body *b, enum spool_status status,
	      const struct error *err)
{
	struct intake *in = arg;

	(void)err;
	must(status == SPOOL_OK);
	in->accept.items[0] = world_item(b, 0, "relay");
	in->accept.n = 1;
	in->accept.op.home = loop_mailbox(in->loop);
	in->accept.op.done = intake_accepted;
	spool_accept(w->spool, &in->accept);
}

static void
intake_go_on(void *arg)
{
	struct intake *in = arg;

	while (in->at < in->size) {
		struct buf *b = draft_buffer(in->draft);
		size_t n = MIN(MIN(in->size - in->at, b->max - b->len), 9000);

		for (size_t i = 0; i < n; i++, in->at++)
			buf_add_char(b, world_byte(in->id, in->at));
		if (!draft_more(in->draft))
			return;
	}
	draft_seal(in->draft, false, false);
}

static void
intake_next(struct intake *in)
{
	static const struct draft_events ev = { intake_go_on, intake_sealed };

	if (in->n++ == EACH) {
		loop_stop(in->loop);
		return;
	}
	in->id = message_id_next();
	in->at = 0;
	in->size = in->n % LARGE_EVERY == 0 ? 400000 : 3000;
	in->draft = draft_new(w->spool, in->loop, in->id, &ev, in);
	intake_go_on(in);
}

static void *
run_intake(void *arg)
{
	struct intake *in = arg;

	intake_next(in);
	loop_run(in->loop);
	return NULL;
}

/* --- looking ------------------------------------------------------------ */

static void
look_at(void *arg, const struct item *item)
{
	uint64_t *last = arg;

	must(item->id > *last && item->env->rcpt_count == 1);
	*last = item->id;
}

static void *
run_viewer(void *arg)
{
	struct error err;
	struct spool_reader *r = spool_reader_open(w->spool, &err);

	(void)arg;
	must(r != NULL);
	while (!over) {
		struct spool_query q = { .max = 10, .held = -1 };
		struct spool_counts counts;
		struct spool_stats stats;

		must(spool_view(r, &q, look_at, &q.after, &err));
		must(spool_count(r, clock_steady_ms(), &counts, &err));
		spool_stats(w->spool, &stats);
	}
	spool_reader_close(&r);
	return NULL;
}

static void
play(const char *scheme)
{
	struct spool_hooks hooks = { .committed = on_committed };
	struct intake intakes[INTAKES] = { 0 };
	pthread_t deliverer, viewer;
	struct spool_counts counts;
	struct error err;

	accepted = delivered = 0;
	over = false;
	w = world_new(scheme, "");
	w->workers = workers_new("worker", 2);
	w->spool = spool_open(&(struct spool_config){
		.url = w->url, .workers = w->workers, .budget = &w->budget,
	}, &hooks, &err);
	assert_non_null(w->spool);
	w->budget.limit = 20000;	/* so that some are read back */
	if (strcmp(scheme, "memory:") == 0)
		w->budget.limit = 1 << 26;
	delivery = loop_new("delivery");
	deliverer = thread_start("delivery", run_delivery, NULL);
	viewer = thread_start("viewer", run_viewer, NULL);
	for (size_t i = 0; i < INTAKES; i++) {
		intakes[i].loop = loop_new("intake");
		intakes[i].thread = thread_start("intake", run_intake,
						 &intakes[i]);
	}
	for (size_t i = 0; i < INTAKES; i++)
		pthread_join(intakes[i].thread, NULL);
	pthread_join(deliverer, NULL);
	over = true;
	pthread_join(viewer, NULL);
	assert_int_equal(accepted, INTAKES * EACH);
	assert_int_equal(delivered, INTAKES * EACH);
	world_count(w, clock_steady_ms(), &counts);
	assert_int_equal(counts.items, 0);
	world_close(w);
	for (size_t i = 0; i < INTAKES; i++)
		loop_free(&intakes[i].loop);
	loop_free(&delivery);
	assert_int_equal(w->budget.used, 0);
	world_free(&w);
}

static void
sqlite_threads(void **state)
{
	(void)state;
	play("sqlite:");
}

static void
memory_threads(void **state)
{
	(void)state;
	play("memory:");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sqlite_threads),
		cmocka_unit_test(memory_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
