/* test-spool.c - the contract, which every store passes alike */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/body.h"
#include "spool/backlog.h"

#include <stdio.h>

static const char *scheme;

static int
setup(void **state)
{
	struct world *w = world_new(scheme, "");
	struct error err;

	if (!world_open(w, &err))
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	/* whatever the test did, all memory comes back to the budget */
	world_close(w);
	assert_int_equal(w->budget.used, 0);
	world_free(&w);
	return 0;
}

/* --- names ----------------------------------------------------------- */

static void
ids_as_text(void **state)
{
	static const struct { const char *text; bool ok; uint64_t id; } rows[] = {
		{ "0000000001",     true,  64 },
		{ "0000000001-2",   true,  65 },
		{ "0000000001-64",  true,  127 },
		{ "0000000001-1",   true,  64 },
		{ "0000000001-65",  false, 0 },
		{ "0000000001-0",   false, 0 },
		{ "0000000001-",    false, 0 },
		{ "0000000001x2",   false, 0 },
		{ "000000001",      false, 0 },
		{ "",               false, 0 },
	};
	char text[ITEM_TEXT];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		id = 0;
		CHECK_ROW(i, item_id_parse(span_of(rows[i].text), &id) ==
			  rows[i].ok && id == rows[i].id);
	}
	assert_string_equal(item_id_text(64, text), "0000000001");
	assert_string_equal(item_id_text(127, text), "0000000001-64");
}

static void
ids_rise(void **state)
{
	uint64_t last = message_id_next();

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t next = message_id_next();

		assert_true(next > last);
		last = next;
	}
	message_id_seed(last + 1000000);
	assert_true(message_id_next() > last + 1000000);
	message_id_seed(1);
	assert_true(message_id_next() > last + 1000000);
	assert_true(last < UINT64_C(1) << 50);
}

/* --- accept ---------------------------------------------------------- */

static void
check_sample(const struct item *item)
{
	const struct envelope *env = item->env;

	assert_string_equal(item->route, "relay");
	assert_true(span_eq(env->sender.text, SPAN("sender@src.test")));
	assert_true(span_eq(env->sender.domain, SPAN("src.test")));
	assert_int_equal(env->body, BODY_8BITMIME);
	assert_true(env->smtputf8);
	assert_int_equal(env->ret, DSN_RET_HDRS);
	assert_true(span_eq(env->envid, SPAN("env+2Bid")));
	assert_int_equal(env->rcpt_count, 2);
	assert_true(env->frozen);
	assert_true(span_eq(env->rcpts[0].address.text,
			    SPAN("rcpt@dst.test")));
	assert_true(span_eq(env->rcpts[1].address.local, SPAN("two")));
	assert_int_equal(env->rcpts[1].notify, DSN_NOTIFY_FAILURE);
	assert_true(span_eq(env->rcpts[1].orcpt,
			    SPAN("rfc822;x+2By@dst.test")));
	assert_string_equal(item->origin.client, "192.0.2.7");
	assert_string_equal(item->origin.helo, "printer");
	assert_null(item->origin.user);
	assert_null(item->origin.listener);
	assert_string_equal(item->origin.message_id, "<1@src.test>");
	assert_true(item->body->has_8bit);
	assert_true(item->body->header_8bit);
	assert_int_equal(item->body->size, 3000);
	assert_null(item->last);
}

static void
what_is_accepted_is_kept_whole(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct item *item = world_item(world_body(w, 3000, &status), 0,
				       "relay");
	uint64_t id = item->id;
	int64_t created = item->created_ms;

	world_rcpt(item, "two@dst.test");
	envelope_freeze(item->env);
	assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	assert_int_equal(w->got_count, 1);
	assert_int_equal(w->got[0]->id, id);
	assert_true(body_in_memory(w->got[0]->body));
	check_sample(w->got[0]);
	assert_true(world_whole(w, w->got[0]));

	item = world_look(w, id);
	assert_non_null(item);
	assert_int_equal(item->id, id);
	assert_true(item->claimed);
	assert_int_equal(item->created_ms, created);
	check_sample(item);
	assert_true(world_whole(w, item));
	item_free(&item);
}

/* Of the body as it was found, of the prefix as it is. */
static void
where_it_is_8bit_is_known(void **state)
{
	static const struct {
		bool body, header, prefix;
	} rows[] = {
		{ false, false, false }, { true, false, false },
		{ true, true, false }, { false, false, true },
	};
	struct world *w = *state;
	enum spool_status status;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct body *b = world_body(w, 10, &status);
		struct item *item = world_item(b, 0, "relay");
		struct body_source *s;
		uint64_t id = item->id;

		b->has_8bit = rows[i].body;
		b->header_8bit = rows[i].header;
		if (rows[i].prefix)
			buf_add_str(&item->prefix, "X-Room: K\xc3\xbc\r\n");
		CHECK_ROW(i, world_accept(w, &item, 1) == SPOOL_OK);
		item = world_look(w, id);
		CHECK_ROW(i, item->body->has_8bit == rows[i].body);
		CHECK_ROW(i, item->body->header_8bit == rows[i].header);
		s = spool_source(w->spool, item, w->loop);
		CHECK_ROW(i, s->has_8bit == (rows[i].body || rows[i].prefix));
		CHECK_ROW(i, s->header_8bit ==
			     (rows[i].header || rows[i].prefix));
		body_source_free(&s);
		item_free(&item);
	}
}

