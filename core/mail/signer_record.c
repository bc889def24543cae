/* signer_record.c - the record in the DNS that goes with a key
 *
 * RFC 6376 sections 3.2 (lists of tags) and 3.6.1.  What the DNS has may be
 * anybody's: it is read with patience for blanks, and with none for the rest.
 */
#include "mail/signer_inside.h"

#include "base/macros.h"

struct tag {
	struct span name, value;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span
trim(struct span s)
{
	while (s.n && is_space(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Takes the tag at the front of *s; false at the end, and at what is no tag
 * (then *s is not empty). */
static bool
tag_next(struct span *s, struct tag *ret)
{
	struct span rest = *s, tag = SPAN_NONE;
	size_t equals;

	while (tag.n == 0)	/* an empty one may be the last */
		if (!span_split(&rest, ';', &tag) ||
		    ((tag = trim(tag)).n == 0 && rest.p == NULL)) {
			*s = SPAN_NONE;
			return false;
		}
	equals = span_find(tag, '=');
	if (equals == 0 || equals == tag.n)
		return false;
	ret->name = trim(span_sub(tag, 0, equals));
	ret->value = trim(span_from(tag, equals + 1));
	*s = rest;
	return true;
}

static bool
tag_find(struct span record, struct span name, struct span *ret)
{
	struct tag t;

	while (tag_next(&record, &t)) {
		if (!span_eq(t.name, name))
			continue;
		*ret = t.value;
		return true;
	}
	return false;
}

/* Whether a list such as "sha1:sha256" has one of two words. */
static bool
list_has(struct span list, const char *word, const char *or_this)
{
	struct span part;

	while (span_split(&list, ':', &part)) {
		part = trim(part);
		if (span_eq_nocase(part, span_of(word)) ||
		    span_eq_nocase(part, span_of(or_this)))
			return true;
	}
	return false;
}

/* Base64 with blanks in it, as zone files make it, and perhaps without its
 * last `='. */
static bool
same_base64(struct span a, struct span b)
{
	for (;;) {
		while (a.n && (is_space(a.p[0]) || a.p[0] == '='))
			a = span_from(a, 1);
		while (b.n && (is_space(b.p[0]) || b.p[0] == '='))
			b = span_from(b, 1);
		if (a.n == 0 || b.n == 0)
			return a.n == b.n;
		if (a.p[0] != b.p[0])
			return false;
		a = span_from(a, 1);
		b = span_from(b, 1);
	}
}

static bool
differs(struct error *reason, const char *words)
{
	return error_set(reason, ERROR_CONFIG, "%s", words);
}

/* Whether it is a key record at all. */
static bool
record_check(struct span record, struct error *reason)
{
	struct span rest = record, value;
	struct tag t;

	for (bool first = true; tag_next(&rest, &t); first = false) {
		if (span_eq(t.name, SPAN("v")) &&
		    (!first || !span_eq(t.value, SPAN("DKIM1"))))
			return differs(reason, "it does not begin with "
				       "v=DKIM1");
		if (tag_find(rest, t.name, &value))
			return error_set(reason, ERROR_CONFIG, "it has %.*s= "
					 "twice", SPAN_ARG(span_sub(t.name, 0,
								    40)));
	}
	if (rest.p != NULL)
		return differs(reason, "it is not a list of tags such as "
			       "v=DKIM1; p=...");
	return true;
}

bool
signer_key_matches(const struct signer_key *k, struct span record,
		   struct error *reason)
{
	const char *name = signer_algorithm_name(k->algorithm);
	struct span kind = SPAN("rsa"), value;

	if (!record_check(record, reason))
		return false;
	if (!tag_find(record, SPAN("p"), &value))
		return differs(reason, "it has no p=, so no key");
	if (value.n == 0)
		return differs(reason, "it is revoked: p= is empty");
	tag_find(record, SPAN("k"), &kind);
	if (!span_eq_nocase(kind, span_of(name)))
		return error_set(reason, ERROR_CONFIG, "k= is %.*s, and the "
				 "key is %s", SPAN_ARG(span_sub(kind, 0, 40)),
				 name);
	if (!same_base64(value, buf_span(&k->public)))
		return differs(reason, "p= is another key");
	if (tag_find(record, SPAN("s"), &value) && !list_has(value, "email", "*"))
		return differs(reason, "s= does not allow email");
	if (tag_find(record, SPAN("h"), &value) &&
	    !list_has(value, "sha256", "sha256"))
		return differs(reason, "h= does not allow sha256");
	return true;
}

bool
signer_record_testing(struct span record)
{
	struct span flags;

	return tag_find(record, SPAN("t"), &flags) && list_has(flags, "y", "y");
}

bool
signer_key_record(const struct signer_key *k, struct buf *out)
{
	return buf_addf(out, "v=DKIM1; k=%s; p=%.*s",
			signer_algorithm_name(k->algorithm),
			SPAN_ARG(buf_span(&k->public)));
}
