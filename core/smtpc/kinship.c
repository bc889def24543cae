/* kinship.c - may this message use that connection?
 *
 * A connection that was not verified must never carry what has to be, one
 * that nobody logged in to must not carry what needs a login, and so on: all
 * that a plan says about the server and about us is compared, by which name of
 * ours we would know ourselves, too.  The secret, too: who has another one may
 * be allowed less, or nothing any more.  And who wrote the name of the host: a
 * stranger's record must not lead to a host that only the local resolver knows.
 */
#include "smtpc/client.h"

#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

static const char *
or(const char *s, const char *otherwise)
{
	return s != NULL ? s : otherwise;
}

static uint16_t
plan_port(const struct smtpc_plan *p)
{
	return p->port ? p->port : 25;
}

void
kinship_init(struct kinship *k, const struct smtpc_plan *p, const char *host)
{
	*k = (struct kinship){
		.host = mem_strdup(host),
		.helo = mem_strdup(or(p->helo, "")),
		.server_name = mem_strdup(or(p->server_name, host)),
		.self = mem_strdup(or(p->self, "")),
		.user = mem_strdup(p->auth.mechanisms ? p->auth.user : ""),
		.secret = BUF_MAX(AUTH_TOKEN_MAX),
		.mechanisms = p->auth.mechanisms,
		.port = plan_port(p), .tls = p->tls, .implicit = p->implicit,
		.hosts_written = p->hosts_written,
	};
	if (p->auth.mechanisms != 0)
		buf_add(&k->secret, span_of(p->auth.secret));
	if (p->source != NULL)
		k->source = *p->source;
	if (p->identity != NULL)
		k->identity = tls_identity_ref(p->identity);
	if (p->trust != NULL)
		k->trust = tls_trust_ref(p->trust);
}

void
kinship_fini(struct kinship *k)
{
	mem_free(k->host);
	mem_free(k->helo);
	mem_free(k->server_name);
	mem_free(k->self);
	mem_free(k->user);
	buf_wipe(&k->secret);
	tls_identity_unref(&k->identity);
	tls_trust_unref(&k->trust);
}

static bool
same_host(const struct kinship *k, const struct smtpc_plan *p,
	  const char *host)
{
	static const struct ip any = { .family = 0 };

	return k->port == plan_port(p) &&
	       k->hosts_written == p->hosts_written &&
	       strcasecmp(k->host, host) == 0 &&
	       strcmp(k->helo, or(p->helo, "")) == 0 &&
	       strcmp(k->self, or(p->self, "")) == 0 &&
	       ip_eq(k->source, p->source ? *p->source : any);
}

static bool
same_security(const struct kinship *k, const struct smtpc_plan *p,
	      const char *host)
{
	return k->tls == p->tls && k->implicit == p->implicit &&
	       k->identity == p->identity && k->trust == p->trust &&
	       strcasecmp(k->server_name, or(p->server_name, host)) == 0;
}

static bool
same_login(const struct kinship *k, const struct auth_credentials *who)
{
	return k->mechanisms == who->mechanisms &&
	       (k->mechanisms == 0 ||
		(strcmp(k->user, who->user) == 0 &&
		 span_eq(buf_span(&k->secret), span_of(who->secret))));
}

bool
kinship_holds(const struct kinship *k, const struct smtpc_plan *p,
	      const char *host)
{
	return same_host(k, p, host) && same_security(k, p, host) &&
	       same_login(k, &p->auth);
}
