/* test-signer.c - DKIM signatures, and whose message it is
 *
 * Whether others can verify them is asked in tests/black-box/test-dkim.py.
 */
#include "signer-keys.h"

#include "base/macros.h"
#include "base/worker.h"
#include "mail/header.h"

/* --- signing --------------------------------------------------------- */

enum { WHEN = 1700000000 };

/* Fed in pieces of a size that the seed makes; in one where it is 0. */
static bool
sign(const struct signer_key *const *keys, size_t n, struct span message,
     unsigned seed, struct buf *out, struct error *err)
{
	struct signing *s = signing_new(keys, n, WHEN);
	bool ok = true;

	buf_clear(out);
	while (ok && message.n > 0) {
		size_t piece = seed ? (size_t)rand_r(&seed) % 9 : message.n;

		ok = signing_feed(s, span_sub(message, 0, piece), err);
		message = span_from(message, piece);
	}
	ok = ok && signing_finish(s, out, err);
	assert_true(ok || out->len == 0);
	signing_free(&s);
	assert_null(s);
	return ok;
}

/* The value of a tag, its folds and blanks taken out. */
static void
tag_of(struct span field, const char *name, char *ret, size_t size)
{
	struct span tag;
	size_t n = 0;

	field = span_from(field, span_find(field, ':') + 1);
	while (span_split(&field, ';', &tag)) {
		size_t equals = span_find(tag, '=');

		while (tag.n && tag.p[0] <= ' ') {
			tag = span_from(tag, 1);
			equals--;
		}
		if (!span_eq(span_sub(tag, 0, equals), span_of(name)))
			continue;
		for (size_t i = equals + 1; i < tag.n && n + 1 < size; i++)
			if (tag.p[i] > ' ')
				ret[n++] = tag.p[i];
	}
	ret[n] = '\0';
}

#define OVER "From:Subject:Date:To:Cc:Reply-To:Message-ID:Content-Type:MIME-Version"
#define NOTHING "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="	/* SHA-256 of "" */

/* Takes the field at the front off *s. */
static struct span
field_first(struct span *s)
{
	struct span whole = *s;
	struct header_field f;

	assert_true(header_next(s, &f));
	return span_sub(whole, 0, whole.n - s->n);
}

/* Whether two lists have the same names, the ones before OVER in reverse. */
static bool
is_reverse(const char *got, const char *want)
{
	struct span a = span_of(got), b = span_of(want), name, last;

	if (!span_ends_nocase(a, SPAN(":" OVER)) ||
	    !span_ends_nocase(b, SPAN(":" OVER)))
		return false;
	a.n -= sizeof(":" OVER) - 1;
	b.n -= sizeof(":" OVER) - 1;
	while (span_split(&a, ':', &name)) {
		size_t colon = span_rfind(b, ':');

		last = span_from(b, colon < b.n ? colon + 1 : 0);
		if (!span_eq_nocase(name, last))
			return false;
		b.n -= last.n + (colon < b.n);
	}
	return b.n == 0;
}

