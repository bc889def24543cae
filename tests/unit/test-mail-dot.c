/* test-mail-dot.c - dots, bare line ends, and what ends the data */
#include "mail/dot.h"

#include "base/macros.h"
#include "unit.h"

#define R BARE_LF_REPAIR
#define X BARE_LF_REFUSE

static const struct {
	enum bare_lf policy;
	struct span in;
	struct span out;
	bool ended, bare;
	size_t left;			/* bytes behind the end */
} rows[] = {
	{ R, SPAN("a\r\n.\r\n"), SPAN("a\r\n"), true, false, 0 },
	{ R, SPAN(".\r\n"), SPAN(""), true, false, 0 },
	{ R, SPAN("\r\n.\r\n"), SPAN("\r\n"), true, false, 0 },
	{ R, SPAN("a\r\n.\r\nQUIT\r\n"), SPAN("a\r\n"), true, false, 6 },
	{ R, SPAN("a\r\n..\r\n.\r\n"), SPAN("a\r\n.\r\n"), true, false, 0 },
	{ R, SPAN("..a\r\n...\r\n.b\r\n.\r\n"), SPAN(".a\r\n..\r\nb\r\n"), true, false, 0 },
	{ R, SPAN("a.\r\n.\r\n"), SPAN("a.\r\n"), true, false, 0 },
	{ R, SPAN("a\0b\r\n.\r\n"), SPAN("a\0b\r\n"), true, false, 0 },

	/* what looks like an end and is none */
	{ R, SPAN("a\n.\nb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\n.\r\nb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r\n.\nb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r.\rb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r.\r\nb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r\n.\rb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r\n.\r\r\nb\r\n"), SPAN("a\r\n.\r\nb\r\n"), false, true, 0 },
	{ R, SPAN("a\r\n\0.\r\nb\r\n"), SPAN("a\r\n\0.\r\nb\r\n"), false, false, 0 },
	{ R, SPAN("a\n\r.\r\nb\r\n"), SPAN("a\r\n\r\n.\r\nb\r\n"), false, true, 0 },

	/* bare line ends mended */
	{ R, SPAN("a\nb\r\n.\r\n"), SPAN("a\r\nb\r\n"), true, true, 0 },
	{ R, SPAN("a\n\n\r\n.\r\n"), SPAN("a\r\n\r\n\r\n"), true, true, 0 },
	{ R, SPAN("a\rb\r\n.\r\n"), SPAN("a\r\nb\r\n"), true, true, 0 },
	{ R, SPAN("a\r\rb\r\n.\r\n"), SPAN("a\r\n\r\nb\r\n"), true, true, 0 },
	{ R, SPAN("a\r\r\nb\r\r\n.\r\n"), SPAN("a\r\nb\r\n"), true, true, 0 },
	{ R, SPAN("a\r\r\r\n.\r\n"), SPAN("a\r\n\r\n"), true, true, 0 },
	{ R, SPAN("a\n..b\n.c\n...\r\n.\r\n"), SPAN("a\r\n.b\r\n.c\r\n..\r\n"), true, true, 0 },
	{ R, SPAN("a\r..b\r.c\r...\r\n.\r\n"), SPAN("a\r\n.b\r\n.c\r\n..\r\n"), true, true, 0 },
	{ R, SPAN("a\n..\nb\r\n.\r\n"), SPAN("a\r\n.\r\nb\r\n"), true, true, 0 },
	{ R, SPAN(".\n.\r\n\r\n.\r\n"), SPAN(".\r\n.\r\n\r\n"), true, true, 0 },

	/* and left as they came */
	{ X, SPAN("a\n..b\r..c\r\n.\r\n"), SPAN("a\n..b\r..c\r\n"), true, true, 0 },
	{ X, SPAN("a\nb\r\n.\r\n"), SPAN("a\nb\r\n"), true, true, 0 },
	{ X, SPAN("a\rb\r\n.\r\n"), SPAN("a\rb\r\n"), true, true, 0 },
	{ X, SPAN("a\n.\nb\r\n"), SPAN("a\n.\nb\r\n"), false, true, 0 },
	{ X, SPAN("a\r.\rb\r\n"), SPAN("a\r.\rb\r\n"), false, true, 0 },
	{ X, SPAN("a\n.\r\nb\r\n"), SPAN("a\n.\r\nb\r\n"), false, true, 0 },
	{ X, SPAN("a\r\n.\nb\r\n"), SPAN("a\r\n.\nb\r\n"), false, true, 0 },
	{ X, SPAN("a\r\n.\rb\r\n"), SPAN("a\r\n.\rb\r\n"), false, true, 0 },
	{ X, SPAN("a\r\r\n.\r\n"), SPAN("a\r\r\n"), true, true, 0 },
	{ X, SPAN("a\r\n..\r\n.\r\n"), SPAN("a\r\n.\r\n"), true, false, 0 },
};

/* Feeds in pieces of `piece' bytes; returns how many were used. */
static size_t
feed(struct dot_decoder *d, struct span in, size_t piece, struct buf *out,
     bool *ended)
{
	size_t used = 0;

	*ended = false;
	while (used < in.n && !*ended) {
		struct span part = span_sub(in, used, piece);
		size_t n = dot_decode(d, part, out, ended);

		used += n;
		if (n < part.n)
			break;
	}
	return used;
}

static void
test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t piece = 1; piece <= rows[i].in.n; piece++) {
			AUTO(buf_fini) struct buf out = BUF_MAX(1000);
			struct dot_decoder d;
			bool ended;
			size_t used;

			dot_decoder_init(&d, rows[i].policy);
			used = feed(&d, rows[i].in, piece, &out, &ended);
			CHECK_ROW(i, ended == rows[i].ended);
			CHECK_ROW(i, used == rows[i].in.n - rows[i].left);
			CHECK_ROW(i, span_eq(buf_span(&out), rows[i].out));
			CHECK_ROW(i, d.saw_bare == rows[i].bare);
			CHECK_ROW(i, d.size == out.len);
			CHECK_ROW(i, !d.saw_8bit);
		}
	}
}

