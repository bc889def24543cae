/* fuzz-fixup.c - a header section of anything is put right
 *
 * The first byte says how the rest is cut into pieces.
 */
#include "fuzz.h"

#include "base/macros.h"
#include "mail/fixup.h"

#include <string.h>

static void
fix(struct fixup *f, struct span in, size_t step, struct buf *out)
{
	fixup_init(f, BARE_LF_REPAIR);
	while (in.n > 0) {
		struct span piece = span_sub(in, 0, step);

		must(fixup_chunk(f, piece, out) == piece.n);
		in = span_from(in, piece.n);
	}
	must(fixup_chunk_finish(f, out));
}

/* What comes out is a header section as everybody reads it. */
static void
check_header(const struct fixup *f, struct span out)
{
	struct header_facts h;
	struct header_field field;

	header_scan(out, &h);
	must(h.complete && h.length == f->facts.length);
	must(h.received == f->facts.received);
	must(h.has_from == f->facts.has_from);
	must(h.has_date == f->facts.has_date);
	must(h.has_message_id == f->facts.has_message_id);
	must(!header_find(out, SPAN("Date"), 1, &field));
	must(!header_find(out, SPAN("Message-ID"), 1, &field));
	must(header_has_8bit(out) == f->header_8bit);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf once = BUF_MAX(4 * size + 2 * FIXUP_ROOM);
	AUTO(buf_fini) struct buf pieces = BUF_MAX(4 * size + 2 * FIXUP_ROOM);
	AUTO(buf_fini) struct buf twice = BUF_MAX(8 * size + 4 * FIXUP_ROOM);
	AUTO(fixup_fini) struct fixup a = { .line = 0 }, b = a, c = a;
	struct span in;

	if (size == 0)
		return 0;
	in = span_from(fuzz_span(data, size), 1);
	fix(&a, in, in.n + 1, &once);
	fix(&b, in, (size_t)data[0] + 1, &pieces);
	must(span_eq(buf_span(&once), buf_span(&pieces)));
	check_header(&a, buf_span(&once));
	/* what is right stays as it is */
	fix(&c, buf_span(&once), in.n + 1, &twice);
	must(span_eq(buf_span(&once), buf_span(&twice)));
	return 0;
}
