/* check.c - what no table can say of the options; all of it at once
 *
 * Called also when some options are missing or wrong, which is told elsewhere:
 * a text is NULL then, and a word is -1.  What depends on it is not asked.
 */
#include "oauth.h"

#include <string.h>

struct checking {
	const struct oauth *o;
	postern_instance *me;
	int faults;
};

static void
check_fault(struct checking *c, const char *words)
{
	postern_fail(c->me, "%s", words);
	c->faults++;
}

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static int
is_plain(const char *s)
{
	return s[0] != '\0' && s[strspn(s, PLAIN)] == '\0';
}

/* Or an address, perhaps in brackets, or a name in other letters than
 * ASCII's. */
static int
is_host(const char *s)
{
	size_t first = s[0] == '[', n = first;

	while (s[n] != '\0' && ((unsigned char)s[n] >= 0x80
				|| strchr(PLAIN ":", s[n]) != NULL))
		n++;
	return n > first && strcmp(s + n, first ? "]" : "") == 0;
}

static void
provider_check(struct checking *c)
{
	const struct oauth *o = c->o;
	const struct provider *p = provider_of(o);

	if (provider_asks_tenant(o) && o->tenant == NULL)
		check_fault(c, "`tenant' is missing: the id of your directory, or "
		      "one of its domains (yourcompany.onmicrosoft.com)");
	if (p->token == NULL && o->token_endpoint == NULL)
		check_fault(c, "`token_endpoint' is missing: a custom provider has "
		      "no default");
	if (provider_host(o) == NULL)
		check_fault(c, "`host' is missing: a custom provider has no default");
}

static void
device_check(struct checking *c)
{
	const struct provider *p = provider_of(c->o);

	if (c->o->device_endpoint != NULL)
		return;
	if (p->no_device != NULL)
		check_fault(c, p->no_device);
	else if (p->device == NULL)
		check_fault(c, "`device_endpoint' is missing: set it, or use another "
		      "`grant'");
}

static void
application_check(struct checking *c)
{
	if (c->o->client_secret == NULL)
		check_fault(c, "`client_secret' (or client_secret_file) is missing");
	if (c->o->provider >= 0 && provider_of(c->o)->application == NULL &&
	    c->o->scope.n == 0)
		check_fault(c, "`scope' is missing: this provider has no default for "
		      "`client_credentials'");
}

static void
grant_check(struct checking *c)
{
	const struct oauth *o = c->o;

	if (o->grant == GRANT_DEVICE_CODE && o->provider >= 0)
		device_check(c);
	if (o->grant == GRANT_CLIENT_CREDENTIALS)
		application_check(c);
	if (o->grant == GRANT_REFRESH_TOKEN && o->refresh_token == NULL)
		check_fault(c, "`refresh_token' (or refresh_token_file) is missing");
	if (o->grant >= 0 && o->grant != GRANT_REFRESH_TOKEN &&
	    o->refresh_token != NULL)
		check_fault(c, "`refresh_token' can only be used with `grant: "
			    "refresh_token'");
}

static void
mailbox_check(struct checking *c)
{
	const struct oauth *o = c->o;

	if (o->user != NULL &&
	    (strchr(o->user, '@') == NULL ||
	     strpbrk(o->user, " \t\r\n\001<>") != NULL))
		check_fault(c, "`user' must be the address of a mailbox");
	if (o->tenant != NULL && !is_plain(o->tenant))
		check_fault(c, "`tenant' must be an id or a domain");
	if (o->host != NULL && !is_host(o->host))
		check_fault(c, "`host' must be a name or an address alone");
	if (o->smtp.tls != POSTERN_TLS_VERIFY &&
	    o->smtp.tls != POSTERN_TLS_IMPLICIT)
		check_fault(c, "`tls' must be verify or implicit: a token is sent "
		      "only to a server whose certificate is valid");
	if (o->smtp.certificate != NULL)
		check_fault(c, "`certificate' cannot be used here: the gateway logs "
		      "in with a token");
}

/* Secrets go there. */
static void
endpoints_check(struct checking *c)
{
	const struct {
		const char *key, *url, *proxy;
	} rows[] = {
		{ "token_endpoint", c->o->token_endpoint, NULL },
		{ "device_endpoint", c->o->device_endpoint, NULL },
		{ "proxy", NULL, c->o->proxy },
	};
	char why[400];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (postern_http_check(rows[i].url, rows[i].proxy, why,
				       sizeof(why)) == 0)
			continue;
		postern_fail(c->me, "`%s': %s", rows[i].key, why);
		c->faults++;
	}
}

int
oauth_check(const void *self, postern_instance *me)
{
	struct checking c = { .o = self, .me = me };

	if (c.o->provider >= 0)
		provider_check(&c);
	grant_check(&c);
	mailbox_check(&c);
	endpoints_check(&c);
	return c.faults > 0 ? -1 : 0;
}