static void
sizes_come_back(void **state)
{
	static const size_t sizes[] = {
		0, 1, 4096, LIMIT_INLINE_BODY - 1, LIMIT_INLINE_BODY,
		LIMIT_INLINE_BODY + 1, LIMIT_CHUNK, LIMIT_CHUNK + 1,
		3 * LIMIT_CHUNK, 1000000,
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t id = world_put(w, sizes[i], true, 0);
		struct item *item;

		CHECK_ROW(i, id != 0);
		CHECK_ROW(i, world_whole(w, w->got[w->got_count - 1]));
		item = world_look(w, id);
		CHECK_ROW(i, item != NULL && world_whole(w, item));
		item_free(&item);
	}
}

static void
items_share_a_body(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct body *b = world_body(w, 200000, &status);
	struct item *items[3], *item;
	uint64_t id = b->id * ITEM_ORDINALS;

	items[0] = world_item(body_ref(b), 0, "one");
	items[1] = world_item(body_ref(b), 1, "two");
	items[2] = world_item(b, 2, "three");
	assert_int_equal(world_accept(w, items, 3), SPOOL_OK);
	assert_int_equal(w->got_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		item = world_look(w, id + 2);
		assert_non_null(item);
		assert_true(world_whole(w, item));
		item_free(&item);
		assert_int_equal(world_end(w, id + i, FATE_DONE, 0), SPOOL_OK);
		assert_null(world_look(w, id + i));
	}
}

static void
a_later_item_may_name_a_stored_body(void **state)
{
	struct world *w = *state;
	uint64_t first = world_put(w, 3000, true, 0);
	struct item *old = world_look(w, first), *item;
	enum spool_status status;
	struct body *other = world_body(w, 10, &status);
	uint64_t id = other->id * ITEM_ORDINALS;

	item = world_item(body_ref(old->body), 0, "split");
	item->id = id;
	body_unref(&other);
	assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	item_free(&old);
	assert_int_equal(world_end(w, first, FATE_DONE, 0), SPOOL_OK);
	item = world_look(w, id);
	assert_non_null(item);
	assert_true(world_whole(w, item));
	item_free(&item);
	assert_int_equal(world_end(w, id, FATE_DONE, 0), SPOOL_OK);
}

static void
all_items_or_none(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	uint64_t there = world_put(w, 100, true, 0);
	struct body *b = world_body(w, 100, &status);
	struct item *items[2] = {
		world_item(body_ref(b), 0, "a"), world_item(b, 1, "b"),
	};
	uint64_t id = items[0]->id;

	items[1]->id = there;
	assert_int_equal(world_accept(w, items, 2), SPOOL_FAILED);
	assert_null(world_look(w, id));
	/* the one that was there is as it was, and the batch lives */
	assert_int_equal(world_end(w, there, FATE_DONE, 0), SPOOL_OK);
	assert_null(world_look(w, there));
}

static void
a_body_must_be_somewhere(void **state)
{
	struct world *w = *state;
	struct body *b = NEW(struct body);
	struct item *item;
	uint64_t id;

	b->refs = 1;
	b->id = message_id_next();
	b->size = 100;
	item = world_item(b, 0, "relay");
	id = item->id;
	assert_int_equal(world_accept(w, &item, 1), SPOOL_FAILED);
	assert_null(world_look(w, id));
}

/* --- claim ----------------------------------------------------------- */

static void
due_items_are_claimed_in_order(void **state)
{
	struct world *w = *state;
	int64_t now = 1000000;
	uint64_t late = world_put(w, 10, false, now + 1);
	uint64_t third = world_put(w, 10, false, now);
	uint64_t first = world_put(w, 10, false, now - 2);
	uint64_t second = world_put(w, 10, false, now - 1);
	struct spool_claim c;

	assert_int_equal(w->got_count, 0);
	assert_int_equal(world_claim(w, 2, now, &c), SPOOL_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0]->id, first);
	assert_int_equal(c.items[1]->id, second);
	assert_true(c.items[0]->claimed);
	assert_true(world_whole(w, c.items[0]));
	assert_int_equal(c.next_due_ms, now);
	item_free(&c.items[0]);
	item_free(&c.items[1]);
	mem_free(c.items);

	assert_int_equal(world_claim(w, 9, now, &c), SPOOL_OK);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0]->id, third);
	assert_int_equal(c.next_due_ms, now + 1);
	item_free(&c.items[0]);
	mem_free(c.items);

	assert_int_equal(world_act(w, SPOOL_REMOVE, late), 1);
	assert_int_equal(world_claim(w, 9, now + 9, &c), SPOOL_OK);
	assert_int_equal(c.n, 0);
	assert_int_equal(c.next_due_ms, -1);
	mem_free(c.items);
}

