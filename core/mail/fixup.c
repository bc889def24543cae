/* fixup.c - the header section is read line by line, and put right
 *
 * Lines gather in `held' and leave it when it is clear what they are, which
 * is nearly always when they are whole.  What cannot be told yet stays there:
 * a line that is no field may be a part of the header or begin the body, and
 * what follows decides.  A line of more than PIECE bytes is judged by them.
 */
#include "mail/fixup.h"

#include "base/error.h"
#include "base/macros.h"

#include <string.h>

enum {
	PIECE = 1000,			/* RFC 5322: no line is longer */
	MESSAGE_ID_MAX = 1000,
};

#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

/* --- fields that everybody knows ------------------------------------- */

enum known_flag {
	KNOWN_ONCE = 1,			/* RFC 5322 section 3.6, RFC 2045 */
	KNOWN_PREFIX = 2,		/* all names that begin with it */
};

enum {
	KNOWN_RECEIVED, KNOWN_FROM, KNOWN_DATE, KNOWN_MESSAGE_ID, KNOWN_SENDER,
};

static const struct {
	struct span name;
	unsigned flags;
} known[] = {
	[KNOWN_RECEIVED] = { { "Received", 8 }, 0 },
	[KNOWN_FROM] = { { "From", 4 }, KNOWN_ONCE },
	[KNOWN_DATE] = { { "Date", 4 }, KNOWN_ONCE },
	[KNOWN_MESSAGE_ID] = { { "Message-ID", 10 }, KNOWN_ONCE },
	[KNOWN_SENDER] = { { "Sender", 6 }, KNOWN_ONCE },
	{ { "To", 2 }, KNOWN_ONCE },
	{ { "Cc", 2 }, KNOWN_ONCE },
	{ { "Bcc", 3 }, KNOWN_ONCE },
	{ { "Subject", 7 }, KNOWN_ONCE },
	{ { "Reply-To", 8 }, KNOWN_ONCE },
	{ { "In-Reply-To", 11 }, KNOWN_ONCE },
	{ { "References", 10 }, KNOWN_ONCE },
	{ { "Return-Path", 11 }, KNOWN_ONCE },
	{ { "MIME-Version", 12 }, KNOWN_ONCE },
	{ { "Content-Type", 12 }, KNOWN_ONCE },
	{ { "Content-Transfer-Encoding", 25 }, KNOWN_ONCE },
	{ { "Auto-Submitted", 14 }, KNOWN_ONCE },
	{ { "Importance", 10 }, KNOWN_ONCE },
	{ { "Precedence", 10 }, KNOWN_ONCE },
	{ { "Delivered-To", 12 }, 0 },
	{ { "User-Agent", 10 }, KNOWN_ONCE },
	{ { "Disposition-Notification-To", 27 }, KNOWN_ONCE },
	{ { "DKIM-Signature", 14 }, 0 },
	{ { "Authentication-Results", 22 }, 0 },
	{ { "Received-SPF", 12 }, 0 },
	{ { "X-", 2 }, KNOWN_PREFIX },
	{ { "ARC-", 4 }, KNOWN_PREFIX },
	{ { "List-", 5 }, KNOWN_PREFIX },
	{ { "Resent-", 7 }, KNOWN_PREFIX },
	{ { "Content-", 8 }, KNOWN_PREFIX },
	{ { "Thread-", 7 }, KNOWN_PREFIX },
};
_Static_assert(ARRAY_SIZE(known) <= 32, "struct fixup: seen has 32 bits");

/* Its row, or ARRAY_SIZE(known). */
static size_t
known_find(struct span name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].flags & KNOWN_PREFIX
		    ? span_starts_nocase(name, known[i].name)
		    : span_eq_nocase(name, known[i].name))
			break;
	return i;
}

/* --- lines ----------------------------------------------------------- */

enum line_kind {
	LINE_EMPTY,
	LINE_FIELD,
	LINE_MORE,			/* of the field before it */
	LINE_MAILBOX,			/* From ..., >From ... */
	LINE_BROKEN,
};

static struct span
line_unquoted(struct span line)
{
	while (line.n > 0 && line.p[0] == '>')
		line = span_from(line, 1);
	return line;
}

static enum line_kind
line_kind(struct span line)
{
	struct span from = line_unquoted(line);
	size_t colon;

	if (span_eq(line, SPAN("\r\n")) || span_eq(line, SPAN("\n")))
		return LINE_EMPTY;
	if (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '\r')
		return LINE_MORE;
	if (header_name_length(line, &colon) > 0)
		return LINE_FIELD;
	if (from.n >= 5 && memcmp(from.p, "From ", 5) == 0)
		return LINE_MAILBOX;
	return LINE_BROKEN;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_month(struct span word)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec",
	};

	for (size_t i = 0; i < ARRAY_SIZE(months); i++)
		if (span_eq(word, span_of(months[i])))
			return true;
	return false;
}

