/* test-mail-fixup.c - headers that are not quite headers
 *
 * Each row is given whole, byte by byte, as DATA and as BDAT: the answer is
 * always the same, and the facts are those that header_scan() finds in it.
 */
#include "mail/fixup.h"

#include "base/macros.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define BOM "\xef\xbb\xbf"
#define CRON "From root Mon Nov 14 23:42 UTC 2016\r\n"
#define X_CRON "X-Mailbox-Line: From root Mon Nov 14 23:42 UTC 2016\r\n"
#define AB "From: a@b.test\r\nSubject: x\r\n"

/* out NULL: as it came */
static const struct {
	const char *title;
	struct span in;
	const char *out;
} rows[] = {
	{ "whole", SPAN(AB "\r\nbody\r\n"), NULL },
	{ "folded", SPAN("Subject: a\r\n b\r\n\tc\r\nDate:\r\n x\r\nMessage-ID: \r\n \r\n <a@b>\r\n\r\nx\r\n"),
	  "Subject: a\r\n b\r\n\tc\r\nDate:\r\n x\r\nMessage-ID: \r\n <a@b>\r\n\r\nx\r\n" },
	{ "obsolete", SPAN("Subject : a\r\nX:\r\n\r\nFrom y\r\n" BOM "z\r\n"), NULL },
	{ "Received counts", SPAN("Received: x\r\nreceived:\r\n y\r\nX-Received: z\r\n\r\nReceived: w\r\n"), NULL },
	{ "only an empty line", SPAN("\r\nA: b\r\n"), NULL },
	{ "header only", SPAN(AB "\r\n"), NULL },
	/* mailbox lines */
	{ "From at 23:42", SPAN(CRON AB "\r\nbody\r\n"), X_CRON AB "\r\nbody\r\n" },
	{ "From without a time", SPAN("From root\r\n" AB "\r\n"), "X-Mailbox-Line: From root\r\n" AB "\r\n" },
	{ ">From", SPAN(">From root Mon\r\n" AB "\r\n"), "X-Mailbox-Line: >From root Mon\r\n" AB "\r\n" },
	{ "several", SPAN(">>From x\r\n" CRON ">From y\r\n" AB "\r\n"),
	  "X-Mailbox-Line: >>From x\r\n" X_CRON "X-Mailbox-Line: >From y\r\n" AB "\r\n" },
	{ "From and a mark", SPAN(BOM BOM CRON BOM AB "\r\n"), X_CRON AB "\r\n" },
	{ "From, then no header", SPAN(CRON "hello\r\n\r\nyou\r\n"), X_CRON "\r\nhello\r\n\r\nyou\r\n" },
	{ "From, then the empty line", SPAN(CRON "\r\nhello\r\n"), X_CRON "\r\nhello\r\n" },
	{ "text that begins so", SPAN("From now on\r\nwe meet\r\n"), "\r\nFrom now on\r\nwe meet\r\n" },
	{ "such text, alone", SPAN("From now on\r\n"), "\r\nFrom now on\r\n" },
	{ "such text, a paragraph", SPAN("From now on\r\n\r\nA: b\r\n"), "\r\nFrom now on\r\n\r\nA: b\r\n" },
	{ "such text, with a time", SPAN("From 10:30 on it is too hot\r\n"), "\r\nFrom 10:30 on it is too hot\r\n" },
	{ "with a month behind it", SPAN("From 10:30 to Mar 2nd\r\n"), "\r\nFrom 10:30 to Mar 2nd\r\n" },
	{ "From an address, with seconds", SPAN("From a@b.test Fri May  1 07:02:03 2026\r\nhello\r\n"),
	  "X-Mailbox-Line: From a@b.test Fri May  1 07:02:03 2026\r\n\r\nhello\r\n" },
	{ "From: is a field", SPAN("From : a@b 12:34\r\n\r\n"), NULL },
	{ "From in a body", SPAN(AB "\r\n" CRON ">From x\r\n"), NULL },
	{ "From in the middle", SPAN("Return-Path: <a@b>\r\n>From x\r\nSubject: y\r\n\r\n"),
	  "Return-Path: <a@b>\r\nX-Mailbox-Line: >From x\r\nSubject: y\r\n\r\n" },
	/* byte-order marks */
	{ "a mark", SPAN(BOM AB "\r\nbody\r\n"), AB "\r\nbody\r\n" },
	{ "a mark and the empty line", SPAN(BOM "\r\nbody\r\n"), "\r\nbody\r\n" },
	{ "a mark and text", SPAN(BOM "hello\r\n"), "\r\nhello\r\n" },
	{ "a mark alone", SPAN(BOM "\r\n"), "\r\n" },
	{ "a mark in the middle", SPAN("A: b\r\n" BOM "c\r\nTo: d\r\n\r\n" BOM "\r\n"), "A: b\r\n " BOM "c\r\nTo: d\r\n\r\n" BOM "\r\n" },
	{ "no mark", SPAN("\xef\xbb\r\n"), "\r\n\xef\xbb\r\n" },
	/* broken lines */
	{ "a wrapped Subject", SPAN("Subject: a\r\nlong one\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n"),
	  "Subject: a\r\n long one\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n" },
	{ "two broken lines", SPAN("Subject: a\r\nb\r\nc\r\nX-y: z\r\n\r\n"), "Subject: a\r\n b\r\n c\r\nX-y: z\r\n\r\n" },
	{ "twice", SPAN("Subject: a\r\nb\r\nTo: c\r\nd\r\nCc: e\r\n\r\n"), "Subject: a\r\n b\r\nTo: c\r\n d\r\nCc: e\r\n\r\n" },
	{ "with unknown fields", SPAN("Subject: a\r\nb\r\nFoo: c\r\n d\r\nTo: e\r\n\r\n"),
	  "Subject: a\r\n b\r\nFoo: c\r\n d\r\nTo: e\r\n\r\n" },
	{ "no proof: unknown", SPAN("Subject: a\r\nb\r\nFoo: c\r\n\r\nd\r\n"), "Subject: a\r\n\r\nb\r\nFoo: c\r\n\r\nd\r\n" },
	{ "no proof: it stands already", SPAN("Date: a\r\nalarm\r\nDate: b\r\nTime: c\r\n"),
	  "Date: a\r\n\r\nalarm\r\nDate: b\r\nTime: c\r\n" },
	{ "no proof: behind the empty line", SPAN("Subject: a\r\nb\r\n\r\nTo: c\r\n"), "Subject: a\r\n\r\nb\r\n\r\nTo: c\r\n" },
	{ "no proof: the end", SPAN("Subject: a\r\nb\r\n"), "Subject: a\r\n\r\nb\r\n" },
	{ "no field before it", SPAN("hello\r\nTo: a\r\n\r\n"), "\r\nhello\r\nTo: a\r\n\r\n" },
	{ "begins with a blank", SPAN(" To: a\r\n\r\n"), "\r\n To: a\r\n\r\n" },
	{ "a value that is wrapped", SPAN("Message-ID:\r\n<a@b>\r\nTo: c\r\n\r\n"), "Message-ID:\r\n <a@b>\r\nTo: c\r\n\r\n" },
	{ "behind a From with an address", SPAN("From: a@b\r\nscanned\r\nfor you\r\nTo: c\r\n\r\n"),
	  "From: a@b\r\nX-Broken-Line: scanned\r\n for you\r\nTo: c\r\n\r\n" },
	{ "behind one without", SPAN("From: Anna\r\n<a@b>\r\nx\r\nTo: c\r\n\r\n"),
	  "From: Anna\r\n <a@b>\r\nX-Broken-Line: x\r\nTo: c\r\n\r\n" },
	{ "behind a folded Sender", SPAN("Sender: A\r\n <a@b>\r\nx\r\nTo: c\r\n\r\n"),
	  "Sender: A\r\n <a@b>\r\nX-Broken-Line: x\r\nTo: c\r\n\r\n" },
	{ "behind Date and Message-ID", SPAN("Date: a\r\nx\r\nMessage-ID: <a@b>\r\ny\r\nTo: c\r\n\r\n"),
	  "Date: a\r\nX-Broken-Line: x\r\nMessage-ID: <a@b>\r\nX-Broken-Line: y\r\nTo: c\r\n\r\n" },
	{ "a parameter", SPAN("Content-Type: a/b;\r\nc=d\r\nTo: c\r\n\r\n"), "Content-Type: a/b;\r\n c=d\r\nTo: c\r\n\r\n" },
	{ "a second Date among them", SPAN("Date: a\r\nX: y\r\nb\r\nDate: c\r\nTo: d\r\n\r\n"),
	  "Date: a\r\nX: y\r\n b\r\nX-Duplicate-Date: c\r\nTo: d\r\n\r\n" },
	/* bare CR and LF */
	{ "a bare CR in a field", SPAN("Subject: a\rBcc: x\r\n\r\n"), "Subject: a Bcc: x\r\n\r\n" },
	{ "two of them", SPAN("Subject: a\r\rBcc: x\r\n\r\n"), "Subject: a  Bcc: x\r\n\r\n" },
	{ "at the beginning of a line", SPAN("Subject: a\r\n\rBcc: x\r\n\r\n"), "Subject: a\r\n Bcc: x\r\n\r\n" },
	{ "at the end of a line", SPAN("Subject: a\r\r\r\nTo: b\r\n\r\n"), "Subject: a \r\nTo: b\r\n\r\n" },
	{ "in a broken line", SPAN("Subject: a\r\nb\rc\r\nTo: d\r\n\r\n"), "Subject: a\r\n b c\r\nTo: d\r\n\r\n" },
	{ "at the beginning of all", SPAN("\rBcc: x\r\n\r\n"), "\r\n\r\nBcc: x\r\n\r\n" },
	{ "in text without a header", SPAN("a\rb\r\rc\r\n"), "\r\na\r\nb\r\n\r\nc\r\n" },
	{ "in what was no broken line", SPAN("Subject: a\r\nb\rc\r\n"), "Subject: a\r\n\r\nb\r\nc\r\n" },
	{ "a line end mended twice", SPAN("Subject: a\r\r\nTo: b\r\r\n\r\r\nc\r\n"), "Subject: a\r\nTo: b\r\n\r\nc\r\n" },
	{ "at the end of all", SPAN("Subject: a\r\r"), "Subject: a \r\n\r\n" },
	{ "in the body", SPAN(AB "\r\na\rb\nc\r\n"), AB "\r\na\r\nb\r\nc\r\n" },
	{ "bare LF", SPAN("Subject: a\n b\nTo: c\n\nd\n"), "Subject: a\r\n b\r\nTo: c\r\n\r\nd\r\n" },
	/* the empty line */
	{ "header without it", SPAN(AB), AB "\r\n" },
	{ "header without it, folded", SPAN("Subject: x\r\n y\r\n"), "Subject: x\r\n y\r\n\r\n" },
	{ "body without it", SPAN(AB "hello, you\r\n"), AB "\r\nhello, you\r\n" },
	{ "no header", SPAN("hello\r\n"), "\r\nhello\r\n" },
	{ "nothing", SPAN(""), "\r\n" },
	/* one Date, one Message-ID */
	{ "no value", SPAN("Message-ID:\r\nDate: \r\nTo: a\r\n\r\n"), "To: a\r\n\r\n" },
	{ "no value, folded", SPAN("Message-ID: \r\n \r\n\t\r\nTo: a\r\n\r\n"), "To: a\r\n\r\n" },
	{ "no value, nothing else", SPAN("message-id:\r\n\r\nx\r\n"), "\r\nx\r\n" },
	{ "brackets", SPAN("Message-ID: < >\r\n\r\n"), "\r\n" },
	{ "no value, then one", SPAN("Message-ID:\r\nMessage-ID: <a@b>\r\n\r\n"), "Message-ID: <a@b>\r\n\r\n" },
	{ "two", SPAN("Message-ID: <a@b>\r\nDate: x\r\nMESSAGE-ID: <c@d>\r\ndate:\r\n y\r\n z\r\n\r\n"),
	  "Message-ID: <a@b>\r\nDate: x\r\nX-Duplicate-MESSAGE-ID: <c@d>\r\nX-Duplicate-date:\r\n y\r\n z\r\n\r\n" },
	{ "the resent ones are others", SPAN("Date: x\r\nResent-Date: y\r\nResent-Date: z\r\n\r\n"), NULL },
};

