/* test-dispatch-sign.c - what is sent is signed, once for an item and keys */
#include "dispatch-double.h"

#include "base/clock.h"
#include "mail/signer.h"

#include <stdio.h>

static struct signer_key *
key(const char *domain, const char *selector)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(8000);
	struct error err;
	struct signer_key *k = NULL;

	if (signer_generate(SIGNER_ED25519, 0, &pem, &err))
		k = signer_key_new(buf_span(&pem), domain, selector, &err);
	if (k == NULL)
		fail_msg("%s", err.text);
	return k;
}

static struct item *
message(struct world *w, const char *from)
{
	struct item *item = world_item(w, "out", "b@x.test");

	buf_clear(&item->body->bytes);
	item->body->bytes.max = 4000;
	buf_addf(&item->body->bytes, "From: <%s>\r\nSubject: x\r\n\r\nbody\r\n",
		 from);
	item->body->size = item->body->bytes.len;
	return item;
}

/* Signing is a worker's: wait for it, in turns. */
static void
wait_for(struct world *w, size_t jobs)
{
	for (int i = 0; i < 5000 && w->job_count < jobs; i++) {
		world_turn(w);
		usleep(1000);
	}
	assert_int_equal(w->job_count, jobs);
}

static bool
starts_with(const struct item *item, const char *text)
{
	return span_starts_nocase(buf_span(&item->prefix), span_of(text));
}

static struct item *
item_in_hand(struct world *w, size_t job)
{
	struct delivery *y = w->jobs[job].job->owner;

	return y->attempt->item;
}

static bool
prefix_has(const struct item *item, const char *text)
{
	char all[4000];

	snprintf(all, sizeof(all), "%.*s", SPAN_ARG(buf_span(&item->prefix)));
	return strstr(all, text) != NULL;
}

static void
later_ones(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_RCPT, 450, "4.2.0", "later");
}

static void
a_message_is_signed_for_its_from(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *ours = key("here.test", "s1");
	const struct signer_key *keys[] = { ours };
	const struct item *item;

	(void)state;
	world_sign(w, "out", keys, 1);
	w->held = true;
	world_commit(w, message(w, "a@here.test"));
	wait_for(w, 1);
	item = item_in_hand(w, 0);
	assert_true(starts_with(item, "DKIM-Signature:"));
	assert_true(prefix_has(item, "d=here.test"));
	assert_true(prefix_has(item, "s=s1"));

	/* another's From is not ours to sign */
	world_commit(w, message(w, "a@elsewhere.test"));
	wait_for(w, 2);
	assert_false(prefix_has(item_in_hand(w, 1), "DKIM-Signature"));
	/* nor is one that nobody has written */
	world_commit(w, message(w, ""));
	wait_for(w, 3);
	world_free(&world);
	signer_key_free(&ours);
}

/* The signature goes to the spool with the item, and is the same when it
 * comes back; other keys make another, no keys none. */
static void
a_signature_is_kept(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *one = key("here.test", "s1");
	struct signer_key *two = key("here.test", "s2");
	const struct signer_key *first[] = { one }, *second[] = { two };
	char prefix[2000];
	struct item *item;

	(void)state;
	world_sign(w, "out", first, 1);
	w->answer = later_ones;
	world_commit(w, message(w, "a@here.test"));
	wait_for(w, 1);
	world_turn(w);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	snprintf(prefix, sizeof(prefix), "%s", world_last(w)->prefix);
	assert_int_equal(strncmp(prefix, "DKIM-Signature:", 15), 0);

	item = message(w, "a@here.test");
	item->id = world_last(w)->id;
	buf_clear(&item->prefix);
	buf_add_str(&item->prefix, prefix);
	item->sealed_by = world_last(w)->sealed_by;
	item->sealed = strlen(prefix);
	w->held = true;
	world_commit(w, item);		/* at once: there is nothing to do */
	assert_int_equal(w->job_count, 2);
	assert_true(span_eq(buf_span(&item_in_hand(w, 1)->prefix),
			    span_of(prefix)));
	world_finish(w, 1);
	world_turn(w);
	assert_string_equal(world_last(w)->prefix, "");	/* as it was */

	item = message(w, "a@here.test");
	buf_clear(&item->prefix);
	buf_add_str(&item->prefix, prefix);
	buf_add_str(&item->prefix, "X-After: 1\r\n");
	item->sealed_by = world_last(w)->sealed_by ? 0 : 12345;
	item->sealed = strlen(prefix);
	world_sign(w, "out", second, 1);
	world_commit(w, item);
	wait_for(w, 3);
	assert_true(prefix_has(item_in_hand(w, 2), "s=s2"));
	assert_false(prefix_has(item_in_hand(w, 2), "s=s1"));
	assert_true(prefix_has(item_in_hand(w, 2), "X-After: 1"));

	item = message(w, "a@here.test");
	buf_clear(&item->prefix);
	buf_add_str(&item->prefix, prefix);
	item->sealed_by = 12345;
	item->sealed = strlen(prefix);
	world_sign(w, "out", NULL, 0);
	world_commit(w, item);
	wait_for(w, 4);
	assert_int_equal(item_in_hand(w, 3)->prefix.len, 0);
	world_free(&world);
	signer_key_free(&one);
	signer_key_free(&two);
}

