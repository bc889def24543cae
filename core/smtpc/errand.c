/* errand.c - the way of one message to a server, and its settling */
#include "smtpc/errand.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns.h"
#include "smtpc/away.h"
#include "smtpc/client.h"
#include "smtpc/engine.h"

#include <stdio.h>
#include <string.h>

const struct rcpt *
errand_rcpt(const struct errand *a, size_t i)
{
	return &a->m->env->rcpts[a->m->rcpts[i]];
}

int64_t
errand_timeout_ms(const struct errand *a, enum smtpc_timeout t)
{
	int64_t ms = a->plan->timeouts_ms[t];

	return ms > 0 ? ms : smtpc_timeout_rows[t].default_ms;
}

/* --- settling -------------------------------------------------------- */

void
errand_settle(struct errand *a, size_t i, const struct outcome *o)
{
	if (a->rcpts[i] == RCPT_SETTLED)
		return;
	a->rcpts[i] = RCPT_SETTLED;
	a->unsettled--;
	a->events->settled(a->arg, i, o);
}

void
errand_settle_those(struct errand *a, enum rcpt_state s,
		     const struct outcome *o)
{
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (a->rcpts[i] == s)
			errand_settle(a, i, o);
}

void
errand_settle_rest(struct errand *a, const struct outcome *o)
{
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		errand_settle(a, i, o);
}

/* The message is still lent to us while its source owes us an answer. */
void
errand_finish(struct errand *a)
{
	if (a->over) {			/* dropped, and the source answered */
		errand_later(a);
		return;
	}
	if (a->unsettled > 0 || a->client != NULL || a->reading)
		return;
	errand_drop(a);
	a->events->done(a->arg);
}

void
errand_fail(struct errand *a, const struct outcome *o)
{
	if (a->starting) {
		if (o != &a->last)
			a->last = *o;
		a->failing = true;
		errand_later(a);
		return;
	}
	errand_settle_rest(a, o);
	errand_finish(a);
}

/* --- the way to a server --------------------------------------------- */

static void errand_next(struct errand *a);

static void
outcome_host(struct errand *a, struct outcome *o, const char *host)
{
	snprintf(o->host, sizeof(o->host), "%s", host);
	o->connect_ms = clock_now_ms() - a->began_ms;
}

static void
on_addresses(void *arg, const struct dns_addresses *answer)
{
	struct errand *a = arg;
	const char *host = a->plan->hosts[a->host - 1];

	a->lookup = 0;
	a->ip_next = 0;
	a->ip_count = MIN(answer->n, (size_t)ADDRESSES_PER_HOST);
	for (size_t i = 0; i < a->ip_count; i++)
		a->ips[i] = answer->ips[i];
	if (answer->status != DNS_OK) {
		a->ip_count = 0;
		a->last = (struct outcome){ .code = 0 };
		outcome_set(&a->last, OUTCOME_DNS, PHASE_RESOLVE, "%s: %s",
			    host, answer->why);
		a->last.enhanced = answer->status == DNS_FAILED
			? (struct enhanced){ 4, 4, 3 }
			: (struct enhanced){ 4, 4, 4 };
		outcome_host(a, &a->last, host);
	}
	errand_next(a);
}

static struct endpoint
errand_endpoint(const struct errand *a, struct ip ip)
{
	return (struct endpoint){ ip, a->plan->port ? a->plan->port : 25 };
}

static void
errand_call(struct errand *a, struct place p, bool plainly)
{
	a->called = p;
	client_connect(a, errand_endpoint(a, p.ip), a->plan->hosts[p.host],
		       plainly);
}

/* It was away a moment ago, and others may be there. */
static bool
errand_puts_off(struct errand *a, struct place p)
{
	if (a->put_off_count == PUT_OFF_MAX ||
	    !away_is(a->engine->away, errand_endpoint(a, p.ip)))
		return false;
	a->put_off[a->put_off_count++] = p;
	return true;
}

/* One that is known: of this host, or after all hosts one that was put
 * off. */
