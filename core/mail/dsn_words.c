/* dsn_words.c - the part of a report that a person reads
 *
 * One text for the sender, one for the operator; see dsn.h.  Whatever a
 * stranger may have written is made printable, and each line that holds it
 * begins with blanks.  What can be long is bounded: the part for programs has
 * all recipients.
 */
#include "mail/dsn_inside.h"

#include "mail/header.h"
#include "mail/mime.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

enum {
	COLUMNS = 76,
	FACT_MAX = 300,			/* of a Subject, To, Date */
	GROUP_SHOWN = 20,		/* addresses of those that fared alike */
	GROUPS_SHOWN = 30,
};

/* What is said of a recipient, by what was done about him. */
static const struct {
	const char *headline, *next[2];	/* by reader */
} actions[] = {
	[DSN_FAILED] = { "could not be delivered to:",
		{ "This is final: it will not be tried again.",
		  "This is final: it will not be tried again." } },
	[DSN_DELAYED] = { "has not been delivered yet to:",
		{ "You need not send it again: it is still being tried.",
		  "It is still being tried." } },
	[DSN_RELAYED] = {
		"was handed to a system that sends no confirmations, for:",
		{ "Whether it arrives will not be reported.",
		  "Whether it arrives will not be reported." } },
	[DSN_DELIVERED] = { "was delivered to:",
		{ "Nothing more is to be done.",
		  "Nothing more is to be done." } },
};

/* --- paragraphs ------------------------------------------------------ */

/* A paragraph, wrapped and indented. */
static bool
add_wrapped(struct buf *out, const char *indent, struct span text)
{
	struct span line;

	while (span_wrap(&text, COLUMNS - strlen(indent), &line))
		if (!buf_add_str(out, indent) || !buf_add(out, line) ||
		    !buf_add(out, SPAN("\r\n")))
			return false;
	return true;
}

static bool
add_paragraph(struct buf *out, const char *words)
{
	return add_wrapped(out, "", span_of(words)) &&
	       buf_add(out, SPAN("\r\n"));
}

/* "  Subject: text"; nothing where there is none. */
static bool
add_fact(struct buf *out, const char *label, struct span text)
{
	AUTO(buf_fini) struct buf line = BUF_MAX(4 * FACT_MAX + 100);

	return text.n == 0 ||
	       (buf_addf(&line, "%s: ", label) &&
		encode_printable(&line, text, FACT_MAX) &&
		add_wrapped(out, "  ", buf_span(&line)));
}

/* --- which message --------------------------------------------------- */

static bool
add_header_fact(struct buf *out, const char *name,
		const struct dsn_shape *shape)
{
	AUTO(buf_fini) struct buf flat = BUF_MAX(4 * FACT_MAX);
	AUTO(buf_fini) struct buf text = BUF_MAX(16 * FACT_MAX);
	struct header_field field;

	if (!header_find(shape->header, span_of(name), 0, &field))
		return true;
	header_unfold(&flat, field.value);	/* its beginning is enough */
	return mime_words(&text, buf_span(&flat)) &&
	       add_fact(out, name, buf_span(&text));
}

static bool
add_header_facts(struct buf *out, const struct dsn_shape *shape)
{
	return add_header_fact(out, "Subject", shape) &&
	       add_header_fact(out, "To", shape) &&
	       add_header_fact(out, "Date", shape);
}

/* "192.168.1.40, which calls itself KM-1234, user scan, listener [::]:25" */
static bool
add_device(struct buf *out, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(4 * DSN_WORDS_MAX);
	const struct { const char *before; struct span what; } rows[] = {
		{ "", f->client }, { ", which calls itself ", f->helo },
		{ ", logged in as ", f->user },
		{ ", connected to ", f->listener },
	};

	if (f->client.n == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].what.n > 0 &&
		    (!buf_add_str(&text, rows[i].before) ||
		     !buf_add(&text, span_sub(rows[i].what, 0, LIMIT_DOMAIN))))
			return false;
	return add_fact(out, "Device", buf_span(&text));
}

static bool
add_sender_opening(struct buf *out, const struct dsn_facts *f,
		   const struct dsn_shape *shape)
{
	size_t before;

	(void)f;
	if (!buf_add(out, SPAN("This report is about your message:\r\n\r\n")))
		return false;
	before = out->len;
	if (!add_header_facts(out, shape))
		return false;
	/* of a message without any of these fields the id is told below */
	return out->len == before
	     ? add_fact(out, "Id", f->id) && buf_add(out, SPAN("\r\n"))
	     : buf_add(out, SPAN("\r\n"));
}

