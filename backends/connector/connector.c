/* connector.c - a backend that relays everything to one host by SMTP
 *
 * The host knows us by our address, by a certificate that we show, or by a
 * user and a password.
 */
#include <postern-plugin.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct connector {
	const char *host, *user, *password;
	struct postern_smtp_plan smtp;
};

static const struct postern_option connector_options[] = {
	POSTERN_OPTION(struct connector, host, POSTERN_STRING,
		       .flags = POSTERN_REQUIRED | POSTERN_NEXT_HOP,
		       .help = "The next hop: a name or an address."),
	POSTERN_OPTION(struct connector, user, POSTERN_STRING,
		       .help = "The user name for AUTH PLAIN or AUTH LOGIN."),
	POSTERN_OPTION(struct connector, password, POSTERN_SECRET,
		       .help = "The password of the user."),
	POSTERN_OPTION(struct connector, smtp, POSTERN_SMTP,
		       .help = "The keys of every SMTP backend."),
	{ 0 },
};

/* The colon of NAME:PORT or [ADDRESS]:PORT, as others write it, or NULL; an
 * IPv6 address alone has more than one. */
static const char *
port_of(const char *host)
{
	const char *colon = host[0] == '[' ? strstr(host, "]:")
		: strchr(host, ':');

	if (colon != NULL && host[0] == '[')
		return colon + 1;
	return colon != NULL && strchr(colon + 1, ':') == NULL ? colon : NULL;
}

/* Letters of any alphabet, digits and what stands between them; an address may
 * be in brackets. */
static bool
is_host(const char *s)
{
	bool brackets = s[0] == '[';
	size_t n = brackets;

	while (s[n] != '\0' && ((unsigned char)s[n] >= 0x80
				|| strchr("-._:", s[n]) != NULL
				|| isalnum((unsigned char)s[n])))
		n++;
	return n > brackets && strcmp(s + n, brackets ? "]" : "") == 0;
}

static int
host_check(const struct connector *c, postern_instance *me)
{
	const char *port = port_of(c->host);
	bool brackets = c->host[0] == '[';

	if (port == NULL && is_host(c->host))
		return 0;
	if (strchr(c->host, '@') != NULL)	/* what is before it is not told */
		postern_fail(me, "`host' must be a name or an address, without "
			     "`@'\nwrite host: mail.example.org; `user' and "
			     "`password' are keys of their own");
	else if (port == NULL || strpbrk(c->host, " \t/") != NULL)
		postern_fail(me, "`host' must be a name or an address, not "
			     "`%s'\nwrite host: mail.example.org, or host: "
			     "192.0.2.1", c->host);
	else
		postern_fail(me, "`host' must be a name or an address alone, "
			     "not `%s'\nwrite host: %.*s and port: %s",
			     c->host, (int)(port - c->host) - 2 * brackets,
			     c->host + brackets,
			     port[1] != '\0' ? port + 1 : "25");
	return -1;
}

/* Also when some options are missing, which is told elsewhere. */
static int
login_check(const struct connector *c, postern_instance *me)
{
	if (c->user != NULL && c->password == NULL)
		postern_fail(me, "`password' is missing, because `user' is set");
	else if (c->user == NULL && c->password != NULL)
		postern_fail(me, "`user' is missing, because `password' is set");
	else if (c->user != NULL && c->smtp.tls < POSTERN_TLS_REQUIRED)
		postern_fail(me, "`tls': a password is sent only over TLS\n"
			     "set `tls' to verify, implicit or required");
	else
		return 0;
	return -1;
}

static int
connector_check(const void *self, postern_instance *me)
{
	const struct connector *c = self;
	int host = c->host != NULL ? host_check(c, me) : 0;

	return login_check(c, me) == 0 ? host : -1;
}

static void
connector_describe(const void *self, const char *recipient,
		   struct postern_destination *ret)
{
	const struct connector *c = self;

	(void)recipient;
	snprintf(ret->name, sizeof(ret->name), "%s:%u", c->host, c->smtp.port);
	if (c->user == NULL)
		return;
	/* a submission server may take no sender but the mailbox */
	ret->may_refuse = POSTERN_NULL_SENDER;
	snprintf(ret->mailbox, sizeof(ret->mailbox), "%s", c->user);
}

static void
connector_deliver(void *self, postern_job *job)
{
	const struct connector *c = self;
	struct postern_smtp_plan plan = c->smtp;

	plan.hosts = &c->host;
	plan.host_count = 1;
	if (c->user != NULL) {
		plan.auth = POSTERN_AUTH_PLAIN | POSTERN_AUTH_LOGIN;
		plan.user = c->user;
		plan.secret = c->password;
	}
	postern_smtp_send(job, &plan);
}

static const struct postern_backend connector_backend = {
	.describe = connector_describe,
	.deliver = connector_deliver,
};

POSTERN_MODULE(
	.name = "connector",
	.summary = "relays everything to one host by SMTP",
	.flags = POSTERN_RELAY | POSTERN_CHECKS_PARTS,
	.options = connector_options,
	.self_size = sizeof(struct connector),
	.check = connector_check,
	.backend = &connector_backend
);
