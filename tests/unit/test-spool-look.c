/* test-spool-look.c - the contract, which every store passes alike: what the
 * operator and the draft of a message see of it */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/backlog.h"

#include <stdio.h>

/* --- the operator's hand --------------------------------------------- */

static void
held_items_wait(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 10, false, 100);
	struct spool_claim c;
	struct item *item;

	assert_int_equal(world_act(w, SPOOL_HOLD, id), 1);
	assert_int_equal(world_act(w, SPOOL_HOLD, 4711), 0);
	assert_int_equal(world_claim(w, 9, 200, &c), SPOOL_OK);
	assert_int_equal(c.n, 0);
	assert_int_equal(c.next_due_ms, -1);
	mem_free(c.items);
	item = world_look(w, id);
	assert_true(item->held);
	item_free(&item);

	w->due_ms = -1;
	assert_int_equal(world_act(w, SPOOL_RELEASE, id), 1);
	assert_int_not_equal(w->due_ms, -1);
	assert_int_equal(world_claim(w, 9, 200, &c), SPOOL_OK);
	assert_int_equal(c.n, 1);
	item_free(&c.items[0]);
	mem_free(c.items);
}

static void
retry_makes_due(void **state)
{
	struct world *w = *state;
	int64_t far = clock_steady_ms() + 1000000;
	uint64_t id = world_put(w, 10, false, far);
	struct item *item;

	assert_int_equal(world_act(w, SPOOL_RETRY, id), 1);
	item = world_look(w, id);
	assert_true(item->due_ms <= clock_steady_ms());
	item_free(&item);

	/* what is held is not to go */
	assert_int_equal(world_act(w, SPOOL_HOLD, id), 1);
	assert_int_equal(world_act(w, SPOOL_RETRY, id), 0);
}

static void
remove_leaves_what_is_claimed(void **state)
{
	struct world *w = *state;
	uint64_t ours = world_put(w, 10, true, 0);
	uint64_t free = world_put(w, 100000, false, 0);

	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), 1);
	assert_null(world_look(w, free));
	assert_int_equal(world_end(w, ours, FATE_DONE, 0), SPOOL_OK);
}

/* Who tells of an act hears of each item that it changed, and no other. */
static void
acts_say_what_they_met(void **state)
{
	struct world *w = *state;
	uint64_t ours = world_put(w, 10, true, 0);
	uint64_t one = world_put(w, 10, false, 0);
	uint64_t two = world_put(w, 10, false, 0);
	char want[200];

	w->tell = 9;
	snprintf(want, sizeof(want), "%llu sender@src.test>rcpt@dst.test\n",
		 (unsigned long long)one);
	world_act(w, SPOOL_HOLD, one);
	assert_string_equal(w->met, want);
	world_act(w, SPOOL_HOLD, 4711);
	assert_string_equal(w->met, "");
	world_act(w, SPOOL_RETRY, one);		/* it is held */
	assert_string_equal(w->met, "");
	w->tell = 1;				/* the first of three */
	assert_int_equal(world_act(w, SPOOL_RELEASE, 0), 3);
	assert_non_null(strchr(w->met, '\n'));
	assert_string_equal(strchr(w->met, '\n'), "\n");
	w->tell = SIZE_MAX;
	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), 2);
	snprintf(want, sizeof(want), "%llu sender@src.test>rcpt@dst.test\n"
		 "%llu sender@src.test>rcpt@dst.test\n", (unsigned long long)one,
		 (unsigned long long)two);
	assert_string_equal(w->met, want);
	world_end(w, ours, FATE_DONE, 0);
}

