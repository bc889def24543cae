/* dns.c - names to addresses by getaddrinfo, on a worker
 *
 * The order of the addresses is the system's (RFC 6724), without duplicates.
 * Whatever is not a clear "there is no such thing" counts as no answer.
 */
#include "io/dns.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"

#include <netdb.h>
#include <string.h>

enum { ADDRESSES_MAX = 32 };		/* of one name; the rest is left out */

struct dns {
	struct loop *loop;
	struct workers *workers;
	struct tickets *tickets;
	struct lookup *first;		/* under way */
};

/* Owned by its worker while it is away; dns is NULL when nobody waits for
 * it any more. */
struct lookup {
	struct task task;
	struct dns *dns;
	struct lookup *next, **prev;
	uint64_t ticket;
	dns_fn *done;
	void *arg;
	char *name;
	enum dns_status status;
	const char *why;
	size_t n;
	struct ip ips[ADDRESSES_MAX];
};

struct dns *
dns_new(struct loop *loop, struct workers *workers)
{
	struct dns *d = NEW(struct dns);

	d->loop = loop;
	d->workers = workers;
	d->tickets = tickets_new();
	return d;
}

static void
lookup_detach(struct lookup *q)
{
	ticket_close(q->dns->tickets, q->ticket);
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	q->dns = NULL;
}

void
dns_free(struct dns **d)
{
	if (*d == NULL)
		return;
	while ((*d)->first != NULL)
		lookup_detach((*d)->first);
	tickets_free(&(*d)->tickets);
	mem_free(*d);
	*d = NULL;
}

static void
lookup_add(struct lookup *q, const struct addrinfo *ai)
{
	struct endpoint e;

	if (q->n == ADDRESSES_MAX || !endpoint_from_sockaddr(ai->ai_addr, &e))
		return;
	for (size_t i = 0; i < q->n; i++)
		if (ip_eq(q->ips[i], e.ip))
			return;
	q->ips[q->n++] = e.ip;
}

/* On a worker. */
static void
lookup_work(struct task *t)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	};
	struct lookup *q = container_of(t, struct lookup, task);
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(q->name, NULL, &hints, &list);

	for (struct addrinfo *ai = list; ai != NULL && rc == 0; ai = ai->ai_next)
		lookup_add(q, ai);
	if (list != NULL)
		freeaddrinfo(list);
	if (q->n > 0) {
		q->status = DNS_OK;
		return;
	}
	switch (rc) {
	case EAI_NONAME:
		q->status = DNS_NONE;
		q->why = "the name does not exist";
		break;
	case 0:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		q->status = DNS_NONE;
		q->why = "the name has no address";
		break;
	default:
		q->status = DNS_FAILED;
		q->why = gai_strerror(rc);
	}
}

static void
lookup_done(struct task *t)
{
	struct lookup *q = container_of(t, struct lookup, task);
	struct dns_answer a = { q->status, q->ips, q->n, q->why };

	if (q->dns != NULL) {
		lookup_detach(q);
		q->done(q->arg, &a);
	}
	mem_free(q->name);
	mem_free(q);
}

uint64_t
dns_lookup(struct dns *d, const char *name, dns_fn *done, void *arg)
{
	struct span s = span_of(name);
	struct dns_answer a = { .status = DNS_OK, .n = 1 };
	struct lookup *q;
	struct ip ip;

	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (span_starts_nocase(s, SPAN("IPv6:")))
		s = span_from(s, 5);
	if (ip_parse(s, &ip)) {
		a.ips = &ip;
		done(arg, &a);
		return 0;
	}
	q = NEW(struct lookup);
	q->task = (struct task){ .work = lookup_work, .done = lookup_done,
				 .home = loop_mailbox(d->loop) };
	q->dns = d;
	q->done = done;
	q->arg = arg;
	q->name = mem_strdup(name);
	q->ticket = ticket_open(d->tickets, q);
	q->next = d->first;
	q->prev = &d->first;
	if (d->first != NULL)
		d->first->prev = &q->next;
	d->first = q;
	workers_submit(d->workers, &q->task);
	return q->ticket;
}

void
dns_forget(struct dns *d, uint64_t ticket)
{
	struct lookup *q = ticket_find(d->tickets, ticket);

	if (q != NULL)
		lookup_detach(q);
}