/* What stands in the field: h= and bh=. */
static const struct {
	struct span message;
	const char *h, *bh;
} signatures[] = {
	/* the body of RFC 8463 appendix A */
	{ SPAN("From: a@b\r\n\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"),
	  "From:" OVER, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=" },
	/* the same with blanks that do not count, and without its last CRLF */
	{ SPAN("From: a@b\r\n\r\nHi. \r\n\t\r\nWe lost the   game. Are you\thungry yet?\r\n\r\nJoe."),
	  "From:" OVER, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=" },
	{ SPAN("From: a@b\r\n\r\n"), "From:" OVER, NOTHING },
	{ SPAN("From: a@b\r\n"), "From:" OVER, NOTHING },
	{ SPAN("From: a@b"), "From:" OVER, NOTHING },
	{ SPAN("From: a@b\r\n\r\n\r\n \r\n\t\r\n"), "From:" OVER, NOTHING },
	{ SPAN("Received: x\r\nReturn-Path: <a>\r\nDKIM-Signature: no\r\nBcc: c@d\r\n"
	       "X-Mailer: y\r\nResent-From: z\r\nFROM: a@b\r\nComments: k\r\n\r\n"),
	  "FROM:" OVER, NOTHING },
	{ SPAN("Subject: s\r\nfrom: a@b\r\nSender: a\r\nTo: b\r\nCc: c\r\nTo: d\r\nList-Id: l\r\n"
	       "List-Unsubscribe-Post: p\r\nIn-Reply-To: i\r\nReferences: r\r\nContent-ID: k\r\n"
	       "Content-Transfer-Encoding: 8bit\r\nContent-Description: z\r\nListen: n\r\n\r\n"),
	  "Subject:from:Sender:To:Cc:To:List-Id:List-Unsubscribe-Post:In-Reply-To:References:"
	  "Content-ID:Content-Transfer-Encoding:Content-Description:" OVER, NOTHING },
};

static void
test_signatures(void **state)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(65536), other = BUF_MAX(65536);
	struct signer_key *rsa = key_of(rsa_pem, "example.org", "r");
	struct signer_key *ed = key_of(ED_PEM, "example.org", "s");
	const struct signer_key *const keys[] = { rsa, ed };
	struct error err;
	char value[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
		struct span f, first;

		CHECK_ROW(i, sign(keys, 2, signatures[i].message, 0, &out, &err));
		f = buf_span(&out);
		first = field_first(&f);
		tag_of(first, "h", value, sizeof(value));
		assert_string_equal(value, signatures[i].h);
		tag_of(first, "bh", value, sizeof(value));
		assert_string_equal(value, signatures[i].bh);
		tag_of(f, "h", value, sizeof(value));
		CHECK_ROW(i, is_reverse(value, signatures[i].h));
		tag_of(f, "bh", value, sizeof(value));
		assert_string_equal(value, signatures[i].bh);
		for (unsigned seed = 1; seed < 20; seed++) {
			CHECK_ROW(i, sign(keys, 2, signatures[i].message, seed,
					  &other, &err));
			CHECK_ROW(i, span_eq(buf_span(&other), buf_span(&out)));
		}
	}
	signer_key_free(&rsa);
	signer_key_free(&ed);
}

/* One well-formed field for each key, no line too long, all tags right. */
static void
test_form(void **state)
{
	static const struct { const char *tag, *value[2]; } tags[] = {
		{ "v", { "1", "1" } }, { "a", { "rsa-sha256", "ed25519-sha256" } },
		{ "c", { "relaxed/relaxed", "relaxed/relaxed" } },
		{ "d", { "example.org", "sub.example.org" } },
		{ "s", { "p2026", "e2026" } },
		{ "t", { "1700000000", "1700000000" } },
		{ "l", { "", "" } }, { "x", { "", "" } }, { "i", { "", "" } },
	};
	struct signer_key *a = key_of(rsa_pem, "example.org", "p2026");
	struct signer_key *b = key_of(ED_PEM, "sub.example.org", "e2026");
	const struct signer_key *const keys[] = { a, b };
	AUTO(buf_fini) struct buf out = BUF_MAX(65536);
	struct span rest, line;
	struct header_field f;
	struct error err;
	char value[200];

	(void)state;
	assert_true(sign(keys, 2, SPAN("From: a@b\r\n\r\nx\r\n"), 0, &out, &err));
	rest = buf_span(&out);
	for (size_t i = 0; i < 2; i++) {
		assert_true(header_next(&rest, &f));
		assert_true(span_eq(f.name, SPAN("DKIM-Signature")));
		for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
			struct span whole = { f.name.p, f.name.n + 1 + f.value.n };

			tag_of(whole, tags[k].tag, value, sizeof(value));
			assert_string_equal(value, tags[k].value[i]);
		}
	}
	assert_int_equal(rest.n, 0);
	rest = buf_span(&out);
	while (span_split(&rest, '\n', &line)) {
		size_t columns = line.n;

		for (size_t i = 0; i < line.n; i++)
			columns += line.p[i] == '\t' ? 7 : 0;
		assert_true(columns <= 78);
	}
	signer_key_free(&a);
	signer_key_free(&b);
}

#define LINE " 12345678901234567890123456789012345678901234567890123456789012\r\n"
#define K1 LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE
#define K8 K1 K1 K1 K1 K1 K1 K1 K1
#define K64 K8 K8 K8 K8 K8 K8 K8 K8
#define N16 "To: a\r\nCc: a\r\nSubject: b\r\nReferences: x\r\nContent-Transfer-Encoding: y\r\n"
#define N256 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16

