/* met.c - what an act of the operator has met, for whoever tells of it
 *
 * Notes are made within the transaction and told after its commit; a batch
 * that fails drops them and makes them anew.
 */
#include "spool/store.h"

#include "base/macros.h"
#include "base/mem.h"
#include "spool/item.h"

enum { TO_MAX = 200 };			/* bytes of the recipients */

struct met_note {
	struct met_note *next;
	uint64_t id;
	char *from, *to;		/* owned */
};

bool
met_wants(const struct spool_act *a)
{
	return a->met != NULL && a->notes.n < a->tell;
}

/* "b@dst.test c@dst.test +3 more" */
static char *
met_recipients(const struct item *item)
{
	AUTO(buf_fini) struct buf to = BUF_MAX(TO_MAX + 40);
	size_t n = item->env->rcpt_count;

	for (size_t i = 0; i < n; i++) {
		struct span one = item->env->rcpts[i].address.text;

		if (i > 0 && to.len + one.n + 1 > TO_MAX) {
			buf_addf(&to, " +%zu more", n - i);
			break;
		}
		if (i > 0)
			buf_add_char(&to, ' ');
		buf_add(&to, span_sub(one, 0, TO_MAX));
	}
	return span_dup(buf_span(&to));
}

void
met_add(struct spool_act *a, uint64_t id, const struct item *item)
{
	struct met_note *note = NEW(struct met_note);

	note->id = id;
	if (item != NULL) {
		note->from = span_dup(item->env->sender.text);
		note->to = met_recipients(item);
	}
	if (a->notes.first == NULL)
		a->notes.last = &a->notes.first;
	*a->notes.last = note;
	a->notes.last = &note->next;
	a->notes.n++;
}

void
met_tell(struct spool_act *a)
{
	for (struct met_note *n = a->notes.first; n != NULL; n = n->next) {
		struct spool_met m = { n->id, n->from, n->to };

		a->met(a->met_arg, &m);
	}
	a->tell -= a->notes.n;
	met_clear(a);
}

void
met_clear(struct spool_act *a)
{
	struct met_note *next;

	for (struct met_note *n = a->notes.first; n != NULL; n = next) {
		next = n->next;
		mem_free(n->from);
		mem_free(n->to);
		mem_free(n);
	}
	a->notes = (struct met_notes){ .n = 0 };
}
