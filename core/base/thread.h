/* thread.h - starting threads, with names and without signals
 *
 * One thread takes the signals (daemon); all others are born with every
 * signal blocked.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Ends the program when the system gives no thread. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);

/* Blocks all signals for the calling thread and those it makes later. */
void thread_block_signals(void);

#endif
