/* socket.h - the lowest layer: a TCP socket that never blocks
 *
 * Private to io/.
 */
#ifndef IO_SOCKET_H
#define IO_SOCKET_H

#include "base/ip.h"
#include "io/layer.h"

struct socket_layer {
	struct layer layer;
	int fd;				/* owned; -1: none */
};

/* Takes fd over. */
void socket_init(struct socket_layer *s, int fd);

/* A new socket that has begun to connect, with Nagle off, or -1. */
int socket_connect(struct endpoint to, const struct ip *source,
		   struct error *err);
/* How a connect that was under way ended. */
bool socket_connected(int fd, struct error *err);

/* False; err has the words for an errno, and is ERROR_LACK where it says
 * nothing about the peer. */
bool socket_error(struct error *err, int number);

/* Nagle off: what belongs together is written together anyway.  A listening
 * socket hands this down to what it accepts. */
void socket_no_delay(int fd);

#endif
