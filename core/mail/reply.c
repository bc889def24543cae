/* reply.c - replies given, and replies received */
#include "mail/reply.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

/* --- enhanced status codes ------------------------------------------- */

/* One to three digits (RFC 3463 section 2); the number of them, or 0. */
static size_t
number_at(struct span s, unsigned short *ret)
{
	unsigned value = 0;
	size_t n = 0;

	while (n < s.n && n < 4 && s.p[n] >= '0' && s.p[n] <= '9')
		value = value * 10 + (unsigned)(s.p[n++] - '0');
	*ret = (unsigned short)value;
	return n < 4 ? n : 0;
}

bool
enhanced_parse(struct span *s, struct enhanced *ret)
{
	struct enhanced e;
	unsigned short *part[] = { &e.class, &e.subject, &e.detail };
	struct span rest = *s;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		size_t n;

		if (i > 0) {
			if (rest.n == 0 || rest.p[0] != '.')
				return false;
			rest = span_from(rest, 1);
		}
		n = number_at(rest, part[i]);
		if (n == 0)
			return false;
		rest = span_from(rest, n);
	}
	if (e.class != 2 && e.class != 4 && e.class != 5)
		return false;
	/* 5.7.1: and 5.7.1, are codes too; 5.7.1.2 is an address */
	if (rest.n && (rest.p[0] == '.' || (unsigned char)rest.p[0] > 0x7f ||
		       (ascii_lower(rest.p[0]) >= 'a' &&
			ascii_lower(rest.p[0]) <= 'z')))
		return false;
	*ret = e;
	*s = rest;
	return true;
}

const char *
enhanced_text(struct enhanced e, char *buf, size_t size)
{
	if (e.class == 0)
		snprintf(buf, size, "%s", "");
	else
		snprintf(buf, size, "%hu.%hu.%hu", e.class, e.subject,
			 e.detail);
	return buf;
}

/* --- replies that we give -------------------------------------------- */

struct reply
reply(int code, const char *enhanced, const char *fmt, ...)
{
	struct reply r = { .code = code, .closes = code == 221 || code == 421 };
	va_list ap;

	snprintf(r.enhanced, sizeof(r.enhanced), "%s", enhanced);
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	return r;
}

struct reply
reply_error(int code, const char *enhanced, const struct error *err)
{
	struct reply r = reply(code, enhanced, "%s", err->text);

	for (char *p = r.text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return r;
}

static bool
format_line(const struct reply *r, struct span text, bool last,
	    struct buf *out)
{
	enum { LINE = 510 };		/* RFC 5321 section 4.5.3.1.5 */
	size_t start = out->len, room;
	char *to;

	if (!buf_addf(out, "%03d%c%s%s", r->code, last ? ' ' : '-',
		      r->enhanced, r->enhanced[0] && text.n ? " " : ""))
		return false;
	room = LINE - (out->len - start);
	if (text.n > room)
		text.n = room;
	to = buf_room(out, text.n + 2);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < text.n; i++)
		to[i] = text.p[i] < 32 || text.p[i] > 126 ? '?' : text.p[i];
	memcpy(to + text.n, "\r\n", 2);
	buf_added(out, text.n + 2);
	return true;
}

bool
reply_format(const struct reply *r, struct buf *out)
{
	struct span rest = span_of(r->text), line;
	size_t before = out->len;

	if (rest.n && rest.p[rest.n - 1] == '\n')
		rest.n--;
	while (span_split(&rest, '\n', &line)) {
		if (!format_line(r, line, rest.p == NULL, out)) {
			buf_cut(out, before);
			return false;
		}
	}
	return true;
}

/* --- replies that we receive ----------------------------------------- */

void
reply_parser_init(struct reply_parser *p)
{
	*p = (struct reply_parser){ .text = BUF_MAX(LIMIT_REPLY) };
}

void
reply_parser_fini(struct reply_parser *p)
{
	buf_fini(&p->text);
}

static enum parse
parse_bad(struct reply_parser *p, struct span line, const char *what,
	  struct error *why)
{
	AUTO(buf_fini) struct buf shown = BUF_MAX(256);

	buf_clear(&p->text);
	p->lines = 0;
	encode_printable(&shown, line, 100);
	error_set(why, ERROR_PROTOCOL, "%s: \"%s\"", what, buf_str(&shown));
	return PARSE_BAD;
}

/* "250-text", "250 text", "250": the code, or 0.  A tab is met, too. */
static int
line_code(struct span line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' ||
	    line.p[1] < '0' || line.p[1] > '9' ||
	    line.p[2] < '0' || line.p[2] > '9' ||
	    (line.n > 3 && memchr(" -\t", line.p[3], 3) == NULL))
		return 0;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
	       (line.p[2] - '0');
}

/* Adds the text of a line.  An enhanced code whose class is not the reply's
 * own breaks RFC 2034 and stays text. */
static bool
take_line(struct reply_parser *p, struct span text, struct enhanced *enhanced)
{
	struct span after = text;
	struct enhanced e;

	if (enhanced_parse(&after, &e) && e.class == p->code / 100) {
		if (enhanced->class != e.class)
			*enhanced = e;
		text = span_trim(after);
	}
	return (p->lines++ == 0 || buf_add_char(&p->text, '\n')) &&
	       buf_add(&p->text, text);
}

/* Without its end, whatever the server takes for one. */
static struct span
line_text(struct span line)
{
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

enum parse
reply_parse(struct reply_parser *p, struct buf *in, struct smtp_reply *ret,
	    struct error *why)
{
	if (p->lines == 0) {
		buf_clear(&p->text);
		p->enhanced = (struct enhanced){ .class = 0 };
	}
	for (;;) {
		struct span bytes = buf_span(in), line;
		size_t end = span_find(bytes, '\n');
		bool last;
		int code;

		if (end == bytes.n && end < LIMIT_REPLY)
			return PARSE_MORE;
		if (end >= LIMIT_REPLY)
			return parse_bad(p, bytes, "the reply is too long",
					 why);
		line = line_text(span_sub(bytes, 0, end));
		code = line_code(line);
		if (code == 0 && p->lines == 0)
			return parse_bad(p, line, "not an SMTP reply", why);
		if (code != 0)
			p->code = code;
		if (!take_line(p, span_from(line, code == 0 ? 0 : 4),
			       &p->enhanced))
			return parse_bad(p, line, "the reply is too long", why);
		last = code != 0 && (line.n == 3 || line.p[3] != '-');
		buf_drop(in, end + 1);
		if (last)
			break;
	}
	p->lines = 0;
	ret->code = p->code;
	ret->enhanced = p->enhanced.class == p->code / 100
		? p->enhanced : (struct enhanced){ .class = 0 };
	ret->text = buf_span(&p->text);
	return PARSE_OK;
}