enum way { CHUNK, CHUNK_BYTES, DATA, DATA_BYTES, WAYS };

/* in through the fixup; false: it cannot be told this way */
static bool
play(struct fixup *f, struct span in, enum way way, struct buf *out)
{
	size_t step = way == CHUNK || way == DATA ? in.n + 1 : 1;
	bool ended = false;

	/* a dot behind a bare LF ends nothing */
	if (way >= DATA && in.n > 0 && !span_ends_nocase(in, SPAN("\r\n")))
		return false;
	fixup_init(f, BARE_LF_REPAIR);
	while (in.n > 0) {
		struct span piece = span_sub(in, 0, step);
		size_t n = way < DATA ? fixup_chunk(f, piece, out)
				      : fixup_data(f, piece, out, &ended);

		assert_int_equal(n, piece.n);
		in = span_from(in, n);
	}
	if (way < DATA)
		assert_true(fixup_chunk_finish(f, out));
	else
		assert_int_equal(fixup_data(f, SPAN(".\r\nNOOP"), out, &ended), 3);
	assert_true(way < DATA || ended);
	return true;
}

/* The facts are those of what came out. */
static bool
facts_right(const struct fixup *f, struct span out)
{
	struct header_facts h;

	header_scan(out, &h);
	return h.received == f->facts.received &&
	       h.has_date == f->facts.has_date &&
	       h.has_message_id == f->facts.has_message_id &&
	       h.has_from == f->facts.has_from &&
	       h.complete && f->facts.complete &&
	       h.length == f->facts.length &&
	       span_eq(h.message_id, f->facts.message_id) &&
	       f->header_8bit == header_has_8bit(out);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (enum way way = CHUNK; way < WAYS; way++) {
			AUTO(buf_fini) struct buf out = BUF_MAX(2 * FIXUP_ROOM);
			AUTO(fixup_fini) struct fixup f = { .line = 0 };
			struct span want = rows[i].out ? span_of(rows[i].out)
						       : rows[i].in;

			if (!play(&f, rows[i].in, way, &out))
				continue;
			if (!span_eq(buf_span(&out), want))
				fail_msg("%s, way %d: %s", rows[i].title, way,
					 buf_str(&out));
			if (!facts_right(&f, buf_span(&out)))
				fail_msg("%s, way %d: facts", rows[i].title,
					 way);
		}
}

