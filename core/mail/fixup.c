/* fixup.c - the header section is read line by line, and put right
 *
 * Lines gather in `held' and leave it when it is clear what they are, which
 * is nearly always when they are whole.  What cannot be told yet stays there:
 * a line that is no field may be a part of the header or begin the body, and
 * what follows decides.  A line of more than PIECE bytes is judged by them.
 */
#include "mail/fixup_inside.h"

#include "base/error.h"
#include "base/macros.h"

#include <string.h>

enum { PIECE = 1000 };			/* RFC 5322: no line is longer */

#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

/* --- the end of the section ------------------------------------------ */

static void
body_begin(struct fixup *f, struct span empty_line, struct buf *out)
{
	fixup_header_put(f, empty_line, out);
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
	fixup_put(f, buf_span(&f->held), SPAN("\r\n"), out);
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

		fixup_line_take(f, span_sub(rest, 0, n), out);
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
		fixup_line_take(f, line, out);
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
	return row != KNOWN_NONE && !(known_once(row) && f->seen >> row & 1);
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
		fixup_header_put(f, line, out);
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
		.message_id = BUF_MAX(FIXUP_MESSAGE_ID_MAX),
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