static bool
is_time_of_day(struct span word)
{
	for (size_t i = 1; i + 2 < word.n; i++)
		if (word.p[i] == ':' && is_digit(word.p[i - 1]) &&
		    is_digit(word.p[i + 1]) && is_digit(word.p[i + 2]))
			return true;
	return false;
}

/* "From root Mon Nov 14 23:42 UTC 2016", but not "From 10:30 on it is too
 * hot": a month comes before the time. */
static bool
line_is_stamped(struct span line)
{
	bool month = false;
	struct span word;

	while (span_split(&line, ' ', &word)) {
		if (month && is_time_of_day(word))
			return true;
		month = month || is_month(word);
	}
	return false;
}

static bool
line_whole(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\n';
}

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

/* With `instead' in the place of each bare CR.  The callers have seen to the
 * room. */
static void
put(struct fixup *f, struct span s, struct span instead, struct buf *out)
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

static void
header_put(struct fixup *f, struct span s, struct buf *out)
{
	put(f, s, SPAN(" "), out);
	f->facts.length += s.n;
	f->header_8bit = f->header_8bit || span_has_8bit(s);
}

/* A line that is no field, as one. */
static void
foreign_put(struct fixup *f, struct span name, struct span line,
	    struct buf *out)
{
	buf_clear(&f->empty_field);
	f->row = ARRAY_SIZE(known);
	f->full = false;
	header_put(f, name, out);
	header_put(f, line, out);
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
		header_put(f, SPAN("X-Duplicate-"), out);
	else if (row == KNOWN_MESSAGE_ID)
		buf_add(&f->message_id, span_sub(header_message_id(id), 0,
						 MESSAGE_ID_MAX));
	if (row < ARRAY_SIZE(known))
		f->seen |= UINT32_C(1) << row;
	f->facts.received += row == KNOWN_RECEIVED;
	f->row = row;
	f->full = false;
	f->full = field_full(f, id);
	header_put(f, line, out);
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
	header_put(f, blank, out);
	header_put(f, line, out);
}

/* A line that is of the header, whatever it looks like. */
static void
line_take(struct fixup *f, struct span line, struct buf *out)
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

/* --- the end of the section ------------------------------------------ */

static void
body_begin(struct fixup *f, struct span empty_line, struct buf *out)
{
	header_put(f, empty_line, out);
	f->in_body = true;
	f->decoder.keep_cr = false;
	f->facts.complete = true;
	f->facts.has_from = f->seen >> KNOWN_FROM & 1;
	f->facts.has_date = f->seen >> KNOWN_DATE & 1;
	f->facts.has_message_id = f->seen >> KNOWN_MESSAGE_ID & 1;
	f->facts.message_id = buf_span(&f->message_id);
	buf_fini(&f->empty_field);
}

/* What is held was not of the header. */
static void
held_are_body(struct fixup *f, struct buf *out)
{
	body_begin(f, SPAN("\r\n"), out);
	put(f, buf_span(&f->held), SPAN("\r\n"), out);
	buf_fini(&f->held);
}

static void
held_done(struct fixup *f)
{
	buf_clear(&f->held);
	f->line = 0;
	f->hold = FIXUP_NOTHING;
}

/* A field has come: what is held before it is of the header, too. */
static void
held_are_header(struct fixup *f, struct buf *out)
{
	struct span rest = buf_span(&f->held);

	while (rest.n > 0) {
		size_t n = MIN(span_find(rest, '\n') + 1, rest.n);

		line_take(f, span_sub(rest, 0, n), out);
		rest = span_from(rest, n);
	}
	held_done(f);
}

/* --- what a line is -------------------------------------------------- */

static void
line_keep(struct fixup *f, enum fixup_hold hold)
{
	f->hold = hold;
	f->line = f->held.len;
}

/* Nothing waits: the line alone decides. */
static void
line_judge(struct fixup *f, struct span line, struct buf *out)
{
	enum line_kind kind = line_kind(line);

	if (kind == LINE_EMPTY) {
		body_begin(f, line, out);
		buf_fini(&f->held);
	} else if (kind == LINE_FIELD ||
		   (kind == LINE_MORE && f->facts.length + f->begun > 0) ||
		   (kind == LINE_MAILBOX && !f->begun && line_whole(line) &&
		    line_is_stamped(line))) {
		f->in_line = !line_whole(line);
		line_take(f, line, out);
		held_done(f);
	} else if (!line_whole(line)) {
		held_are_body(f, out);
	} else if (f->begun) {
		line_keep(f, FIXUP_BROKEN_LINES);
	} else if (kind == LINE_MAILBOX) {
		line_keep(f, FIXUP_MAILBOX_LINES);
	} else {
		held_are_body(f, out);
	}
}

