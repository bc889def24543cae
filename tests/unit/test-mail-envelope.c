/* test-mail-envelope.c - envelopes own what they say; bodies in memory */
#include "mail/body.h"
#include "mail/envelope.h"

#include "base/arena.h"
#include "base/macros.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct envelope *
envelope_of(const char *mail)
{
	char *copy = strdup(mail);	/* freed: nothing may be borrowed */
	struct command_error err;
	struct mail_command m;
	struct envelope *env;

	assert_true(command_mail(span_of(copy), &m, &err));
	env = envelope_new(&m);
	memset(copy, '!', strlen(copy));
	free(copy);
	return env;
}

static bool
add(struct envelope *env, const char *rcpt, size_t max)
{
	char *copy = strdup(rcpt);
	struct command_error err;
	struct rcpt_command r;
	bool ok;

	assert_true(command_rcpt(span_of(copy), false, &r, &err));
	ok = envelope_add(env, &r, max);
	memset(copy, '!', strlen(copy));
	free(copy);
	return ok;
}

static void
test_copies(void **state)
{
	AUTO(envelope_free) struct envelope *env = envelope_of(
		"FROM:<@x.test:a@b.test> BODY=8BITMIME RET=HDRS ENVID=id+2B1");
	const struct rcpt *r;

	(void)state;
	assert_true(span_eq(env->sender.text, SPAN("a@b.test")));
	assert_true(span_eq(env->sender.local, SPAN("a")));
	assert_true(span_eq(env->sender.domain, SPAN("b.test")));
	assert_true(span_eq(env->envid, SPAN("id+2B1")));
	assert_int_equal(env->body, BODY_8BITMIME);
	assert_int_equal(env->ret, DSN_RET_HDRS);

	assert_true(add(env, "TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;x@y", 10));
	assert_true(add(env, "TO:<postmaster>", 10));
	r = env->rcpts;
	assert_true(span_eq(r[0].address.domain, SPAN("d")));
	assert_int_equal(r[0].notify, DSN_NOTIFY_NEVER);
	assert_true(span_eq(r[0].orcpt, SPAN("rfc822;x@y")));
	assert_true(span_eq(r[1].address.local, SPAN("postmaster")));
	assert_int_equal(r[1].address.domain.n, 0);
	assert_int_equal(r[1].orcpt.n, 0);
}

static void
test_recipients(void **state)
{
	AUTO(envelope_free) struct envelope *env = envelope_of("FROM:<>");
	AUTO(envelope_free) struct envelope *subset = NULL;
	static const size_t index[] = { 19, 0 };
	char rcpt[40];

	(void)state;
	assert_int_equal(env->sender.text.n, 0);
	for (int i = 0; i < 20; i++) {
		snprintf(rcpt, sizeof(rcpt), "TO:<r%d@x.test>", i);
		CHECK_ROW(i, add(env, rcpt, 20));
	}
	assert_true(add(env, "TO:<r3@X.TEST>", 20));	/* there already */
	assert_int_equal(env->rcpt_count, 20);
	assert_false(add(env, "TO:<R3@x.test>", 20));	/* another, one too many */
	assert_int_equal(env->rcpt_count, 20);

	envelope_freeze(env);
	subset = envelope_subset(env, index, ARRAY_SIZE(index));
	assert_false(subset->frozen);
	envelope_free(&env);
	assert_null(env);
	assert_int_equal(subset->rcpt_count, 2);
	assert_true(span_eq(subset->rcpts[0].address.text, SPAN("r19@x.test")));
	assert_true(span_eq(subset->rcpts[1].address.text, SPAN("r0@x.test")));
}

/* In any order, each is there once. */
static void
test_many_recipients(void **state)
{
	enum { N = 5000 };
	AUTO(envelope_free) struct envelope *env = envelope_of("FROM:<>");
	char rcpt[60];

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < N; i++) {
			unsigned k = (i * 2741 + round * 77) % N;

			snprintf(rcpt, sizeof(rcpt), "TO:<%c%u@%s%u.test>",
				 k % 2 ? 'r' : 'R', k / 4,
				 round ? "X" : "x", k % 4);
			CHECK_ROW(i, add(env, rcpt, N));
		}
		assert_int_equal(env->rcpt_count, N);
	}
	assert_false(add(env, "TO:<another@x.test>", N));
	for (size_t i = 0; i + 1 < N; i++)
		CHECK_ROW(i, !address_eq(env->rcpts[env->sorted[i]].address,
			env->rcpts[env->sorted[i + 1]].address));
}

static void
test_budget(void **state)
{
	struct envelope *env = envelope_of("FROM:<>"), *other;
	static const size_t first[] = { 0 };
	struct budget b = { .limit = 64 * 1024 };
	struct rcpt_command r;
	struct command_error err;
	char text[400];
	size_t n = 0;

	(void)state;
	for (bool room = true; room; n++) {
		assert_true(n < 1000);
		snprintf(text, sizeof(text), "TO:<r%zu@x.test> ORCPT=rfc822;"
			 "%0300d", n, 7);
		assert_true(command_rcpt(span_of(text), false, &r, &err));
		room = envelope_afford(env, &r, &b);
		if (room)
			assert_true(envelope_add(env, &r, 1000));
		/* what is charged is never less than what there is */
		assert_true(b.used + ENVELOPE_FREE >=
			    (int64_t)arena_size(env->arena));
		assert_true(b.used <= b.limit);
		assert_true(n < 20 || b.used > 0);
	}
	assert_true(n > 50);
	other = envelope_subset(env, first, 1);
	envelope_free(&env);
	assert_int_equal(b.used, 0);
	envelope_charge(other, &b);
	assert_int_equal(b.used, arena_size(other->arena));
	envelope_uncharge(other);
	assert_int_equal(b.used, 0);
	envelope_free(&other);
	assert_int_equal(b.used, 0);
}

struct seen {
	char bytes[32];
	size_t n, calls;
};

static void
on_read(void *arg, struct span bytes, const struct error *err)
{
	struct seen *seen = arg;

	assert_null(err);
	seen->calls++;
	seen->n = bytes.n;
	if (bytes.n)
		memcpy(seen->bytes, bytes.p, bytes.n);
}

static void
test_body(void **state)
{
	AUTO(body_source_free) struct body_source *s =
		body_from_span(SPAN("hello, world"), true);
	struct seen seen = { .n = 0 };
	struct error err;
	char to[8];
	size_t got;

	(void)state;
	assert_int_equal(s->size, 12);
	assert_true(s->has_8bit);
	assert_false(s->header_8bit);
	s->ops->read(s, 7, 100, on_read, &seen);
	assert_int_equal(seen.n, 5);
	assert_memory_equal(seen.bytes, "world", 5);
	s->ops->read(s, 12, 100, on_read, &seen);
	assert_int_equal(seen.n, 0);
	s->ops->read(s, UINT64_MAX, 100, on_read, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(seen.calls, 3);
	assert_true(s->ops->pread(s, 0, to, sizeof(to), &got, &err));
	assert_int_equal(got, sizeof(to));
	assert_true(s->ops->pread(s, 8, to, sizeof(to), &got, &err));
	assert_int_equal(got, 4);
	assert_true(s->ops->pread(s, 99, to, sizeof(to), &got, &err));
	assert_int_equal(got, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
