/* dsn_status.c - the part of a report for programs: RFC 3464
 *
 * Two fields of our own say what RFC 3464 has no field for, as Postfix's do:
 * X-Postern-Queue-Id and X-Postern-Sender.
 */
#include "mail/dsn_inside.h"

#include "mail/mime.h"
#include "mail/xtext.h"
#include "base/ip.h"
#include "base/macros.h"

#include <string.h>

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
		[OUTCOME_SECURITY] = { 0, 7, 0 },
	};
	struct enhanced e = { .class = (unsigned short)
			      dsn_action_class(r->action) };

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
	return span_sub(host, 1, close - 1);
}

/* An address is written as RFC 5321 section 4.1.3 has it. */
static bool
add_remote(struct buf *out, const struct dsn_facts *f, const char *host)
{
	AUTO(buf_fini) struct buf name = BUF_MAX(sizeof(((struct outcome *)0)
							->host) + 10);
	struct span s = host_name(span_of(host));
	struct ip ip;

	if (!ip_parse(s, &ip))
		return dsn_add_field(out, "Remote-MTA", "dns; ", s, f);
	return buf_addf(&name, "[%s%.*s]", ip.family == 6 ? "IPv6:" : "",
			SPAN_ARG(s)) &&
	       dsn_add_field(out, "Remote-MTA", "dns; ", buf_span(&name), f);
}

static bool
add_diagnostic(struct buf *out, const struct dsn_facts *f,
	       const struct outcome *o)
{
	char text[2 * LIMIT_OUTCOME_TEXT];
	struct outcome said = *o;
	bool reply = o->kind == OUTCOME_REPLY;

	if (o->host[0] && !add_remote(out, f, o->host))
		return false;
	if (o->text[0] == '\0' && o->code == 0)
		return true;
	if (reply)
		said.phase = PHASE_NONE;	/* only what the server said */
	outcome_text(&said, text, sizeof(text));
	return dsn_add_field(out, "Diagnostic-Code",
			     reply ? "smtp; " : "x-postern; ", span_of(text),
			     f);
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
	return dsn_add_clean(&type, span_sub(orcpt, 0, semicolon), f) &&
	       buf_add(&type, SPAN("; ")) &&
	       dsn_add_field(out, "Original-Recipient", buf_str(&type),
			     address, f);
}

/* RFC 6533 section 3: an address in UTF-8 has a type of its own, in an ASCII
 * report, too, where it is encoded. */
static bool
add_final(struct buf *out, const struct dsn_facts *f, struct span address)
{
	AUTO(buf_fini) struct buf ascii = BUF_MAX(10 * LIMIT_PATH);

	if (!address_needs_utf8(address))
		return dsn_add_field(out, "Final-Recipient", "rfc822; ",
				     address, f);
	if (!f->smtputf8) {
		if (!mime_ascii(&ascii, address, true))
			return false;
		address = buf_span(&ascii);
	}
	return dsn_add_field(out, "Final-Recipient", "utf-8; ", address, f);
}

static bool
add_rcpt(struct buf *out, const struct dsn_facts *f, const struct dsn_rcpt *r)
{
	char status[24];

	return buf_add(out, SPAN("\r\n")) &&
	       (r->orcpt.n == 0 || add_original(out, f, r->orcpt)) &&
	       add_final(out, f, r->address) &&
	       buf_addf(out, "Action: %s\r\nStatus: %s\r\n",
			dsn_action_name(r->action),
			enhanced_text(status_of(r), status, sizeof(status))) &&
	       (r->outcome == NULL || add_diagnostic(out, f, r->outcome)) &&
	       dsn_add_date_field(out, "Last-Attempt-Date", f->now_ms) &&
	       dsn_add_field(out, "Final-Log-ID", "", f->id, f) &&
	       (r->action != DSN_DELAYED || f->until_ms <= 0 ||
		dsn_add_date_field(out, "Will-Retry-Until", f->until_ms));
}

bool
dsn_add_status(struct buf *out, const struct dsn_facts *f)
{
	AUTO(buf_fini) struct buf envid = BUF_MAX(LIMIT_ENVID);
	bool ok = true;

	if (f->envid.n && xtext_decode(&envid, f->envid))
		ok = dsn_add_field(out, "Original-Envelope-Id", "",
				   buf_span(&envid), f);
	ok = ok && dsn_add_field(out, "Reporting-MTA", "dns; ", f->hostname,
				 f) &&
	     dsn_add_date_field(out, "Arrival-Date", f->arrival_ms) &&
	     dsn_add_field(out, "X-Postern-Queue-Id", "", f->id, f) &&
	     dsn_add_field(out, "X-Postern-Sender", "rfc822; ", f->sender, f);
	for (size_t i = 0; ok && i < f->rcpt_count; i++)
		ok = add_rcpt(out, f, &f->rcpts[i]);
	return ok;
}
