/* unit.h - cmocka with what it wants included before it, and rows
 *
 * Most tests are tables of good and bad inputs: ROW(i) names the row in the
 * failure that follows.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#include <stdlib.h>
#include <unistd.h>

/* Under sanitizers, and on a machine with other work, all takes longer. */
static inline int64_t
unit_slowly(int64_t ms)
{
	const char *slow = getenv("POSTERN_TEST_SLOW");

	return ms * (slow != NULL ? MAX(strtol(slow, NULL, 10), 1) : 1);
}

/* A test that hangs is a test that fails: five minutes are enough for each
 * program, also under the sanitizers. */
__attribute__((constructor)) static void
unit_deadline(void)
{
	alarm(300);
}

#define CHECK_ROW(i, cond)						\
	do {								\
		if (!(cond))						\
			fail_msg("row %zu: %s", (size_t)(i), #cond);	\
	} while (0)

#endif
