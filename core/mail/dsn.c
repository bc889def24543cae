/* dsn.c - the three parts of a report: for a reader, for a program, and what
 * comes back of the message
 *
 * Everything in a report that a stranger may have written is made printable
 * first; outside of an SMTPUTF8 report it is ASCII as well.
 */
#include "mail/dsn.h"

#include "mail/dot.h"
#include "mail/header.h"
#include "mail/xtext.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"

#include <string.h>

enum {
	COLUMNS = 76,
	WORDS_MAX = 2 * LIMIT_OUTCOME_TEXT,	/* of one line of a report */
};

/* What is said of a recipient, by what was done about him. */
static const struct {
	const char *action, *headline, *next;
	unsigned class;
} actions[] = {
	[DSN_FAILED] = { "failed",
		"could not be delivered to:",
		"This is final: it will not be tried again.", 5 },
	[DSN_DELAYED] = { "delayed",
		"has not been delivered yet to:",
		"You need not send it again: it is still being tried.", 4 },
	[DSN_RELAYED] = { "relayed",
		"was handed to a system that sends no confirmations, for:",
		"Whether it arrives will not be reported.", 2 },
	[DSN_DELIVERED] = { "delivered",
		"was delivered to:", "Nothing more is to be done.", 2 },
};

bool
dsn_wanted(unsigned notify, enum dsn_action action)
{
	static const unsigned flags[] = {
		[DSN_FAILED] = DSN_NOTIFY_FAILURE,
		[DSN_DELAYED] = DSN_NOTIFY_DELAY,
		[DSN_RELAYED] = DSN_NOTIFY_SUCCESS,
		[DSN_DELIVERED] = DSN_NOTIFY_SUCCESS,
	};

	if (notify == 0)
		notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
	return (notify & flags[action]) != 0;
}

static bool
has_action(const struct dsn_facts *f, enum dsn_action action)
{
	for (size_t i = 0; i < f->rcpt_count; i++)
		if (f->rcpts[i].action == action)
			return true;
	return false;
}

/* --- words ----------------------------------------------------------- */

/* s, made harmless for the report that f is. */
static bool
add_clean(struct buf *b, struct span s, const struct dsn_facts *f)
{
	size_t start = b->len;

	if (!encode_printable(b, s, WORDS_MAX))
		return false;
	for (size_t i = start; !f->smtputf8 && i < b->len; i++)
		if ((unsigned char)b->data[b->head + i] > 0x7f)
			b->data[b->head + i] = '?';
	return true;
}

/* A field of "prefix" and s made harmless; none when s is empty. */
static bool
add_field(struct buf *out, const char *name, const char *prefix,
	  struct span s, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(2 * WORDS_MAX);

	if (s.n == 0)
		return true;
	return buf_add_str(&value, prefix) && add_clean(&value, s, f) &&
	       header_add(out, span_of(name), buf_span(&value));
}

static bool
add_date_field(struct buf *out, const char *name, int64_t wall_ms)
{
	char date[64];

	return buf_addf(out, "%s: %s\r\n", name,
			clock_rfc5322(wall_ms, date, sizeof(date)));
}

/* A paragraph, wrapped and indented. */
static bool
add_wrapped(struct buf *out, const char *indent, struct span text)
{
	size_t room = COLUMNS - strlen(indent);

	while (text.n) {
		size_t n = text.n, blank;

		if (n > room) {
			blank = span_rfind(span_sub(text, 0, room), ' ');
			n = blank < room && blank > 0 ? blank
						      : span_find(text, ' ');
		}
		if (!buf_add_str(out, indent) ||
		    !buf_add(out, span_sub(text, 0, n)) ||
		    !buf_add(out, SPAN("\r\n")))
			return false;
		text = span_trim(span_from(text, n));
	}
	return true;
}

/* --- the part for a reader ------------------------------------------- */

static bool
add_reason(struct buf *out, const struct dsn_facts *f, const struct outcome *o)
{
	AUTO(buf_fini) struct buf said = BUF_MAX(WORDS_MAX + 100);
	bool reply = o->kind == OUTCOME_REPLY;
	char text[2 * LIMIT_OUTCOME_TEXT];

	if (o->host[0] &&
	    (!add_clean(&said, span_of(o->host), f) ||
	     !buf_add_str(&said, reply ? " answered:" : ":") ||
	     !add_wrapped(out, "    ", buf_span(&said))))
		return false;
	buf_clear(&said);
	outcome_text(o, text, sizeof(text));
	return add_clean(&said, span_of(text), f) &&
	       add_wrapped(out, "    ", buf_span(&said));
}

