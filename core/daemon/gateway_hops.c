/* gateway_hops.c - does a route lead to one of our own listeners?
 *
 * Addresses are looked for where no waiting is needed: in what is written, in
 * /etc/hosts, on this host's interfaces.  What only the DNS knows, or another
 * machine that passes connections on, is found out by the SMTP client, before
 * it gives a message away (smtpc_know()).
 */
#include "daemon/gateway_inside.h"

#include "base/ip.h"
#include "base/macros.h"
#include "io/dns_hosts.h"
#include "module/module.h"
#include "smtpd/config.h"

#include <ifaddrs.h>
#include <string.h>

enum { ADDRESSES = 16 };

struct hop {
	struct hop *next;
	const char *host;
	uint16_t port;
	const struct mark *mark;
};

void
load_hop(void *arg, const struct module_hop *h)
{
	struct load *l = arg;
	struct hop *hop = ARENA_NEW(l->arena, struct hop);

	hop->host = arena_strdup(l->arena, h->host);
	hop->port = h->port;
	hop->mark = h->mark;
	hop->next = l->hops;
	l->hops = hop;
}

/* --- addresses ------------------------------------------------------- */

static bool
ip_is_any(struct ip ip)
{
	return ip_eq(ip, (struct ip){ .family = ip.family });
}

/* A client that connects to 0.0.0.0 or :: is at this host. */
static struct ip
ip_reached(struct ip ip)
{
	if (!ip_is_any(ip))
		return ip;
	if (ip.family == 4)
		return (struct ip){ 4, { 127, 0, 0, 1 } };
	ip.bytes[15] = 1;
	return ip;
}

static size_t
hosts_ips(struct span name, struct ip *ret)
{
	struct error err;
	struct dns_hosts *h = dns_hosts_read("/etc/hosts", &err);
	size_t n = 0, more = 0;

	if (h != NULL && dns_hosts_find(h, name, 4, ret, ADDRESSES, &n))
		dns_hosts_find(h, name, 6, ret + n, ADDRESSES - n, &more);
	dns_hosts_free(&h);
	return n + more;
}

/* At most ADDRESSES of them. */
static size_t
host_ips(const char *host, struct ip *ret)
{
	struct span s = span_of(host);
	size_t n;

	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (span_starts_nocase(s, SPAN("IPv6:")))
		s = span_from(s, strlen("IPv6:"));
	if (ip_parse(s, ret)) {
		*ret = ip_reached(*ret);
		return 1;
	}
	n = hosts_ips(s, ret);
	if (n > 0 || !span_eq_nocase(s, SPAN("localhost")))
		return n;
	ret[0] = (struct ip){ 4, { 127, 0, 0, 1 } };
	ret[1] = (struct ip){ .family = 6, .bytes[15] = 1 };
	return 2;
}

static bool
ip_is_here(struct ip ip)
{
	struct ifaddrs *all;
	struct endpoint at;
	bool here = ip_is_loopback(ip);

	if (here || getifaddrs(&all) < 0)
		return here;
	for (const struct ifaddrs *a = all; a != NULL && !here; a = a->ifa_next)
		here = a->ifa_addr != NULL &&
		       endpoint_from_sockaddr(a->ifa_addr, &at) &&
		       ip_eq(at.ip, ip);
	freeifaddrs(all);
	return here;
}

/* --- against the listeners ------------------------------------------- */

static bool
listener_accepts(const struct listener_config *at, struct ip ip, uint16_t port)
{
	if (at->at.port != port || port == 0)
		return false;
	return ip_eq(at->at.ip, ip) ||
	       (ip_is_any(at->at.ip) && at->at.ip.family == ip.family &&
		ip_is_here(ip));
}

/* The listener that a hop leads to, or NULL. */
static const struct listener_config *
hop_listener(const struct hop *h, const struct smtpd_config *c)
{
	const struct listener_config *listen = c->listen.v;
	struct ip ips[ADDRESSES];
	size_t n = host_ips(h->host, ips);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < c->listen.n; k++)
			if (listener_accepts(&listen[k], ips[i], h->port))
				return &listen[k];
	return NULL;
}

/* Our name leads to us, unless the DNS says otherwise. */
static void
hop_warn(struct load *l, const struct hop *h, const struct smtpd_config *c)
{
	const struct listener_config *listen = c->listen.v;
	size_t k = 0;

	if (!span_eq_nocase(span_of(h->host), span_of(c->hostname)))
		return;
	while (k < c->listen.n && listen[k].at.port != h->port)
		k++;
	if (k == c->listen.n)
		return;
	diag_warning(l->d, h->mark, "`%s' is the name of this gateway, which "
		     "listens on port %u itself: its mail may come back to it",
		     h->host, (unsigned)h->port);
	diag_hint(l->d, "write the name or the address of the server that is "
		  "to receive the mail");
}

bool
load_hops(struct load *l)
{
	const struct smtpd_config *c = snapshot_get(l->snap, SLOT_SMTPD);
	bool ok = true;

	for (const struct hop *h = l->hops; h != NULL; h = h->next) {
		const struct listener_config *at = hop_listener(h, c);

		if (at == NULL) {
			hop_warn(l, h, c);
			continue;
		}
		diag_error(l->d, h->mark, "%s with port %u is this gateway "
			   "itself, by its listener %s: its mail would come "
			   "back to it", h->host, (unsigned)h->port,
			   at->address);
		ok = diag_hint(l->d, "write the host and the port of the server "
			       "that is to receive the mail");
	}
	return ok;
}