static bool
add_operator_opening(struct buf *out, const struct dsn_facts *f,
		     const struct dsn_shape *shape)
{
	char date[64];

	return add_paragraph(out, "You get this report because your address is "
			     "dsn.to in the configuration of the gateway.  "
			     "The gateway had accepted this message from a "
			     "device:") &&
	       add_fact(out, "From",
			f->sender.n > 0 ? f->sender : SPAN("<>")) &&
	       add_header_facts(out, shape) && add_device(out, f) &&
	       add_fact(out, "Route", f->route) &&
	       add_fact(out, "Accepted", span_of(clock_rfc5322(f->arrival_ms,
						 date, sizeof(date)))) &&
	       add_fact(out, "Id", f->id) && buf_add(out, SPAN("\r\n"));
}

/* --- recipients ------------------------------------------------------ */

/* Recipients in groups that fared alike, by a number for each of them that
 * differs where the texts do; it is made once, as there may be many. */
struct groups {
	const struct dsn_facts *f;
	uint64_t *numbers;
};

/* What is said of him, without his address, which many servers repeat. */
static void
said_of(const struct dsn_rcpt *r, struct outcome *ret)
{
	struct span text = span_of(r->outcome->text), who = r->address;
	size_t n = 0;

	*ret = *r->outcome;
	for (size_t i = 0; i < text.n; ) {
		bool here = who.n >= 3 &&
			span_starts_nocase(span_from(text, i), who);

		/* an address has three characters at least */
		if (here)
			memcpy(ret->text + n, "...", 3);
		else
			ret->text[n] = text.p[i];
		n += here ? 3 : 1;
		i += here ? who.n : 1;
	}
	ret->text[n] = '\0';
}

static bool
outcomes_alike(const struct outcome *a, const struct outcome *b)
{
	return a->kind == b->kind && a->code == b->code &&
	       a->phase == b->phase &&
	       memcmp(&a->enhanced, &b->enhanced, sizeof(a->enhanced)) == 0 &&
	       strcmp(a->text, b->text) == 0 &&
	       strcmp(a->host, b->host) == 0;
}

static bool
remedies_alike(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static uint64_t
group_number(const struct dsn_rcpt *r)
{
	struct outcome said;

	if (r->outcome == NULL)
		return 0;
	said_of(r, &said);
	return span_hash_nocase(span_of(said.text)) ^ (uint64_t)said.code;
}

static bool
same_group(const struct groups *g, size_t i, size_t k)
{
	const struct dsn_rcpt *a = &g->f->rcpts[i], *b = &g->f->rcpts[k];
	struct outcome said[2];

	if (g->numbers[i] != g->numbers[k] || a->action != b->action ||
	    (a->outcome == NULL) != (b->outcome == NULL) ||
	    !remedies_alike(a->remedy, b->remedy))
		return false;
	if (a->outcome == NULL)
		return true;
	said_of(a, &said[0]);
	said_of(b, &said[1]);
	return outcomes_alike(&said[0], &said[1]);
}

static bool
add_reason(struct buf *out, const struct outcome *o)
{
	AUTO(buf_fini) struct buf said = BUF_MAX(2 * DSN_WORDS_MAX + 100);
	bool reply = o->kind == OUTCOME_REPLY;
	char text[2 * LIMIT_OUTCOME_TEXT];

	if (o->host[0] &&
	    (!encode_printable(&said, span_of(o->host), DSN_WORDS_MAX) ||
	     !buf_add_str(&said, reply ? " answered:" : ":") ||
	     !add_wrapped(out, "    ", buf_span(&said))))
		return false;
	buf_clear(&said);
	outcome_text(o, text, sizeof(text));
	return encode_printable(&said, span_of(text), DSN_WORDS_MAX) &&
	       add_wrapped(out, "    ", buf_span(&said));
}

static bool
add_address(struct buf *out, struct span address)
{
	return buf_add(out, SPAN("  <")) &&
	       encode_printable(out, address, DSN_WORDS_MAX) &&
	       buf_add(out, SPAN(">\r\n"));
}

static bool
add_more(struct buf *out, size_t hidden)
{
	return hidden == 0 ||
	       buf_addf(out, "  and %zu more; the second part of this report "
			"lists all of them\r\n", hidden);
}

/* All that fared as the one at `first' did. */
static bool
add_group(struct buf *out, const struct groups *g, size_t first)
{
	const struct dsn_facts *f = g->f;
	const struct dsn_rcpt *r = &f->rcpts[first];
	struct outcome said;
	size_t n = 0;
	bool ok = true;

	for (size_t i = first; ok && i < f->rcpt_count; i++)
		if (same_group(g, first, i) && n++ < GROUP_SHOWN)
			ok = add_address(out, f->rcpts[i].address);
	if (r->outcome != NULL && n == 1)
		said = *r->outcome;
	else if (r->outcome != NULL)
		said_of(r, &said);
	return ok && add_more(out, n - MIN(n, (size_t)GROUP_SHOWN)) &&
	       (r->outcome == NULL || add_reason(out, &said)) &&
	       (r->remedy == NULL || (buf_add(out, SPAN("\r\n")) &&
		add_wrapped(out, "    ", span_of(r->remedy)))) &&
	       buf_add(out, SPAN("\r\n"));
}

static bool
is_first_of_group(const struct groups *g, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (same_group(g, i, k))
			return false;
	return true;
}

static bool
add_groups(struct buf *out, const struct groups *g, enum dsn_action action)
{
	size_t shown = 0, hidden = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < g->f->rcpt_count; i++) {
		if (g->f->rcpts[i].action != action ||
		    !is_first_of_group(g, i))
			continue;
		if (shown++ < GROUPS_SHOWN)
			ok = add_group(out, g, i);
		else
			hidden++;
	}
	return ok && (hidden == 0 || (buf_addf(out, "  %zu other reasons are "
		"in the second part of this report.\r\n\r\n", hidden)));
}