static bool
add_rcpt_words(struct buf *out, const struct dsn_facts *f,
	       const struct dsn_rcpt *r)
{
	return buf_add(out, SPAN("  <")) && add_clean(out, r->address, f) &&
	       buf_add(out, SPAN(">\r\n")) &&
	       (r->outcome == NULL || add_reason(out, f, r->outcome)) &&
	       (r->remedy == NULL || (buf_add(out, SPAN("\r\n")) &&
		add_wrapped(out, "    ", span_of(r->remedy)))) &&
	       buf_add(out, SPAN("\r\n"));
}

static bool
add_action_words(struct buf *out, const struct dsn_facts *f,
		 enum dsn_action action)
{
	char date[64];
	bool ok = buf_addf(out, "Your message %s\r\n\r\n",
			   actions[action].headline);

	for (size_t i = 0; ok && i < f->rcpt_count; i++)
		if (f->rcpts[i].action == action)
			ok = add_rcpt_words(out, f, &f->rcpts[i]);
	ok = ok && buf_addf(out, "%s\r\n", actions[action].next);
	if (ok && action == DSN_DELAYED && f->until_ms > 0)
		ok = buf_addf(out, "It is given up after %s.\r\n",
			      clock_rfc5322(f->until_ms, date, sizeof(date)));
	return ok && buf_add(out, SPAN("\r\n"));
}

static bool
add_words(struct buf *out, const struct dsn_facts *f)
{
	char date[64];
	bool ok = buf_add(out, SPAN("This is the mail gateway at ")) &&
		  add_clean(out, f->hostname, f) &&
		  buf_add(out, SPAN(".\r\n\r\n"));

	for (size_t a = 0; ok && a < ARRAY_SIZE(actions); a++)
		if (has_action(f, (enum dsn_action)a))
			ok = add_action_words(out, f, (enum dsn_action)a);
	ok = ok && buf_add(out, SPAN("The message is known here as ")) &&
	     add_clean(out, f->id, f);
	ok = ok && buf_addf(out, ".\r\nIt was accepted on %s",
			    clock_rfc5322(f->arrival_ms, date, sizeof(date)));
	if (ok && f->attempts > 0)
		ok = buf_addf(out, "\r\nand was tried %u time%s", f->attempts,
			      f->attempts == 1 ? "" : "s");
	return ok && buf_add(out, SPAN(".\r\n"));
}

/* --- the part for a program ------------------------------------------ */

/* The recipient's status.  What a server said stands; else the subject and
 * detail of RFC 3463 that say what was missing. */
static struct enhanced
status_of(const struct dsn_rcpt *r)
{
	static const struct enhanced none[] = {
		[OUTCOME_REPLY] = { 0, 0, 0 },
		[OUTCOME_NETWORK] = { 0, 4, 2 },	/* bad connection */
		[OUTCOME_DNS] = { 0, 4, 3 },		/* directory failure */
		[OUTCOME_LOCAL] = { 0, 3, 0 },
		[OUTCOME_UNSUPPORTED] = { 0, 6, 3 },	/* conversion needed */
	};
	struct enhanced e = { .class = actions[r->action].class };

	if (r->outcome == NULL)
		return e;
	if (r->outcome->enhanced.class != 0)
		return r->outcome->enhanced;
	e.subject = none[r->outcome->kind].subject;
	e.detail = none[r->outcome->kind].detail;
	if (r->outcome->kind == OUTCOME_NETWORK &&
	    r->outcome->phase == PHASE_CONNECT)
		e.detail = 1;			/* no answer from host */
	return e;
}

/* "mx.example.org[192.0.2.1]:25" without what is not the name. */
static struct span
host_name(struct span host)
{
	size_t open = span_find(host, '['), close = span_find(host, ']');

	if (open > 0)
		return open < host.n ? span_sub(host, 0, open)
				     : span_sub(host, 0, span_find(host, ':'));
	return span_sub(host, 0, close + 1);
}