/* While the clock was wrong: what is from the future is made anew, and what is
 * old is kept. */
static void
a_signature_is_not_from_the_future(void **state)
{
	static const struct {
		int64_t jump_ms;
		bool anew;
	} rows[] = {
		{ -INT64_C(365) * 24 * HOUR, true }, { -HOUR, true },
		{ -SEC, false }, { HOUR, false },
		{ INT64_C(365) * 24 * HOUR, false },
	};
	struct signer_key *one = key("here.test", "s1");
	const struct signer_key *first[] = { one };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = world_new(ONE_ROUTE);
		const struct seen_settle *s;
		struct item *item;
		char t[40];

		world_sign(w, "out", first, 1);
		w->answer = later_ones;
		world_commit(w, message(w, "a@here.test"));
		wait_for(w, 1);
		world_turn(w);
		s = world_last(w);
		item = message(w, "a@here.test");
		buf_clear(&item->prefix);
		buf_add_str(&item->prefix, s->prefix);
		item->sealed = strlen(s->prefix) -
			       strlen("Received: by gw.test\r\n");
		item->sealed_by = s->sealed_by;
		set_wall(rows[i].jump_ms);
		w->held = true;
		world_commit(w, item);
		wait_for(w, 2);
		snprintf(t, sizeof(t), " t=%lld;",
			 (long long)clock_wall_ms() / 1000);
		CHECK_ROW(i, prefix_has(item_in_hand(w, 1), t) == rows[i].anew);
		world_finish(w, 1);
		world_turn(w);
		CHECK_ROW(i, (world_last(w)->prefix[0] != '\0') == rows[i].anew);
		world_free(&world);
	}
	signer_key_free(&one);
}

static struct item *
message_of(struct world *w, const char *text)
{
	struct item *item = message(w, "");

	buf_clear(&item->body->bytes);
	buf_add_str(&item->body->bytes, text);
	item->body->size = item->body->bytes.len;
	return item;
}

static const char *const odd[] = {
	"Subject: x\r\n\r\nbody\r\n",
	"From: <a@here.test>\r\nFrom: <a@here.test>\r\n\r\nbody\r\n",
	"From: <a@here.test>\r\nthis is not a field\r\n\r\nbody\r\n",
	"From: <a@here.test>\r\nSubject: \x01\r\n\r\nbody\r\n",
	"From: <a@here.test>\r\n\r\na bare\nline end\r\n",
	"From: scanner\r\n\r\nbody\r\n",
};

/* What cannot be signed does not wait for better days. */
static void
what_is_odd_goes_unsigned(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *ours = key("here.test", "s1");
	const struct signer_key *keys[] = { ours };

	(void)state;
	world_sign(w, "out", keys, 1);
	w->held = true;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		world_commit(w, message_of(w, odd[i]));
		wait_for(w, i + 1);
		CHECK_ROW(i, !prefix_has(item_in_hand(w, i), "DKIM"));
	}
	world_free(&world);
	signer_key_free(&ours);
}

/* For a settlement without a delivery. */
static void
wait_settled(struct world *w, size_t n)
{
	for (int i = 0; i < 5000 && w->settle_count < n; i++) {
		world_turn(w);
		usleep(1000);
	}
	assert_int_equal(w->settle_count, n);
}

