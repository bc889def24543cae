/* test-spool.c - the contract, which every store passes alike */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/body.h"

#include <stdio.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_as_text),
		cmocka_unit_test(ids_rise),
		cmocka_unit_test(an_unknown_store),
		CONTRACT_TEST(what_is_accepted_is_kept_whole),
		CONTRACT_TEST(where_it_is_8bit_is_known),
		CONTRACT_TEST(sizes_come_back),
		CONTRACT_TEST(items_share_a_body),
		CONTRACT_TEST(a_later_item_may_name_a_stored_body),
		CONTRACT_TEST(all_items_or_none),
		CONTRACT_TEST(a_body_must_be_somewhere),
		CONTRACT_TEST(due_items_are_claimed_in_order),
		CONTRACT_TEST(a_claim_takes_no_more_than_it_can_bear),
		CONTRACT_TEST(a_lower_lane_goes_first),
		CONTRACT_TEST(work_is_announced),
		CONTRACT_TEST(settling_is_remembered),
		CONTRACT_TEST(settling_what_is_gone),
		CONTRACT_TEST(a_report_comes_with_its_settle),
		CONTRACT_TEST(closing_finishes_what_was_posted),
	};

	return CONTRACT_RUN(tests);
}
