/* clock.c - reading the clocks, and words for what they say
 *
 * The steady clock is `now' with an offset; everything that happens to it is
 * a change of that offset, at the start.
 */
#include "base/clock.h"

#include "base/macros.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNSET INT64_MIN

enum { SHOWN_ALIKE_MS = 1000 };	/* a wall clock that is slewed, not set */

static _Atomic int64_t fake_now = -1, fake_wall;
static _Atomic int64_t steady_offset = UNSET;	/* steady less now */
static _Atomic int64_t shown_offset;		/* wall less steady */

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* CLOCK_MONOTONIC stands still while the machine is suspended: a token would
 * live on, and an hour of backoff begin anew. */
int64_t
clock_now_ms(void)
{
	int64_t fake = fake_now;

	return fake >= 0 ? fake : read_ms(CLOCK_BOOTTIME);
}

int64_t
clock_awake_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return fake_now >= 0 ? fake_wall : read_ms(CLOCK_REALTIME);
}

int64_t
clock_steady_ms(void)
{
	int64_t offset = atomic_load(&steady_offset);

	if (offset == UNSET) {
		int64_t first = clock_wall_ms() - clock_now_ms();

		if (atomic_compare_exchange_strong(&steady_offset, &offset,
						   first))
			offset = first;
	}
	return clock_now_ms() + offset;
}

int64_t
clock_wall_of(int64_t steady_ms)
{
	int64_t offset = clock_wall_ms() - clock_steady_ms();
	int64_t shown = atomic_load(&shown_offset);

	if (offset - shown > SHOWN_ALIKE_MS || shown - offset > SHOWN_ALIKE_MS) {
		atomic_store(&shown_offset, offset);
		shown = offset;
	}
	return steady_ms + shown;
}

void
clock_fake(int64_t now_ms, int64_t wall_ms)
{
	bool was_fake = fake_now >= 0;

	fake_wall = wall_ms;
	fake_now = now_ms;
	if (was_fake != (now_ms >= 0))
		steady_offset = UNSET;
	clock_steady_ms();
}

/* --- over a restart -------------------------------------------------- */

/* Of a container it is the machine's, as CLOCK_BOOTTIME is. */
static void
boot_read(char *ret)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, CLOCK_BOOT - 1);

	if (fd >= 0)
		close(fd);
	ret[MAX(n, 0)] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

void
clock_mark(struct clock_mark *ret)
{
	boot_read(ret->boot);
	ret->now_ms = clock_now_ms();
	ret->wall_ms = clock_wall_ms();
	ret->steady_ms = clock_steady_ms();
}

int64_t
clock_resumed(const struct clock_mark *then, const struct clock_mark *now)
{
	int64_t passed = now->wall_ms - then->wall_ms;

	if (then->boot[0] != '\0' && strcmp(then->boot, now->boot) == 0 &&
	    now->now_ms >= then->now_ms)
		return then->steady_ms + (now->now_ms - then->now_ms);
	if (passed < 0 || passed > CLOCK_BELIEVED_MS)
		passed = 0;
	return then->steady_ms + passed;
}

void
clock_resume(const struct clock_mark *then)
{
	struct clock_mark now;

	clock_mark(&now);
	steady_offset = (then != NULL ? clock_resumed(then, &now)
				      : now.wall_ms) - now.now_ms;
}

/* --- words ----------------------------------------------------------- */

const char *
clock_iso(int64_t wall_ms, char *buf, size_t size)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		 tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
	return buf;
}

const char *
clock_rfc5322(int64_t wall_ms, char *buf, size_t size)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	long zone;

	localtime_r(&t, &tm);
	zone = tm.tm_gmtoff / 60;
	snprintf(buf, size, "%.3s, %d %.3s %d %02d:%02d:%02d %c%02ld%02ld",
		 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 zone < 0 ? '-' : '+', (zone < 0 ? -zone : zone) / 60,
		 (zone < 0 ? -zone : zone) % 60);
	return buf;
}
