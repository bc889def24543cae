/* fuzz-header.c - a header section, and fields made of anything */
#include "fuzz.h"

#include "mail/header.h"
#include "base/macros.h"

#include <string.h>

/* Walks all fields: they lie one behind the other, and none is empty. */
static void
check_walk(struct span message)
{
	struct span rest = message;
	struct header_field f, found;
	unsigned received = 0;
	struct header_facts facts;

	for (struct span before = rest; header_next(&rest, &f); before = rest) {
		must(rest.n < before.n && fuzz_within(rest, message));
		must(f.name.n > 0 && f.name.p == before.p);
		must(fuzz_within(f.value, before));
		must(header_find(message, f.name, 0, &found));
		received += span_eq_nocase(f.name, SPAN("Received"));
	}
	header_scan(message, &facts);
	must(facts.received == received);
	must(facts.length == message.n - rest.n ||
	     (facts.complete && facts.length <= message.n &&
	      message.p[facts.length - 1] == '\n'));
	must(fuzz_within(facts.message_id, message));
	must(facts.has_message_id == (facts.message_id.n > 0));
}

static void
check_unfold(struct span s)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(s.n + 1);
	struct span out;

	must(header_unfold(&b, s));
	out = buf_span(&b);
	must(span_find(out, '\r') == out.n && span_find(out, '\n') == out.n);
	must(span_eq(span_trim(out), out));
}

/* What is added is one field, with the value that was given. */
static void
check_add(struct span value)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4 * value.n + 100);
	AUTO(buf_fini) struct buf line = BUF_MAX(4 * value.n + 100);
	struct span s, given = span_trim(value);
	struct header_field f;

	if (!header_add(&b, SPAN("X-Test"), value)) {
		must(b.len == 0);
		return;
	}
	s = buf_span(&b);
	must(header_next(&s, &f) && s.n == 0);
	must(header_unfold(&line, f.value));
	/* a fold becomes one blank: only the number of blanks may differ */
	for (size_t i = 0, k = 0; ; i++, k++) {
		struct span got = buf_span(&line);

		while (i < got.n && (got.p[i] == ' ' || got.p[i] == '\t'))
			i++;
		while (k < given.n && (given.p[k] == ' ' || given.p[k] == '\t'))
			k++;
		must((i < got.n) == (k < given.n));
		if (i >= got.n)
			break;
		must(got.p[i] == given.p[k]);
	}
}

static void
check_received(struct span word)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(8 * word.n + 2000);
	struct received r = {
		.helo = word, .client = word, .by = word, .with = word,
		.id = word, .for_ = word,
	};
	struct header_field f;
	struct span s;

	if (!header_add_received(&b, &r))
		r.for_ = SPAN_NONE;
	buf_clear(&b);
	must(header_add_received(&b, &r));
	s = buf_span(&b);
	must(header_next(&s, &f) && s.n == 0);
	must(span_eq(f.name, SPAN("Received")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = fuzz_span(data, size);

	if (size > 8192)	/* check_walk is quadratic */
		return 0;
	check_walk(s);
	check_unfold(s);
	check_add(s);
	check_received(s);
	return 0;
}
