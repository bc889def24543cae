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

#include <unistd.h>

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