static int64_t
weigh_ten(const struct item *item)
{
	(void)item;
	return 10;
}

static void
a_claim_takes_no_more_than_it_can_bear(void **state)
{
	static const struct { int64_t room; size_t takes; } rows[] = {
		{ 1, 1 }, { 10, 1 }, { 11, 2 }, { 20, 2 }, { 1000, 2 },
	};
	struct world *w = *state;
	struct spool_claim c;

	for (int i = 0; i < 8; i++)
		world_put(w, 10, false, 100);
	w->weigh = weigh_ten;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		w->room = rows[i].room;
		assert_int_equal(world_claim(w, 2, 100, &c), SPOOL_OK);
		CHECK_ROW(i, c.n == rows[i].takes);
		CHECK_ROW(i, c.next_due_ms == (i < 4 ? 100 : -1));
		for (size_t k = 0; k < c.n; k++)
			item_free(&c.items[k]);
		mem_free(c.items);
	}
}

static void
a_lower_lane_goes_first(void **state)
{
	struct world *w = *state;
	uint64_t ids[3];
	struct spool_claim c;

	for (unsigned i = 0; i < 3; i++) {
		enum spool_status status;
		struct item *item = world_item(world_body(w, 9, &status), 0,
					       "relay");

		item->claimed = false;
		item->due_ms = 5000;
		item->lane = 2 - i;
		ids[i] = item->id;
		assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	}
	assert_int_equal(world_claim(w, 3, 5000, &c), SPOOL_OK);
	assert_int_equal(c.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(c.items[i]->id, ids[2 - i]);
		item_free(&c.items[i]);
	}
	mem_free(c.items);
}

static void
work_is_announced(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 10, true, 0);

	assert_int_equal(w->due_ms, -1);
	assert_int_equal(world_end(w, id, FATE_RELEASE, 777), SPOOL_OK);
	assert_int_equal(w->due_ms, 777);
	w->due_ms = -1;
	world_put(w, 10, false, 555);
	assert_int_equal(w->due_ms, 555);
}

/* --- settle ---------------------------------------------------------- */

static void
settling_is_remembered(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct item *item = world_item(world_body(w, 10, &status), 0, "relay");
	struct spool_settle t = {
		.id = item->id, .fate = FATE_STAY, .attempts = 1,
		.due_ms = 100, .warned_ms = 7, .last = mem_strdup("first"),
		.rcpts = NEW(struct settle_rcpt), .rcpt_count = 1,
	};

	world_rcpt(item, "two@dst.test");
	assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	t.rcpts[0] = (struct settle_rcpt){
		1, RCPT_DELIVERED, mem_strdup("250 fine"),
	};
	assert_int_equal(world_settle(w, &t), SPOOL_OK);
	spool_settle_clear(&t);
	item = world_look(w, t.id);
	assert_true(item->claimed);
	assert_int_equal(item->attempts, 1);
	assert_int_equal(item->warned_ms, 7);
	assert_string_equal(item->last, "first");
	assert_int_equal(item->rcpts[0].state, RCPT_QUEUED);
	assert_null(item->rcpts[0].last);
	assert_int_equal(item->rcpts[1].state, RCPT_DELIVERED);
	assert_string_equal(item->rcpts[1].last, "250 fine");
	item_free(&item);

	/* nothing said leaves the words that were there */
	assert_int_equal(world_end(w, t.id, FATE_RELEASE, 200), SPOOL_OK);
	item = world_look(w, t.id);
	assert_false(item->claimed);
	assert_int_equal(item->due_ms, 200);
	assert_string_equal(item->last, "first");
	assert_string_equal(item->rcpts[1].last, "250 fine");
	item_free(&item);
}

static void
settling_what_is_gone(void **state)
{
	static const enum item_fate fates[] = {
		FATE_STAY, FATE_RELEASE, FATE_DONE,
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(fates); i++)
		CHECK_ROW(i, world_end(w, 12345, fates[i], 0) == SPOOL_GONE);
}

