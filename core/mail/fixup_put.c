/* fixup_put.c - lines that are of the header section go out, put right */
#include "mail/fixup_inside.h"

#include "base/error.h"
#include "base/macros.h"

#include <string.h>

/* --- what goes out --------------------------------------------------- */

/* The length up to the next CR without an LF.  A CR at the end is one: the
 * decoder never parts a CRLF. */
static size_t
bare_cr_find(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		i += span_find(span_from(s, i), '\r');
		if (i + 1 >= s.n || s.p[i + 1] != '\n')
			return MIN(i, s.n);
	}
	return s.n;
}

void
fixup_put(struct fixup *f, struct span s, struct span instead, struct buf *out)
{
	size_t n;

	if (!f->decoder.saw_bare || !f->decoder.repair) {
		must(buf_add(out, s));
		return;
	}
	for (; (n = bare_cr_find(s)) < s.n; s = span_from(s, n + 1))
		must(buf_add(out, span_sub(s, 0, n)) && buf_add(out, instead));
	must(buf_add(out, s));
}

void
fixup_header_put(struct fixup *f, struct span s, struct buf *out)
{
	fixup_put(f, s, SPAN(" "), out);
	f->facts.length += s.n;
	f->header_8bit = f->header_8bit || span_has_8bit(s);
}

/* A line that is no field, as one. */
static void
foreign_put(struct fixup *f, struct span name, struct span line,
	    struct buf *out)
{
	buf_clear(&f->empty_field);
	f->row = KNOWN_NONE;
	f->full = false;
	fixup_header_put(f, name, out);
	fixup_header_put(f, line, out);
}

/* Whether the latest field, of which this line is, wants no broken ones. */
static bool
field_full(const struct fixup *f, struct span line)
{
	switch (f->row) {
	case KNOWN_DATE:
	case KNOWN_MESSAGE_ID:
		return true;
	case KNOWN_FROM:
	case KNOWN_SENDER:
		return f->full || span_find(line, '@') < line.n;
	default:
		return false;
	}
}

/* The value is on this line, or (Date and Message-ID) was behind its name
 * alone: `id' is where it is looked for. */
static void
field_put(struct fixup *f, size_t row, struct span line, struct span id,
	  struct buf *out)
{
	bool single = row == KNOWN_DATE || row == KNOWN_MESSAGE_ID;

	if (single && f->seen >> row & 1)
		fixup_header_put(f, SPAN("X-Duplicate-"), out);
	else if (row == KNOWN_MESSAGE_ID)
		buf_add(&f->message_id, span_sub(header_message_id(id), 0,
						 FIXUP_MESSAGE_ID_MAX));
	if (row < KNOWN_NONE)
		f->seen |= UINT32_C(1) << row;
	f->facts.received += row == KNOWN_RECEIVED;
	f->row = row;
	f->full = false;
	f->full = field_full(f, id);
	fixup_header_put(f, line, out);
}

/* Nothing, or the brackets of a Message-ID with nothing in them. */
static bool
value_empty(struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if (strchr(" \t\r\n<>", value.p[i]) == NULL ||
		    value.p[i] == '\0')
			return false;
	return true;
}

static void
field_take(struct fixup *f, struct span line, struct buf *out)
{
	size_t colon, row;
	struct span value;

	row = known_find(span_sub(line, 0, header_name_length(line, &colon)));
	value = span_from(line, colon + 1);
	buf_clear(&f->empty_field);	/* the one before had no value */
	f->begun = true;
	if ((row == KNOWN_DATE || row == KNOWN_MESSAGE_ID) &&
	    line_whole(line) && value_empty(value)) {
		must(buf_add(&f->empty_field, line));
		return;
	}
	field_put(f, row, line, value, out);
}

/* A continuation, with the blank that it needs.  Behind a Date or Message-ID
 * that has no value yet it is the value, or nothing either. */
static void
more_take(struct fixup *f, struct span blank, struct span line,
	  struct buf *out)
{
	struct span first = buf_span(&f->empty_field);
	size_t colon, name;

	if (first.n > 0 && line_whole(line) && value_empty(line))
		return;
	if (first.n > 0) {
		name = header_name_length(first, &colon);
		field_put(f, known_find(span_sub(first, 0, name)), first, line,
			  out);
		buf_clear(&f->empty_field);
	}
	f->full = field_full(f, line);
	fixup_header_put(f, blank, out);
	fixup_header_put(f, line, out);
}

void
fixup_line_take(struct fixup *f, struct span line, struct buf *out)
{
	switch (line_kind(line)) {
	case LINE_FIELD:
		field_take(f, line, out);
		break;
	case LINE_MAILBOX:
		if (!f->begun || line.p[0] == '>') {
			foreign_put(f, SPAN("X-Mailbox-Line: "), line, out);
			break;
		}
		/* fall through */
	case LINE_BROKEN:
		if (f->full)
			foreign_put(f, SPAN("X-Broken-Line: "), line, out);
		else
			more_take(f, SPAN(" "), line, out);
		break;
	case LINE_MORE:
	case LINE_EMPTY:
		more_take(f, SPAN_NONE, line, out);
		break;
	}
}
