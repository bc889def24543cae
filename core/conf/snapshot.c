/* snapshot.c - one configuration, counted by those who hold it */
#include "conf/snapshot.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdatomic.h>

struct kept_tree {
	struct kept_tree *next;
	struct tree *tree;
};

struct on_free {
	struct on_free *next;		/* the one given before */
	void (*fn)(void *arg);
	void *arg;
};

struct snapshot {
	atomic_uint refs;
	unsigned number;
	struct arena *arena;		/* also of the two lists below */
	struct kept_tree *trees;
	struct on_free *hooks;
	void *slots[SLOT_COUNT];
};

static atomic_uint last_number;

struct snapshot *
snapshot_new(void)
{
	struct snapshot *s = NEW(struct snapshot);

	atomic_init(&s->refs, 1);
	s->number = atomic_fetch_add(&last_number, 1) + 1;
	s->arena = arena_new();
	return s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	must(atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed) > 0);
	return s;
}

static void
snapshot_free(struct snapshot *s)
{
	for (struct on_free *h = s->hooks; h != NULL; h = h->next)
		h->fn(h->arg);
	for (struct kept_tree *k = s->trees; k != NULL; k = k->next)
		tree_free(&k->tree);
	arena_free(&s->arena);
	mem_free(s);
}

void
snapshot_unref(struct snapshot **s)
{
	struct snapshot *mine = *s;
	unsigned before;

	*s = NULL;
	if (mine == NULL)
		return;
	/* what every holder did with it comes before the last one frees it */
	before = atomic_fetch_sub_explicit(&mine->refs, 1,
					   memory_order_acq_rel);
	must(before > 0);
	if (before == 1)
		snapshot_free(mine);
}

struct arena *
snapshot_arena(struct snapshot *s)
{
	return s->arena;
}

void
snapshot_keep_tree(struct snapshot *s, struct tree *t)
{
	struct kept_tree *k = ARENA_NEW(s->arena, struct kept_tree);

	*k = (struct kept_tree){ .next = s->trees, .tree = t };
	s->trees = k;
}

void
snapshot_on_free(struct snapshot *s, void (*fn)(void *arg), void *arg)
{
	struct on_free *h = ARENA_NEW(s->arena, struct on_free);

	*h = (struct on_free){ .next = s->hooks, .fn = fn, .arg = arg };
	s->hooks = h;
}

void
snapshot_set(struct snapshot *s, enum slot slot, void *value)
{
	must(slot < SLOT_COUNT);
	s->slots[slot] = value;
}

void *
snapshot_get(const struct snapshot *s, enum slot slot)
{
	must(slot < SLOT_COUNT);
	return s->slots[slot];
}

unsigned
snapshot_number(const struct snapshot *s)
{
	return s->number;
}