static void
acts_on_many_go_in_steps(void **state)
{
	enum { MANY = 70 };	/* messages of 64 items: more than two steps */
	struct world *w = *state;
	struct spool_counts counts;
	size_t told = 0;

	for (unsigned i = 0; i < MANY; i++) {
		enum spool_status status;
		struct body *b = world_body(w, 10, &status);
		struct item *items[ITEM_ORDINALS];

		for (unsigned j = 0; j < ITEM_ORDINALS; j++) {
			items[j] = world_item(body_ref(b), j, j % 2 ? "odd"
								    : "even");
			items[j]->claimed = false;
		}
		body_unref(&b);
		assert_int_equal(world_accept(w, items, ITEM_ORDINALS),
				 SPOOL_OK);
	}
	world_count(w, clock_steady_ms(), &counts);
	assert_int_equal(counts.items, MANY * ITEM_ORDINALS);
	w->tell = 5;			/* of all steps together */
	assert_int_equal(world_act(w, SPOOL_HOLD, 0), MANY * ITEM_ORDINALS);
	for (const char *p = w->met; (p = strchr(p, '\n')) != NULL; p++)
		told++;
	assert_int_equal(told, 5);
	w->tell = 0;
	world_count(w, clock_steady_ms(), &counts);
	assert_int_equal(counts.held, MANY * ITEM_ORDINALS);
	assert_int_equal(counts.due, 0);
	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), MANY * ITEM_ORDINALS);
	world_count(w, clock_steady_ms(), &counts);
	assert_int_equal(counts.items, 0);
	assert_int_equal(counts.oldest_ms, 0);
}

/* --- looking --------------------------------------------------------- */

struct seen {
	uint64_t ids[10];
	size_t n;
};

static void
see(void *arg, const struct item *item)
{
	struct seen *s = arg;

	if (s->n < ARRAY_SIZE(s->ids))
		s->ids[s->n++] = item->id;
}

static void
lists_are_filtered_and_paged(void **state)
{
	struct world *w = *state;
	uint64_t ids[4];
	struct error err;
	struct spool_reader *r = spool_reader_open(w->spool, &err);

	for (unsigned i = 0; i < 4; i++) {
		enum spool_status status;
		struct item *item = world_item(world_body(w, 9, &status), 0,
					       i < 2 ? "low" : "high");

		if (i == 3)
			world_rcpt(item, "Extra@Other.test");
		item->held = i == 1;
		item->claimed = i == 0;
		ids[i] = item->id;
		assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	}
	const struct {
		struct spool_query q;
		size_t n;
		uint64_t first;
	} rows[] = {
		{ { .max = 9, .held = -1 },                          4, ids[0] },
		{ { .max = 2, .held = -1 },                          2, ids[0] },
		{ { .max = 2, .held = -1, .after = ids[1] },         2, ids[2] },
		{ { .max = 9, .held = -1, .after = ids[3] },         0, 0      },
		{ { .max = 9, .held = 1 },                           1, ids[1] },
		{ { .max = 9, .held = 0 },                           3, ids[0] },
		{ { .max = 9, .held = -1, .route = "high" },         2, ids[2] },
		{ { .max = 9, .held = -1, .route = "hig" },          0, 0      },
		{ { .max = 9, .held = -1, .address = "extra@" },     1, ids[3] },
		{ { .max = 9, .held = -1, .address = "SRC.test" },   4, ids[0] },
		{ { .max = 9, .held = -1, .address = "nobody" },     0, 0      },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen s = { .n = 0 };

		CHECK_ROW(i, spool_view(r, &rows[i].q, see, &s, &err));
		CHECK_ROW(i, s.n == rows[i].n && s.ids[0] == rows[i].first);
	}
	spool_reader_close(&r);
}

static void
counts_add_up(void **state)
{
	struct world *w = *state;
	struct spool_counts c;
	uint64_t id;

	world_put(w, 10, true, 0);
	world_put(w, 10, false, 100);
	world_put(w, 10, false, 200);
	id = world_put(w, 10, false, 100);
	assert_int_equal(world_act(w, SPOOL_HOLD, id), 1);
	world_count(w, 100, &c);
	assert_int_equal(c.items, 4);
	assert_int_equal(c.held, 1);
	assert_int_equal(c.due, 1);
	assert_true(c.oldest_ms > 0 && c.oldest_ms <= clock_steady_ms());
}

