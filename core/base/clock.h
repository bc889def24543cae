/* clock.h - the only source of time
 *
 * All times and durations in the program are int64_t milliseconds; a name
 * that holds one ends in _ms.  Safe from any thread.
 *
 * There are three clocks, and each has its own use:
 *
 *   now     durations while the gateway runs: timeouts, backoffs, caches.
 *           It never jumps, and starts anywhere.
 *   steady  whatever is kept and compared later: when a message came, when it
 *           is due, since when a route is paused.  It looks like wall time and
 *           never jumps either; the spool keeps a clock_mark, which lets it go on
 *           over a restart.  Nothing expires because somebody set the clock.
 *   wall    what people and other machines read or wrote: Date fields, stamps
 *           of the log, the end of a certificate.  It may jump at any moment.
 *
 * A steady time becomes a wall time, by clock_wall_of(), only where it is
 * shown.  now and steady go on while the machine is suspended.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms(void);	/* never goes back; starts anywhere */
int64_t clock_steady_ms(void);	/* never jumps; near to the wall clock */
int64_t clock_wall_ms(void);	/* since 1970-01-01 UTC; may jump */

/* As now, but it stands while the machine is suspended (CLOCK_MONOTONIC): for
 * those who are told of it. */
int64_t clock_awake_ms(void);

/* A steady time as the wall clock of this moment would say it; to a second:
 * the same time is shown alike as long as the wall clock does not jump. */
int64_t clock_wall_of(int64_t steady_ms);

/* --- over a restart -------------------------------------------------- */

enum { CLOCK_BOOT = 40 };

/* The clocks at one moment, to be kept with what has steady times. */
struct clock_mark {
	char boot[CLOCK_BOOT];		/* the machine's boot; "": unknown */
	int64_t now_ms, wall_ms, steady_ms;
};
void clock_mark(struct clock_mark *ret);

/* Where the steady clock stands at `now', if it stood as `then' says: within
 * one boot exactly; over a reboot the wall clock is believed if it went
 * forward, and by no more than CLOCK_BELIEVED_MS; otherwise no time has
 * passed.  Pure; steady_ms of `now' is not looked at. */
#define CLOCK_BELIEVED_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
int64_t clock_resumed(const struct clock_mark *then,
		      const struct clock_mark *now);
/* From now on the steady clock goes on from there.  Before anything compares
 * its times; NULL: it starts where the wall clock is. */
void clock_resume(const struct clock_mark *then);

/* For tests: from now on the clocks stand at these values, until called
 * again; a negative now_ms lets them run again.  The steady clock follows
 * now_ms; it starts at wall_ms when the first call makes them stand. */
void clock_fake(int64_t now_ms, int64_t wall_ms);

/* --- words ----------------------------------------------------------- */

/* "2026-11-23T20:53:07.123Z" into buf of at least 32 bytes; returns buf. */
const char *clock_iso(int64_t wall_ms, char *buf, size_t size);
/* "Mon, 23 Nov 2026 20:53:07 +0000" (RFC 5322 section 3.3), local zone. */
const char *clock_rfc5322(int64_t wall_ms, char *buf, size_t size);

#endif
