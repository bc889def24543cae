/* script.h - a server that does what a script says
 *
 * It is played by a thread, over real connections:
 *	@		accept the next connection
 *	> text		say a line (CRLF is added)
 *	>> text		say these bytes; \r and \n as such
 *	b text		say a line, byte by byte
 *	< text		the client's next line is this
 *	<*		the client's next line, whatever it is
 *	r		read some of what has come, and keep it
 *	.		take a message up to its end; the dots are undone
 *	= text		the next line of the message that was taken
 *	n 123		the message that was taken has as many octets
 *	z 20		do nothing for as many milliseconds
 *	!		close
 *	x		close with a reset
 *	?		the client closes
 * Nothing is waited for longer than 3 seconds.
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "base/buf.h"
#include "base/ip.h"

#include <pthread.h>

struct server {
	int listener, fd;
	pthread_t thread;
	const char *const *script;	/* ends with NULL */
	struct buf in, message;
	size_t shown;			/* of message: by = */
	char wrong[600];		/* "" : all went by the script */
};

/* Listens on a loopback port and begins to play. */
void server_start(struct server *s, const char *const *script,
		  struct endpoint *at);
/* When the script is over; then wrong tells. */
void server_join(struct server *s);

#endif
