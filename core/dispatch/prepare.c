/* prepare.c - a message is made ready to be sent: it is signed
 *
 * Signing takes a worker the best part of a millisecond, so it is done once
 * for an item, route and set of keys, before the first of its deliveries; the
 * signature goes in front of the item's prefix and stays there for every
 * further attempt, across a restart, too.  Other keys make another one.
 *
 * What can fail: the stored message cannot be read, or holds what cannot be
 * signed.  Sent unsigned it would be refused where it matters, so it waits
 * and the reason is told.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "base/worker.h"
#include "mail/signer.h"

enum { KEYS_MAX = 8, PIECE = 64 * 1024 };

struct preparation {
	struct task task;
	struct attempt *attempt;
	struct snapshot *snap;		/* keeps the route and its keys */
	const struct route *route;
	struct item *item;		/* the attempt's: nobody else has it now */
	struct body_source *source;
	uint64_t number;
	struct buf fields;		/* the signatures */
	bool ok;
	struct error err;
};

/* --- on a worker ----------------------------------------------------- */

static bool
feed_stored(struct preparation *p, struct signing *s, uint64_t offset)
{
	char *piece = mem_new(PIECE);
	bool ok = true;
	size_t got;

	do {
		ok = p->source->ops->pread(p->source, offset, piece, PIECE,
					   &got, &p->err) &&
		     signing_feed(s, (struct span){ piece, got }, &p->err);
		offset += got;
	} while (ok && got > 0);
	mem_free(piece);
	return ok;
}

static bool
feed(struct preparation *p, struct signing *s)
{
	const struct item *item = p->item;

	if (!signing_feed(s, buf_span(&item->prefix), &p->err))
		return false;
	if (body_in_memory(item->body))
		return signing_feed(s, buf_span(&item->body->bytes), &p->err);
	return feed_stored(p, s, item->prefix.len);
}

/* Whose keys sign it: the domain in From (RFC 6376 section 6.3). */
static bool
find_domain(struct preparation *p, struct buf *domain)
{
	const struct item *item = p->item;
	AUTO(buf_fini) struct buf head = BUF_MAX(LIMIT_HEADER);
	struct span body = span_sub(buf_span(&item->body->bytes), 0,
				    LIMIT_HEADER);
	size_t got = 0, most = MIN(item->body->size, (uint64_t)LIMIT_HEADER);
	char *to;

	if (signer_from_domain(buf_span(&item->prefix), domain))
		return true;
	if (body_in_memory(item->body) || most == 0)
		return signer_from_domain(body, domain);
	to = buf_room(&head, most);
	if (to == NULL || !p->source->ops->pread(p->source, item->prefix.len,
						 to, most, &got, &p->err))
		return false;
	buf_added(&head, got);
	return signer_from_domain(buf_span(&head), domain);
}

static void
prepare_work(struct task *t)
{
	struct preparation *p = container_of(t, struct preparation, task);
	AUTO(buf_fini) struct buf domain = BUF_MAX(LIMIT_DOMAIN);
	const struct signer_key *keys[KEYS_MAX];
	struct signing *s;
	size_t n = 0;

	if (find_domain(p, &domain))
		n = signers_pick(p->route, buf_span(&domain), keys, KEYS_MAX);
	p->ok = true;
	if (n == 0)
		return;		/* nobody of ours: it goes as it is */
	s = signing_new(keys, n, clock_wall_ms() / 1000);
	p->ok = feed(p, s) && signing_finish(s, &p->fields, &p->err);
	signing_free(&s);
}

/* --- on the loop ----------------------------------------------------- */

static bool
seal_put(struct item *item, const struct buf *fields, uint64_t number)
{
	struct buf prefix = BUF_MAX(LIMIT_PREFIX);

	if (!buf_add(&prefix, buf_span(fields)) ||
	    !buf_add(&prefix, buf_span(&item->prefix))) {
		buf_fini(&prefix);
		return false;
	}
	buf_fini(&item->prefix);
	item->prefix = prefix;
	item->sealed = fields->len;
	item->sealed_by = number;
	return true;
}

static void
prepare_done(struct task *t)
{
	struct preparation *p = container_of(t, struct preparation, task);
	struct attempt *a = p->attempt;

	if (p->ok && !seal_put(p->item, &p->fields, p->number))
		p->ok = error_set(&p->err, ERROR_LIMIT, "its signatures do "
				  "not fit in front of it");
	a->preparing = false;
	a->resealed = p->ok;
	attempt_prepared(a, p->ok ? NULL : &p->err);
	body_source_free(&p->source);
	buf_fini(&p->fields);
	snapshot_unref(&p->snap);
	mem_free(p);
}

static void
prepare_begin(struct attempt *a, const struct outlet *o, uint64_t number)
{
	struct preparation *p = NEW(struct preparation);
	struct dispatch *d = a->dispatch;

	p->attempt = a;
	p->snap = snapshot_ref(o->snap);
	p->route = o->route;
	p->item = a->item;
	p->number = number;
	p->fields = BUF_MAX(LIMIT_PREFIX);
	if (!body_in_memory(a->item->body))
		p->source = spool_source(d->spool, a->item, d->loop);
	p->task = (struct task){ .work = prepare_work, .done = prepare_done,
				 .home = loop_mailbox(d->loop) };
	a->preparing = true;
	workers_submit(d->workers, &p->task);
}

/* Another number for other keys; 0: there are none. */
static uint64_t
signers_number(const struct route *r)
{
	uint64_t number = r->signer_count;

	for (size_t i = 0; i < r->signer_count; i++)
		number = number * 0x100000001b3u ^
			 signer_key_number(r->signers[i]);
	return r->signer_count > 0 ? number | 1 : 0;
}

bool
attempt_prepare(struct attempt *a, const struct outlet *o)
{
	struct item *item = a->item;
	uint64_t number = signers_number(o->route);

	if (item->sealed_by == number || outlet_turns_away(o))
		return false;
	/* by keys that are not these: it is taken off again */
	buf_drop(&item->prefix, item->sealed);
	item->sealed = 0;
	item->sealed_by = 0;
	if (number == 0)
		return false;
	prepare_begin(a, o, number);
	return true;
}
