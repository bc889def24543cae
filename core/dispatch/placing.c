/* placing.c - recipients of an item into deliveries, and those into lines
 *
 * A recipient goes where the item's route sends it.  When that route is gone
 * from the configuration, the rules decide again from what is known of the
 * message's origin; a recipient that no route takes waits like one whose host
 * does not answer.
 */
#include "dispatch/inside.h"

#include <stdio.h>
#include <string.h>

/* --- where to -------------------------------------------------------- */

static void
attempt_facts(const struct attempt *a, size_t rcpt, struct facts *ret)
{
	const struct item *item = a->item;
	const struct body *body = item->body;

	*ret = (struct facts){
		.sender = item->env->sender,
		.recipient = item->env->rcpts[rcpt].address,
		.listener = span_of(item->origin.listener),
		.own = item->origin.client == NULL,
		.size = item_size(item),
	};
	ip_parse(span_of(item->origin.client), &ret->client);
	/* without the bytes, rules on the header stay undecided */
	if (body_in_memory(body)) {
		ret->at_end = true;
		ret->header = span_sub(buf_span(&body->bytes), 0, LIMIT_HEADER);
	}
}

/* Deliveries while they are being filled, chained by next. */
struct placing {
	struct attempt *attempt;
	struct delivery *first, **last;
	struct delivery *lost;		/* those without a route */
	unsigned char *kept;		/* of the facts: owned */
};

static struct outlet *
placing_reroute(struct placing *p, size_t rcpt)
{
	struct dispatch *d = p->attempt->dispatch;
	const struct route *r;
	struct facts facts;

	attempt_facts(p->attempt, rcpt, &facts);
	if (p->kept == NULL && d->routes->n > 0)
		p->kept = mem_array(d->routes->n, sizeof(*p->kept));
	facts.kept = p->kept;
	r = routes_pick(d->routes, &facts, NULL);
	return r == NULL ? NULL : outlet_find(d, r->name);
}

static struct outlet *
placing_outlet(struct placing *p, size_t rcpt)
{
	struct attempt *a = p->attempt;
	struct dispatch *d = a->dispatch;

	if (d->recent == NULL || strcmp(d->recent->name, a->item->route) != 0)
		d->recent = outlet_find(d, a->item->route);
	return d->recent != NULL ? d->recent : placing_reroute(p, rcpt);
}

static size_t
first_queued(const struct item *item)
{
	size_t i = 0;

	while (i < item->env->rcpt_count &&
	       item->rcpts[i].state != RCPT_QUEUED)
		i++;
	return i;
}

struct outlet *
attempt_outlet(struct attempt *a)
{
	struct placing p = { .attempt = a };
	size_t i = first_queued(a->item);
	struct outlet *o = i < a->item->env->rcpt_count ? placing_outlet(&p, i)
							: NULL;

	mem_free(p.kept);
	return o;
}

/* --- into deliveries ------------------------------------------------- */

static struct delivery *
placing_delivery(struct placing *p, struct destination *t)
{
	struct delivery *y = t->filling;

	if (y != NULL && y->job.rcpt_count < LIMIT_JOB_RCPTS)
		return y;
	y = t->filling = delivery_new(p->attempt, t);
	*p->last = y;
	p->last = &y->next;
	return y;
}

static void
place_rcpt(struct placing *p, size_t rcpt)
{
	struct attempt *a = p->attempt;
	struct outlet *o = placing_outlet(p, rcpt);
	struct span s = a->item->env->rcpts[rcpt].address.text;
	struct backend_destination what;
	char address[LIMIT_PATH + 1];

	if (o == NULL) {
		if (p->lost == NULL)
			p->lost = delivery_new(a, NULL);
		delivery_add_rcpt(p->lost, rcpt);
		return;
	}
	s = span_sub(s, 0, sizeof(address) - 1);
	memcpy(address, s.p, s.n);
	address[s.n] = '\0';
	backend_describe(o->backend, address, &what);
	delivery_add_rcpt(placing_delivery(p, destination_get(o, &what)), rcpt);
}

static void
place_lost(struct delivery *y)
{
	const struct item *item = y->attempt->item;
	char id[ITEM_TEXT], why[200];

	snprintf(why, sizeof(why), "route `%s' is no longer in the "
		 "configuration, and no other route takes the message", item->route);
	log_warning(&dispatch_log, "%s: %s; add the route again, or write "
		    "another route that matches, and reload",
		    item_id_text(item->id, id), why);
	delivery_fails_here(y, why);
}

/* --- into lines ------------------------------------------------------ */

/* The attempt must be kept alive by its caller (under_way). */
static void
placing_go(struct placing *p)
{
	mem_free(p->kept);
	for (struct delivery *y = p->first; y != NULL; y = y->next)
		y->destination->filling = NULL;
	while (p->first != NULL) {
		struct delivery *y = p->first;

		p->first = y->next;
		y->next = NULL;
		destination_add(y->destination, y);
	}
	if (p->lost != NULL)
		place_lost(p->lost);
}

void
attempt_place(struct attempt *a)
{
	struct placing p = { .attempt = a, .last = &p.first };
	struct item *item = a->item;

	for (size_t i = 0; i < item->env->rcpt_count; i++)
		if (item->rcpts[i].state == RCPT_QUEUED)
			place_rcpt(&p, i);
	placing_go(&p);
}

void
delivery_move(struct delivery *y)
{
	struct attempt *a = y->attempt;
	struct placing p = { .attempt = a, .last = &p.first };

	a->under_way++;
	for (size_t i = 0; i < y->job.rcpt_count; i++)
		place_rcpt(&p, y->rcpts[i]);
	delivery_end(y);
	placing_go(&p);
	a->under_way--;
	attempt_goes_on(a);
}

void
attempt_fails_here(struct attempt *a, const char *why)
{
	struct delivery *y = delivery_new(a, NULL);

	for (size_t i = 0; i < a->item->env->rcpt_count; i++)
		if (a->item->rcpts[i].state == RCPT_QUEUED)
			delivery_add_rcpt(y, i);
	delivery_fails_here(y, why);
}
