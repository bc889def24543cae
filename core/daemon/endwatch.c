/* endwatch.c - the end of the gateway has a limit */
#include "daemon/endwatch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#include <time.h>
#include <unistd.h>

enum { EXIT_LATE = 70 };

static const struct log endwatch_log = { .room = "gateway" };

static void
cut_off(const char *what, int64_t wait_ms)
{
	log_error(&endwatch_log, "stopping: %s did not end within %lld s; the "
		  "gateway ends without waiting any longer; no message that was "
		  "accepted is lost", what, (long long)(wait_ms + 999) / 1000);
	log_stop();
	_exit(EXIT_LATE);
}

static void *
endwatch_main(void *arg)
{
	struct endwatch *e = arg;

	pthread_mutex_lock(&e->lock);
	while (!e->over) {
		struct timespec until = {
			.tv_sec = (time_t)(e->until_ms / 1000),
			.tv_nsec = (long)(e->until_ms % 1000) * 1000000,
		};

		if (clock_awake_ms() >= e->until_ms)
			cut_off(e->what, e->wait_ms);
		pthread_cond_clockwait(&e->changed, &e->lock, CLOCK_MONOTONIC,
				       &until);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void
endwatch_expect(struct endwatch *e, const char *what, int64_t wait_ms)
{
	pthread_mutex_lock(&e->lock);
	e->what = what;
	e->wait_ms = wait_ms;
	e->until_ms = clock_awake_ms() + wait_ms;
	if (!e->started)
		e->thread = thread_start("endwatch", endwatch_main, e);
	e->started = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

void
endwatch_goes_on(struct endwatch *e, const char *what)
{
	pthread_mutex_lock(&e->lock);
	e->what = what;
	pthread_mutex_unlock(&e->lock);
}

void
endwatch_over(struct endwatch *e)
{
	pthread_mutex_lock(&e->lock);
	e->over = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
	if (e->started)
		pthread_join(e->thread, NULL);
	e->started = false;
}
