/* smtp_plan.c - a module's plan becomes one of the SMTP client's */
#include "module/smtp_way.h"

#include "base/macros.h"
#include "module/host.h"

#include <string.h>

#define SAME_TIMEOUT(t) \
	_Static_assert((int)POSTERN_TIMEOUT_##t == (int)SMTPC_##t, #t)
SAME_TIMEOUT(CONNECT);
SAME_TIMEOUT(GREETING);
SAME_TIMEOUT(EHLO);
SAME_TIMEOUT(MAIL);
SAME_TIMEOUT(RCPT);
SAME_TIMEOUT(DATA);
SAME_TIMEOUT(BLOCK);
SAME_TIMEOUT(DOT);
SAME_TIMEOUT(QUIT);
SAME_TIMEOUT(TLS);
SAME_TIMEOUT(AUTH);
_Static_assert((int)SMTPC_TIMEOUTS <= (int)POSTERN_TIMEOUTS, "a place each");

#define SAME_AUTH(a) \
	_Static_assert((int)POSTERN_AUTH_##a == (int)AUTH_##a, #a)
SAME_AUTH(XOAUTH2);
SAME_AUTH(OAUTHBEARER);
SAME_AUTH(PLAIN);
SAME_AUTH(LOGIN);

static const char *
copy(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

const char *
plan_fault(const struct postern_smtp_plan *p)
{
	struct ip ip;

	if (p->host_count == 0)
		return "a plan without a host";
	if (p->port > 65535)
		return "a plan with a port above 65535";
	if (p->source != NULL && !ip_parse(span_of(p->source), &ip))
		return "a plan whose source is not an address";
	if (p->tls < POSTERN_TLS_NONE || p->tls > POSTERN_TLS_IMPLICIT)
		return "a plan with an unknown kind of TLS";
	if (p->auth & ~(AUTH_XOAUTH2 | AUTH_OAUTHBEARER | AUTH_PLAIN |
			AUTH_LOGIN))
		return "a plan with an unknown login";
	if (p->auth != 0 && (p->user == NULL || p->secret == NULL))
		return "a plan with a login that lacks its user or its secret";
	if (p->auth != 0 && (strlen(p->secret) > AUTH_TOKEN_MAX ||
			     strlen(p->user) > LIMIT_PATH))
		return "a plan whose user or secret is too long";
	return NULL;
}

static void
way_source(struct smtp_way *w, const char *source)
{
	if (source == NULL)
		source = w->me->host->source;
	if (source != NULL && ip_parse(span_of(source), &w->source))
		w->plan.source = &w->source;
}

static void
secret_forget(void *secret)
{
	explicit_bzero(secret, strlen(secret));
}

static void
way_login(struct smtp_way *w, struct arena *a,
	  const struct postern_smtp_plan *from)
{
	char *secret;

	if (from->auth == 0)
		return;
	secret = arena_strdup(a, from->secret);
	arena_on_free(a, secret_forget, secret);
	w->plan.auth = (struct auth_credentials){
		.mechanisms = from->auth, .secret = secret,
		.user = arena_strdup(a, from->user),
	};
}

static void
way_tls(struct smtp_way *w, struct arena *a,
	const struct postern_smtp_plan *from)
{
	bool implicit = from->tls == POSTERN_TLS_IMPLICIT;

	w->plan.tls = implicit ? TLS_VERIFY : (enum tls_policy)from->tls;
	w->plan.implicit = implicit;
	w->plan.server_name = copy(a, from->server_name);
	if (from->tls == POSTERN_TLS_NONE)
		return;
	w->wanted = (struct tls_files){
		.certificate = copy(a, from->certificate),
		.key = copy(a, from->key),
		.trust = w->plan.tls == TLS_VERIFY,
		.trust_file = copy(a, from->trust_file),
	};
}

/* Strangers' records say where it goes, and may say: here. */
static bool
goes_to_receivers(const struct postern_instance *me)
{
	return (me->module->table.flags & POSTERN_RECEIVERS) != 0;
}

/* Servers refuse a name without a dot, which nobody can look up; an address
 * is always right (RFC 5321 section 4.1.4). */
static const char *
helo_default(const struct postern_instance *me)
{
	return strchr(me->hostname, '.') != NULL ? me->hostname : NULL;
}

void
way_copy(struct smtp_way *w, struct arena *a, struct postern_instance *me,
	 const struct postern_smtp_plan *from)
{
	const char **hosts = arena_array(a, from->host_count, sizeof(*hosts));

	for (size_t i = 0; i < from->host_count; i++)
		hosts[i] = arena_strdup(a, from->hosts[i]);
	w->me = me;
	w->plan = (struct smtpc_plan){
		.hosts = hosts,
		.host_count = from->host_count,
		.hosts_written = instance_author(me) ==
				 DNS_BY_ADMINISTRATOR,
		.port = (uint16_t)from->port,
		.helo = from->helo ? copy(a, from->helo) : helo_default(me),
		.self = goes_to_receivers(me) ? me->hostname : NULL,
		.reuse = from->idle_ms < 0 ? 1 : from->reuse,
		.idle_ms = MAX(from->idle_ms, 0),
	};
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		w->plan.timeouts_ms[i] = MAX(from->timeouts_ms[i], 0);
	way_source(w, from->source);
	way_login(w, a, from);
	way_tls(w, a, from);
}
