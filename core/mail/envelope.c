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
	arena_free(&(*env)->arena);
	mem_free(*env);
	*env = NULL;
}

static bool
envelope_has(const struct envelope *env, struct address address)
{
	for (size_t i = 0; i < env->rcpt_count; i++)
		if (address_eq(env->rcpts[i].address, address))
			return true;
	return false;
}

/* What the arena loses with each doubling is less than what it keeps. */
static void
envelope_grow(struct envelope *env)
{
	size_t room = env->rcpt_room ? 2 * env->rcpt_room : FIRST_ROOM;
	struct rcpt *rcpts = arena_array(env->arena, room, sizeof(*rcpts));

	if (env->rcpt_count)
		memcpy(rcpts, env->rcpts, env->rcpt_count * sizeof(*rcpts));
	env->rcpts = rcpts;
	env->rcpt_room = room;
}

static void
envelope_append(struct envelope *env, struct address address, unsigned notify,
		struct span orcpt)
{
	if (env->rcpt_count == env->rcpt_room)
		envelope_grow(env);
	env->rcpts[env->rcpt_count++] = (struct rcpt){
		.address = address_copy(env->arena, address),
		.notify = notify,
		.orcpt = arena_span(env->arena, orcpt),
	};
}

bool
envelope_add(struct envelope *env, const struct rcpt_command *r, size_t max)
{
	must(!env->frozen);
	if (envelope_has(env, r->recipient))
		return true;
	if (env->rcpt_count >= max)
		return false;
	envelope_append(env, r->recipient, r->notify, r->orcpt);
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
		const struct rcpt *r;

		must(index[i] < env->rcpt_count);
		r = &env->rcpts[index[i]];
		envelope_append(subset, r->address, r->notify, r->orcpt);
	}
	return subset;
}
