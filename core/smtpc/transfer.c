/* transfer.c - the message, from its source to the connection
 *
 * A message that is at hand is put out whole, its end with it, and leaves in
 * one write.  A large one is read in chunks, of which so many lie unsent at
 * most.  The size that the source names is believed: if the bytes end
 * before, the message is broken off, so that no server takes half of it.
 */
#include "smtpc/client.h"

#include "base/clock.h"
#include "smtpc/errand.h"

enum { UNSENT_MAX = 256 * 1024 };

static void transfer_pump(struct client *c);

void
transfer_failed(struct client *c, const char *why)
{
	struct outcome o = { .code = 0 };

	outcome_set(&o, OUTCOME_LOCAL, PHASE_BODY,
		    "the stored message cannot be read: %s", why);
	client_fail(c, &o, ST_CLOSED);
}

static void
transfer_ends(struct client *c)
{
	dot_finish(&c->errand->dots, stream_out(c->stream));
	c->sent = true;
	stream_send(c->stream);
}

static void
transfer_take(struct client *c, struct span bytes, const struct error *err)
{
	struct errand *a = c->errand;

	if (err != NULL) {
		transfer_failed(c, err->text);
	} else if (bytes.n == 0) {
		transfer_failed(c, "it is shorter than it was");
	} else {
		dot_encode(&a->dots, bytes, stream_out(c->stream));
		a->offset += bytes.n;
		if (a->offset >= a->m->body->size)
			transfer_ends(c);
		else
			stream_send(c->stream);
	}
}

/* The source answers, perhaps when nobody waits for it any more. */
static void
on_bytes(void *arg, struct span bytes, const struct error *err)
{
	struct errand *a = arg;
	struct client *c = a->client;

	a->reading = false;
	if (c == NULL || c->state != ST_BODY) {
		errand_finish(a);
		return;
	}
	transfer_take(c, bytes, err);
	transfer_pump(c);
}

/* Asks for bytes while there is room.  A source that answers at once finds
 * `pumping' set, and this loop goes on. */
static void
transfer_pump(struct client *c)
{
	struct errand *a = c->errand;

	if (c->pumping)
		return;
	c->pumping = true;
	while (c->state == ST_BODY && !c->sent && !a->reading &&
	       stream_pending(c->stream) < UNSENT_MAX) {
		a->reading = true;
		a->m->body->ops->read(a->m->body, a->offset, LIMIT_CHUNK,
				      on_bytes, a);
	}
	c->pumping = false;
}

void
transfer_begin(struct client *c)
{
	struct errand *a = c->errand;

	a->data_ms = clock_now_ms();
	a->offset = 0;
	a->dots = (struct dot_encoder){ 0 };
	c->sent = false;
	c->pending = 0;
	if (a->m->body->size == 0)
		transfer_ends(c);
	else
		transfer_pump(c);
}

void
transfer_drained(struct client *c)
{
	if (c->sent) {
		client_go(c, ST_DOT);
		return;
	}
	c->pending = 0;
	stream_timeout(c->stream, c->patience_ms[SMTPC_BLOCK]);
	transfer_pump(c);
}
