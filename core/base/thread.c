/* thread.c - a thread with a name, a modest stack and no signals */
#include "base/thread.h"

#include "base/error.h"

#include <signal.h>
#include <string.h>

/* SQLite and GnuTLS are content with this; libunbound, which takes 200 KiB,
 * too.  The thread sanitizer has its own part of it. */
#ifdef POSTERN_SANITIZED
enum { STACK = 2 * 1024 * 1024 };
#else
enum { STACK = 512 * 1024 };
#endif

void
thread_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

pthread_t
thread_start(const char *name, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	rc = pthread_create(&t, &attr, run, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		bug("no thread for %s: %s", name, strerror(rc));
	pthread_setname_np(t, name);
	return t;
}
