/* fuzz.h - what a fuzz target is made of
 *
 * A target looks at the bytes, which it must not change, and aborts when
 * something that always holds does not: must() of base/error.h.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "base/error.h"
#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct span
fuzz_span(const uint8_t *data, size_t size)
{
	return (struct span){ (const char *)data, size };
}

/* Whether inner lies within outer; an empty one lies anywhere. */
static inline bool
fuzz_within(struct span inner, struct span outer)
{
	return inner.n == 0 ||
	       (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

#endif
