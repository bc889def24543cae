/* log_queue.h - the queue of lines between everybody and the thread that writes
 * them; private to the log */
#ifndef BASE_LOG_QUEUE_H
#define BASE_LOG_QUEUE_H

#include "base/buf.h"

/* One line with its end; never waits for the reader while the log's thread
 * runs. */
void log_queue_line(struct span line);

/* log.c: the line that tells how many were lost. */
void log_make_lost(struct buf *line, uint64_t lost);

#endif
