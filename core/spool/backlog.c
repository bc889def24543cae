/* backlog.c - items counted by route */
#include "spool/backlog.h"

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Names that a renamed route has left behind are routes, too. */
enum { BACKLOGS_MAX = 2 * LIMIT_ROUTES };

struct backlog {
	char *route, *last;		/* owned; last may be NULL */
	int64_t last_due_ms;		/* of the item whose words they are */
	struct spool_backlog sum;	/* but for its strings */
};

static struct backlog *
backlog_of(struct backlogs *all, const char *route)
{
	if (all->recent != NULL && strcmp(all->recent->route, route) == 0)
		return all->recent;
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].route, route) == 0)
			return &all->v[i];
	if (all->n == BACKLOGS_MAX)
		return NULL;
	if (all->n == all->room) {
		all->room = MAX(8, all->room * 2);
		all->v = mem_resize(all->v, all->room, sizeof(*all->v));
	}
	all->v[all->n] = (struct backlog){ .route = mem_strdup(route) };
	return &all->v[all->n++];
}

/* 0 is no time at all. */
static int64_t
earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The words of the one that is tried next say most of why it waits. */
static void
backlog_hear(struct backlog *b, const struct spool_backlog *one)
{
	if (one->last == NULL ||
	    (b->last != NULL &&
	     earlier(one->next_due_ms, b->last_due_ms) == b->last_due_ms))
		return;
	if (b->last == NULL || strcmp(b->last, one->last) != 0) {
		mem_free(b->last);
		b->last = mem_strdup(one->last);
	}
	b->last_due_ms = one->next_due_ms;
}

void
backlogs_add(struct backlogs *all, const struct spool_backlog *one)
{
	struct backlog *b = backlog_of(all, one->route);

	if (b == NULL)
		return;
	all->recent = b;
	b->sum.items += one->items;
	b->sum.held += one->held;
	b->sum.claimed += one->claimed;
	b->sum.oldest_ms = earlier(b->sum.oldest_ms, one->oldest_ms);
	b->sum.next_due_ms = earlier(b->sum.next_due_ms, one->next_due_ms);
	backlog_hear(b, one);
}

void
backlogs_add_item(struct backlogs *all, const struct item *item)
{
	bool ready = !item->held && !item->claimed;

	backlogs_add(all, &(struct spool_backlog){
		.route = item->route, .items = 1, .held = item->held,
		.claimed = item->claimed, .oldest_ms = item->created_ms,
		.next_due_ms = ready ? item->due_ms : 0, .last = item->last,
	});
}

static int
by_size(const void *left, const void *right)
{
	const struct backlog *a = left, *b = right;

	if (a->sum.items != b->sum.items)
		return a->sum.items > b->sum.items ? -1 : 1;
	return strcmp(a->route, b->route);
}

void
backlogs_tell(struct backlogs *all, size_t max,
	      void (*row)(void *arg, const struct spool_backlog *b), void *arg)
{
	if (all->n > 0)
		qsort(all->v, all->n, sizeof(*all->v), by_size);
	all->recent = NULL;
	for (size_t i = 0; i < all->n && i < max; i++) {
		struct spool_backlog b = all->v[i].sum;

		b.route = all->v[i].route;
		b.last = all->v[i].last;
		row(arg, &b);
	}
}

void
backlogs_fini(struct backlogs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		mem_free(all->v[i].route);
		mem_free(all->v[i].last);
	}
	mem_free(all->v);
	*all = (struct backlogs){ .v = NULL };
}