/* --- long ones ------------------------------------------------------- */

enum { LONG = 300 * 1024 };

static void
add_many(struct buf *b, const char *line, size_t n)
{
	while (b->len < n)
		buf_add_str(b, line);
}

static const struct {
	const char *title, *before, *many, *after;
	bool date, id, from;
} longs[] = {
	{ "a header longer than any window", "Subject: x\r\n", "X-Many: 12345\r\n",
	  "Date: y\r\nMessage-ID: <a@b>\r\nFrom: z\r\n\r\nbody\r\n", true, true, true },
	{ "and nothing behind it", "Subject: x\r\n", "X-Many: 12345\r\n",
	  "\r\nDate: y\r\n", false, false, false },
	{ "a fold without an end", "Subject: x\r\n", " 12345\r\n",
	  "Date: y\r\n\r\n", true, false, false },
	{ "a line without an end", "Subject: ", "x", "\r\nDate: y\r\n\r\n", true, false, false },
	{ "blanks where a value should be", "Date:\r\n", " \r\n", " y\r\n\r\n", true, false, false },
	{ "only blanks", "Date:\r\n", " \r\n", "\r\n", false, false, false },
	{ "blanks on one line", "Date:", " ", "\r\n\r\n", true, false, false },
	{ "only bare CRs", "Subject: x\r\n", "\r", "\r\nDate: y\r\n\r\n", true, false, false },
	{ "mailbox lines", "", ">From x Nov 14 12:34\r\n", "Date: y\r\n\r\n", true, false, false },
	{ "byte-order marks", "", BOM, "Date: y\r\n\r\n", true, false, false },
	{ "broken lines", "Subject: x\r\n", "x\r\n", "Date: y\r\n\r\n", false, false, false },
	{ "a broken line", "Subject: x\r\n", "xy", "\r\nDate: y\r\n\r\n", false, false, false },
	{ "more From lines than are held", "", "From x\r\n", "Date: y\r\n\r\n", false, false, false },
};