struct told {
	struct spool_backlog v[4];
	char routes[4][20], last[4][40];
	size_t n;
};

static void
on_backlog(void *arg, const struct spool_backlog *b)
{
	struct told *t = arg;

	must(t->n < ARRAY_SIZE(t->v));
	snprintf(t->routes[t->n], sizeof(t->routes[0]), "%s", b->route);
	snprintf(t->last[t->n], sizeof(t->last[0]), "%s",
		 b->last ? b->last : "");
	t->v[t->n++] = *b;
}

static void
backlogs_are_told_by_route(void **state)
{
	struct world *w = *state;
	struct told t = { .n = 0 };
	struct spool_reader *r;
	struct error err;
	uint64_t held;

	world_put(w, 10, true, 0);
	world_put(w, 10, false, 200);
	world_put(w, 10, false, 100);
	held = world_put(w, 10, false, 50);
	assert_int_equal(world_act(w, SPOOL_HOLD, held), 1);
	r = spool_reader_open(w->spool, &err);
	assert_non_null(r);
	assert_true(spool_backlogs(r, 4, on_backlog, &t, &err));
	assert_int_equal(t.n, 1);
	assert_int_equal(t.v[0].items, 4);
	assert_int_equal(t.v[0].held, 1);
	assert_int_equal(t.v[0].claimed, 1);
	assert_int_equal(t.v[0].next_due_ms, 100);
	assert_true(t.v[0].oldest_ms > 0);
	t.n = 0;
	assert_true(spool_backlogs(r, 0, on_backlog, &t, &err));
	assert_int_equal(t.n, 0);
	spool_reader_close(&r);
}

/* Pure: what both stores stand upon. */
static void
backlogs_are_summed(void **state)
{
	AUTO(backlogs_fini) struct backlogs all = { .n = 0 };
	static const struct spool_backlog items[] = {
		{ .route = "few", .items = 1, .next_due_ms = 7, .oldest_ms = 2 },
		{ .route = "many", .items = 1, .next_due_ms = 30,
		  .oldest_ms = 9, .last = "later" },
		{ .route = "many", .items = 1, .next_due_ms = 10,
		  .oldest_ms = 5, .last = "first" },
		{ .route = "many", .items = 1, .next_due_ms = 5,
		  .oldest_ms = 6 },
		{ .route = "many", .items = 1, .held = 1, .oldest_ms = 7,
		  .last = "held" },
		{ .route = "few", .items = 1, .held = 1, .last = "held" },
	};
	struct told t = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		backlogs_add(&all, &items[i]);
	backlogs_tell(&all, 4, on_backlog, &t);
	assert_int_equal(t.n, 2);
	assert_string_equal(t.routes[0], "many");
	assert_int_equal(t.v[0].items, 4);
	assert_int_equal(t.v[0].next_due_ms, 5);
	assert_int_equal(t.v[0].oldest_ms, 5);
	assert_string_equal(t.last[0], "first");
	assert_string_equal(t.routes[1], "few");
	assert_int_equal(t.v[1].held, 1);
	assert_int_equal(t.v[1].next_due_ms, 7);
	assert_string_equal(t.last[1], "held");
}

static void
stats_count(void **state)
{
	struct world *w = *state;
	struct spool_stats s;
	uint64_t id = world_put(w, 10, true, 0);

	world_end(w, id, FATE_DONE, 0);
	spool_stats(w->spool, &s);
	assert_int_equal(s.accepted, 1);
	assert_int_equal(s.settled, 1);
	assert_int_equal(s.operations, 2);
	assert_int_equal(s.commits, 2);
	assert_int_equal(s.failed_batches, 0);
	assert_true(s.accepting);
	assert_string_equal(s.trouble, "");
}

