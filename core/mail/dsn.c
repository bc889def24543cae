/* dsn.c - a report as a whole: its header, and its three parts
 *
 * Everything in a report that a stranger may have written is made printable
 * first.
 */
#include "mail/dsn_inside.h"

#include "mail/dot.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX = 998 };		/* RFC 2045 section 2.7 */

static const struct {
	const char *name, *subject;
	unsigned class;
} actions[] = {
	[DSN_FAILED] = { "failed", "Your message could not be delivered", 5 },
	[DSN_DELAYED] = { "delayed",
		"Your message is delayed, but still being tried", 4 },
	[DSN_RELAYED] = { "relayed", "Your message was passed on", 2 },
	[DSN_DELIVERED] = { "delivered", "Your message was delivered", 2 },
};

const char *
dsn_action_name(enum dsn_action action)
{
	return actions[action].name;
}

unsigned
dsn_action_class(enum dsn_action action)
{
	return actions[action].class;
}

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

bool
dsn_has_action(const struct dsn_facts *f, enum dsn_action action)
{
	for (size_t i = 0; i < f->rcpt_count; i++)
		if (f->rcpts[i].action == action)
			return true;
	return false;
}

/* --- fields ---------------------------------------------------------- */

bool
dsn_add_clean(struct buf *b, struct span s, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf clean = BUF_MAX(2 * DSN_WORDS_MAX);

	if (f->smtputf8)
		return encode_printable(b, s, DSN_WORDS_MAX);
	return encode_printable(&clean, s, DSN_WORDS_MAX) &&
	       mime_ascii(b, buf_span(&clean), false);
}

bool
dsn_add_field(struct buf *out, const char *name, const char *prefix,
	      struct span s, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(6 * DSN_WORDS_MAX);

	if (s.n == 0)
		return true;
	return buf_add_str(&value, prefix) && dsn_add_clean(&value, s, f) &&
	       header_add(out, span_of(name), buf_span(&value));
}

bool
dsn_add_date_field(struct buf *out, const char *name, int64_t wall_ms)
{
	char date[64];

	return buf_addf(out, "%s: %s\r\n", name,
			clock_rfc5322(wall_ms, date, sizeof(date)));
}

/* --- what is returned ------------------------------------------------ */

/* NUL, or a line that is too long: neither 7bit nor 8bit can hold it. */
static bool
is_broken(struct span s)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		column = s.p[i] == '\r' || s.p[i] == '\n' ? 0 : column + 1;
		if (column > LINE_MAX || s.p[i] == '\0')
			return true;
	}
	return false;
}

/* The header section up to the last field that is known to be whole. */
static void
decide_header(struct dsn_shape *shape, const struct dsn_facts *f)
{
	struct header_facts facts;
	struct span rest = f->original, before = rest;
	struct header_field field;

	header_scan(f->original, &facts);
	shape->message_id = facts.message_id;
	shape->header = span_sub(f->original, 0, facts.length);
	/* there is more of the message, and its body has not begun */
	if (f->whole || facts.complete || facts.length < f->original.n)
		return;
	while (header_next(&rest, &field) && rest.n > 0)
		before = rest;
	shape->header_cut = true;
	shape->header = span_sub(f->original, 0,
				 (size_t)(before.p - f->original.p));
}

/* RET=FULL is for failures (RFC 3461 section 4.3), and the sender's wish. */
static void
dsn_shape_decide(struct dsn_shape *shape, const struct dsn_facts *f)
{
	bool wanted = f->ret == DSN_RET_FULL && dsn_has_action(f, DSN_FAILED) &&
		      f->reader == DSN_FOR_SENDER;

	decide_header(shape, f);
	if (wanted && !f->whole)
		shape->partial = DSN_PARTIAL_LARGE;
	else if (wanted && is_broken(f->original))
		shape->partial = DSN_PARTIAL_BROKEN;
	else
		shape->full = wanted;
	shape->returned = shape->full ? f->original : shape->header;
	/* of a header alone, what is odd is encoded: RFC 6522 section 4 */
	if (is_broken(shape->returned) ||
	    (!shape->full && !f->smtputf8 && span_has_8bit(shape->returned)))
		shape->encoding = "quoted-printable";
	else
		shape->encoding = f->smtputf8 || span_has_8bit(shape->returned)
				? "8bit" : "7bit";
}

/* A boundary that does not occur in the part that we did not write.  In the
 * other parts every line begins with a blank or with words of ours. */
static void
choose_boundary(struct dsn_shape *shape, const struct dsn_facts *f)
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

/* --- the header ------------------------------------------------------ */

static bool
add_subject(struct buf *out, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf s = BUF_MAX(6 * DSN_WORDS_MAX);
	size_t a = 0;

	while (a + 1 < ARRAY_SIZE(actions) &&
	       !dsn_has_action(f, (enum dsn_action)a))
		a++;
	if (f->reader == DSN_FOR_SENDER)
		return buf_addf(out, "Subject: %s\r\n", actions[a].subject);
	return buf_add_str(&s, "A message from <") &&
	       dsn_add_clean(&s, span_sub(f->sender, 0, LIMIT_PATH), f) &&
	       buf_add_str(&s, a == DSN_FAILED ? "> could not be delivered"
					       : "> is delayed") &&
	       header_add(out, SPAN("Subject"), buf_span(&s));
}