static void
test_errors(void **state)
{
	static const struct { struct span message; const char *error; } rows[] = {
		{ SPAN(""), "no From" },
		{ SPAN("\r\n"), "no From" },
		{ SPAN("\r\nFrom: a@b\r\n"), "no From" },
		{ SPAN("Subject: x\r\n\r\nFrom: a@b\r\n"), "no From" },
		{ SPAN("From: a@b\r\nfrom: a@b\r\n\r\n"), "more than one From" },
		{ SPAN("From: a@b\r\nhello\r\n\r\n"), "is not a field" },
		{ SPAN("From a@b Mon\r\nFrom: a@b\r\n\r\n"), "is not a field" },
		{ SPAN("From: a@b\n\nx\n"), "stands alone" },
		{ SPAN("From: a@b\r\n\r\na\nb\r\n"), "stands alone" },
		{ SPAN("From: a@b\r\n\r\na\rb\r\n"), "stands alone" },
		{ SPAN("From: a@b\r\n\r\na\r\r\n"), "stands alone" },
		{ SPAN("From: a@b\r\n\r\n\n"), "stands alone" },
		{ SPAN("From: a@b\r\n\r\na\r"), "stands alone" },
		{ SPAN("From: a@b\r\n\r"), "stands alone" },
		{ SPAN("From: a@b\r\nSubject: a\0b\r\n\r\n"), "the field Subject holds a control" },
		{ SPAN("From: a@b\r\nSubject: a\fb\r\n\r\n"), "the field Subject holds a control" },
		{ SPAN("From: a@b\r\nSubject: a\v\r\n\r\n"), "the field Subject holds a control" },
		{ SPAN("From: a@b\r\nX-Not-Signed: a\0\f\r\n\r\n"), NULL },
		{ SPAN("From: a@b\r\nSubject: \xff\xc3\xb6\x7f\r\n\r\n\0\xff\r\n"), NULL },
		{ SPAN("From: a@b\r\nX-Not-Signed: a\r\n" K64 "\r\n"), NULL },
		{ SPAN("From: a@b\r\nTo: a\r\n" K64 "\r\n"), "the field To is larger" },
		{ SPAN("From: a@b\r\n" N256 N256 N256 N256 N256 N256 "\r\n"), "more fields" },
		{ SPAN("From: a@b\r\nX: a\r\n" K64 K64 K64 K64 "\r\n"), "larger than 256 KiB" },
	};
	struct signer_key *rsa = key_of(rsa_pem, "example.org", "r");
	struct signer_key *ed = key_of(ED_PEM, "example.org", "s");
	const struct signer_key *const keys[] = { rsa, ed };
	AUTO(buf_fini) struct buf out = BUF_MAX(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned seed = 0; seed < 4; seed++) {
			struct error err = { .text = "" };
			bool ok = sign(keys, 2, rows[i].message, seed, &out, &err);

			CHECK_ROW(i, ok == (rows[i].error == NULL));
			CHECK_ROW(i, ok || strstr(err.text, rows[i].error));
		}
	signer_key_free(&rsa);
	signer_key_free(&ed);
}

/* What has failed stays so; a signing may be left at any point; without a key
 * there is no field. */
static void
test_life(void **state)
{
	struct signer_key *k = key_of(ED_PEM, "example.org", "s");
	const struct signer_key *const keys[] = { k };
	AUTO(buf_fini) struct buf out = BUF_MAX(65536), small = BUF_MAX(300);
	struct signing *s = signing_new(keys, 1, WHEN);
	struct error err;

	(void)state;
	assert_false(signing_feed(s, SPAN("From: a@b\n"), &err));
	assert_false(signing_feed(s, SPAN("From: a@b\r\n\r\n"), &err));
	assert_false(signing_finish(s, &out, &err));
	assert_non_null(strstr(err.text, "stands alone"));
	signing_free(&s);
	s = signing_new(keys, 1, WHEN);
	signing_free(&s);
	s = signing_new(keys, 1, WHEN);
	assert_true(signing_feed(s, SPAN("From: a@b\r\n\r\nx"), &err));
	signing_free(&s);
	signing_free(&s);
	assert_true(sign(NULL, 0, SPAN("From: a@b\r\n\r\nx\r\n"), 0, &out, &err));
	assert_int_equal(out.len, 0);
	buf_add_str(&small, "before");
	s = signing_new(keys, 1, WHEN);
	assert_true(signing_feed(s, SPAN("From: a@b\r\n\r\nx"), &err));
	assert_false(signing_finish(s, &small, &err));
	assert_string_equal(buf_str(&small), "before");
	signing_free(&s);
	signer_key_free(&k);
}

struct round {
	struct task task;
	const struct signer_key *const *keys;
	struct buf out;
	bool ok;
};

static void
round_work(struct task *t)
{
	struct round *r = container_of(t, struct round, task);
	struct error err;

	r->ok = sign(r->keys, 2, SPAN("From: a@b\r\nTo: c\r\n\r\nhello\r\n"), 0,
		     &r->out, &err);
}

static void
round_done(struct task *t)
{
	(void)t;
}

