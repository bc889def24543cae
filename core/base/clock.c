/* clock.c - reading the clocks, and words for what they say */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t fake_now = -1, fake_wall;

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
	int64_t fake = fake_now;

	return fake >= 0 ? fake : read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return fake_now >= 0 ? fake_wall : read_ms(CLOCK_REALTIME);
}

void
clock_fake(int64_t now_ms, int64_t wall_ms)
{
	fake_wall = wall_ms;
	fake_now = now_ms;
}

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