static void
test_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(longs); i++) {
		AUTO(buf_fini) struct buf in = BUF_MAX(2 * LONG);
		AUTO(buf_fini) struct buf out = BUF_MAX(8 * LONG);
		AUTO(fixup_fini) struct fixup f = { .line = 0 };
		struct header_facts h;

		buf_add_str(&in, longs[i].before);
		add_many(&in, longs[i].many, LONG);
		buf_add_str(&in, longs[i].after);
		CHECK_ROW(i, play(&f, buf_span(&in), DATA, &out));
		CHECK_ROW(i, f.facts.has_date == longs[i].date);
		CHECK_ROW(i, f.facts.has_message_id == longs[i].id);
		CHECK_ROW(i, f.facts.has_from == longs[i].from);
		header_scan(buf_span(&out), &h);
		CHECK_ROW(i, h.complete && h.length == f.facts.length);
		CHECK_ROW(i, h.has_date == longs[i].date);
		CHECK_ROW(i, f.held.cap <= 2 * FIXUP_HELD + 4096);
	}
}

/* Without room nothing is used, and it goes on where it was. */
static void
test_room(void **state)
{
	AUTO(buf_fini) struct buf in = BUF_MAX(2 * LONG), all = BUF_MAX(2 * LONG);
	AUTO(fixup_fini) struct fixup f = { .line = 0 };
	struct span rest;
	bool ended = false;

	(void)state;
	add_many(&in, "From x Nov 14 12:34\r\nX-a: b\r\n", LONG);
	buf_add_str(&in, "broken\r\nTo: x\r\n\r\nbody\r\n.\r\n");
	fixup_init(&f, BARE_LF_REPAIR);
	rest = buf_span(&in);
	while (!ended) {
		AUTO(buf_fini) struct buf out = BUF_MAX(FIXUP_ROOM + 10);

		rest = span_from(rest, fixup_data(&f, rest, &out, &ended));
		assert_true(out.len > 0);
		buf_add(&all, buf_span(&out));
	}
	assert_int_equal(rest.n, 0);
	assert_true(span_ends_nocase(buf_span(&all), SPAN("\r\n broken\r\nTo: x\r\n\r\nbody\r\n")));
	assert_int_equal(f.decoder.size, in.len - 3);
}

/* Refused in the end, but looked at all the same. */
static void
test_refuse(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(2 * FIXUP_ROOM);
	AUTO(fixup_fini) struct fixup f = { .line = 0 };
	static const struct span in = SPAN("Subject: a\rb\nTo: c\n\nd\r\n.\r\n");
	bool ended;

	(void)state;
	fixup_init(&f, BARE_LF_REFUSE);
	assert_int_equal(fixup_data(&f, in, &out, &ended), in.n);
	assert_true(ended && f.decoder.saw_bare);
	assert_true(span_eq(buf_span(&out), span_sub(in, 0, in.n - 3)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
