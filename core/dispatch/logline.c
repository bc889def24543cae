/* logline.c - the one line that tells a delivery attempt
 *
 * One for each group of recipients of a job that fared alike.  An attempt
 * that was not made, because the destination rests, is told once for an
 * item, and after that only when details are wanted.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

enum { TO_MAX = 1000, FIELDS = 24 };

const struct log dispatch_log = { .room = "dispatch" };

struct fields {
	struct log_field v[FIELDS];
	size_t n;
};

static void
add_text(struct fields *f, const char *key, struct span value)
{
	if (value.n > 0)
		f->v[f->n++] = LOG_TEXT(key, value);
}

static void
add_number(struct fields *f, const char *key, int64_t value)
{
	f->v[f->n++] = LOG_NUM(key, value);
}

/* "a@b,c@d,..." ; rcpts tells how many there are */
static void
add_recipients(struct fields *f, const struct logline *l, struct buf *to)
{
	const struct rcpt *all = l->delivery->attempt->item->env->rcpts;

	if (l->n == 1) {
		add_text(f, "to", all[l->rcpts[0]].address.text);
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		struct span s = all[l->rcpts[i]].address.text;

		if (to->len + s.n + 5 > TO_MAX) {
			buf_add(to, SPAN(",..."));
			break;
		}
		if (i > 0)
			buf_add_char(to, ',');
		buf_add(to, s);
	}
	add_text(f, "to", buf_span(to));
	add_number(f, "rcpts", (int64_t)l->n);
}

static void
add_reply(struct fields *f, const struct logline *l, char enhanced[16],
	  char *remedy)
{
	const struct destination *t = l->delivery->destination;
	const struct outcome *o = l->outcome;

	if (o->code != 0)
		add_number(f, "code", o->code);
	if (o->enhanced.class != 0)
		add_text(f, "enhanced",
			 span_of(enhanced_text(o->enhanced, enhanced, 16)));
	add_text(f, "reply", span_of(o->text));
	if (!outcome_delivered(o))
		add_text(f, "phase", span_of(outcome_where(o)));
	add_text(f, "remedy", span_of(told_remedy(
		l->delivery->attempt->item, t != NULL ? t->outlet : NULL, o,
		remedy)));
}

/* Of a route that has keys. */
static void
add_dkim(struct fields *f, const struct logline *l)
{
	const struct item *item = l->delivery->attempt->item;

	if (l->tried && item->sealed_by != 0)
		add_text(f, "dkim", item->sealed > 0 ? SPAN("signed")
			 : SPAN("none"));
}

static void
add_delays(struct fields *f, const struct logline *l)
{
	const struct item *item = l->delivery->attempt->item;
	const struct outcome *o = l->outcome;
	int64_t queued_ms;

	add_number(f, "delay_ms", clock_steady_ms() - item->created_ms);
	if (!l->tried)
		return;
	queued_ms = l->delivery->started_steady_ms - item->created_ms;
	add_number(f, "in_queue_ms", MAX(queued_ms, 0));
	add_number(f, "connect_ms", o->connect_ms);
	add_number(f, "setup_ms", o->setup_ms);
	add_number(f, "transfer_ms", o->transfer_ms);
}

static enum log_level
logline_level(const struct logline *l)
{
	if (l->verdict == VERDICT_BOUNCE)
		return LOG_LEVEL_WARNING;
	if (!l->tried && l->delivery->attempt->item->last != NULL)
		return LOG_LEVEL_DEBUG;
	return LOG_LEVEL_INFO;
}

void
logline_write(const struct logline *l)
{
	const struct delivery *y = l->delivery;
	const struct item *item = y->attempt->item;
	const struct destination *t = y->destination;
	AUTO(buf_fini) struct buf to = BUF_MAX(TO_MAX + 8);
	struct fields f = { .n = 0 };
	char id[ITEM_TEXT], enhanced[16], remedy[REMEDY_MAX];

	if (!log_wants(logline_level(l)))
		return;
	add_text(&f, "id", span_of(item_id_text(item->id, id)));
	add_text(&f, "route", span_of(t != NULL ? t->outlet->name
						: item->route));
	if (t != NULL)
		add_text(&f, "destination", span_of(t->name));
	f.v[f.n++] = LOG_TEXT("from", item->env->sender.text.n > 0
			      ? item->env->sender.text : SPAN("<>"));
	add_recipients(&f, l, &to);
	add_text(&f, "host", span_of(l->outcome->host));
	add_text(&f, "tls", span_of(l->outcome->tls));
	add_dkim(&f, l);
	add_text(&f, "status", span_of(verdict_word(l->verdict)));
	add_reply(&f, l, enhanced, remedy);
	add_number(&f, "attempt", l->attempt);
	add_number(&f, "size", (int64_t)item_size(item));
	add_delays(&f, l);
	if (l->retry_ms >= 0)
		add_number(&f, "retry_ms", l->retry_ms);
	if (item->origin.message_id != NULL)
		add_text(&f, "message_id", span_of(item->origin.message_id));
	log_event(&dispatch_log, logline_level(l), f.v, f.n, "%s%s",
		  verdict_word(l->verdict), l->tried ? ""
		  : l->verdict == VERDICT_PAUSE ? ", not tried"
		  : ", not tried: the destination is in backoff");
}
