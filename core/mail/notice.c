/* notice.c - a mail to the operator about a route that is paused, in words */
#include "mail/notice.h"

#include "mail/header.h"
#include "mail/mime.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"

#include <string.h>

enum {
	COLUMNS = 76,
	FACT_MAX = 1500,		/* a reason with its remedy is shorter */
	TEXT_MAX = 16 * 1024,
	MINUTE = 60 * 1000,
};

/* --- lines ----------------------------------------------------------- */

/* The value behind its label, wrapped below itself. */
static bool
add_fact(struct buf *out, const char *label, struct span value)
{
	enum { INDENT = 13 };
	AUTO(buf_fini) struct buf clean = BUF_MAX(4 * FACT_MAX);
	struct span text, line;

	if (value.n == 0)
		return true;
	if (!encode_printable(&clean, value, FACT_MAX))
		return false;
	text = buf_span(&clean);
	for (; span_wrap(&text, COLUMNS - INDENT, &line); label = "")
		if (!buf_addf(out, "  %-10s ", label) || !buf_add(out, line) ||
		    !buf_add(out, SPAN("\r\n")))
			return false;
	return true;
}

static bool
add_time(struct buf *out, const char *label, int64_t wall_ms)
{
	char date[64];

	return add_fact(out, label, span_of(clock_rfc5322(wall_ms, date,
							  sizeof(date))));
}

/* "16 days", "5 minutes": rounded, as people say it. */
static void
add_duration(struct buf *out, int64_t ms)
{
	static const struct { int64_t ms; const char *one; } units[] = {
		{ (int64_t)24 * 60 * MINUTE, "day" },
		{ (int64_t)60 * MINUTE, "hour" }, { MINUTE, "minute" },
		{ 1000, "second" },
	};
	size_t i = 0;
	int64_t n;

	/* 90 minutes are no 2 hours */
	while (i + 1 < ARRAY_SIZE(units) && ms < 2 * units[i].ms)
		i++;
	n = (ms + units[i].ms / 2) / units[i].ms;
	buf_addf(out, "%lld %s%s", (long long)n, units[i].one,
		 n == 1 ? "" : "s");
}

/* --- a route is paused ----------------------------------------------- */

static bool
add_waiting(struct buf *out, const struct notice_facts *f)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(200);
	char date[64];

	if (!f->counted)
		return add_fact(out, "Waiting:", SPAN("the queue could not be "
						      "read just now"));
	if (f->waiting == 0)
		return add_fact(out, "Waiting:", SPAN("no message yet"));
	buf_addf(&text, "%llu message%s, the oldest from %s",
		 (unsigned long long)f->waiting, f->waiting == 1 ? "" : "s",
		 clock_rfc5322(f->oldest_ms, date, sizeof(date)));
	return add_fact(out, "Waiting:", buf_span(&text));
}

static bool
add_kept(struct buf *out, const struct notice_facts *f)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(200);

	if (f->counted && f->waiting > 0)
		return add_time(out, "Kept till:", f->oldest_ms + f->keeps_ms);
	add_duration(&text, f->keeps_ms);
	buf_add_str(&text, " from the arrival of each message on");
	return add_fact(out, "Kept for:", buf_span(&text));
}

static bool
add_paused(struct buf *out, const struct notice_facts *f)
{
	return buf_addf(out, "The route `%.*s' of this mail gateway is paused: "
			"the gateway cannot deliver\r\nthe route's mail now.  "
			"The mail waits in the queue, and is kept for the time"
			"\r\nbelow.\r\n\r\n",
			SPAN_ARG(f->route)) &&
	       add_fact(out, "Gateway:", f->hostname) &&
	       add_fact(out, "Route:", f->route) &&
	       add_fact(out, "Backend:", f->backend) &&
	       add_fact(out, "Mailbox:", f->mailbox) &&
	       add_fact(out, "Server:", f->host) &&
	       add_time(out, "Since:", f->since_ms) &&
	       add_fact(out, "Reason:", f->reason) &&
	       add_fact(out, "Remedy:", f->remedy) &&
	       add_waiting(out, f) && add_kept(out, f) &&
	       buf_addf(out, "\r\nThe gateway tries the route again from time "
			"to time.  When you have removed\r\nthe cause, this "
			"command makes it try at once:\r\n\r\n  postern queue "
			"retry --route %.*s\r\n\r\n`postern status' shows the "
			"present state.  You get one more mail when\r\nthe "
			"route works again, and until then no other mail about "
			"this pause.\r\n",
			SPAN_ARG(f->route));
}