static void
a_route_may_demand_signatures(void **state)
{
	static const char foreign[] = "From: a@elsewhere.test\r\n\r\nx\r\n";
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *ours = key("here.test", "s1");
	const struct signer_key *keys[] = { ours };
	struct item *report;

	(void)state;
	world_sign(w, "out", keys, 1);
	world_route(w, "out")->dkim_required = true;
	for (size_t i = 0; i <= ARRAY_SIZE(odd); i++) {
		world_commit(w, message_of(w, i < ARRAY_SIZE(odd) ? odd[i]
							: foreign));
		wait_settled(w, i + 1);
		CHECK_ROW(i, world_last(w)->fate == FATE_RELEASE);
		CHECK_ROW(i, strstr(world_last(w)->last, "cannot be signed: "));
	}
	assert_non_null(strstr(world_last(w)->last,
			       "no key for elsewhere.test"));
	assert_int_equal(w->job_count, 0);

	world_commit(w, message(w, "a@here.test"));
	wait_for(w, 1);
	report = message_of(w, foreign);
	mem_free(report->origin.client);
	report->origin.client = NULL;
	world_commit(w, report);
	wait_for(w, 2);
	world_free(&world);
	signer_key_free(&ours);
}

/* That proves nothing about the message: it is neither sent nor given up. */
static void
what_cannot_be_read_waits(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *ours = key("here.test", "s1");
	const struct signer_key *keys[] = { ours };
	struct item *item = message(w, "a@here.test");

	(void)state;
	world_sign(w, "out", keys, 1);
	w->reads_fail = true;
	item->body->size = 100 * 1000;	/* they are elsewhere */
	world_commit(w, item);
	wait_settled(w, 1);
	assert_int_equal(w->job_count, 0);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_non_null(strstr(world_last(w)->last, "the disk is gone"));
	world_free(&world);
	signer_key_free(&ours);
}

static void
set_true(void *arg)
{
	*(bool *)arg = true;
}

/* Stopping waits for the worker, and lets the item go unharmed. */
static void
a_stop_meets_one_that_is_being_signed(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct signer_key *ours = key("here.test", "s1");
	const struct signer_key *keys[] = { ours };
	struct item *item = message(w, "a@here.test");
	bool stopped = false;
	sem_t read;

	(void)state;
	sem_init(&read, 0, 0);
	w->reads_wait = &read;
	item->body->size = 100 * 1000;	/* the bytes are elsewhere */
	world_sign(w, "out", keys, 1);
	world_commit(w, item);
	dispatch_stop(w->d, 1000, set_true, &stopped);
	world_turn(w);
	assert_int_equal(w->settle_count, 0);
	assert_false(stopped);
	for (int i = 0; i < 10; i++)
		sem_post(&read);
	wait_settled(w, 1);
	world_turn(w);
	assert_true(stopped);
	assert_int_equal(w->job_count, 0);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	world_free(&world);
	signer_key_free(&ours);
}

static void
add_waiting(void *arg, struct destination *t)
{
	*(unsigned *)arg += t->waiting;
}

static unsigned
waiting(struct world *w)
{
	unsigned n = 0;

	destinations_each(w->d, add_waiting, &n);
	return n;
}

/* The route got another key meanwhile. */
static void
what_waits_in_line_is_signed_anew(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	struct signer_key *one = key("here.test", "s1");
	struct signer_key *two = key("here.test", "s2");
	const struct signer_key *first[] = { one }, *second[] = { two };
	struct item *again;

	(void)state;
	w->held = true;
	world_sign(w, "out", first, 1);
	world_commit(w, message(w, "a@here.test"));
	wait_for(w, 1);
	world_commit(w, message(w, "a@here.test"));
	for (int i = 0; i < 5000 && waiting(w) == 0; i++) {
		world_turn(w);
		usleep(1000);
	}
	world_sign(w, "out", second, 1);
	world_finish(w, 0);
	wait_settled(w, 2);
	assert_int_equal(w->job_count, 1);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(world_last(w)->attempts, 0);
	assert_true(world_last(w)->due_ms <= clock_wall_ms());

	again = message(w, "a@here.test");
	again->id = world_last(w)->id;
	again->sealed_by = world_last(w)->sealed_by;
	world_commit(w, again);
	wait_for(w, 2);
	assert_true(prefix_has(item_in_hand(w, 1), "s=s2"));
	world_free(&world);
	signer_key_free(&one);
	signer_key_free(&two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(a_message_is_signed_for_its_from),
		PLAY(a_signature_is_kept),
		PLAY(a_signature_is_not_from_the_future),
		PLAY(what_is_odd_goes_unsigned),
		PLAY(a_route_may_demand_signatures),
		PLAY(what_cannot_be_read_waits),
		PLAY(a_stop_meets_one_that_is_being_signed),
		PLAY(what_waits_in_line_is_signed_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
