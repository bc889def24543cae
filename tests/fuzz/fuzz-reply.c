/* fuzz-reply.c - what a server sends, and what we would say with its words */
#include "fuzz.h"

#include "mail/outcome.h"
#include "base/macros.h"

#include <stdlib.h>
#include <string.h>

/* A digest of everything that the parser says of the input. */
struct digest {
	uint64_t sum;
	unsigned replies;
	bool bad;
};

static void
digest_add(struct digest *d, const struct smtp_reply *r)
{
	d->replies++;
	d->sum = (d->sum ^ span_hash_nocase(r->text)) * 31 + (unsigned)r->code;
	d->sum = d->sum * 31 + r->enhanced.class * 1000000u +
		 r->enhanced.subject * 1000u + r->enhanced.detail;
}

static void
check_outcome(const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };
	char text[2 * LIMIT_OUTCOME_TEXT];

	outcome_reply(&o, PHASE_RCPT, r);
	must(strlen(o.text) < sizeof(o.text));
	for (const char *p = o.text; *p; p++)
		must((unsigned char)*p >= 32 && *p != 127);
	must(outcome_text(&o, text, sizeof(text)) == text);
}

/* Whatever we are made to say, it is whole lines of our code. */
static void
check_said(struct span words)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1 << 20);
	struct reply said = reply(550, "5.1.1", "%.*s", SPAN_ARG(words));
	struct span rest, line;

	must(reply_format(&said, &out));
	rest = buf_span(&out);
	must(rest.n >= 2 && memcmp(rest.p + rest.n - 2, "\r\n", 2) == 0);
	rest.n--;
	while (span_split(&rest, '\n', &line)) {
		must(line.n >= 4 && line.n <= 511);
		must(memcmp(line.p, "550", 3) == 0);
		must(line.p[3] == (rest.p == NULL ? ' ' : '-'));
		must(span_find(line, '\r') == line.n - 1);
	}
}

static void
check_reply(const struct smtp_reply *r)
{
	must(r->code >= 200 && r->code <= 599);
	must(r->text.n <= LIMIT_REPLY);
	must(r->enhanced.class == 0 ||
	     r->enhanced.class == r->code / 100);
	check_outcome(r);
	check_said(r->text);
}

static struct digest
feed(struct span in, size_t piece)
{
	AUTO(reply_parser_fini) struct reply_parser p;
	AUTO(buf_fini) struct buf b = BUF_MAX(in.n + 1);
	struct digest d = { .sum = 0 };
	struct smtp_reply r;
	struct error why;

	reply_parser_init(&p);
	for (; in.n && !d.bad; in = span_from(in, piece)) {
		enum parse parse = PARSE_OK;

		must(buf_add(&b, span_sub(in, 0, piece)));
		while (parse == PARSE_OK) {
			parse = reply_parse(&p, &b, &r, &why);
			if (parse == PARSE_OK) {
				check_reply(&r);
				digest_add(&d, &r);
			}
		}
		if (parse == PARSE_BAD)
			must(why.text[0] != '\0');
		d.bad = parse == PARSE_BAD;
	}
	return d;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = fuzz_span(data, size), rest = s;
	struct digest whole, slow;
	struct enhanced e;

	if (enhanced_parse(&rest, &e))
		must(fuzz_within(rest, s) && rest.n + 5 <= s.n);
	check_said(s);
	if (size == 0)
		return 0;
	whole = feed(s, s.n);
	slow = feed(s, 1);
	must(whole.replies == slow.replies && whole.sum == slow.sum);
	must(whole.bad == slow.bad);
	return 0;
}