static bool
add_diagnostic(struct buf *out, const struct dsn_facts *f,
	       const struct outcome *o)
{
	char text[2 * LIMIT_OUTCOME_TEXT];
	struct outcome said = *o;
	bool reply = o->kind == OUTCOME_REPLY;

	if (o->host[0] &&
	    !add_field(out, "Remote-MTA", "dns; ",
		       host_name(span_of(o->host)), f))
		return false;
	if (o->text[0] == '\0' && o->code == 0)
		return true;
	if (reply)
		said.phase = PHASE_NONE;	/* only what the server said */
	outcome_text(&said, text, sizeof(text));
	return add_field(out, "Diagnostic-Code",
			 reply ? "smtp; " : "x-postern; ", span_of(text), f);
}

/* "rfc822;user+2Btag@example.org" as RFC 3464 section 2.3.1 wants it */
static bool
add_original(struct buf *out, const struct dsn_facts *f, struct span orcpt)
{
	AUTO(buf_fini) struct buf plain = BUF_MAX(LIMIT_ORCPT);
	AUTO(buf_fini) struct buf type = BUF_MAX(LIMIT_ORCPT + 10);
	size_t semicolon = span_find(orcpt, ';');
	struct span address = span_from(orcpt, semicolon + 1);

	if (semicolon == orcpt.n)
		return true;
	if (xtext_decode(&plain, address))
		address = buf_span(&plain);
	return add_clean(&type, span_sub(orcpt, 0, semicolon), f) &&
	       buf_add(&type, SPAN("; ")) &&
	       add_field(out, "Original-Recipient", buf_str(&type), address, f);
}

static bool
add_rcpt_status(struct buf *out, const struct dsn_facts *f,
		const struct dsn_rcpt *r)
{
	bool utf8 = f->smtputf8 && address_needs_utf8(r->address);
	char status[24];

	return buf_add(out, SPAN("\r\n")) &&
	       (r->orcpt.n == 0 || add_original(out, f, r->orcpt)) &&
	       add_field(out, "Final-Recipient", utf8 ? "utf-8; " : "rfc822; ",
			 r->address, f) &&
	       buf_addf(out, "Action: %s\r\nStatus: %s\r\n",
			actions[r->action].action,
			enhanced_text(status_of(r), status, sizeof(status))) &&
	       (r->outcome == NULL || add_diagnostic(out, f, r->outcome)) &&
	       add_date_field(out, "Last-Attempt-Date", f->now_ms) &&
	       add_field(out, "Final-Log-ID", "", f->id, f) &&
	       (r->action != DSN_DELAYED || f->until_ms <= 0 ||
		add_date_field(out, "Will-Retry-Until", f->until_ms));
}

static bool
add_status(struct buf *out, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf envid = BUF_MAX(LIMIT_ENVID);
	bool ok = true;

	if (f->envid.n && xtext_decode(&envid, f->envid))
		ok = add_field(out, "Original-Envelope-Id", "",
			       buf_span(&envid), f);
	ok = ok && add_field(out, "Reporting-MTA", "dns; ", f->hostname, f) &&
	     add_date_field(out, "Arrival-Date", f->arrival_ms);
	for (size_t i = 0; ok && i < f->rcpt_count; i++)
		ok = add_rcpt_status(out, f, &f->rcpts[i]);
	return ok;
}

/* --- the whole ------------------------------------------------------- */

/* What is decided before the first byte is written. */
struct shape {
	char boundary[64];
	struct header_facts facts;
	struct span returned;		/* of f->original */
	bool full;			/* the whole message, not its header */
	bool eight_bit;			/* the returned part needs it */
};

/* RET=FULL is for failures (RFC 3461 section 4.3). */
static void
decide(struct shape *shape, const struct dsn_facts *f)
{
	header_scan(f->original, &shape->facts);
	shape->full = f->ret == DSN_RET_FULL && f->whole &&
		      has_action(f, DSN_FAILED);
	shape->returned = f->original;
	if (!shape->full)
		shape->returned = span_sub(f->original, 0, shape->facts.length);
	shape->eight_bit = f->smtputf8 || address_needs_utf8(shape->returned);
}

/* A boundary that does not occur in the part that we did not write.  In the
 * other parts every line begins with a blank or with words of ours. */
