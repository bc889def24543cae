/* smtpd-plays.h - what most dialogues begin and end with */
#ifndef TESTS_SMTPD_PLAYS_H
#define TESTS_SMTPD_PLAYS_H

#include "smtpd-world.h"

#define GREETED "<220 gw.test ESMTP *\n"
#define HELLO GREETED ">EHLO printer\n<250-gw.test\n<250-PIPELINING\n" \
	"<250-SIZE 102400\n<250-8BITMIME\n<250-SMTPUTF8\n<250-CHUNKING\n" \
	"<250-ENHANCEDSTATUSCODES\n<250 DSN\n"
#define MAIL_ALPHA ">MAIL FROM:<a@b.test>\n<250 2.1.0 *\n" \
	">RCPT TO:<c@alpha.test>\n<250 2.1.5 *\n"
#define QUIT ">QUIT\n<221 2.0.0 *\nX\n"

static inline void
play(struct world *w, const char *script)
{
	world_play(w, script, WAY_LINES);
}

static inline bool
contains(const struct buf *b, const char *what)
{
	return memmem(b->data + b->head, b->len, what, strlen(what)) != NULL;
}

#endif
