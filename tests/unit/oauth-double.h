/* oauth-double.h - the backend oauth without a gateway: time, web servers and
 * the state folder are in the test's hand
 *
 * Everything of the backend but oauth.c, whose functions for the other files
 * are here.  What it asks lies there until the test answers; what it does to
 * jobs, to the route and to who signs in is heard.
 */
#ifndef TESTS_OAUTH_DOUBLE_H
#define TESTS_OAUTH_DOUBLE_H

#include "unit.h"

#include "../../backends/oauth/oauth.h"

enum { SEC = 1000, HOUR = 3600 * SEC, DAY = 24 * HOUR };
enum asked_for { ASKED_HTTP, ASKED_GET, ASKED_PUT, ASKED_SMTP };

extern struct oauth *oauth;
extern char heard[4000];

#define CHECK_HEARD(text)						\
	do {								\
		assert_string_equal(heard, (text));			\
		heard[0] = '\0';					\
	} while (0)
#define CHECK_HAS_HEARD(text)						\
	do {								\
		if (strstr(heard, (text)) == NULL)			\
			fail_msg("no `%s' in `%s'", (text), heard);	\
		heard[0] = '\0';					\
	} while (0)

/* An instance is opened, and asks for the stored sign-in. */
void world_open(int32_t grant);
int world_close(void **state);
void pass(int64_t ms);			/* timers fire on the way */

/* How many questions of that kind wait; and the words of the oldest. */
size_t waiting(enum asked_for what);
const char *asked(enum asked_for what);
/* Each answers the oldest. */
void got(const char *bytes);		/* NULL: there is nothing */
void got_error(const char *words);
void kept(void);
void not_kept(void);
void token(const char *access, const char *refresh, int life_s);
void refused(const char *error);
void device(void);			/* a code, to be asked for each 5 s */
void no_answer(int64_t retry_after_ms);
/* The server's reply to AUTH; 0: there is none, and text says why. */
void proof(int code, const char *enhanced, const char *text);

/* The next put fails before it returns. */
extern bool puts_fail;
/* Whom the access tokens that come are for; NULL: they do not tell. */
extern const char *token_user;

/* What a file holds for that refresh token; NULL: as it was left by kept(). */
const char *record(const char *refresh);

extern struct waiter jobs[4];
void deliver(int i);
void sign_in(void);			/* the action begins */

/* What is heard of a sign-in that has come, and of one that was proved. */
#define ASKS_NOW "say asking smtp.x.test to accept the sign-in .... "
#define ASKS "say the provider gave an access token. " ASKS_NOW
#define ACCEPTED "ready. end 1 smtp.x.test accepted the sign-in for u@x.test. "

#endif
