/* header.c - fields found, and fields added in front
 *
 * Lines may end in CRLF or LF.  What is no field (an mbox "From " line, a
 * line without a colon) ends the section, as if the empty line had been
 * forgotten, and is left to the body.
 */
#include "mail/header.h"

#include "mail/address.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"

#include <string.h>

enum { COLUMNS = 78 };			/* RFC 5322 section 2.1.1 */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- looking --------------------------------------------------------- */

/* The length of the line at the front, with its end. */
static size_t
line_length(struct span s)
{
	size_t lf = span_find(s, '\n');

	return lf < s.n ? lf + 1 : s.n;
}

static struct span
without_end(struct span s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

size_t
header_name_length(struct span line, size_t *colon)
{
	size_t n = 0, at;

	while (n < line.n && line.p[n] > 32 && line.p[n] < 127 &&
	       line.p[n] != ':')
		n++;
	for (at = n; at < line.n && is_blank(line.p[at]); at++)
		;
	*colon = at;
	return at < line.n && line.p[at] == ':' ? n : 0;
}

bool
header_next(struct span *s, struct header_field *ret)
{
	size_t colon, end = line_length(*s);
	size_t name = header_name_length(span_sub(*s, 0, end), &colon);

	if (name == 0)
		return false;
	while (end < s->n && is_blank(s->p[end]))
		end += line_length(span_from(*s, end));
	ret->name = span_sub(*s, 0, name);
	ret->value = without_end(span_sub(*s, colon + 1, end - colon - 1));
	*s = span_from(*s, end);
	return true;
}

bool
header_find(struct span section, struct span name, size_t nth,
	    struct header_field *ret)
{
	struct header_field field;

	while (header_next(&section, &field)) {
		if (!span_eq_nocase(field.name, name) || nth-- > 0)
			continue;
		*ret = field;
		return true;
	}
	return false;
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static struct span
trim_space(struct span s)
{
	while (s.n && is_space(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* How much of the room in b the span may take. */
static bool
add_clipped(struct buf *b, struct span s)
{
	size_t room = b->max - b->len;

	return buf_add(b, span_sub(s, 0, room)) && s.n <= room;
}

bool
header_unfold(struct buf *b, struct span value)
{
	value = trim_space(value);
	while (value.n) {
		size_t n = 0, space;

		/* up to a line end, without the blanks that lead to it */
		while (n < value.n && value.p[n] != '\r' && value.p[n] != '\n')
			n++;
		for (space = n; space > 0 && is_blank(value.p[space - 1]); )
			space--;
		if (!add_clipped(b, span_sub(value, 0, space)))
			return false;
		value = span_from(value, n);
		if (value.n && !add_clipped(b, SPAN(" ")))
			return false;
		value = trim_space(value);
	}
	return true;
}

struct span
header_message_id(struct span value)
{
	size_t open = span_find(value, '<'), n = 0;
	struct span id = open < value.n ? span_from(value, open)
					: trim_space(value);

	while (n < id.n && !is_space(id.p[n]) && (n == 0 || id.p[n - 1] != '>'))
		n++;
	return span_sub(id, 0, n);
}

void
header_scan(struct span message, struct header_facts *ret)
{
	struct header_facts f = { .received = 0 };
	struct header_field field;
	struct span rest = message;

	while (header_next(&rest, &field)) {
		if (span_eq_nocase(field.name, SPAN("Received"))) {
			f.received++;
		} else if (span_eq_nocase(field.name, SPAN("Date"))) {
			f.has_date = true;
		} else if (span_eq_nocase(field.name, SPAN("From"))) {
			f.has_from = true;
		} else if (!f.has_message_id &&
			   span_eq_nocase(field.name, SPAN("Message-ID"))) {
			f.message_id = header_message_id(field.value);
			f.has_message_id = f.message_id.n > 0;
		}
	}
	f.complete = rest.n > 0 &&
		     (rest.p[0] == '\n' ||
		      (rest.n > 1 && rest.p[0] == '\r' && rest.p[1] == '\n'));
	f.length = message.n - rest.n;
	if (f.complete)
		f.length += line_length(rest);
	*ret = f;
}

bool
header_has_8bit(struct span message)
{
	struct header_facts f;

	header_scan(message, &f);
	return span_has_8bit(span_sub(message, 0, f.length));
}

/* --- adding ---------------------------------------------------------- */

static bool
breaks_field(struct span s)
{
	return span_find(s, '\r') < s.n || span_find(s, '\n') < s.n ||
	       span_find(s, '\0') < s.n;
}

static bool
name_valid(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
			return false;
	return name.n > 0;
}

/* The length of the blanks and the word behind them at the front. */
static size_t
word_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_blank(s.p[n]))
		n++;
	while (n < s.n && !is_blank(s.p[n]))
		n++;
	return n;
}

bool
header_add(struct buf *b, struct span name, struct span value)
{
	size_t before = b->len, column = name.n + 2;
	bool ok;

	value = span_trim(value);
	if (!name_valid(name) || breaks_field(value))
		return false;
	ok = buf_add(b, name) && buf_add(b, SPAN(": "));
	for (bool first = true; ok && value.n; first = false) {
		size_t n = word_length(value);

		/* the first word stays: not all software knows how to find a
		 * value that begins on the second line */
		if (column + n > COLUMNS && !first) {
			ok = buf_add(b, SPAN("\r\n"));
			column = 0;
		}
		ok = ok && buf_add(b, span_sub(value, 0, n));
		column += n;
		value = span_from(value, n);
	}
	ok = ok && buf_add(b, SPAN("\r\n"));
	if (!ok)
		buf_cut(b, before);
	return ok;
}

/* A stranger's word for a trace field: what would end a comment, a clause or
 * the line becomes '?'. */
static bool
add_word(struct buf *b, struct span s, struct span otherwise)
{
	char *to;

	s = s.n ? span_sub(s, 0, LIMIT_DOMAIN) : otherwise;
	to = buf_room(b, s.n);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++)
		to[i] = s.p[i] <= 32 || s.p[i] >= 127 ||
			strchr("()<>;,\"\\", s.p[i]) != NULL ? '?' : s.p[i];
	buf_added(b, s.n);
	return true;
}

/* "from" and what we know of the client */
static bool
add_from(struct buf *b, const struct received *r)
{
	return buf_add(b, SPAN("Received: from ")) &&
	       add_word(b, r->helo, SPAN("unknown")) &&
	       (r->client.n == 0 ||
		(buf_add(b, SPAN(" ([")) &&
		 add_word(b, r->client, SPAN_NONE) &&
		 buf_add(b, SPAN("])")))) &&
	       (r->tls.n == 0 ||
		(buf_add(b, SPAN("\r\n\t(using ")) && buf_add(b, r->tls) &&
		 buf_add(b, SPAN(")"))));
}

/* "for", where the reader is sure to understand it (RFC 6531, 4.3) */
static bool
add_for(struct buf *b, const struct received *r)
{
	if (r->for_.n == 0 ||
	    (address_needs_utf8(r->for_) &&
	     !span_starts_nocase(r->with, SPAN("UTF8"))))
		return true;
	return buf_add(b, SPAN("\r\n\tfor <")) && buf_add(b, r->for_) &&
	       buf_add(b, SPAN(">"));
}

bool
header_add_received(struct buf *b, const struct received *r)
{
	size_t before = b->len;
	char date[64];

	if (breaks_field(r->for_) || breaks_field(r->tls) ||
	    span_find(r->tls, ')') < r->tls.n)
		return false;
	clock_rfc5322(r->wall_ms, date, sizeof(date));
	if (add_from(b, r) &&
	    buf_add(b, SPAN("\r\n\tby ")) &&
	    add_word(b, r->by, SPAN("unknown")) &&
	    buf_add(b, SPAN(" with ")) && add_word(b, r->with, SPAN("SMTP")) &&
	    (r->id.n == 0 || (buf_add(b, SPAN(" id ")) &&
			      add_word(b, r->id, SPAN_NONE))) &&
	    add_for(b, r) && buf_addf(b, ";\r\n\t%s\r\n", date))
		return true;
	buf_cut(b, before);
	return false;
}
