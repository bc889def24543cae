/* listen.h - sockets that wait for clients
 *
 * Opening may be done by any thread (before rights are dropped); a listener
 * lives on the loop that accepts.  Several may listen on one port, one for
 * each loop: the kernel deals the clients round.
 */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include "base/error.h"
#include "base/ip.h"
#include "base/loop.h"

/* A bound, non-blocking socket with SO_REUSEPORT, or -1.  Nobody can connect
 * until listen_begin, or until a listener is started on it.  Port 0 takes
 * any; *at becomes what was bound.  first: no other of ours is bound there,
 * so somebody else's is an error (a moment's test socket finds out). */
int listen_open(struct endpoint *at, bool first, struct error *err);

/* Lets clients connect to a socket that listen_open made: from now on they
 * wait until a listener is started on it.  Any thread. */
bool listen_begin(int fd, struct error *err);

struct listener;

/* Takes fd over and begins to listen.  accepted gets a non-blocking
 * descriptor that it owns, with Nagle off, and may stop the listener. */
struct listener *listener_start(struct loop *loop, int fd,
	void (*accepted)(void *arg, int fd, struct endpoint peer), void *arg);
/* Stops accepting and closes the socket.  On its own loop. */
void listener_stop(struct listener **l);

#endif
