/* signer_from.c - whose message it is, by its From field
 *
 * RFC 5322 section 3.4, as patient as readers of mail are: what stands in
 * comments and quotes does not count, nor does the name of a group.
 */
#include "mail/signer.h"

#include "mail/address.h"
#include "mail/header.h"

static size_t
skip_quoted(struct span s, size_t at)
{
	for (at++; at < s.n && s.p[at] != '"'; at++)
		at += s.p[at] == '\\';
	return at + 1;
}

static size_t
skip_comment(struct span s, size_t at)
{
	unsigned depth = 0;

	for (; at < s.n; at++) {
		if (s.p[at] == '\\')
			at++;
		else if (s.p[at] == '(')
			depth++;
		else if (s.p[at] == ')' && --depth == 0)
			return at + 1;
	}
	return at;
}

static size_t
domain_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && (unsigned char)s.p[n] > ' ' &&
	       s.p[n] != '>' && s.p[n] != '(' && s.p[n] != ',' && s.p[n] != ';')
		n++;
	return n;
}

/* The domain of the first address in the list: what stands behind the @ that
 * no comment and no quotes hold, up to what cannot be of a domain. */
static struct span
first_domain(struct span s)
{
	for (size_t at = 0; at < s.n; ) {
		size_t end = at + 1;

		switch (s.p[at]) {
		case '"':
			at = skip_quoted(s, at);
			continue;
		case '(':
			at = skip_comment(s, at);
			continue;
		case '@':
			while (end < s.n && (s.p[end] == ' ' ||
					     s.p[end] == '\t'))
				end++;
			s = span_from(s, end);
			return span_sub(s, 0, domain_length(s));
		default:
			at++;
		}
	}
	return SPAN_NONE;
}

bool
signer_from_domain(struct span header, struct buf *out)
{
	struct header_field from;
	struct span domain;
	size_t before = out->len;

	if (!header_find(header, SPAN("From"), 0, &from))
		return false;
	domain = first_domain(from.value);
	if (!domain_valid(domain, true))
		return false;
	for (size_t i = 0; i < domain.n; i++)
		if (!buf_add_char(out, ascii_lower(domain.p[i]))) {
			buf_cut(out, before);
			return false;
		}
	return true;
}