/* Keys are shared by threads; each signing has its own time. */
static void
test_threads(void **state)
{
	struct signer_key *a = key_of(rsa_pem, "example.org", "p2026");
	struct signer_key *b = key_of(ED_PEM, "example.org", "e2026");
	const struct signer_key *const keys[] = { a, b };
	struct workers *w = workers_new("test", 4);
	struct round rounds[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		rounds[i] = (struct round){
			.task = { .work = round_work, .done = round_done },
			.keys = keys, .out = BUF_MAX(65536),
		};
		workers_submit(w, &rounds[i].task);
	}
	workers_drain(w);
	workers_free(&w);
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		CHECK_ROW(i, rounds[i].ok);
		CHECK_ROW(i, span_eq(buf_span(&rounds[i].out),
				     buf_span(&rounds[0].out)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++)
		buf_fini(&rounds[i].out);
	signer_key_free(&a);
	signer_key_free(&b);
}

/* --- whose message --------------------------------------------------- */

static void
test_from(void **state)
{
	static const struct { struct span header; const char *domain; } rows[] = {
		{ SPAN("From: a@Example.ORG\r\n"), "example.org" },
		{ SPAN("from:a@example.org"), "example.org" },
		{ SPAN("From: A <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: \"x@no.test\" <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: \"x\\\"@no.test\" <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: (x@no.test) a@example.org (b@no.test)\r\n"), "example.org" },
		{ SPAN("From: (a (b@no.test) \\) c@no.test) a@example.org\r\n"), "example.org" },
		{ SPAN("From: \"a@b\"@example.org\r\n"), "example.org" },
		{ SPAN("From: A\r\n <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: a@\r\n example.org\r\n"), "example.org" },
		{ SPAN("From: a@(x)example.org\r\n"), "example.org" },
		{ SPAN("From: <@no.test:a@example . org>\r\n"), "example.org" },
		{ SPAN("From: a @ example.org\r\n"), "example.org" },
		{ SPAN("From: a@example.org, b@no.test\r\n"), "example.org" },
		{ SPAN("From: a@example.org,b@no.test\r\n"), "example.org" },
		{ SPAN("From: Group: a@example.org;\r\n"), "example.org" },
		{ SPAN("From: a@example.org(x)\r\n"), "example.org" },
		{ SPAN("From: a@B\xc3\x9c" "cher.Example\r\n"), "xn--bcher-kva.example" },
		{ SPAN("From: a@xn--bcher-kva.example\r\n"), "xn--bcher-kva.example" },
		{ SPAN("From: a@r3--x.example\r\n"), "r3--x.example" },
		{ SPAN("From: scan@copier <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: x@no.test<a@example.org>, <b@no.test>\r\n"), "example.org" },
		{ SPAN("From: scan, copier <a@example.org>\r\n"), "example.org" },
		{ SPAN("From: <\"x@no.test\"@example.org>\r\n"), "example.org" },
		{ SPAN("Subject: x\r\nFrom: a@example.org\r\n\r\nFrom: b@no.test\r\n"), "example.org" },
		{ SPAN("From: a@localhost\r\n"), "localhost" },
		{ SPAN("From: <a@example.org\r\n"), "example.org" },
		{ SPAN("Subject: a@no.test\r\n"), NULL },
		{ SPAN("\r\nFrom: a@no.test\r\n"), NULL },
		{ SPAN("From: scanner\r\n"), NULL },
		{ SPAN("From: <>\r\n"), NULL },
		{ SPAN("From: x@no.test <>\r\n"), NULL },
		{ SPAN("From: a@b@no.test\r\n"), NULL },
		{ SPAN("From: a@\xff\xfe.test\r\n"), NULL },
		{ SPAN("From: a@\xe2\x98\x83.test\r\n"), NULL },
		{ SPAN("From: a@example.org\r\nSubject: x\r\nFROM: a@example.org\r\n"), NULL },
		{ SPAN("From: a@[192.0.2.1]\r\n"), NULL },
		{ SPAN("From: a@\r\n"), NULL },
		{ SPAN("From: (a@no.test\r\n"), NULL },
		{ SPAN("From: \"a@no.test\r\n"), NULL },
		{ SPAN("From: a@exa_mple..org\r\n"), NULL },
		{ SPAN("From: \"a\\"), NULL },
		{ SPAN(""), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(255), small = BUF_MAX(3);
		struct error err = { .text = "" };
		bool ok = signer_from_domain(rows[i].header, &b, &err);

		CHECK_ROW(i, ok == (rows[i].domain != NULL));
		CHECK_ROW(i, span_eq(buf_span(&b), span_of(rows[i].domain)));
		CHECK_ROW(i, ok == (err.text[0] == '\0'));
		CHECK_ROW(i, !signer_from_domain(rows[i].header, &small, &err));
		CHECK_ROW(i, small.len == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
