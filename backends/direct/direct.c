/* direct.c - a backend that delivers to the recipients' own mail servers
 *
 * A destination is a domain; all recipients in it travel in one transaction.
 * Its MX records are looked up for each attempt (the resolver remembers
 * them), their hosts are tried in order.  Only answers are final: there is no
 * such domain, it says that it takes no mail, or it has no server at all.
 */
#include "mx.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { CONNECTIONS = 10 };		/* to one domain, unless said */

struct direct {
	postern_instance *me;
	struct postern_smtp_plan smtp;
	uint64_t dice;
};

/* What a job keeps while its domain is looked up. */
struct looking {
	struct direct *direct;
	postern_job *job;
	uint64_t question;
	bool implicit;			/* the domain is its own server */
	char domain[MX_NAME];
};

static const struct postern_option direct_options[] = {
	POSTERN_OPTION(struct direct, smtp, POSTERN_SMTP,
		       .help = "The keys of every SMTP backend."),
	{ 0 },
};

static int
direct_check(const void *self, postern_instance *me)
{
	const struct direct *d = self;

	int faults = 0;

	if (d->smtp.tls == POSTERN_TLS_IMPLICIT) {
		postern_fail(me, "`tls': servers of other domains have no "
			     "implicit TLS\nset `tls' to opportunistic");
		faults++;
	}
	if (d->smtp.server_name != NULL) {
		postern_fail(me, "`server_name' cannot be used here: each "
			     "server is verified by its own name");
		faults++;
	}
	return faults > 0 ? -1 : 0;
}

static int
direct_open(void *self, postern_instance *me)
{
	struct direct *d = self;

	d->me = me;
	if (getrandom(&d->dice, sizeof(d->dice), 0) != sizeof(d->dice))
		d->dice = (uintptr_t)self;
	d->dice |= 1;
	return 0;
}

static void
direct_describe(const void *self, const char *recipient,
		struct postern_destination *ret)
{
	(void)self;
	ret->connections = CONNECTIONS;
	if (mx_domain(recipient, ret->name, sizeof(ret->name)) != 0)
		snprintf(ret->name, sizeof(ret->name), "(no domain)");
}

/* xorshift: for spreading load over equal hosts, not for secrets. */
static uint32_t
chance(void *arg)
{
	struct direct *d = arg;

	d->dice ^= d->dice << 13;
	d->dice ^= d->dice >> 7;
	d->dice ^= d->dice << 17;
	return (uint32_t)(d->dice >> 32);
}

/* --- what the DNS answers -------------------------------------------- */

static void settle(struct looking *l, int code, const char *enhanced,
		   const char *fmt, ...) POSTERN_PRINTF(4, 5);

static void
settle(struct looking *l, int code, const char *enhanced, const char *fmt,
       ...)
{
	char text[400];
	va_list ap;
	const struct postern_outcome o = {
		.code = code, .phase = POSTERN_PHASE_RESOLVE,
		.enhanced = enhanced, .text = text, .host = l->domain,
	};

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	postern_settle_rest(l->job, &o);
}

/* No MX, and no address either: that is an answer, too.  Hosts of MX records
 * that have no address are the slip of somebody who wants mail. */
static int32_t
on_failed(void *self, postern_job *job, const struct postern_outcome *o)
{
	struct looking *l = postern_job_data(job, sizeof(*l));

	(void)self;
	if (!l->implicit || o->phase != POSTERN_PHASE_RESOLVE ||
	    o->enhanced == NULL || strcmp(o->enhanced, "4.4.4") != 0)
		return 0;
	settle(l, 550, "5.1.2", "the domain %s has neither a mail server nor "
	       "an address", l->domain);
	return 1;
}

static void
send_to(struct looking *l, const char *const *hosts, size_t n)
{
	struct postern_smtp_plan plan = l->direct->smtp;

	plan.hosts = hosts;
	plan.host_count = n;
	plan.failed = on_failed;
	postern_smtp_send(l->job, &plan);
}

static void
settle_ours(struct looking *l)
{
	settle(l, 0, NULL, "the best MX of %s is this gateway itself; give "
	       "the domain a route of its own", l->domain);
}

/* RFC 5321 section 5.1: the domain itself, by its address. */
static void
send_to_domain(struct looking *l)
{
	const char *host = l->domain;

	l->implicit = true;
	if (strcasecmp(host, postern_hostname(l->direct->me)) == 0)
		settle_ours(l);
	else
		send_to(l, &host, 1);
}

static void
send_to_mx(struct looking *l, const struct postern_dns_answer *a)
{
	struct mx mx[MX_MOST];
	const char *hosts[MX_MOST];
	size_t n = 0;

	switch (mx_order(a, postern_hostname(l->direct->me), chance, l->direct,
			 mx, &n)) {
	case MX_HOSTS:
		for (size_t i = 0; i < n; i++)
			hosts[i] = mx[i].name;
		send_to(l, hosts, n);
		break;
	case MX_NULL:
		settle(l, 556, "5.1.10", "the domain %s accepts no mail (null "
		       "MX)", l->domain);
		break;
	case MX_OURS:
		settle_ours(l);
		break;
	case MX_UNUSABLE:
		settle(l, 0, NULL, "none of the MX records of %s names a "
		       "host", l->domain);
		break;
	}
}

static void
on_mx(void *arg, const struct postern_dns_answer *a)
{
	struct looking *l = arg;

	l->question = 0;
	switch (a->status) {
	case POSTERN_DNS_OK:
		send_to_mx(l, a);
		break;
	case POSTERN_DNS_NODATA:
		send_to_domain(l);
		break;
	case POSTERN_DNS_NXDOMAIN:
		settle(l, 550, "5.1.2", "the domain %s does not exist",
		       l->domain);
		break;
	default:
		settle(l, 0, NULL, "the MX of %s cannot be looked up: %s",
		       l->domain, a->why ? a->why : "no answer");
	}
}

/* --- jobs ------------------------------------------------------------ */

static void
direct_deliver(void *self, postern_job *job)
{
	struct direct *d = self;
	struct looking *l = postern_job_data(job, sizeof(*l));
	const char *literal = l->domain;
	uint64_t question;

	l->direct = d;
	l->job = job;
	if (mx_domain(postern_job_rcpt(job, 0), l->domain, sizeof(l->domain))
	    != 0) {
		settle(l, 550, "5.1.2", "the recipient has no domain that "
		       "mail could be sent to");
		return;
	}
	if (l->domain[0] == '[') {
		send_to(l, &literal, 1);
		return;
	}
	/* answered at once, the job may be gone */
	question = postern_dns(d->me, l->domain, POSTERN_DNS_MX, on_mx, l);
	if (question != 0)
		l->question = question;
}

static void
direct_cancel(void *self, postern_job *job)
{
	struct direct *d = self;
	struct looking *l = postern_job_data(job, sizeof(*l));

	postern_give_up(d->me, l->question);
	settle(l, 0, NULL, "the gateway stops");
}

static const struct postern_backend direct_backend = {
	.describe = direct_describe,
	.deliver = direct_deliver,
	.cancel = direct_cancel,
};

POSTERN_MODULE(
	.name = "direct",
	.summary = "delivers to the mail servers of each recipient's domain",
	.flags = POSTERN_RECEIVERS | POSTERN_CHECKS_PARTS,
	.options = direct_options,
	.self_size = sizeof(struct direct),
	.check = direct_check,
	.open = direct_open,
	.backend = &direct_backend
);
