/* log_queue.c - the queue of lines, and the thread that writes them
 *
 * While the thread runs it waits for the reader as long as it takes; what finds
 * no room in the queue meanwhile is lost, and counted.  Told to stop it waits
 * LOG_STOP_MS more.  Should it be caught in write() for all that, it is left
 * behind: it holds no lock then, and the program ends without it.
 */
#include "base/log_queue.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/put.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
	GATHER_US = 5000,		/* a burst of lines is few writes */
	LOOK_MS = 100,			/* is it time to stop? */
	DIRECT_MS = 1000,		/* for a line outside of the queue */
	LEAVE_MS = LOG_STOP_MS + 500,	/* then the thread is left behind */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, ended_now;
	struct buf waiting;
	uint64_t dropped;		/* not yet told */
	_Atomic uint64_t lost;		/* since the start */
	_Atomic bool stuck;		/* the reader was waited for in vain */
	bool running, stopping, ended;
	int64_t give_up_ms;		/* by clock_awake_ms(), when stopping */
	pthread_t thread;
} writer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.ended_now = PTHREAD_COND_INITIALIZER,
	.waiting = { .max = LIMIT_LOG_QUEUE },
};

/* --- what is lost ----------------------------------------------------- */

static uint64_t
lines_of(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

/* With the lock. */
static void
count_lost(uint64_t lines)
{
	writer.dropped += lines;
	atomic_fetch_add(&writer.lost, lines);
}

static void
log_lost_add(struct span s)
{
	if (s.n == 0)
		return;
	pthread_mutex_lock(&writer.lock);
	count_lost(lines_of(s));
	pthread_mutex_unlock(&writer.lock);
}

/* How many have not been told of; from now on they have. */
static uint64_t
take_untold(void)
{
	uint64_t n;

	pthread_mutex_lock(&writer.lock);
	n = writer.dropped;
	writer.dropped = 0;
	pthread_mutex_unlock(&writer.lock);
	return n;
}

static void
give_untold(uint64_t n)
{
	pthread_mutex_lock(&writer.lock);
	writer.dropped += n;
	pthread_mutex_unlock(&writer.lock);
}

uint64_t
log_lost(void)
{
	return atomic_load(&writer.lost);
}

/* --- the thread ------------------------------------------------------- */

static bool
is_too_late(void)
{
	bool late;

	pthread_mutex_lock(&writer.lock);
	late = writer.stopping && clock_awake_ms() >= writer.give_up_ms;
	pthread_mutex_unlock(&writer.lock);
	return late;
}

/* What is left of it. */
static struct span
thread_put(int fd, struct span s)
{
	enum put_result r = PUT_LATE;

	while (r == PUT_LATE) {
		r = put_write(fd, &s, LOOK_MS);
		if (r == PUT_LATE && is_too_late())
			break;
	}
	if (r == PUT_LATE)
		atomic_store(&writer.stuck, true);
	return s;
}

/* Waits for lines and takes them; *dropped came after them.  True: these are
 * the last. */
static bool
thread_take(struct buf *mine, uint64_t *dropped)
{
	struct buf empty = *mine;
	bool last;

	pthread_mutex_lock(&writer.lock);
	while (writer.waiting.len == 0 && !writer.stopping)
		pthread_cond_wait(&writer.filled, &writer.lock);
	*mine = writer.waiting;
	writer.waiting = empty;
	*dropped = writer.dropped;
	writer.dropped = 0;
	last = writer.stopping;
	pthread_mutex_unlock(&writer.lock);
	return last;
}

static void
thread_put_lost(int fd, uint64_t dropped)
{
	AUTO(buf_fini) struct buf line = BUF_MAX(LIMIT_LOG_LINE);

	if (dropped == 0)
		return;
	log_make_lost(&line, dropped);
	if (thread_put(fd, buf_span(&line)).n > 0)
		give_untold(dropped);
}

static void
thread_ends(void)
{
	pthread_mutex_lock(&writer.lock);
	writer.ended = true;
	pthread_cond_broadcast(&writer.ended_now);
	pthread_mutex_unlock(&writer.lock);
}

static void *
writer_main(void *arg)
{
	struct buf mine = BUF_MAX(LIMIT_LOG_QUEUE);
	int own = put_open(STDERR_FILENO);
	int fd = own >= 0 ? own : STDERR_FILENO;
	bool stop = false;

	(void)arg;
	while (!stop) {
		uint64_t dropped;

		stop = thread_take(&mine, &dropped);
		log_lost_add(thread_put(fd, buf_span(&mine)));
		thread_put_lost(fd, dropped);
		buf_clear(&mine);
		if (mine.cap > LIMIT_LOG_QUEUE / 16)
			buf_fini(&mine);
		/* the next ones wake nobody, and go together; this thread
		 * has no loop, and nothing else to do */
		if (!stop)
			usleep(GATHER_US);
	}
	buf_fini(&mine);
	if (own >= 0)
		close(own);
	thread_ends();
	return NULL;
}

/* --- everybody -------------------------------------------------------- */

/* Without the thread.  A reader that was waited for once is not waited for
 * again, until he reads. */
static struct span
direct_put(struct span s)
{
	enum put_result r = put_write(STDERR_FILENO, &s,
				atomic_load(&writer.stuck) ? 0 : DIRECT_MS);

	atomic_store(&writer.stuck, r == PUT_LATE);
	return s;
}

/* What has been lost until now can be told, as he reads. */
static void
direct_put_lost(void)
{
	AUTO(buf_fini) struct buf line = BUF_MAX(LIMIT_LOG_LINE);
	uint64_t dropped;

	if (atomic_load(&writer.stuck))
		return;
	dropped = take_untold();
	if (dropped == 0)
		return;
	log_make_lost(&line, dropped);
	if (direct_put(buf_span(&line)).n > 0)
		give_untold(dropped);
}

void
log_plain(struct span text)
{
	log_lost_add(direct_put(text));
}

void
log_queue_line(struct span line)
{
	bool was_empty;

	pthread_mutex_lock(&writer.lock);
	if (!writer.running || writer.stopping) {
		pthread_mutex_unlock(&writer.lock);
		log_lost_add(direct_put(line));
		return;
	}
	was_empty = writer.waiting.len == 0;
	if (!buf_add(&writer.waiting, line))
		count_lost(1);
	if (was_empty)
		pthread_cond_signal(&writer.filled);
	pthread_mutex_unlock(&writer.lock);
}

/* Before an abort, whose cause may be at the queue itself. */
static void
last_words(void)
{
	struct span s;

	if (pthread_mutex_trylock(&writer.lock) != 0)
		return;
	s = buf_span(&writer.waiting);
	put_write(STDERR_FILENO, &s, DIRECT_MS);
	buf_clear(&writer.waiting);
	pthread_mutex_unlock(&writer.lock);
}

/* --- beginning and end ------------------------------------------------ */

void
log_start(void)
{
	must(!writer.running);
	writer.running = true;
	writer.stopping = writer.ended = false;
	bug_last_words(last_words);
	writer.thread = thread_start("log", writer_main, NULL);
}

/* With the lock. */
static void
wait_for_its_end(void)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LEAVE_MS / 1000 + 1;
	while (!writer.ended && rc == 0)
		rc = pthread_cond_clockwait(&writer.ended_now, &writer.lock,
					    CLOCK_MONOTONIC, &until);
}

void
log_stop(void)
{
	struct buf left = BUF_MAX(LIMIT_LOG_QUEUE);
	bool first, ended;

	pthread_mutex_lock(&writer.lock);
	first = writer.running && !writer.stopping;
	if (first) {
		writer.stopping = true;
		writer.give_up_ms = clock_awake_ms() + LOG_STOP_MS;
		pthread_cond_signal(&writer.filled);
	}
	if (writer.running)
		wait_for_its_end();
	ended = writer.ended;
	if (first) {
		left = writer.waiting;
		writer.waiting = (struct buf){ .max = LIMIT_LOG_QUEUE };
		writer.running = false;
		if (!ended)
			atomic_store(&writer.stuck, true);
	}
	pthread_mutex_unlock(&writer.lock);
	if (!first)
		return;
	if (ended)
		pthread_join(writer.thread, NULL);
	else
		pthread_detach(writer.thread);
	log_lost_add(direct_put(buf_span(&left)));
	buf_fini(&left);
	direct_put_lost();
}