/* The original's Message-ID, if it is one that a field can hold. */
static bool
add_references(struct buf *out, const struct dsn_shape *shape)
{
	struct span id = shape->message_id;

	if (id.n < 3 || id.n > LIMIT_PATH || id.p[0] != '<' ||
	    id.p[id.n - 1] != '>' || address_needs_utf8(id))
		return true;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= 32 || id.p[i] == 127)
			return true;
	return header_add(out, SPAN("In-Reply-To"), id) &&
	       header_add(out, SPAN("References"), id);
}

/* RFC 3834: to the sender it is an answer; the operator sent nothing. */
static bool
add_header(struct buf *out, const struct dsn_facts *f,
	   const struct dsn_shape *shape)
{
	AUTO(buf_fini) struct buf host = BUF_MAX(6 * DSN_WORDS_MAX);
	AUTO(buf_fini) struct buf id = BUF_MAX(6 * DSN_WORDS_MAX);
	bool eight_bit = f->smtputf8 || strcmp(shape->encoding, "8bit") == 0;

	if (!dsn_add_clean(&host, f->hostname, f) ||
	    !dsn_add_clean(&id, f->id, f))
		return false;
	return dsn_add_date_field(out, "Date", f->now_ms) &&
	       buf_addf(out, "From: Mail Delivery System "
			"<MAILER-DAEMON@%s>\r\n", buf_str(&host)) &&
	       dsn_add_field(out, "To", "", f->to, f) &&
	       add_subject(out, f) &&
	       buf_addf(out, "Message-ID: <%s.report.%llx%s@%s>\r\n",
			buf_str(&id), (unsigned long long)f->now_ms,
			f->reader == DSN_FOR_OPERATOR ? ".copy" : "",
			buf_str(&host)) &&
	       add_references(out, shape) &&
	       buf_addf(out, "Auto-Submitted: %s\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: multipart/report;\r\n"
			"\treport-type=%sdelivery-status;\r\n"
			"\tboundary=\"%s\"\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n",
			f->reader == DSN_FOR_OPERATOR ? "auto-generated"
						      : "auto-replied",
			f->smtputf8 ? "global-" : "",
			shape->boundary, eight_bit ? "8bit" : "7bit");
}

/* --- the parts ------------------------------------------------------- */

static bool
add_part(struct buf *out, const struct dsn_shape *shape, const char *type,
	 const char *encoding)
{
	return buf_addf(out, "\r\n--%s\r\nContent-Type: %s\r\n"
			"Content-Transfer-Encoding: %s\r\n\r\n",
			shape->boundary, type, encoding);
}

/* For a reader: UTF-8 where there is any, and 8bit where that may be. */
static bool
add_words(struct buf *out, const struct dsn_facts *f,
	  const struct dsn_shape *shape)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(out->max);
	bool plain;

	if (!dsn_add_words(&words, f, shape))
		return false;
	plain = !span_has_8bit(buf_span(&words));
	if (plain && !f->smtputf8)
		return add_part(out, shape, "text/plain; charset=us-ascii",
				"7bit") && buf_add(out, buf_span(&words));
	if (f->smtputf8)
		return add_part(out, shape, "text/plain; charset=utf-8",
				"8bit") && buf_add(out, buf_span(&words));
	return add_part(out, shape, "text/plain; charset=utf-8",
			"quoted-printable") &&
	       mime_quoted(out, buf_span(&words));
}

/* The returned part, with whole lines whatever came in. */
static bool
add_returned(struct buf *out, const struct dsn_shape *shape)
{
	AUTO(buf_fini) struct buf lines = BUF_MAX(4 * LIMIT_DSN_ORIGINAL);
	struct dot_decoder d;

	dot_decoder_init(&d, BARE_LF_REPAIR);
	if (chunk_decode(&d, shape->returned, &lines) != shape->returned.n ||
	    !chunk_finish(&d, &lines))
		return false;
	return shape->encoding[0] == 'q'
	     ? mime_quoted(out, buf_span(&lines))
	     : buf_add(out, buf_span(&lines));
}

static bool
add_parts(struct buf *out, const struct dsn_facts *f,
	  const struct dsn_shape *shape)
{
	const char *returned = shape->full ? "message/rfc822"
					   : "text/rfc822-headers";

	if (f->smtputf8)
		returned = shape->full ? "message/global"
				       : "message/global-headers";
	return add_words(out, f, shape) &&
	       add_part(out, shape, f->smtputf8
			? "message/global-delivery-status"
			: "message/delivery-status",
			f->smtputf8 ? "8bit" : "7bit") &&
	       dsn_add_status(out, f) &&
	       add_part(out, shape, returned, shape->encoding) &&
	       add_returned(out, shape) &&
	       buf_addf(out, "\r\n--%s--\r\n", shape->boundary);
}

bool
dsn_write(struct buf *out, const struct dsn_facts *f)
{
	struct dsn_shape shape = { .full = false };
	size_t before = out->len;

	dsn_shape_decide(&shape, f);
	choose_boundary(&shape, f);
	if (add_header(out, f, &shape) && add_parts(out, f, &shape))
		return true;
	buf_cut(out, before);
	return false;
}