static void
a_report_comes_with_its_settle(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	uint64_t id = world_put(w, 10, true, 0);
	struct item *report = world_item(world_body(w, 20, &status), 0, "dsn");
	struct spool_accept also = { .items = { report }, .n = 1 };
	struct spool_settle t = { .id = id, .fate = FATE_DONE, .also = &also };
	uint64_t report_id = report->id;

	assert_int_equal(world_settle(w, &t), SPOOL_OK);
	assert_null(also.items[0]);
	assert_int_equal(w->got_count, 2);
	assert_int_equal(w->got[1]->id, report_id);
	assert_null(world_look(w, id));
	report = world_look(w, report_id);
	assert_non_null(report);
	assert_true(world_whole(w, report));
	item_free(&report);

	/* not without it */
	also.items[0] = world_item(world_body(w, 20, &status), 0, "dsn");
	report_id = also.items[0]->id;
	assert_int_equal(world_settle(w, &t), SPOOL_GONE);
	assert_non_null(also.items[0]);
	item_free(&also.items[0]);
	assert_null(world_look(w, report_id));
}

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
	int64_t far = clock_wall_ms() + 1000000;
	uint64_t id = world_put(w, 10, false, far);
	struct item *item;

	assert_int_equal(world_act(w, SPOOL_RETRY, id), 1);
	item = world_look(w, id);
	assert_true(item->due_ms <= clock_wall_ms());
	item_free(&item);
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

static void
acts_on_many_go_in_steps(void **state)
{
	enum { MANY = 70 };	/* messages of 64 items: more than two steps */
	struct world *w = *state;
	struct spool_counts counts;

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
	world_count(w, clock_wall_ms(), &counts);
	assert_int_equal(counts.items, MANY * ITEM_ORDINALS);
	assert_int_equal(world_act(w, SPOOL_HOLD, 0), MANY * ITEM_ORDINALS);
	world_count(w, clock_wall_ms(), &counts);
	assert_int_equal(counts.held, MANY * ITEM_ORDINALS);
	assert_int_equal(counts.due, 0);
	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), MANY * ITEM_ORDINALS);
	world_count(w, clock_wall_ms(), &counts);
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
	assert_true(c.oldest_ms > 0 && c.oldest_ms <= clock_wall_ms());
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
		    strcmp(scheme, "sqlite:") == 0)
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

/* --- closing --------------------------------------------------------- */

static void
count_home(struct spool_op *op)
{
	assert_int_equal(op->status, SPOOL_GONE);
	mem_free(container_of(op, struct spool_settle, op));
}

static void
closing_finishes_what_was_posted(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 100; i++) {
		struct spool_settle *t = NEW(struct spool_settle);

		t->id = 99;
		t->fate = FATE_DONE;
		t->op.home = loop_mailbox(w->loop);
		t->op.done = count_home;
		spool_settle(w->spool, t);
	}
	world_close(w);		/* what did not come home would leak */
}

static void
an_unknown_store(void **state)
{
	struct spool_config c = { .url = "postgres://x" };
	struct error err;

	(void)state;
	assert_null(spool_open(&c, NULL, &err));
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "postgres"));
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_as_text),
		cmocka_unit_test(ids_rise),
		cmocka_unit_test(an_unknown_store),
		SPOOL_TEST(what_is_accepted_is_kept_whole),
		SPOOL_TEST(where_it_is_8bit_is_known),
		SPOOL_TEST(sizes_come_back),
		SPOOL_TEST(items_share_a_body),
		SPOOL_TEST(a_later_item_may_name_a_stored_body),
		SPOOL_TEST(all_items_or_none),
		SPOOL_TEST(a_body_must_be_somewhere),
		SPOOL_TEST(due_items_are_claimed_in_order),
		SPOOL_TEST(a_claim_takes_no_more_than_it_can_bear),
		SPOOL_TEST(a_lower_lane_goes_first),
		SPOOL_TEST(work_is_announced),
		SPOOL_TEST(settling_is_remembered),
		SPOOL_TEST(settling_what_is_gone),
		SPOOL_TEST(a_report_comes_with_its_settle),
		SPOOL_TEST(held_items_wait),
		SPOOL_TEST(retry_makes_due),
		SPOOL_TEST(remove_leaves_what_is_claimed),
		SPOOL_TEST(acts_on_many_go_in_steps),
		SPOOL_TEST(lists_are_filtered_and_paged),
		SPOOL_TEST(counts_add_up),
		SPOOL_TEST(backlogs_are_told_by_route),
		cmocka_unit_test(backlogs_are_summed),
		SPOOL_TEST(stats_count),
		SPOOL_TEST(the_head_is_at_hand),
		SPOOL_TEST(drafts_may_be_dropped_at_any_time),
		SPOOL_TEST(a_body_that_nobody_wants),
		SPOOL_TEST(the_budget_is_charged),
		SPOOL_TEST(closing_finishes_what_was_posted),
	};
	int failed;

	scheme = "sqlite:";
	failed = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	scheme = "memory:";
	return failed + cmocka_run_group_tests_name("memory", tests, NULL,
						    NULL);
}
