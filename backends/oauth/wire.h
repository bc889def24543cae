/* wire.h - forms that go out, JSON that comes back; pure */
#ifndef OAUTH_WIRE_H
#define OAUTH_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct postern_http_answer;

/* application/x-www-form-urlencoded; wiped by form_free(). */
struct form {
	char *text;
	size_t n, room;
};
void form_add(struct form *f, const char *name, const char *value);
void form_free(struct form *f);

/* A string that is a secret, from malloc: secret_free() wipes it. */
void secret_free(char **s);
char *secret_copy(const char *s);		/* NULL gives NULL */

/* Writes stars over pieces of a secret (or NULL) that stand in words. */
void words_hide(char *words, const char *secret);

/* What a token endpoint said (RFC 6749 sections 5.1 and 5.2). */
enum reply_kind {
	REPLY_TOKEN,		/* an access token */
	REPLY_WAIT,		/* not now: no answer, trouble, HTML ... */
	REPLY_PENDING,		/* RFC 8628: the person has not finished */
	REPLY_SLOW_DOWN,	/* the same, and we ask too often */
	REPLY_REFUSED,		/* a person must do something */
};

struct token_reply {
	enum reply_kind kind;
	char *access, *refresh;		/* secrets; refresh NULL: none came */
	int dead;			/* refused: what was shown is worth
					 * nothing any more (invalid_grant) */
	int64_t expires_s;		/* the access token's life */
	char who[128];			/* whom it is for, when it tells */
	char why[400];			/* words, when there is no token */
	int64_t retry_after_ms;		/* -1: not said */
};
void token_reply_parse(const struct postern_http_answer *a,
		       struct token_reply *ret);
void token_reply_free(struct token_reply *r);

/* RFC 8628 section 3.2. */
struct device_reply {
	char *device_code;		/* a secret; NULL: there is none, see why */
	char user_code[64], uri[300];
	int64_t expires_s, interval_s;
	char why[400];
};
void device_reply_parse(const struct postern_http_answer *a,
			struct device_reply *ret);
void device_reply_free(struct device_reply *r);

#endif