/* Whether this field proves that the header goes on. */
static bool
field_proves(const struct fixup *f, struct span line)
{
	size_t colon, row;

	row = known_find(span_sub(line, 0, header_name_length(line, &colon)));
	return row < ARRAY_SIZE(known) &&
	       !(known[row].flags & KNOWN_ONCE && f->seen >> row & 1);
}

/* Lines wait: what does this one say of them? */
static void
line_decide(struct fixup *f, struct span line, struct buf *out)
{
	enum line_kind kind = line_kind(line);
	bool from_lines = f->hold == FIXUP_MAILBOX_LINES;

	if (kind == LINE_FIELD && (from_lines || field_proves(f, line))) {
		f->in_line = !line_whole(line);
		held_are_header(f, out);
	} else if (kind == LINE_EMPTY || !line_whole(line) ||
		   f->held.len > FIXUP_HELD ||
		   (from_lines && kind != LINE_MAILBOX)) {
		held_are_body(f, out);
	} else {
		line_keep(f, f->hold);
	}
}

/* Bytes were added to `held', up to the end of a line at most. */
static void
held_look(struct fixup *f, struct buf *out)
{
	struct span line = span_from(buf_span(&f->held), f->line);

	if (f->in_line) {
		f->in_line = !line_whole(line);
		header_put(f, line, out);
		buf_clear(&f->held);
		return;
	}
	while (!f->begun && f->line == 0 &&
	       span_starts_nocase(line, BYTE_ORDER_MARK)) {
		buf_drop(&f->held, BYTE_ORDER_MARK.n);
		line = buf_span(&f->held);
	}
	if (!line_whole(line) && line.n < PIECE)
		return;
	if (f->hold == FIXUP_NOTHING)
		line_judge(f, line, out);
	else
		line_decide(f, line, out);
}

/* --- bytes ----------------------------------------------------------- */

void
fixup_init(struct fixup *f, enum bare_lf policy)
{
	*f = (struct fixup){
		.held = BUF_MAX(FIXUP_HELD + 3 * PIECE),
		.empty_field = BUF_MAX(PIECE + 2),
		.message_id = BUF_MAX(MESSAGE_ID_MAX),
	};
	dot_decoder_init(&f->decoder, policy);
	f->decoder.keep_cr = true;
}

void
fixup_fini(struct fixup *f)
{
	buf_fini(&f->held);
	buf_fini(&f->empty_field);
	buf_fini(&f->message_id);
}

static size_t
bytes_decode(struct fixup *f, struct span in, struct buf *out, bool *ended)
{
	/* BDAT has no dots, and no end in its bytes */
	return ended != NULL ? dot_decode(&f->decoder, in, out, ended)
			     : chunk_decode(&f->decoder, in, out);
}

/* The message is over, and its last line whole. */
static void
header_finish(struct fixup *f, struct buf *out)
{
	if (f->in_body)
		return;
	if (f->hold != FIXUP_NOTHING)
		held_are_body(f, out);
	else
		body_begin(f, SPAN("\r\n"), out);
}

/* How many bytes are looked at together: no more than the end of the line,
 * and no more than the PIECE by which it is judged, so that it does not matter
 * how a client cuts its message.  The decoder may hold two back. */
static size_t
step_length(const struct fixup *f, struct span in)
{
	size_t n = f->held.len - f->line, max = PIECE;

	if (!f->in_line)
		max = n + 3 < PIECE ? PIECE - n - 3 : 1;
	return MIN(span_find(in, '\n') + 1, max);
}

static size_t
header_read(struct fixup *f, struct span in, struct buf *out, bool *ended)
{
	size_t used = 0;

	while (!f->in_body && used < in.n && !(ended != NULL && *ended)) {
		struct span rest = span_from(in, used);
		size_t n = step_length(f, rest);

		if (out->max - out->len < FIXUP_ROOM)
			break;
		used += bytes_decode(f, span_sub(rest, 0, n), &f->held, ended);
		held_look(f, out);
		if (ended != NULL && *ended)
			header_finish(f, out);
	}
	return used;
}

size_t
fixup_data(struct fixup *f, struct span in, struct buf *out, bool *ended)
{
	size_t used = 0;

	*ended = false;
	if (!f->in_body)
		used = header_read(f, in, out, ended);
	if (f->in_body && used < in.n && !*ended)
		used += bytes_decode(f, span_from(in, used), out, ended);
	return used;
}

size_t
fixup_chunk(struct fixup *f, struct span in, struct buf *out)
{
	size_t used = f->in_body ? 0 : header_read(f, in, out, NULL);

	if (f->in_body && used < in.n)
		used += bytes_decode(f, span_from(in, used), out, NULL);
	return used;
}

bool
fixup_chunk_finish(struct fixup *f, struct buf *out)
{
	if (f->in_body)
		return chunk_finish(&f->decoder, out);
	if (out->max - out->len < FIXUP_ROOM)
		return false;
	must(chunk_finish(&f->decoder, &f->held));
	held_look(f, out);
	header_finish(f, out);
	return true;
}
