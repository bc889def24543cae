/* clock.h - the only source of time
 *
 * All times and durations in the program are int64_t milliseconds; a name
 * that holds one ends in _ms.  Safe from any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms(void);	/* never goes back; starts anywhere */
int64_t clock_wall_ms(void);	/* since 1970-01-01 UTC; may jump */

/* For tests: from now on both clocks stand at these values, until called
 * again; a negative now_ms lets them run again. */
void clock_fake(int64_t now_ms, int64_t wall_ms);

/* "2026-11-23T20:53:07.123Z" into buf of at least 32 bytes; returns buf. */
const char *clock_iso(int64_t wall_ms, char *buf, size_t size);
/* "Mon, 23 Nov 2026 20:53:07 +0000" (RFC 5322 section 3.3), local zone. */
const char *clock_rfc5322(int64_t wall_ms, char *buf, size_t size);

#endif