static void
test_decode_8bit(void **state)
{
	char line[40];

	(void)state;
	for (size_t at = 0; at < sizeof(line); at++) {
		AUTO(buf_fini) struct buf out = BUF_MAX(100);
		struct dot_decoder d;
		bool ended;

		memset(line, 'a', sizeof(line));
		line[at] = '\x80';
		dot_decoder_init(&d, BARE_LF_REPAIR);
		dot_decode(&d, (struct span){ line, sizeof(line) }, &out, &ended);
		CHECK_ROW(at, d.saw_8bit);
	}
}

/* A small maximum, emptied whenever it is full, gives the same bytes. */
static void
test_decode_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf all = BUF_MAX(1000);
		AUTO(buf_fini) struct buf out = BUF_MAX(4 + i % 5);
		struct dot_decoder d;
		size_t used = 0;
		bool ended = false;

		dot_decoder_init(&d, rows[i].policy);
		for (int turns = 0; turns < 200 && !ended && used < rows[i].in.n; turns++) {
			used += dot_decode(&d, span_from(rows[i].in, used),
					   &out, &ended);
			CHECK_ROW(i, out.len <= out.max);
			buf_add(&all, buf_span(&out));
			buf_clear(&out);
		}
		CHECK_ROW(i, ended == rows[i].ended);
		CHECK_ROW(i, span_eq(buf_span(&all), rows[i].out));
	}
}

static void
test_chunk(void **state)
{
	static const struct {
		enum bare_lf policy;
		struct span in, out;
		bool bare;
	} chunks[] = {
		{ R, SPAN("a\r\n.\r\n..b\r\n"), SPAN("a\r\n.\r\n..b\r\n"), false },
		{ R, SPAN(""), SPAN(""), false },
		{ R, SPAN("a"), SPAN("a\r\n"), false },
		{ R, SPAN("a\r"), SPAN("a\r\n"), true },
		{ R, SPAN("a\r\r"), SPAN("a\r\n\r\n"), true },
		{ R, SPAN("a\n"), SPAN("a\r\n"), true },
		{ R, SPAN("a\n.\n.."), SPAN("a\r\n.\r\n..\r\n"), true },
		{ X, SPAN("a\n.\r\n"), SPAN("a\n.\r\n"), true },
		{ X, SPAN("a\r"), SPAN("a\r\n"), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		for (size_t piece = 1; piece <= chunks[i].in.n + 1; piece++) {
			AUTO(buf_fini) struct buf out = BUF_MAX(1000);
			struct span rest = chunks[i].in;
			struct dot_decoder d;

			dot_decoder_init(&d, chunks[i].policy);
			while (rest.n) {
				size_t n = piece < rest.n ? piece : rest.n;

				CHECK_ROW(i, chunk_decode(&d, span_sub(rest, 0, n),
							  &out) == n);
				rest = span_from(rest, n);
			}
			CHECK_ROW(i, chunk_finish(&d, &out));
			CHECK_ROW(i, span_eq(buf_span(&out), chunks[i].out));
			CHECK_ROW(i, d.saw_bare == chunks[i].bare);
			CHECK_ROW(i, d.size == out.len);
		}
	}
}

static const struct { struct span in, out; } encodings[] = {
	{ SPAN(""), SPAN(".\r\n") },
	{ SPAN("a\r\n"), SPAN("a\r\n.\r\n") },
	{ SPAN("a"), SPAN("a\r\n.\r\n") },
	{ SPAN("a\r"), SPAN("a\r\n.\r\n") },
	{ SPAN("."), SPAN("..\r\n.\r\n") },
	{ SPAN(".\r\n"), SPAN("..\r\n.\r\n") },
	{ SPAN("a\r\n.\r\n..b.\r\n.c"), SPAN("a\r\n..\r\n...b.\r\n..c\r\n.\r\n") },
	{ SPAN("a.b\r\n...\r\n"), SPAN("a.b\r\n....\r\n.\r\n") },
	{ SPAN("a\n.\n"), SPAN("a\n..\n\r\n.\r\n") },
	{ SPAN("a\r.\r\n"), SPAN("a\r..\r\n.\r\n") },
	{ SPAN("\0.\0\r\n"), SPAN("\0.\0\r\n.\r\n") },
};

static void
test_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		for (size_t piece = 1; piece <= encodings[i].in.n + 1; piece++) {
			AUTO(buf_fini) struct buf out = BUF_MAX(1000);
			struct dot_encoder e = { .state = 0 };
			struct span rest = encodings[i].in;

			while (rest.n) {
				CHECK_ROW(i, dot_encode(&e, span_sub(rest, 0, piece),
							&out));
				rest = span_from(rest, piece);
			}
			CHECK_ROW(i, dot_finish(&e, &out));
			CHECK_ROW(i, span_eq(buf_span(&out), encodings[i].out));
		}
	}
}

static void
test_encode_full(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(7);
	struct dot_encoder e = { .state = 0 };

	(void)state;
	assert_false(dot_encode(&e, SPAN("abcd"), &out));
	assert_int_equal(out.len, 0);
	assert_true(dot_encode(&e, SPAN("..."), &out));
	assert_true(span_eq(buf_span(&out), SPAN("....")));
	assert_false(dot_finish(&e, &out));
	assert_int_equal(out.len, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_8bit),
		cmocka_unit_test(test_decode_maximum),
		cmocka_unit_test(test_chunk),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_encode_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
