/* smtpd-world.h - a server of SMTP with everything around it, for its tests
 *
 * The spool is the real one in memory, the connection a pair of sockets; the
 * filters and the routes are doubles that do as the test says.  One loop,
 * turned by the test.
 */
#ifndef TESTS_SMTPD_WORLD_H
#define TESTS_SMTPD_WORLD_H

#include "base/budget.h"
#include "base/loop.h"
#include "module/hooks.h"
#include "smtpd/guard.h"
#include "smtpd/smtpd.h"

enum { WORLD_ITEMS = 64 };

struct world {
	struct loop *loop;
	struct workers *workers;
	struct budget budget;
	struct spool *spool;
	struct guard *guard;
	struct snapshot *snap;
	struct smtpd_config config;
	struct smtpd *smtpd;
	int fd;				/* the client's end; -1: none */
	struct buf heard;		/* what the server said */
	bool gone;			/* it closed */
	bool plain;			/* no route has filters */
	bool no_routes;
	int tls;			/* the listener's: enum listener_tls */
	size_t window;			/* how many items it takes */
	size_t reserved;
	struct item *items[WORLD_ITEMS];	/* committed as claimed */
	size_t count;
	bool stopped;
};

/* What the filters do. */
struct fake_filters {
	postern_verdict verdict[5];	/* by hook */
	const char *field;		/* added at HOOK_MESSAGE: its value */
	size_t asked[5], ended, open;
	struct postern_txn *pending;	/* who waits for world_answer() */
	int reply_code;			/* 0: none of its own */
	bool later;			/* answers in the next turn */
};
extern struct fake_filters fake_gateway, fake_route;

struct world *world_new(void);
struct world_options {
	const char *url;		/* of the spool */
	int64_t memory, free_space;
	bool plain;			/* no route has filters */
};
struct world *world_new_with(const struct world_options *o);
void world_free(struct world **w);
/* Takes the configuration as it is now. */
void world_configure(struct world *w, bool gateway_filters);

void world_connect(struct world *w, const char *address);
void world_say(struct world *w, struct span bytes);
/* Turns the loop until nothing happens any more. */
void world_turn(struct world *w);
void world_hang_up(struct world *w);
void world_answer(struct world *w, postern_verdict v);

/* Plays a dialogue: lines that begin with
 *   ">"  are said, with CRLF         "="  are said without, \r \n decoded
 *   "<"  must be the next line heard, as a pattern of fnmatch(3)
 *   "X"  the server must have closed the connection
 * each way of saying them gives the same answers. */
enum way { WAY_LINES, WAY_BYTES, WAY_AT_ONCE };
void world_play(struct world *w, const char *script, enum way way);

/* Prefix and body of a committed item; the caller frees with buf_fini. */
struct buf world_message(const struct world *w, size_t i);

#endif
