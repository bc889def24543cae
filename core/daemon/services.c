/* services.c - making them, in the order in which they lean on each other */
#include "daemon/services.h"

#include "conf/snapshot.h"
#include "daemon/dns_config.h"
#include "daemon/gateway.h"
#include "dispatch/remedy.h"
#include "io/dns.h"
#include "io/http.h"
#include "io/tls_store.h"
#include "smtpc/smtpc.h"

static const char *
remedy_named(const struct outcome *o, enum backend_manner m,
	     const char *route, const char *mailbox, char *buf, size_t size)
{
	const char *remedy = remedy_of(o, m);
	const struct remedy_names names = {
		.route = route, .mailbox = mailbox,
	};

	return remedy != NULL ? remedy_fill(remedy, &names, buf, size) : NULL;
}

static void
host_fill(struct services *s, struct loop *loop, const struct snapshot *snap)
{
	const struct gateway_config *g = snapshot_get(snap, SLOT_GATEWAY);

	s->host = (struct host){
		.loop = loop, .smtpc = s->smtpc, .dns = s->dns,
		.http = s->http, .tls = s->tls, .files = s->files,
		.state = g->state, .source = g->source,
		.remedy = remedy_named,
	};
}

void
services_start(struct services *s, struct loop *loop, struct workers *workers,
	       const struct snapshot *snap)
{
	const struct gateway_config *g = snapshot_get(snap, SLOT_GATEWAY);
	const struct dns_config *dns = snapshot_get(snap, SLOT_DNS);
	const struct http_settings http = {
		.user_agent = "postern/" PACKAGE_VERSION,
	};

	s->files = workers_new("files", 1);
	s->dns = dns_new(loop, workers, &dns->settings);
	s->tls = tls_store_new(loop, workers, g->trust_file);
	s->http = http_new(loop, s->dns, s->tls, &http);
	s->smtpc = smtpc_new(loop, s->dns);
	host_fill(s, loop, snap);
}

void
services_configure(struct services *s, const struct snapshot *snap)
{
	const struct gateway_config *g = snapshot_get(snap, SLOT_GATEWAY);
	const struct dns_config *dns = snapshot_get(snap, SLOT_DNS);

	tls_store_trust_file(s->tls, g->trust_file);
	dns_configure(s->dns, &dns->settings);
	host_fill(s, s->host.loop, snap);
}

void
services_stop(struct services *s)
{
	struct loop *loop = s->host.loop;

	workers_free(&s->files);
	loop_drain(loop);
	http_free(&s->http);
	smtpc_free(&s->smtpc);
	tls_store_free(&s->tls);
	dns_free(&s->dns);
}
