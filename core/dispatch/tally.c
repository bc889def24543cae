/* tally.c - what became of the recipients of a route, and of a destination
 *
 * Counts outlive what they belong to: a reload replaces outlets, and a
 * destination goes when it has been idle for a while, but what is shown counts
 * from the start of the gateway.  A route's counts are kept for good; those of
 * destinations, whose number senders choose, are given up above a limit.
 */
#include "dispatch/inside.h"

#include <string.h>

static struct tally **
tally_bucket(struct dispatch *d, const char *route, const char *destination)
{
	uint64_t hash = span_hash_nocase(span_of(route)) * 31 +
			span_hash_nocase(span_of(destination));

	return &d->tallies.buckets[hash % TALLY_BUCKETS];
}

/* destination: "" for the route itself. */
struct tally *
tally_get(struct dispatch *d, const char *route, const char *destination)
{
	struct tally **bucket = tally_bucket(d, route, destination);
	struct tally *t = *bucket;

	while (t != NULL && (strcmp(t->route, route) != 0 ||
			     !span_eq_nocase(span_of(t->destination),
					     span_of(destination))))
		t = t->next;
	if (t == NULL) {
		t = NEW(struct tally);
		t->route = mem_strdup(route);
		t->destination = mem_strdup(destination);
		t->next = *bucket;
		*bucket = t;
		d->tallies.n++;
	}
	t->refs++;
	return t;
}

static void
tally_free(struct dispatch *d, struct tally *t)
{
	struct tally **p = tally_bucket(d, t->route, t->destination);

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	d->tallies.n--;
	mem_free(t->route);
	mem_free(t->destination);
	mem_free(t);
}

void
tally_unref(struct dispatch *d, struct tally **ptr)
{
	struct tally *t = *ptr;

	*ptr = NULL;
	if (t != NULL && --t->refs == 0 && t->destination[0] != '\0' &&
	    d->tallies.n > LIMIT_DESTINATIONS)
		tally_free(d, t);
}

void
tally_count(struct tally *t, enum verdict v)
{
	if (v == VERDICT_DELIVERED)
		t->delivered++;
	else if (v == VERDICT_BOUNCE)
		t->bounced++;
	else
		t->deferred++;
}

void
tallies_free(struct dispatch *d)
{
	for (size_t i = 0; i < TALLY_BUCKETS; i++)
		while (d->tallies.buckets[i] != NULL)
			tally_free(d, d->tallies.buckets[i]);
}