static bool
errand_call_known(struct errand *a)
{
	while (a->ip_next < a->ip_count) {
		struct place p = { a->host - 1, a->ips[a->ip_next++] };

		if (errand_puts_off(a, p))
			continue;
		errand_call(a, p, false);
		return true;
	}
	if (a->host < a->plan->host_count ||
	    a->put_off_next == a->put_off_count)
		return false;
	errand_call(a, a->put_off[a->put_off_next++], false);
	return true;
}

/* The next address of this host, or of the next that has some. */
static void
errand_next(struct errand *a)
{
	const char *host;
	uint64_t ticket;

	if (errand_call_known(a))
		return;
	if (a->host == a->plan->host_count) {
		errand_fail(a, &a->last);
		return;
	}
	host = a->plan->hosts[a->host++];
	/* answered at once it comes back here, no deeper than hosts there
	 * are, and leaves no ticket of its own */
	ticket = dns_lookup(a->engine->dns, host, a->plan->hosts_written
			    ? DNS_BY_ADMINISTRATOR : DNS_BY_ANYBODY,
			    on_addresses, a);
	if (ticket != 0)
		a->lookup = ticket;
}

void
errand_begin(struct errand *a)
{
	struct client *c = a->fresh ? NULL : pool_take(a);

	a->began_ms = clock_now_ms();
	a->greeted_ms = a->data_ms = 0;
	if (c == NULL) {
		a->host = a->ip_count = a->ip_next = 0;
		a->put_off_count = a->put_off_next = 0;
		errand_next(a);
		return;
	}
	a->greeted_ms = a->began_ms;
	/* what this server cannot take would be settled at once: not before
	 * smtpc_send() has returned */
	if (a->starting && !transaction_fits(c))
		errand_later(a);
	else
		client_go(c, transaction_begin(c));
}

void
errand_elsewhere(struct errand *a, const struct outcome *o)
{
	a->last = *o;
	errand_next(a);
}

void
errand_plainly(struct errand *a)
{
	errand_call(a, a->called, true);
}

void
errand_again(struct errand *a)
{
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (a->rcpts[i] != RCPT_SETTLED)
			a->rcpts[i] = RCPT_WAITS;
	a->fresh = true;
	errand_begin(a);
}

/* --- life ------------------------------------------------------------ */

static void
errand_cancelled(struct errand *a)
{
	struct outcome o = { .code = 0 };
	enum phase at = PHASE_RESOLVE;

	if (a->client != NULL) {
		at = client_rows[a->client->state].phase;
		client_facts(a->client, &o);
		client_cut(a->client);
	}
	if (a->lookup != 0)
		dns_forget(a->engine->dns, a->lookup);
	a->lookup = 0;
	outcome_set(&o, OUTCOME_LOCAL, at, "cancelled by the gateway");
	errand_fail(a, &o);
}

static void
errand_turn(struct later *l)
{
	struct errand *a = container_of(l, struct errand, later);

	if (a->over) {
		if (!a->reading)
			mem_free(a);
	} else if (a->failing) {
		errand_fail(a, &a->last);
	} else if (a->cancelled) {
		errand_cancelled(a);
	} else if (a->client != NULL && a->client->state == ST_IDLE) {
		client_go(a->client, transaction_begin(a->client));
	}
}

void
errand_later(struct errand *a)
{
	loop_later(a->loop, &a->later);
}

struct errand *
errand_new(struct smtpc *e, const struct smtpc_plan *plan,
	    const struct smtpc_message *m)
{
	struct errand *a = mem_new(sizeof(*a) + m->rcpt_count);

	must(plan->host_count > 0 && m->rcpt_count > 0);
	a->engine = e;
	a->loop = e->loop;
	a->plan = plan;
	a->m = m;
	a->unsettled = m->rcpt_count;
	a->later.run = errand_turn;
	a->ticket = ticket_open(e->tickets, a);
	a->next = e->attempts;
	a->prev = &e->attempts;
	if (a->next != NULL)
		a->next->prev = &a->next;
	e->attempts = a;
	e->counts.attempts++;
	return a;
}

void
errand_drop(struct errand *a)
{
	struct smtpc *e = a->engine;

	a->over = true;
	if (a->client != NULL)
		client_cut(a->client);
	if (a->lookup != 0)
		dns_forget(e->dns, a->lookup);
	ticket_close(e->tickets, a->ticket);
	*a->prev = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	e->counts.attempts--;
	errand_later(a);
}
