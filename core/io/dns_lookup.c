/* dns_lookup.c - the addresses of a host: two questions, one answer */
#include "io/dns_inside.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>

enum { FAMILY_MAX = 16 };		/* of one name; the rest is left out */

struct family {
	struct dns_lookup *lookup;
	struct dns_question *question;	/* NULL: not asked yet, or answered */
	bool answered, secure;
	enum dns_status status;
	char why[600];
	struct ip ips[FAMILY_MAX];
	size_t n;
};

struct dns_lookup {
	struct dns_pending pending;
	struct dns *dns;
	struct dns_lookup *next, **prev;
	bool asking;			/* within dns_lookup() */
	dns_addresses_fn *done;
	void *arg;
	struct family families[2];	/* IPv4, IPv6 */
};

/* --- life ------------------------------------------------------------ */

static void
lookup_detach(struct dns_lookup *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(l->families); i++)
		dns_question_drop(&l->families[i].question);
	ticket_close(l->dns->tickets, l->pending.ticket);
	*l->prev = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
}

static void
lookup_forget(struct dns_pending *p)
{
	struct dns_lookup *l = container_of(p, struct dns_lookup, pending);

	lookup_detach(l);
	mem_free(l);
}

void
dns_lookups_drop(struct dns *d)
{
	while (d->lookups != NULL)
		lookup_forget(&d->lookups->pending);
}

/* --- the answer ------------------------------------------------------ */

static bool
ip_among(struct ip ip, const struct ip *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(v[i], ip))
			return true;
	return false;
}

/* IPv4 and IPv6 in turn; into ips, of 2 * FAMILY_MAX. */
static size_t
addresses_mix(const struct dns_lookup *l, struct ip *ips)
{
	size_t n = 0;

	for (size_t i = 0; i < FAMILY_MAX; i++)
		for (size_t f = 0; f < ARRAY_SIZE(l->families); f++)
			if (i < l->families[f].n &&
			    !ip_among(l->families[f].ips[i], ips, n))
				ips[n++] = l->families[f].ips[i];
	return n;
}

/* What is told of a host without an address: a failure proves nothing, so it
 * comes first. */
static void
absence_judge(const struct dns_lookup *l, struct dns_addresses *a)
{
	const struct family *v4 = &l->families[0], *v6 = &l->families[1];
	const struct family *failed = v4->status == DNS_FAILED ? v4
				    : v6->status == DNS_FAILED ? v6 : NULL;

	if (failed != NULL) {
		a->status = DNS_FAILED;
		a->why = failed->why;
	} else if (v4->status == DNS_NXDOMAIN || v6->status == DNS_NXDOMAIN) {
		a->status = DNS_NXDOMAIN;
		a->why = v4->status == DNS_NXDOMAIN ? v4->why : v6->why;
	} else {
		a->status = DNS_NODATA;
		a->why = "the name has no address";
	}
}

static void
lookup_answer(struct dns_lookup *l)
{
	struct ip ips[2 * FAMILY_MAX];
	struct dns_addresses a = { .status = DNS_OK, .ips = ips };

	a.n = addresses_mix(l, ips);
	a.secure = l->families[0].secure && l->families[1].secure;
	if (a.n == 0)
		absence_judge(l, &a);
	lookup_detach(l);
	l->done(l->arg, &a);
	mem_free(l);
}

static void
on_family(void *arg, const struct dns_answer *answer)
{
	struct family *f = arg;
	struct dns_lookup *l = f->lookup;

	f->question = NULL;
	f->answered = true;
	f->status = answer->status;
	f->secure = answer->secure;
	snprintf(f->why, sizeof(f->why), "%s", answer->why ? answer->why : "");
	for (size_t i = 0; i < answer->n && f->n < FAMILY_MAX; i++)
		if (ip_parse(span_of(answer->records[i].text), &f->ips[f->n]))
			f->n++;
	if (!l->asking && l->families[0].answered && l->families[1].answered)
		lookup_answer(l);
}

/* --- asking ---------------------------------------------------------- */

/* "192.0.2.1", "[192.0.2.1]", "2001:db8::1", "[IPv6:2001:db8::1]" */
static bool
name_is_address(struct span s, struct ip *ret)
{
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (span_starts_nocase(s, SPAN("IPv6:")))
		s = span_from(s, 5);
	return ip_parse(s, ret);
}

/* Answers what needs no question. */
static bool
lookup_trivial(struct span name, dns_addresses_fn *done, void *arg)
{
	struct dns_addresses a = { .status = DNS_OK };
	struct error err;
	struct ip ip;

	if (name_is_address(name, &ip)) {
		a.ips = &ip;
		a.n = 1;
	} else if (!dns_name_check(dns_name_trim(name), &err)) {
		a.status = DNS_NXDOMAIN;
		a.why = err.text;
	} else {
		return false;
	}
	done(arg, &a);
	return true;
}

static struct dns_lookup *
lookup_new(struct dns *d, dns_addresses_fn *done, void *arg)
{
	struct dns_lookup *l = NEW(struct dns_lookup);

	l->dns = d;
	l->done = done;
	l->arg = arg;
	l->pending.forget = lookup_forget;
	l->next = d->lookups;
	l->prev = &d->lookups;
	if (l->next != NULL)
		l->next->prev = &l->next;
	d->lookups = l;
	return l;
}

uint64_t
dns_lookup(struct dns *d, const char *name, enum dns_author author,
	   dns_addresses_fn *done, void *arg)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	struct span s = span_of(name);
	struct dns_lookup *l;

	if (lookup_trivial(s, done, arg))
		return 0;
	l = lookup_new(d, done, arg);
	l->asking = true;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct family *f = &l->families[i];

		f->lookup = l;
		f->question = dns_question_ask(d, &(struct dns_request){
			.name = dns_name_trim(s), .type = types[i],
			.author = author, .done = on_family, .arg = f });
	}
	l->asking = false;
	if (l->families[0].answered && l->families[1].answered) {
		lookup_answer(l);
		return 0;
	}
	l->pending.ticket = ticket_open(d->tickets, &l->pending);
	return l->pending.ticket;
}
