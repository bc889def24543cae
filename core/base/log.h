/* log.h - lines for the operator
 *
 * A line is an event with named fields: text ("warning: smtpd: too many
 * connections client=10.0.0.7") or JSON, one object a line.  Every object
 * with a life carries a struct log whose fields its lines repeat; a child
 * names its parent.  Safe from any thread and never blocking: lines go
 * through a bounded queue to a thread of their own, which writes them to
 * standard error; when the reader is too slow, lines are dropped and counted,
 * and as soon as he reads again a line tells how many.  Before log_start() and
 * after log_stop() lines are written at once; in between they may wait some
 * milliseconds, to go with others.
 *
 * A reader that has stopped reading holds nobody up, neither while the program
 * runs nor at its start or its end: no wait for him is longer than a second
 * or two.
 *
 * Secrets must not reach these functions; there is no format for them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
		 LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* One field.  Numbers are printed without quotes in JSON. */
struct log_field {
	const char *key;
	struct span text;
	int64_t number;
	bool is_number;
};

#define LOG_TEXT(k, v) ((struct log_field){ .key = (k), .text = (v) })
#define LOG_STR(k, v) ((struct log_field){ .key = (k), .text = span_of(v) })
#define LOG_NUM(k, v) ((struct log_field){ .key = (k), .number = (v), \
					   .is_number = true })

/* What an object's lines have in common.  A plain value; its spans and its
 * parent must outlive it.  room is "smtpd", "dispatch", a module's name. */
struct log {
	const struct log *parent;
	const char *room;
	struct log_field fields[3];	/* ends at the first without a key */
};

void log_configure(enum log_format format, enum log_level level);
/* Where standard error is the journal of systemd, as JOURNAL_STREAM says, each
 * line begins with its priority from here on: sd-daemon(3). */
void log_find_journal(void);
void log_start(void);			/* the thread; not before a fork */
/* Writes what waits, within LOG_STOP_MS, and ends the thread.  Any thread; the
 * second call waits for the first. */
enum { LOG_STOP_MS = 2000 };
void log_stop(void);
/* Text as it is, to standard error, without the queue. */
void log_plain(struct span text);
/* Lines that were dropped since the start. */
uint64_t log_lost(void);
bool log_wants(enum log_level level);

/* log may be NULL.  fields may be NULL when n is 0. */
void log_event(const struct log *log, enum log_level level,
	       const struct log_field *fields, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#define log_error(log, ...) \
	log_event(log, LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warning(log, ...) \
	log_event(log, LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_info(log, ...) \
	log_event(log, LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
/* Its arguments are not evaluated when nobody wants to know. */
#define log_debug(log, ...) \
	(log_wants(LOG_LEVEL_DEBUG) \
	 ? log_event(log, LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__) : (void)0)

#endif
