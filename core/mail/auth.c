/* auth.c - a table of mechanisms, each a list of what it says */
#include "mail/auth.h"

#include "base/macros.h"

#include <stdio.h>

/* user=USER^Aauth=Bearer TOKEN^A^A */
static void
say_xoauth2(const struct auth_credentials *c, struct buf *out)
{
	buf_addf(out, "user=%s\001auth=Bearer %s\001\001", c->user, c->secret);
}

/* RFC 5801 section 4: in the user's name `,' and `=' are written =2C, =3D */
static void
say_gs2_name(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s == ',')
			buf_add_str(out, "=2C");
		else if (*s == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_char(out, *s);
	}
}

static void
say_oauthbearer(const struct auth_credentials *c, struct buf *out)
{
	buf_add_str(out, "n,a=");
	say_gs2_name(c->user, out);
	buf_addf(out, ",\001host=%s\001port=%u\001auth=Bearer %s\001\001",
		 c->host ? c->host : "", c->port, c->secret);
}

static void
say_nothing(const struct auth_credentials *c, struct buf *out)
{
	(void)c, (void)out;
}

/* RFC 7628 section 3.2.3 */
static void
say_dummy(const struct auth_credentials *c, struct buf *out)
{
	(void)c;
	buf_add_char(out, '\001');
}

/* [authzid] NUL authcid NUL password */
static void
say_plain(const struct auth_credentials *c, struct buf *out)
{
	buf_add_char(out, '\0');
	buf_add_str(out, c->user);
	buf_add_char(out, '\0');
	buf_add_str(out, c->secret);
}

static void
say_user(const struct auth_credentials *c, struct buf *out)
{
	buf_add_str(out, c->user);
}

static void
say_secret(const struct auth_credentials *c, struct buf *out)
{
	buf_add_str(out, c->secret);
}

/* In the order in which they are chosen. */
static const struct mechanism {
	enum auth_mechanism bit;
	const char *name;
	unsigned steps;
	struct {
		enum auth_say what;
		void (*say)(const struct auth_credentials *c, struct buf *out);
	} step[2];
} mechanisms[] = {
	{ AUTH_XOAUTH2,     "XOAUTH2",     2, { { AUTH_RESPONSE, say_xoauth2 },
						{ AUTH_AFTER_ERROR, say_nothing } } },
	{ AUTH_OAUTHBEARER, "OAUTHBEARER", 2, { { AUTH_RESPONSE, say_oauthbearer },
						{ AUTH_AFTER_ERROR, say_dummy } } },
	{ AUTH_PLAIN,       "PLAIN",       1, { { AUTH_RESPONSE, say_plain } } },
	{ AUTH_LOGIN,       "LOGIN",       2, { { AUTH_RESPONSE, say_user },
						{ AUTH_RESPONSE, say_secret } } },
};

static const struct mechanism *
mechanism_find(enum auth_mechanism m)
{
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++)
		if (mechanisms[i].bit == m)
			return &mechanisms[i];
	return NULL;
}

const char *
auth_name(enum auth_mechanism m)
{
	const struct mechanism *found = mechanism_find(m);

	return found != NULL ? found->name : NULL;
}

unsigned
auth_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++)
		if (span_eq_nocase(name, span_of(mechanisms[i].name)))
			return mechanisms[i].bit;
	return 0;
}

enum auth_mechanism
auth_choose(unsigned allowed, unsigned offered)
{
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++)
		if (allowed & offered & mechanisms[i].bit)
			return mechanisms[i].bit;
	return 0;
}

bool
auth_speaks_first(enum auth_mechanism m)
{
	return m != AUTH_LOGIN;
}

const char *
auth_names(unsigned bits, char *buf, size_t size)
{
	size_t n = 0;

	snprintf(buf, size, "none");
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms) && n < size; i++)
		if (bits & mechanisms[i].bit)
			n += (size_t)snprintf(buf + n, size - n, "%s%s",
					      n ? " " : "", mechanisms[i].name);
	return buf;
}

enum auth_say
auth_respond(enum auth_mechanism m, unsigned step,
	     const struct auth_credentials *c, struct buf *out)
{
	const struct mechanism *found = mechanism_find(m);

	if (found == NULL || step >= found->steps)
		return AUTH_CANCEL;
	found->step[step].say(c, out);
	return found->step[step].what;
}
