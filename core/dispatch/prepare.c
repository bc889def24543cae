/* prepare.c - a message is made ready to be sent: it is signed
 *
 * Signing takes a worker the best part of a millisecond, so it is done once
 * for an item, route and set of keys, before the first of its deliveries; the
 * signature goes in front of the item's prefix and stays there for every
 * further attempt, across a restart, too.  Other keys make another one, and
 * so does a clock that has been set back behind it.
 *
 * What can fail: the stored message cannot be read; then it waits.  And it may
 * hold what cannot be signed (two From fields, a line that is none): it goes
 * out as it is and the log says so, for it would be as odd tomorrow.  Only a
 * route that demands signatures keeps it.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "base/worker.h"
#include "mail/signer.h"

#include <string.h>

enum {
	KEYS_MAX = 8,
	PIECE = 64 * 1024,
	AHEAD_S = 60,			/* of a signature: a clock was wrong */
};

enum found {
	FOUND_SIGNED,
	FOUND_FOREIGN,			/* none of the keys is for its From */
	FOUND_ODD,			/* it cannot be signed */
	FOUND_UNREAD,
};

struct preparation {
	struct task task;
	struct attempt *attempt;
	struct snapshot *snap;		/* keeps the route and its keys */
	const struct route *route;
	struct item *item;		/* the attempt's: nobody else has it now */
	struct body_source *source;
	uint64_t number;
	struct buf fields;		/* the signatures */
	enum found found;
	bool unread;			/* the message could not be read */
	struct error err;		/* why it is not signed */
};

/* --- on a worker ----------------------------------------------------- */

static bool
read_at(struct preparation *p, uint64_t offset, char *to, size_t max,
	size_t *got)
{
	p->unread = !p->source->ops->pread(p->source, offset, to, max, got,
					   &p->err);
	return !p->unread;
}

static bool
feed_stored(struct preparation *p, struct signing *s, uint64_t offset)
{
	char *piece = mem_new(PIECE);
	bool ok = true;
	size_t got;

	do {
		ok = read_at(p, offset, piece, PIECE, &got) &&
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

/* The header section with what we put in front, and perhaps more. */
static bool
head_read(struct preparation *p, struct buf *head)
{
	const struct item *item = p->item;
	size_t got = 0, most = MIN(item->body->size, (uint64_t)LIMIT_HEADER);
	char *to;

	buf_add(head, buf_span(&item->prefix));
	if (body_in_memory(item->body))
		return buf_add(head, span_sub(buf_span(&item->body->bytes), 0,
					      most));
	to = buf_room(head, most);
	must(to != NULL);
	if (!read_at(p, item->prefix.len, to, most, &got))
		return false;
	buf_added(head, got);
	return true;
}

static enum found
sign(struct preparation *p, const struct signer_key *const *keys, size_t n)
{
	struct signing *s = signing_new(keys, n, clock_wall_ms() / 1000);
	bool ok = feed(p, s) && signing_finish(s, &p->fields, &p->err);

	signing_free(&s);
	if (ok)
		return FOUND_SIGNED;
	return p->unread ? FOUND_UNREAD : FOUND_ODD;
}

/* Whose keys sign it: the domain in From (RFC 6376 section 6.3). */
static enum found
find_and_sign(struct preparation *p)
{
	AUTO(buf_fini) struct buf head = BUF_MAX(LIMIT_PREFIX + LIMIT_HEADER);
	AUTO(buf_fini) struct buf domain = BUF_MAX(LIMIT_DOMAIN + 1);
	const struct signer_key *keys[KEYS_MAX];
	size_t n;

	if (!head_read(p, &head))
		return FOUND_UNREAD;
	if (!signer_from_domain(buf_span(&head), &domain, &p->err))
		return FOUND_ODD;
	n = signers_pick(p->route, buf_span(&domain), keys, KEYS_MAX);
	if (n > 0)
		return sign(p, keys, n);
	error_set(&p->err, ERROR_CONFIG, "the route has no key for %s",
		  buf_str(&domain));
	return FOUND_FOREIGN;
}

static void
prepare_work(struct task *t)
{
	struct preparation *p = container_of(t, struct preparation, task);

	p->found = find_and_sign(p);
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

/* A report of our own is from nobody for whom there must be a key. */
static bool
must_be_signed(const struct preparation *p)
{
	return p->route->dkim_required && p->item->origin.client != NULL;
}

static void
tell_unsigned(const struct preparation *p)
{
	char id[ITEM_TEXT];

	if (p->found == FOUND_ODD)
		log_warning(&dispatch_log, "%s is sent without a DKIM "
			    "signature: %s", item_id_text(p->item->id, id),
			    p->err.text);
}

/* Whether it may go out, signed or as it is. */
static bool
prepare_end(struct preparation *p)
{
	if (p->found == FOUND_UNREAD)
		return false;
	if (p->found == FOUND_SIGNED) {
		if (seal_put(p->item, &p->fields, p->number))
			return true;
		p->found = FOUND_ODD;
		error_set(&p->err, ERROR_LIMIT, "there is no room for it in "
			  "front of the message");
	}
	if (must_be_signed(p))
		return false;
	tell_unsigned(p);
	buf_clear(&p->fields);
	must(seal_put(p->item, &p->fields, p->number));
	return true;
}

static void
prepare_done(struct task *t)
{
	struct preparation *p = container_of(t, struct preparation, task);
	struct attempt *a = p->attempt;
	bool ok = prepare_end(p);

	a->preparing = false;
	a->resealed = ok;
	attempt_prepared(a, ok ? NULL : &p->err);
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
delivery_is_prepared(const struct delivery *y)
{
	const struct outlet *o = y->destination->outlet;
	const struct item *item = y->attempt->item;

	/* recipients of a route that is gone may go by several: one of them
	 * has signed */
	return item->sealed_by == signers_number(o->route) ||
	       strcmp(item->route, o->name) != 0;
}

/* It was made while the clock was wrong: receivers may think nothing of a
 * signature from the future (RFC 6376 section 3.5). */
static bool
seal_is_ahead(const struct item *item)
{
	struct span fields = span_sub(buf_span(&item->prefix), 0, item->sealed);

	return signature_time(fields) > clock_wall_ms() / 1000 + AHEAD_S;
}

bool
attempt_prepare(struct attempt *a, const struct outlet *o)
{
	struct item *item = a->item;
	uint64_t number = signers_number(o->route);

	if ((item->sealed_by == number && !seal_is_ahead(item)) ||
	    outlet_turns_away(o))
		return false;
	/* by keys that are not these, or too early: it is taken off again */
	buf_drop(&item->prefix, item->sealed);
	item->sealed = 0;
	item->sealed_by = 0;
	if (number == 0)
		return false;
	prepare_begin(a, o, number);
	return true;
}
