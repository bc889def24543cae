/* script.h - a server that does what a script says
 *
 * It is played by a thread, over real connections:
 *	@		accept the next connection
 *	> text		say a line (CRLF is added)
 *	>> text		say these bytes; \r and \n as such
 *	b text		say a line, byte by byte
 *	~ 600 text	say a line: the text, and 600 letters behind it
 *	* 50 text	say the line 50 times
 *	c text		say a challenge: 334, and the text in base64
 *	e text		say a line: the text, and the client's last line behind it
 *	< text		the client's next line is this
 *	<*		the client's next line, whatever it is
 *	d text		its next line is the base64 of this: \0 and \1 as such,
 *			\P is the server's port
 *	r		read some of what has come, and keep it
 *	.		take a message up to its end; the dots are undone
 *	= text		the next line of the message that was taken
 *	n 123		the message that was taken has as many octets
 *	T		the handshake of TLS, as server; all goes by it from now on
 *	t		the same, and it fails
 *	z 20		do nothing for as many milliseconds
 *	Z 20		and for more of them where all is slow
 *	!		close
 *	x		close with a reset
 *	?		the client closes, and has said nothing since
 *	??		it closes, whatever it has said
 * Nothing is waited for longer than 3 seconds.  A handshake also fails when the
 * client has said something in the clear since its last line.
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "base/buf.h"
#include "base/ip.h"

#include "tls-world.h"

struct server {
	int listener, fd;
	pthread_t thread;
	const char *const *script;	/* ends with NULL */
	struct raw tls;			/* session NULL: in the clear */
	bool ended;			/* the client has closed */
	struct buf in, message, last;	/* last: line of the client */
	unsigned port;
	size_t shown;			/* of message: by = */
	char wrong[600];		/* "" : all went by the script */
};

/* Listens on a loopback port and begins to play. */
void server_start(struct server *s, const char *const *script,
		  struct endpoint *at);
/* The same with what its TLS is made with: certificate, demands, priority. */
void server_start_tls(struct server *s, const char *const *script,
		      struct endpoint *at, const struct raw *tls);
/* When the script is over; then wrong tells. */
void server_join(struct server *s);

#endif
