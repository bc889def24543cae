/* log.c - making a line, and the thread that writes lines
 *
 * Known limit: a text longer than a part of LIMIT_LOG_LINE is cut, and a
 * field for which the line has no room any more is left out.  So a line is
 * always whole, and in JSON always valid, whatever a stranger puts in it.
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

enum {
	LINE_END = 2,			/* what ends a line: "}\n" */
	LINE_ROOM = 2 * LIMIT_LOG_LINE,	/* for a field until it is measured */
	GATHER_US = 5000,		/* a burst of lines is few writes */
};

static _Atomic int log_format = LOG_FORMAT_TEXT, log_level = LOG_LEVEL_INFO;

/* The queue between everybody and the writing thread. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct buf waiting;
	uint64_t dropped;
	bool running, stopping;
	pthread_t thread;
} writer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.waiting = { .max = LIMIT_LOG_QUEUE },
};

void
log_configure(enum log_format format, enum log_level level)
{
	log_format = (int)format;
	log_level = (int)level;
}

bool
log_wants(enum log_level level)
{
	return (int)level <= log_level;
}

/* --- one line -------------------------------------------------------- */

static bool
text_is_bare(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' ||
		    s.p[i] == '=')
			return false;
	return s.n > 0;
}

static void
text_field(struct buf *line, const struct log_field *f)
{
	buf_addf(line, " %s=", f->key);
	if (f->is_number)
		buf_addf(line, "%lld", (long long)f->number);
	else if (text_is_bare(f->text))
		encode_printable(line, f->text, LIMIT_LOG_LINE / 4);
	else
		encode_json(line, f->text, LIMIT_LOG_LINE / 4);
}

static void
json_field(struct buf *line, const struct log_field *f)
{
	buf_add(line, SPAN(","));
	encode_json(line, span_of(f->key), LIMIT_LOG_LINE / 4);
	buf_add(line, SPAN(":"));
	if (f->is_number)
		buf_addf(line, "%lld", (long long)f->number);
	else
		encode_json(line, f->text, LIMIT_LOG_LINE / 4);
}

static void
line_field(struct buf *line, bool json, const struct log_field *f)
{
	size_t before = line->len;

	if (f->key == NULL)
		return;
	if (json)
		json_field(line, f);
	else
		text_field(line, f);
	if (line->len > LIMIT_LOG_LINE - LINE_END)
		buf_cut(line, before);
}

static void
line_inherited(struct buf *line, bool json, const struct log *log)
{
	if (log == NULL)
		return;
	line_inherited(line, json, log->parent);
	for (size_t i = 0; i < ARRAY_SIZE(log->fields); i++)
		line_field(line, json, &log->fields[i]);
}

static void
line_begin(struct buf *line, bool json, const struct log *log,
	   enum log_level level, struct span words)
{
	const char *room = log && log->room ? log->room : "postern";
	char stamp[32];

	clock_iso(clock_wall_ms(), stamp, sizeof(stamp));
	if (json) {
		buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\","
			 "\"room\":\"%s\",\"message\":",
			 stamp, level_words[level], room);
		encode_json(line, words, LIMIT_LOG_LINE / 2);
		return;
	}
	buf_addf(line, "%s ", stamp);
	if (level != LOG_LEVEL_INFO)
		buf_addf(line, "%s: ", level_words[level]);
	buf_addf(line, "%s: ", room);
	encode_printable(line, words, LIMIT_LOG_LINE / 2);
}

/* --- the queue ------------------------------------------------------- */

static void
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;		/* nobody to tell */
		s = span_from(s, (size_t)n);
	}
}

static void *
writer_main(void *arg)
{
	struct buf mine = BUF_MAX(LIMIT_LOG_QUEUE);
	bool stop = false;

	(void)arg;
	while (!stop) {
		uint64_t dropped;
		char note[80];

		pthread_mutex_lock(&writer.lock);
		while (writer.waiting.len == 0 && !writer.stopping)
			pthread_cond_wait(&writer.filled, &writer.lock);
		struct buf full = writer.waiting;
		writer.waiting = mine;
		mine = full;
		dropped = writer.dropped;
		writer.dropped = 0;
		stop = writer.stopping;
		pthread_mutex_unlock(&writer.lock);

		write_all(STDERR_FILENO, buf_span(&mine));
		if (dropped > 0) {
			snprintf(note, sizeof(note), "postern: log: %llu lines "
				 "were lost: the reader is too slow\n",
				 (unsigned long long)dropped);
			write_all(STDERR_FILENO, span_of(note));
		}
		buf_clear(&mine);
		if (mine.cap > LIMIT_LOG_QUEUE / 16)
			buf_fini(&mine);
		/* the next ones wake nobody, and go together; this thread
		 * has no loop, and nothing else to do */
		if (!stop)
			usleep(GATHER_US);
	}
	buf_fini(&mine);
	return NULL;
}

static void
queue_line(struct span line)
{
	pthread_mutex_lock(&writer.lock);
	if (!writer.running || writer.stopping) {
		pthread_mutex_unlock(&writer.lock);
		write_all(STDERR_FILENO, line);
		return;
	}
	bool was_empty = writer.waiting.len == 0;
	if (!buf_add(&writer.waiting, line))
		writer.dropped++;
	if (was_empty)
		pthread_cond_signal(&writer.filled);
	pthread_mutex_unlock(&writer.lock);
}

/* Before an abort, whose cause may be at the queue itself. */
static void
last_words(void)
{
	if (pthread_mutex_trylock(&writer.lock) != 0)
		return;
	write_all(STDERR_FILENO, buf_span(&writer.waiting));
	buf_clear(&writer.waiting);
	pthread_mutex_unlock(&writer.lock);
}

void
log_start(void)
{
	must(!writer.running);
	writer.running = true;
	writer.stopping = false;
	bug_last_words(last_words);
	writer.thread = thread_start("log", writer_main, NULL);
}

void
log_stop(void)
{
	pthread_mutex_lock(&writer.lock);
	bool was_running = writer.running;
	writer.stopping = true;
	pthread_cond_signal(&writer.filled);
	pthread_mutex_unlock(&writer.lock);
	if (!was_running)
		return;
	pthread_join(writer.thread, NULL);
	pthread_mutex_lock(&writer.lock);
	write_all(STDERR_FILENO, buf_span(&writer.waiting));
	buf_fini(&writer.waiting);
	writer.running = false;
	pthread_mutex_unlock(&writer.lock);
}

void
log_event(const struct log *log, enum log_level level,
	  const struct log_field *fields, size_t n, const char *fmt, ...)
{
	bool json = log_format == LOG_FORMAT_JSON;
	AUTO(buf_fini) struct buf line = BUF_MAX(LINE_ROOM);
	AUTO(buf_fini) struct buf words = BUF_MAX(LIMIT_LOG_LINE / 2);
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	buf_vaddf(&words, fmt, ap);
	va_end(ap);

	line_begin(&line, json, log, level, buf_span(&words));
	line_inherited(&line, json, log);
	for (size_t i = 0; i < n; i++)
		line_field(&line, json, &fields[i]);
	buf_add_str(&line, json ? "}\n" : "\n");
	queue_line(buf_span(&line));
}