/* --- drafts ---------------------------------------------------------- */

static void
no_drained(void *arg)
{
	(void)arg;
}

static void
not_sealed(void *arg, struct body *b, enum spool_status status,
	   const struct error *err)
{
	(void)arg, (void)b, (void)status, (void)err;
	fail_msg("a draft that was dropped was answered for");
}

static const struct draft_events deaf = { no_drained, not_sealed };

/* A header section of that many bytes (or none that ends), and a body. */
static void
fill(struct draft *d, size_t header, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		struct buf *b = draft_buffer(d);

		if (b->len == b->max)
			return;
		if (i + 4 >= header && i < header)
			buf_add_char(b, "\r\n\r\n"[i + 4 - header]);
		else
			buf_add_char(b, 'x');
		if (i % 1000 == 999)
			draft_more(d);
	}
	draft_more(d);
}

static void
the_head_is_at_hand(void **state)
{
	static const struct { size_t header, size, least; } rows[] = {
		{ 100,    1000,   100 },
		{ 100,    100000, 100 },
		{ 70000,  120000, 70000 },
		{ 999999, 120000, 120000 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct draft *d = draft_new(w->spool, w->loop,
					    message_id_next(), &deaf, NULL);

		fill(d, rows[i].header, rows[i].size);
		CHECK_ROW(i, draft_size(d) == rows[i].size);
		CHECK_ROW(i, draft_head(d).n >= rows[i].least);
		if (rows[i].header < rows[i].size)
			CHECK_ROW(i, memcmp(draft_head(d).p +
					    rows[i].header - 4,
					    "\r\n\r\n", 4) == 0);
		draft_drop(&d);
		assert_null(d);
	}
}

static void
drafts_may_be_dropped_at_any_time(void **state)
{
	static const size_t sizes[] = { 0, 10, 66000, 100000, 190000 };
	struct world *w = *state;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		struct draft *d = draft_new(w->spool, w->loop,
					    message_id_next(), &deaf, NULL);
		size_t size = sizes[i / 2];

		fill(d, 50, size);
		/* every other one, where it is not over by then, after the
		 * seal */
		if (i % 2 == 1 && size > LIMIT_INLINE_BODY &&
		    strcmp(contract_scheme, "sqlite:") == 0)
			draft_seal(d, false, false);
		draft_drop(&d);
	}
}

static void
a_body_that_nobody_wants(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct body *small = world_body(w, 10, &status);
	struct body *large = world_body(w, 300000, &status);

	assert_non_null(small);
	assert_non_null(large);
	body_unref(&small);
	body_unref(&large);
}

static void
the_budget_is_charged(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct body *b = world_body(w, 5000, &status);

	assert_true(w->budget.used >= 5000);
	assert_true(w->budget.used <= 3 * 5000);
	assert_int_equal(w->budget.used, b->bytes.cap);
	body_unref(&b);
	assert_int_equal(w->budget.used, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		CONTRACT_TEST(held_items_wait),
		CONTRACT_TEST(retry_makes_due),
		CONTRACT_TEST(remove_leaves_what_is_claimed),
		CONTRACT_TEST(acts_say_what_they_met),
		CONTRACT_TEST(acts_on_many_go_in_steps),
		CONTRACT_TEST(lists_are_filtered_and_paged),
		CONTRACT_TEST(counts_add_up),
		CONTRACT_TEST(backlogs_are_told_by_route),
		cmocka_unit_test(backlogs_are_summed),
		CONTRACT_TEST(stats_count),
		CONTRACT_TEST(the_head_is_at_hand),
		CONTRACT_TEST(drafts_may_be_dropped_at_any_time),
		CONTRACT_TEST(a_body_that_nobody_wants),
		CONTRACT_TEST(the_budget_is_charged),
	};

	return CONTRACT_RUN(tests);
}
