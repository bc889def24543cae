/* fuzz-dot.c - the data of a message, received and sent
 *
 * The first byte chooses policy and pieces, the rest is what comes.
 */
#include "fuzz.h"

#include "mail/dot.h"
#include "base/macros.h"

#include <string.h>

struct result {
	struct buf out;
	size_t used;
	bool ended;
	struct dot_decoder decoder;
};

static void
result_fini(struct result *r)
{
	buf_fini(&r->out);
}

static struct result
decode(struct span in, enum bare_lf policy, size_t piece)
{
	struct result r = { .out = BUF_MAX(4 * in.n + 16) };

	dot_decoder_init(&r.decoder, policy);
	while (r.used < in.n && !r.ended) {
		struct span part = span_sub(in, r.used, piece);
		size_t n = dot_decode(&r.decoder, part, &r.out, &r.ended);

		must(n == part.n || r.ended);
		r.used += n;
	}
	return r;
}

/* The same through an output that holds little and is emptied. */
static void
check_narrow(const struct result *want, struct span in, enum bare_lf policy,
	     size_t max)
{
	AUTO(buf_fini) struct buf all = BUF_MAX(4 * in.n + 16);
	AUTO(buf_fini) struct buf out = BUF_MAX(max);
	struct dot_decoder d;
	size_t used = 0;
	bool ended = false;

	dot_decoder_init(&d, policy);
	while (used < in.n && !ended) {
		size_t n = dot_decode(&d, span_from(in, used), &out, &ended);

		must(n > 0 || out.len > 0);	/* else it would never end */
		must(out.len <= max);
		used += n;
		must(buf_add(&all, buf_span(&out)));
		buf_clear(&out);
	}
	must(used == want->used && ended == want->ended);
	must(span_eq(buf_span(&all), buf_span(&want->out)));
}

/* Where the first CRLF.CRLF ends, DATA's own CRLF before it; 0: nowhere. */
static size_t
true_end(struct span in)
{
	const char *at;

	if (in.n >= 3 && memcmp(in.p, ".\r\n", 3) == 0)
		return 3;
	at = in.n ? memmem(in.p, in.n, "\r\n.\r\n", 5) : NULL;
	return at ? (size_t)(at - in.p) + 5 : 0;
}

static void
check_lines(struct span out)
{
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '\n')
			must(i > 0 && out.p[i - 1] == '\r');
		if (out.p[i] == '\r')
			must(i + 1 == out.n || out.p[i + 1] == '\n');
	}
}

static void
check_decode(struct span in, enum bare_lf policy, size_t piece)
{
	AUTO(result_fini) struct result r = decode(in, policy, in.n);
	AUTO(result_fini) struct result slow = decode(in, policy, 1);
	AUTO(result_fini) struct result some = decode(in, policy, piece);
	struct span out = buf_span(&r.out);
	bool high = false;

	must(span_eq(out, buf_span(&slow.out)));
	must(span_eq(out, buf_span(&some.out)));
	must(r.used == slow.used && r.used == some.used);
	must(r.ended == slow.ended && r.ended == some.ended);
	must(r.decoder.saw_bare == slow.decoder.saw_bare);
	must(r.decoder.saw_8bit == slow.decoder.saw_8bit);
	must(r.decoder.size == r.out.len);

	must(r.ended == (true_end(in) != 0));
	must(!r.ended || r.used == true_end(in));
	if (r.ended && out.n)
		must(out.n >= 2 && memcmp(out.p + out.n - 2, "\r\n", 2) == 0);
	if (policy == BARE_LF_REPAIR)
		check_lines(out);
	for (size_t i = 0; i < out.n; i++)
		high = high || (unsigned char)out.p[i] > 0x7f;
	must(high == r.decoder.saw_8bit);
	check_narrow(&r, in, policy, 4 + piece);
}

/* What is sent comes back, and ends nowhere but at its end. */
static void
check_round_trip(struct span body, size_t piece)
{
	AUTO(buf_fini) struct buf wire = BUF_MAX(4 * body.n + 16);
	AUTO(result_fini) struct result back = { .ended = false };
	struct dot_encoder e = { .state = 0 };

	for (struct span rest = body; rest.n; rest = span_from(rest, piece))
		must(dot_encode(&e, span_sub(rest, 0, piece), &wire));
	must(dot_finish(&e, &wire));
	must(true_end(buf_span(&wire)) == wire.len);
	must(memmem(wire.data, wire.len, "\n.\n", 3) == NULL);
	must(memmem(wire.data, wire.len, "\r.\r", 3) == NULL);
	must(wire.len == 3 ||
	     memmem(wire.data, wire.len - 3, "\n.\r\n", 4) == NULL);
	back = decode(buf_span(&wire), BARE_LF_REPAIR, piece);
	must(back.ended && back.used == wire.len);
	if (!back.decoder.saw_bare &&
	    (body.n == 0 || body.p[body.n - 1] == '\n'))
		must(span_eq(buf_span(&back.out), body));
}

static void
check_chunk(struct span in, enum bare_lf policy, size_t piece)
{
	AUTO(buf_fini) struct buf a = BUF_MAX(4 * in.n + 16);
	AUTO(buf_fini) struct buf b = BUF_MAX(4 * in.n + 16);
	struct dot_decoder da, db;

	dot_decoder_init(&da, policy);
	dot_decoder_init(&db, policy);
	must(chunk_decode(&da, in, &a) == in.n && chunk_finish(&da, &a));
	for (struct span rest = in; rest.n; rest = span_from(rest, piece)) {
		struct span part = span_sub(rest, 0, piece);

		must(chunk_decode(&db, part, &b) == part.n);
	}
	must(chunk_finish(&db, &b));
	must(span_eq(buf_span(&a), buf_span(&b)));
	must(da.saw_bare == db.saw_bare && da.saw_8bit == db.saw_8bit);
	if (policy == BARE_LF_REPAIR)
		check_lines(buf_span(&a));
	if (!da.saw_bare && in.n && in.p[in.n - 1] == '\n')
		must(span_eq(buf_span(&a), in));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum bare_lf policy;
	struct span in;
	size_t piece;

	if (size == 0)
		return 0;
	policy = data[0] & 1 ? BARE_LF_REFUSE : BARE_LF_REPAIR;
	piece = (data[0] >> 1) % 7 + 1;
	in = fuzz_span(data + 1, size - 1);
	check_decode(in, policy, piece);
	check_chunk(in, policy, piece);
	check_round_trip(in, piece);
	return 0;
}