/* --- and it works again ---------------------------------------------- */

static bool
add_resumed(struct buf *out, const struct notice_facts *f)
{
	AUTO(buf_fini) struct buf lasted = BUF_MAX(100);

	add_duration(&lasted, MAX(f->now_ms - f->since_ms, 0));
	return buf_addf(out, "The route `%.*s' of this mail gateway works "
			"again.  The mail that waited\r\nfor it is being sent."
			"\r\n\r\n", SPAN_ARG(f->route)) &&
	       add_fact(out, "Gateway:", f->hostname) &&
	       add_fact(out, "Route:", f->route) &&
	       add_fact(out, "Mailbox:", f->mailbox) &&
	       add_time(out, "Paused:", f->since_ms) &&
	       add_time(out, "Works:", f->now_ms) &&
	       add_fact(out, "Lasted:", buf_span(&lasted));
}

/* --- the message ----------------------------------------------------- */

static bool
add_ascii_field(struct buf *out, const char *name, struct span value)
{
	AUTO(buf_fini) struct buf clean = BUF_MAX(4 * FACT_MAX);

	/* an address in UTF-8 stays so: it makes SMTPUTF8 needed anyway */
	return encode_printable(&clean, value, FACT_MAX) &&
	       header_add(out, span_of(name), buf_span(&clean));
}

static bool
add_header(struct buf *out, const struct notice_facts *f)
{
	AUTO(buf_fini) struct buf subject = BUF_MAX(FACT_MAX);
	char date[64];

	return buf_addf(&subject, f->kind == NOTICE_PAUSED
			? "Route %.*s is paused, its mail waits"
			: "Route %.*s works again", SPAN_ARG(f->route)) &&
	       buf_addf(out, "Date: %s\r\n", clock_rfc5322(f->now_ms, date,
							   sizeof(date))) &&
	       buf_addf(out, "From: Mail Delivery System "
			"<MAILER-DAEMON@%.*s>\r\n", SPAN_ARG(f->hostname)) &&
	       add_ascii_field(out, "To", f->to) &&
	       add_ascii_field(out, "Subject", buf_span(&subject)) &&
	       buf_addf(out, "Message-ID: <notice.%llx.%llx@%.*s>\r\n"
			"Auto-Submitted: auto-generated\r\n"
			"MIME-Version: 1.0\r\n",
			(unsigned long long)f->now_ms,
			(unsigned long long)f->number, SPAN_ARG(f->hostname));
}

static bool
add_text(struct buf *out, const struct notice_facts *f)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(TEXT_MAX);

	if (!(f->kind == NOTICE_PAUSED ? add_paused(&text, f)
				       : add_resumed(&text, f)))
		return false;
	if (!span_has_8bit(buf_span(&text)))
		return buf_add_str(out, "Content-Type: text/plain; "
				   "charset=us-ascii\r\n"
				   "Content-Transfer-Encoding: 7bit\r\n\r\n") &&
		       buf_add(out, buf_span(&text));
	return buf_add_str(out, "Content-Type: text/plain; charset=utf-8\r\n"
			   "Content-Transfer-Encoding: quoted-printable\r\n"
			   "\r\n") &&
	       mime_quoted(out, buf_span(&text));
}

bool
notice_write(struct buf *out, const struct notice_facts *f)
{
	size_t before = out->len;

	if (add_header(out, f) && add_text(out, f))
		return true;
	buf_cut(out, before);
	return false;
}
