/* item.c - items, bodies and their names */
#include "spool/item.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "spool/files.h"

#include <stdio.h>

/* --- bodies ---------------------------------------------------------- */

struct body *
body_ref(struct body *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void
body_forget_bytes(struct body *b)
{
	if (b->budget != NULL && b->bytes.cap > 0)
		budget_give(b->budget, (int64_t)b->bytes.cap);
	b->budget = NULL;
	buf_fini(&b->bytes);
}

void
body_unref(struct body **ptr)
{
	struct body *b = *ptr;

	*ptr = NULL;
	if (b == NULL || atomic_fetch_sub(&b->refs, 1) > 1)
		return;
	/* no item was made durable that names the file */
	if (b->files != NULL)
		files_remove(b->files, &b->id, 1);
	files_unref(&b->files);
	body_forget_bytes(b);
	mem_free(b);
}

/* --- items ----------------------------------------------------------- */

struct item *
item_new(void)
{
	struct item *item = NEW(struct item);

	item->prefix = BUF_MAX(LIMIT_PREFIX);
	return item;
}

static void
origin_fini(struct origin *o)
{
	mem_free(o->client);
	mem_free(o->helo);
	mem_free(o->user);
	mem_free(o->listener);
	mem_free(o->message_id);
}

void
item_free(struct item **ptr)
{
	struct item *item = *ptr;

	*ptr = NULL;
	if (item == NULL)
		return;
	if (item->rcpts != NULL && item->env != NULL)
		for (size_t i = 0; i < item->env->rcpt_count; i++)
			mem_free(item->rcpts[i].last);
	mem_free(item->rcpts);
	envelope_free(&item->env);
	origin_fini(&item->origin);
	buf_fini(&item->prefix);
	body_unref(&item->body);
	mem_free(item->route);
	mem_free(item->last);
	mem_free(item);
}

/* --- names ----------------------------------------------------------- */

const char *
item_id_text(uint64_t id, char *buf)
{
	unsigned ordinal = (unsigned)(id % ITEM_ORDINALS);

	encode_id(item_message(id), buf);
	if (ordinal > 0)
		snprintf(buf + ID_TEXT, ITEM_TEXT - ID_TEXT, "-%u",
			 ordinal + 1);
	return buf;
}

bool
item_id_parse(struct span s, uint64_t *ret)
{
	uint64_t message, ordinal = 1;
	struct span rest = span_from(s, ID_TEXT);

	if (!decode_id(span_sub(s, 0, ID_TEXT), &message))
		return false;
	if (rest.n > 0 && (rest.p[0] != '-' ||
			   !span_u64(span_from(rest, 1), ITEM_ORDINALS,
				     &ordinal) || ordinal == 0))
		return false;
	*ret = message * ITEM_ORDINALS + ordinal - 1;
	return true;
}

#define MESSAGE_MASK ((UINT64_C(1) << 50) - 1)

/* The time comes first, so that ids sort by age; eight bits below it leave
 * room for 256 messages in a millisecond before ids run ahead of the clock,
 * which harms nobody. */
static _Atomic uint64_t last_message;

void
message_id_seed(uint64_t above)
{
	uint64_t last = atomic_load(&last_message);

	above &= MESSAGE_MASK;
	while (last < above &&
	       !atomic_compare_exchange_weak(&last_message, &last, above))
		;
}

uint64_t
message_id_next(void)
{
	uint64_t now = (uint64_t)clock_steady_ms() << 8 & MESSAGE_MASK;
	uint64_t last = atomic_load(&last_message), next;

	do {
		next = (now > last ? now : last + 1) & MESSAGE_MASK;
	} while (!atomic_compare_exchange_weak(&last_message, &last, next));
	return next;
}