static bool
add_action(struct buf *out, const struct groups *g, enum dsn_action action)
{
	const struct dsn_facts *f = g->f;
	char date[64];

	if (!buf_addf(out, "%s message %s\r\n\r\n",
		      f->reader == DSN_FOR_SENDER ? "Your" : "The",
		      actions[action].headline) ||
	    !add_groups(out, g, action) ||
	    !buf_addf(out, "%s\r\n", actions[action].next[f->reader]))
		return false;
	if (action == DSN_DELAYED && f->until_ms > 0 &&
	    !buf_addf(out, "The gateway stops trying after %s.\r\n",
		      clock_rfc5322(f->until_ms, date, sizeof(date))))
		return false;
	return buf_add(out, SPAN("\r\n"));
}

/* --- the end --------------------------------------------------------- */

static bool
add_returned_words(struct buf *out, const struct dsn_shape *shape)
{
	static const char *const partial[] = {
		[DSN_PARTIAL_LARGE] =
		  "You asked for the whole message back.  It is larger than "
		  "32 KiB, so only its header is returned.",
		[DSN_PARTIAL_BROKEN] =
		  "You asked for the whole message back.  It holds NUL octets "
		  "or lines of more than 998 octets, which a report cannot "
		  "hold, so only its header is returned.",
	};

	_Static_assert(LIMIT_DSN_ORIGINAL == 32 * 1024, "as the words say");
	if (partial[shape->partial] != NULL &&
	    (!buf_add(out, SPAN("\r\n")) ||
	     !add_wrapped(out, "", span_of(partial[shape->partial]))))
		return false;
	return !shape->header_cut ||
	       (buf_add(out, SPAN("\r\n")) &&
		add_wrapped(out, "", SPAN("The message's header is larger than "
			    "32 KiB: only its first fields are returned.")));
}

static bool
add_id(struct buf *out, const struct dsn_facts *f)
{
	char date[64];
	bool ok = buf_add(out, SPAN("The message is known here as ")) &&
		  dsn_add_clean(out, f->id, f) &&
		  buf_addf(out, ".\r\nIt was accepted on %s",
			   clock_rfc5322(f->arrival_ms, date, sizeof(date)));

	if (ok && f->attempts > 0)
		ok = buf_addf(out, "\r\nand was tried %u time%s", f->attempts,
			      f->attempts == 1 ? "" : "s");
	return ok && buf_add(out, SPAN(".\r\n"));
}

static bool
add_operator_end(struct buf *out, const struct dsn_facts *f)
{
	return buf_addf(out, "It was tried %u time%s.\r\n", f->attempts,
			f->attempts == 1 ? "" : "s") &&
	       add_wrapped(out, "", f->sender_told
			   ? SPAN("The sender gets a report, too.")
			   : f->sender.n == 0
			   ? SPAN("The message has no sender (<>), so nobody "
				  "else is told.")
			   : SPAN("The sender did not ask to be told, and is "
				  "not."));
}

bool
dsn_add_words(struct buf *out, const struct dsn_facts *f,
	      const struct dsn_shape *shape)
{
	bool for_sender = f->reader == DSN_FOR_SENDER;
	struct groups g = { .f = f };
	bool ok = buf_add(out, SPAN("This is the mail gateway at ")) &&
		  dsn_add_clean(out, f->hostname, f) &&
		  buf_add(out, SPAN(".\r\n\r\n")) &&
		  (for_sender ? add_sender_opening(out, f, shape)
			      : add_operator_opening(out, f, shape));

	g.numbers = mem_array(f->rcpt_count + 1, sizeof(*g.numbers));
	for (size_t i = 0; i < f->rcpt_count; i++)
		g.numbers[i] = group_number(&f->rcpts[i]);
	for (size_t a = 0; ok && a < ARRAY_SIZE(actions); a++)
		if (dsn_has_action(f, (enum dsn_action)a))
			ok = add_action(out, &g, (enum dsn_action)a);
	mem_free(g.numbers);
	return ok && (for_sender ? add_id(out, f) : add_operator_end(out, f)) &&
	       add_returned_words(out, shape);
}
