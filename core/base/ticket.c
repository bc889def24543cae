/* ticket.c - slots with a generation; a ticket is both in one number */
#include "base/ticket.h"

#include "base/mem.h"

#include <stddef.h>

struct slot {
	void *object;
	uint32_t generation;
	uint32_t next_free;
};

struct tickets {
	struct slot *slots;
	uint32_t count, used, first_free;	/* slot numbers from 1 */
};

struct tickets *
tickets_new(void)
{
	return NEW(struct tickets);
}

void
tickets_free(struct tickets **t)
{
	if (*t == NULL)
		return;
	mem_free((*t)->slots);
	mem_free(*t);
	*t = NULL;
}

static uint32_t
slot_take(struct tickets *t)
{
	uint32_t n = t->first_free;

	if (n != 0) {
		t->first_free = t->slots[n - 1].next_free;
		return n;
	}
	if (t->used == t->count) {
		t->count = t->count ? t->count * 2 : 16;
		t->slots = mem_resize(t->slots, t->count, sizeof(struct slot));
	}
	t->slots[t->used].generation = 0;
	return ++t->used;
}

uint64_t
ticket_open(struct tickets *t, void *object)
{
	uint32_t n = slot_take(t);
	struct slot *s = &t->slots[n - 1];

	s->object = object;
	s->generation++;
	return (uint64_t)s->generation << 32 | n;
}

static struct slot *
slot_find(const struct tickets *t, uint64_t ticket)
{
	uint32_t n = (uint32_t)ticket;
	struct slot *s;

	if (n == 0 || n > t->used)
		return NULL;
	s = &t->slots[n - 1];
	return s->generation == ticket >> 32 && s->object ? s : NULL;
}

void *
ticket_find(const struct tickets *t, uint64_t ticket)
{
	struct slot *s = slot_find(t, ticket);

	return s ? s->object : NULL;
}

void
ticket_close(struct tickets *t, uint64_t ticket)
{
	struct slot *s = slot_find(t, ticket);

	if (s == NULL)
		return;
	s->object = NULL;
	s->next_free = t->first_free;
	t->first_free = (uint32_t)ticket;
}
