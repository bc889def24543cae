/* envelope.c - an arena with a sender and recipients in it */
#include "mail/envelope.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

enum { FIRST_ROOM = 4 };

/* The part of a copy that stands where `part' stands in the original. */
static struct span
moved(struct span part, struct span from, struct span to)
{
	if (part.n == 0)
		return SPAN_NONE;
	return span_sub(to, (size_t)(part.p - from.p), part.n);
}

static struct address
address_copy(struct arena *a, struct address from)
{
	struct address to = { .text = arena_span(a, from.text) };

	to.local = moved(from.local, from.text, to.text);
	to.domain = moved(from.domain, from.text, to.text);
	return to;
}

struct envelope *
envelope_new(const struct mail_command *m)
{
	struct envelope *env = NEW(struct envelope);

	env->arena = arena_new();
	env->sender = address_copy(env->arena, m->sender);
	env->body = m->body;
	env->smtputf8 = m->smtputf8;
	env->ret = m->ret;
	env->envid = arena_span(env->arena, m->envid);
	return env;
}

void
envelope_free(struct envelope **env)
{
	if (*env == NULL)
		return;
	envelope_uncharge(*env);
	arena_free(&(*env)->arena);
	mem_free(*env);
	*env = NULL;
}

/* --- recipients ------------------------------------------------------ */

static int
order_nocase(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int diff = (unsigned char)ascii_lower(a.p[i]) -
			   (unsigned char)ascii_lower(b.p[i]);

		if (diff != 0)
			return diff;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* 0 is what address_eq says. */
static int
address_order(struct address a, struct address b)
{
	int diff = span_cmp(a.local, b.local);

	return diff ? diff : order_nocase(a.domain, b.domain);
}

/* The place of the address in `sorted'.  An order, and no hash: nobody can
 * choose addresses that make it slow. */
static size_t
envelope_place(const struct envelope *env, struct address address, bool *there)
{
	size_t low = 0, high = env->rcpt_count;

	*there = false;
	while (low < high && !*there) {
		size_t mid = low + (high - low) / 2;
		int diff = address_order(address,
			env->rcpts[env->sorted[mid]].address);

		*there = diff == 0;
		if (diff > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t
room_next(const struct envelope *env)
{
	return env->rcpt_room ? 2 * env->rcpt_room : FIRST_ROOM;
}

/* What the arena loses with each doubling is less than what it keeps. */
static void
envelope_grow(struct envelope *env)
{
	size_t room = room_next(env), n = env->rcpt_count;
	struct rcpt *rcpts = arena_array(env->arena, room, sizeof(*rcpts));
	uint32_t *sorted = arena_array(env->arena, room, sizeof(*sorted));

	if (n > 0) {
		memcpy(rcpts, env->rcpts, n * sizeof(*rcpts));
		memcpy(sorted, env->sorted, n * sizeof(*sorted));
	}
	env->rcpts = rcpts;
	env->sorted = sorted;
	env->rcpt_room = room;
}

static void
envelope_append(struct envelope *env, const struct rcpt_command *r, size_t at)
{
	size_t n = env->rcpt_count;

	if (n == env->rcpt_room)
		envelope_grow(env);
	env->rcpts[n] = (struct rcpt){
		.address = address_copy(env->arena, r->recipient),
		.notify = r->notify,
		.orcpt = arena_span(env->arena, r->orcpt),
	};
	memmove(&env->sorted[at + 1], &env->sorted[at],
		(n - at) * sizeof(*env->sorted));
	env->sorted[at] = (uint32_t)n;
	env->rcpt_count++;
}

bool
envelope_add(struct envelope *env, const struct rcpt_command *r, size_t max)
{
	bool there;
	size_t at = envelope_place(env, r->recipient, &there);

	must(!env->frozen);
	if (there)
		return true;
	if (env->rcpt_count >= MIN(max, (size_t)UINT32_MAX))
		return false;
	envelope_append(env, r, at);
	return true;
}

void
envelope_freeze(struct envelope *env)
{
	env->frozen = true;
}

struct envelope *
envelope_subset(const struct envelope *env, const size_t *index, size_t n)
{
	struct mail_command m = {
		.sender = env->sender, .body = env->body,
		.smtputf8 = env->smtputf8, .ret = env->ret, .envid = env->envid,
	};
	struct envelope *subset = envelope_new(&m);

	for (size_t i = 0; i < n; i++) {
		struct rcpt_command r;

		must(index[i] < env->rcpt_count);
		r = (struct rcpt_command){
			.recipient = env->rcpts[index[i]].address,
			.notify = env->rcpts[index[i]].notify,
			.orcpt = env->rcpts[index[i]].orcpt,
		};
		envelope_add(subset, &r, SIZE_MAX);
	}
	return subset;
}

/* --- what it costs --------------------------------------------------- */

/* The most that the arena grows by when r is added. */
static size_t
envelope_growth(const struct envelope *env, const struct rcpt_command *r)
{
	size_t n = r->recipient.text.n + r->orcpt.n + 3 * ARENA_SLACK;

	if (env->rcpt_count == env->rcpt_room)
		n += room_next(env) * (sizeof(*env->rcpts) +
				       sizeof(*env->sorted)) + 2 * ARENA_SLACK;
	return n;
}

bool
envelope_afford(struct envelope *env, const struct rcpt_command *r,
		struct budget *b)
{
	int64_t more = (int64_t)(arena_size(env->arena) +
				 envelope_growth(env, r)) -
		       ENVELOPE_FREE - env->charged;

	must(env->budget == NULL || env->budget == b);
	if (more <= 0)
		return true;
	if (!budget_take(b, more))
		return false;
	env->budget = b;
	env->charged += more;
	return true;
}

void
envelope_charge(struct envelope *env, struct budget *b)
{
	envelope_uncharge(env);
	env->budget = b;
	env->charged = (int64_t)arena_size(env->arena);
	budget_charge(b, env->charged);
}

void
envelope_uncharge(struct envelope *env)
{
	if (env->budget != NULL)
		budget_give(env->budget, env->charged);
	env->budget = NULL;
	env->charged = 0;
}