static void
choose_boundary(struct shape *shape, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(sizeof(shape->boundary) - 1);
	struct span s, from = shape->returned;

	for (unsigned i = 0; ; i++) {
		buf_clear(&b);
		must(buf_addf(&b, "=_report_%llx_%u",
			      (unsigned long long)f->now_ms, i));
		s = buf_span(&b);
		if (from.n == 0 || memmem(from.p, from.n, s.p, s.n) == NULL)
			break;
	}
	memcpy(shape->boundary, buf_str(&b), b.len + 1);
}

static const char *
subject_of(const struct dsn_facts *f)
{
	if (has_action(f, DSN_FAILED))
		return "Your message could not be delivered";
	if (has_action(f, DSN_DELAYED))
		return "Your message is delayed, but still being tried";
	if (has_action(f, DSN_RELAYED))
		return "Your message was passed on";
	return "Your message was delivered";
}

/* The original's Message-ID, if it is one that a field can hold. */
static bool
add_references(struct buf *out, const struct shape *shape)
{
	struct span id = shape->facts.message_id;

	if (id.n < 3 || id.n > LIMIT_PATH || id.p[0] != '<' ||
	    id.p[id.n - 1] != '>' || address_needs_utf8(id))
		return true;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= 32 || id.p[i] == 127)
			return true;
	return header_add(out, SPAN("In-Reply-To"), id) &&
	       header_add(out, SPAN("References"), id);
}

static bool
add_header(struct buf *out, const struct dsn_facts *f,
	   const struct shape *shape)
{
	AUTO(buf_fini) struct buf host = BUF_MAX(WORDS_MAX + 10);
	AUTO(buf_fini) struct buf id = BUF_MAX(WORDS_MAX + 10);

	if (!add_clean(&host, f->hostname, f) || !add_clean(&id, f->id, f))
		return false;
	return add_date_field(out, "Date", f->now_ms) &&
	       buf_addf(out, "From: Mail Delivery System "
			"<MAILER-DAEMON@%s>\r\n", buf_str(&host)) &&
	       add_field(out, "To", "", f->to, f) &&
	       buf_addf(out, "Subject: %s\r\n", subject_of(f)) &&
	       buf_addf(out, "Message-ID: <%s.report.%llx@%s>\r\n",
			buf_str(&id), (unsigned long long)f->now_ms,
			buf_str(&host)) &&
	       add_references(out, shape) &&
	       buf_addf(out, "Auto-Submitted: auto-replied\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: multipart/report;\r\n"
			"\treport-type=%sdelivery-status;\r\n"
			"\tboundary=\"%s\"\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n",
			f->smtputf8 ? "global-" : "",
			shape->boundary, shape->eight_bit ? "8bit" : "7bit");
}

static bool
add_part(struct buf *out, const struct shape *shape, const char *type,
	 bool eight_bit)
{
	return buf_addf(out, "\r\n--%s\r\nContent-Type: %s\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n",
			shape->boundary, type, eight_bit ? "8bit" : "7bit");
}

/* The returned part, with whole lines whatever came in. */
static bool
add_returned(struct buf *out, const struct shape *shape)
{
	struct dot_decoder d;

	dot_decoder_init(&d, BARE_LF_REPAIR);
	return chunk_decode(&d, shape->returned, out) == shape->returned.n &&
	       chunk_finish(&d, out);
}

static bool
add_parts(struct buf *out, const struct dsn_facts *f, const struct shape *shape)
{
	const char *returned = shape->full ? "message/rfc822"
					   : "text/rfc822-headers";

	if (f->smtputf8)
		returned = shape->full ? "message/global"
				       : "message/global-headers";
	return add_part(out, shape, f->smtputf8 ? "text/plain; charset=utf-8"
			: "text/plain; charset=us-ascii", f->smtputf8) &&
	       add_words(out, f) &&
	       add_part(out, shape, f->smtputf8
			? "message/global-delivery-status"
			: "message/delivery-status", f->smtputf8) &&
	       add_status(out, f) &&
	       add_part(out, shape, returned, shape->eight_bit) &&
	       add_returned(out, shape) &&
	       buf_addf(out, "\r\n--%s--\r\n", shape->boundary);
}

bool
dsn_write(struct buf *out, const struct dsn_facts *f)
{
	struct shape shape = { .full = false };
	size_t before = out->len;

	decide(&shape, f);
	choose_boundary(&shape, f);
	if (add_header(out, f, &shape) && add_parts(out, f, &shape))
		return true;
	buf_cut(out, before);
	return false;
}
