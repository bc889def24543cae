/* spool-world.c - see spool-world.h */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/body.h"
#include "spool/store.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- life ------------------------------------------------------------ */

struct world *
world_new(const char *scheme, const char *query)
{
	struct world *w = NEW(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/postern-spool-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		fail_msg("no temporary folder");
	snprintf(w->url, sizeof(w->url), "%s%s%s", scheme,
		 strcmp(scheme, "sqlite:") == 0 ? w->dir : "", query);
	w->loop = loop_new("test");
	w->budget.limit = 64 * 1024 * 1024;
	return w;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

void
world_free(struct world **ptr)
{
	struct world *w = *ptr;

	if (w == NULL)
		return;
	world_close(w);
	loop_free(&w->loop);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	mem_free(w);
	*ptr = NULL;
}

struct got {
	struct letter letter;
	struct world *world;
	struct item *item;
};

static void
on_got(struct letter *l)
{
	struct got *g = container_of(l, struct got, letter);
	struct world *w = g->world;

	if (w->got_count < WORLD_ITEMS)
		w->got[w->got_count++] = g->item;
	else
		item_free(&g->item);
	mem_free(g);
}

static void
on_committed(void *arg, struct item *item)
{
	struct world *w = arg;
	struct got *g = NEW(struct got);

	g->world = w;
	g->item = item;
	g->letter.deliver = on_got;
	mailbox_post(loop_mailbox(w->loop), &g->letter);
}

static void
on_work(void *arg, int64_t due_ms)
{
	struct world *w = arg;

	w->due_ms = due_ms;
}

bool
world_open(struct world *w, struct error *err)
{
	struct spool_hooks hooks = {
		.arg = w, .committed = on_committed, .work = on_work,
	};
	struct spool_config c = {
		.url = w->url, .free_space = w->free_space,
		.budget = &w->budget,
	};

	w->due_ms = -1;
	w->workers = c.workers = workers_new("worker", 2);
	w->spool = spool_open(&c, &hooks, err);
	if (w->spool == NULL)
		workers_free(&w->workers);
	return w->spool != NULL;
}

void
world_drain(struct world *w)
{
	letters_deliver(mailbox_take(loop_mailbox(w->loop)));
}

void
world_close(struct world *w)
{
	for (size_t i = 0; i < w->got_count; i++)
		item_free(&w->got[i]);
	w->got_count = 0;
	spool_close(&w->spool);
	/* a dropped draft's last write comes home, and its file is removed by
	 * another task */
	if (w->workers != NULL)
		workers_drain(w->workers);
	world_drain(w);
	for (size_t i = 0; i < w->got_count; i++)
		item_free(&w->got[i]);
	w->got_count = 0;
	workers_free(&w->workers);
	world_drain(w);
}

/* --- bodies ---------------------------------------------------------- */

char
world_byte(uint64_t id, uint64_t offset)
{
	uint64_t x = (id ^ (offset >> 4)) * UINT64_C(0x9e3779b97f4a7c15);

	if (offset % 64 >= 62)
		return "\r\n"[offset % 64 - 62];
	return (char)('a' + ((x >> 40) + offset) % 26);
}

struct making {
	struct world *w;
	struct draft *draft;
	uint64_t id, at, size;
	struct body *body;
	enum spool_status status;
	bool sealed;
};

static void
making_go_on(void *arg)
{
	struct making *m = arg;
	struct draft *d = m->draft;

	while (m->at < m->size) {
		struct buf *b = draft_buffer(d);
		size_t n = MIN(MIN(m->size - m->at, b->max - b->len), 5000);

		for (size_t i = 0; i < n; i++)
			buf_add_char(b, world_byte(m->id, m->at + i));
		m->at += n;
		if (!draft_more(d))
			return;
	}
	m->draft = NULL;
	draft_seal(d, true, true);
}

static void
making_sealed(void *arg, struct body *body, enum spool_status status,
	      const struct error *err)
{
	struct making *m = arg;

	assert_true((body != NULL) == (status == SPOOL_OK));
	assert_true((err != NULL) == (status != SPOOL_OK));
	m->body = body;
	m->status = status;
	m->sealed = true;
	loop_stop(m->w->loop);
}

struct body *
world_body(struct world *w, size_t size, enum spool_status *status)
{
	static const struct draft_events ev = { making_go_on, making_sealed };
	struct making m = { .w = w, .id = message_id_next(), .size = size };

	m.draft = draft_new(w->spool, w->loop, m.id, &ev, &m);
	making_go_on(&m);
	while (!m.sealed)
		loop_run(w->loop);
	*status = m.status;
	if (m.body != NULL)
		assert_int_equal(m.body->size, size);
	return m.body;
}

/* --- items ----------------------------------------------------------- */

static struct address
address_of(const char *text)
{
	struct address a;
	struct error err;

	if (!address_parse(span_of(text), ADDRESS_NULL, &a, &err))
		fail_msg("%s: %s", text, err.text);
	return a;
}

void
world_rcpt(struct item *item, const char *address)
{
	struct rcpt_command r = {
		.recipient = address_of(address),
		.notify = DSN_NOTIFY_FAILURE,
		.orcpt = SPAN("rfc822;x+2By@dst.test"),
	};
	size_t n = item->env->rcpt_count;

	assert_true(envelope_add(item->env, &r, 1000));
	item->rcpts = mem_resize(item->rcpts, n + 1, sizeof(*item->rcpts));
	item->rcpts[n] = (struct item_rcpt){ RCPT_QUEUED, NULL };
}

struct item *
world_item(struct body *b, unsigned ordinal, const char *route)
{
	struct mail_command m = {
		.sender = address_of("sender@src.test"),
		.body = BODY_8BITMIME, .smtputf8 = true, .ret = DSN_RET_HDRS,
		.envid = SPAN("env+2Bid"),
	};
	struct item *item = item_new();

	item->id = b->id * ITEM_ORDINALS + ordinal;
	item->body = b;
	item->route = mem_strdup(route);
	item->env = envelope_new(&m);
	world_rcpt(item, "rcpt@dst.test");
	item->origin.client = mem_strdup("192.0.2.7");
	item->origin.helo = mem_strdup("printer");
	item->origin.message_id = mem_strdup("<1@src.test>");
	buf_addf(&item->prefix, "Received: by test; %llu\r\n",
		 (unsigned long long)item->id);
	item->created_ms = item->due_ms = clock_steady_ms();
	item->claimed = true;
	return item;
}

/* --- operations ------------------------------------------------------ */

static struct world *waiting;		/* whose operation is under way */
static bool came_home;

static void
on_home(struct spool_op *op)
{
	(void)op;
	came_home = true;
	loop_stop(waiting->loop);
}

static void
op_begin(struct world *w, struct spool_op *op)
{
	op->home = loop_mailbox(w->loop);
	op->done = on_home;
	came_home = false;
	waiting = w;
}

static enum spool_status
op_wait(struct world *w, const struct spool_op *op)
{
	while (!came_home)
		loop_run(w->loop);
	assert_true(op->status == SPOOL_OK || op->status == SPOOL_GONE ||
		    op->err.text[0] != '\0');
	return op->status;
}

enum spool_status
world_accept(struct world *w, struct item **items, size_t n)
{
	struct spool_accept a = { .n = n };
	enum spool_status status;

	memcpy(a.items, items, n * sizeof(*items));
	op_begin(w, &a.op);
	spool_accept(w->spool, &a);
	status = op_wait(w, &a.op);
	/* handed over when all is well, else ours again */
	for (size_t i = 0; i < n; i++) {
		assert_true((a.items[i] == NULL) == (status == SPOOL_OK));
		item_free(&a.items[i]);
	}
	return status;
}

uint64_t
world_put(struct world *w, size_t size, bool claimed, int64_t due_ms)
{
	enum spool_status status;
	struct body *b = world_body(w, size, &status);
	struct item *item;
	uint64_t id;

	if (b == NULL)
		return 0;
	item = world_item(b, 0, "relay");
	item->claimed = claimed;
	item->due_ms = due_ms;
	id = item->id;
	return world_accept(w, &item, 1) == SPOOL_OK ? id : 0;
}

enum spool_status
world_settle(struct world *w, struct spool_settle *t)
{
	op_begin(w, &t->op);
	spool_settle(w->spool, t);
	return op_wait(w, &t->op);
}

enum spool_status
world_end(struct world *w, uint64_t id, enum item_fate fate, int64_t due_ms)
{
	struct spool_settle t = {
		.id = id, .fate = fate, .due_ms = due_ms, .attempts = 1,
	};

	return world_settle(w, &t);
}

enum spool_status
world_claim(struct world *w, size_t max, int64_t now_ms,
	    struct spool_claim *c)
{
	*c = (struct spool_claim){ .max = max, .now_ms = now_ms,
				   .weigh = w->weigh, .room = w->room,
				   .latest_ms = w->latest_ms };
	op_begin(w, &c->op);
	spool_claim(w->spool, c);
	return op_wait(w, &c->op);
}

static void
on_met(void *arg, const struct spool_met *m)
{
	struct world *w = arg;
	size_t n = strlen(w->met);

	snprintf(w->met + n, sizeof(w->met) - n, "%llu %s>%s\n",
		 (unsigned long long)m->id, m->from ? m->from : "?",
		 m->to ? m->to : "?");
}

size_t
world_act(struct world *w, enum spool_verb verb, uint64_t id)
{
	struct spool_act a = { .verb = verb, .met = w->tell ? on_met : NULL,
			       .met_arg = w, .tell = w->tell };

	w->met[0] = '\0';

	if (id != 0) {
		a.ids = &id;
		a.n = 1;
	}
	op_begin(w, &a.op);
	spool_act(w->spool, &a);
	assert_int_equal(op_wait(w, &a.op), SPOOL_OK);
	return a.changed;
}

/* --- looking --------------------------------------------------------- */

struct item *
world_look(struct world *w, uint64_t id)
{
	struct error err;
	struct spool_reader *r = spool_reader_open(w->spool, &err);
	struct item *item = NULL;
	enum spool_status status;

	assert_non_null(r);
	status = spool_view_item(r, id, &item, &err);
	if (status == SPOOL_FAILED)
		fail_msg("%s", err.text);
	assert_true((status == SPOOL_OK) == (item != NULL));
	spool_reader_close(&r);
	return item;
}

void
world_count(struct world *w, int64_t now_ms, struct spool_counts *ret)
{
	struct error err;
	struct spool_reader *r = spool_reader_open(w->spool, &err);

	assert_non_null(r);
	assert_true(spool_count(r, now_ms, ret, &err));
	spool_reader_close(&r);
}

struct reading {
	struct world *w;
	const struct item *item;
	uint64_t at;
	bool came, good;
};

static bool
bytes_right(const struct item *item, uint64_t at, struct span s)
{
	struct span prefix = buf_span(&item->prefix);

	for (size_t i = 0; i < s.n; i++, at++) {
		char want = at < prefix.n ? prefix.p[at]
			    : world_byte(item->body->id, at - prefix.n);

		if (s.p[i] != want)
			return false;
	}
	return true;
}

static void
on_read(void *arg, struct span bytes, const struct error *err)
{
	struct reading *r = arg;

	r->came = true;
	r->good = err == NULL && bytes_right(r->item, r->at, bytes);
	r->at += bytes.n;
	loop_stop(r->w->loop);
}

bool
world_whole(struct world *w, const struct item *item)
{
	struct reading r = { .w = w, .item = item, .good = true };
	struct body_source *s = spool_source(w->spool, item, w->loop);
	struct error err;
	char some[200];
	size_t got;

	while (r.good && r.at < s->size) {
		uint64_t before = r.at;

		r.came = false;
		s->ops->read(s, r.at, 30000, on_read, &r);
		while (!r.came)
			loop_run(w->loop);
		r.good = r.good && r.at > before;
	}
	r.good = r.good && r.at == item_size(item);
	/* the same from the middle, blocking */
	if (r.good && s->size > sizeof(some))
		r.good = s->ops->pread(s, s->size - sizeof(some), some,
				       sizeof(some), &got, &err) &&
			 bytes_right(item, s->size - sizeof(some),
				     (struct span){ some, got });
	body_source_free(&s);
	return r.good;
}

static size_t
folder_files(struct world *w, unsigned n, struct spool_reader *r,
	     size_t *orphans)
{
	char path[128];
	struct dirent *e;
	size_t count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/bodies/%02u", w->dir, n);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct error err;
		bool known = false;
		uint64_t id;

		if (!decode_id(span_of(e->d_name), &id))
			continue;
		count++;
		assert_true(r->ops->has_body(r, id, &known, &err));
		*orphans += !known;
	}
	if (d != NULL)
		closedir(d);
	return count;
}

size_t
world_files(struct world *w, size_t *orphans)
{
	struct error err;
	struct spool_reader *r = spool_reader_open(w->spool, &err);
	size_t count = 0;

	assert_non_null(r);
	*orphans = 0;
	for (unsigned i = 0; i < 32; i++)
		count += folder_files(w, i, r, orphans);
	spool_reader_close(&r);
	return count;
}

void
world_restart(struct world *w)
{
	struct error err;

	world_close(w);
	if (!world_open(w, &err))
		fail_msg("%s", err.text);
}

/* --- the contract ------------------------------------------------------ */

const char *contract_scheme;

int
contract_on_sqlite(void **state)
{
	(void)state;
	contract_scheme = "sqlite:";
	return 0;
}

int
contract_on_memory(void **state)
{
	(void)state;
	contract_scheme = "memory:";
	return 0;
}

int
contract_setup(void **state)
{
	struct world *w = world_new(contract_scheme, "");
	struct error err;

	if (!world_open(w, &err))
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

int
contract_teardown(void **state)
{
	struct world *w = *state;

	world_close(w);
	assert_int_equal(w->budget.used, 0);
	world_free(&w);
	return 0;
}
