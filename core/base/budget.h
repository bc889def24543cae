/* budget.h - how much memory messages may take, counted by all threads
 *
 * Bytes are charged from receive until the last owner frees them.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	_Atomic int64_t used;
	_Atomic int64_t limit;
};

/* False, and nothing is charged, when the limit would be passed. */
static inline bool
budget_take(struct budget *b, int64_t bytes)
{
	if (atomic_fetch_add(&b->used, bytes) + bytes <= b->limit)
		return true;
	atomic_fetch_sub(&b->used, bytes);
	return false;
}

/* For what is there already, and bounded by other means. */
static inline void
budget_charge(struct budget *b, int64_t bytes)
{
	atomic_fetch_add(&b->used, bytes);
}

static inline void
budget_give(struct budget *b, int64_t bytes)
{
	atomic_fetch_sub(&b->used, bytes);
}

#endif
