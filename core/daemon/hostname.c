/* hostname.c - the name of this host, where the configuration has none
 *
 * getaddrinfo() has no timeout, so a thread of its own waits for it and writes
 * what it says into a pipe.  Where nobody reads that any more, the thread ends
 * all the same: its signals are blocked.
 */
#include "daemon/hostname.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 256 };

struct search {				/* the thread's */
	int answer;			/* its end of the pipe */
	char name[NAME_SIZE];
};

static void *
search_run(void *arg)
{
	struct search *s = arg;
	struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *found = NULL;
	ssize_t n = 0;

	if (getaddrinfo(s->name, NULL, &hints, &found) == 0 &&
	    found->ai_canonname != NULL)
		n = write(s->answer, found->ai_canonname,
			  strlen(found->ai_canonname));
	(void)n;			/* whoever asked may be gone */
	if (found != NULL)
		freeaddrinfo(found);
	close(s->answer);
	mem_free(s);
	return NULL;
}

/* name, which has the short one, gets the full one if that comes in time. */
static void
search_full_name(char *name)
{
	struct pollfd answer = { .events = POLLIN };
	char full[NAME_SIZE] = "";
	struct search *s;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	s = NEW(struct search);
	s->answer = ends[1];
	snprintf(s->name, sizeof(s->name), "%s", name);
	pthread_detach(thread_start("hostname", search_run, s));
	answer.fd = ends[0];
	if (poll(&answer, 1, HOSTNAME_TIMEOUT_MS) > 0 &&
	    read(ends[0], full, sizeof(full) - 1) > 0 &&
	    strchr(full, '.') != NULL)
		snprintf(name, NAME_SIZE, "%s", full);
	close(ends[0]);
}

char *
hostname_find(struct arena *arena)
{
	char name[NAME_SIZE] = "";

	gethostname(name, sizeof(name) - 1);
	if (name[0] == '\0')
		snprintf(name, sizeof(name), "localhost");
	else if (strchr(name, '.') == NULL)
		search_full_name(name);
	return arena_strdup(arena, name);
}
