/* signer_from.c - whose message it is, by its From field
 *
 * RFC 5322 section 3.4, as patient as readers of mail are: what stands in
 * comments and quotes does not count, nor does the name of a group.  Two From
 * fields are nobody's: which of them a reader sees is not known.
 */
#include "mail/signer.h"

#include "base/limits.h"
#include "base/macros.h"
#include "mail/address.h"
#include "mail/header.h"

#include <idn2.h>
#include <string.h>

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

static struct span
domain_behind(struct span s, size_t at)
{
	size_t n = 0;

	for (at++; at < s.n && (s.p[at] == ' ' || s.p[at] == '\t'); at++)
		;
	s = span_from(s, at);
	while (n < s.n && (unsigned char)s.p[n] > ' ' &&
	       memchr("<>(),;", s.p[n], 6) == NULL)
		n++;
	return span_sub(s, 0, n);
}

/* The domain of the first address in the list: what stands behind the @ that
 * no comment and no quotes hold, up to what cannot be of a domain; where there
 * are angle brackets, in them ("scan@copier <scan@example.org>"). */
static struct span
first_domain(struct span s)
{
	struct span found = SPAN_NONE;
	bool brackets = false;

	for (size_t at = 0; at < s.n; ) {
		switch (s.p[at]) {
		case '"':
			at = skip_quoted(s, at);
			continue;
		case '(':
			at = skip_comment(s, at);
			continue;
		case '@':
			if (found.n == 0)
				found = domain_behind(s, at);
			break;
		case '<':
			found = SPAN_NONE;
			brackets = true;
			break;
		case '>':
		case ',':
			if (brackets || found.n > 0)
				return found;
			break;
		}
		at++;
	}
	return found;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

static bool
add_lower(struct buf *out, struct span s)
{
	size_t before = out->len;

	for (size_t i = 0; i < s.n; i++)
		if (!buf_add_char(out, ascii_lower(s.p[i]))) {
			buf_cut(out, before);
			return false;
		}
	return true;
}

/* Keys are for A-labels (RFC 8616 section 4).  ASCII stays what it is, also
 * where IDNA would not have it. */
static bool
add_domain(struct buf *out, struct span domain)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(LIMIT_DOMAIN + 1);
	char *ascii = NULL;
	bool ok;

	if (!domain_valid(domain, true))
		return false;
	if (is_ascii(domain))
		return add_lower(out, domain);
	buf_add(&text, domain);
	ok = idn2_to_ascii_8z(buf_str(&text), &ascii, IDN2_NONTRANSITIONAL |
			      IDN2_NFC_INPUT) == IDN2_OK &&
	     add_lower(out, span_of(ascii));
	idn2_free(ascii);
	return ok;
}

bool
signer_from_domain(struct span header, struct buf *out, struct error *err)
{
	struct header_field from, other;

	if (!header_find(header, SPAN("From"), 0, &from))
		return error_set(err, ERROR_PROTOCOL, "there is no From field");
	if (header_find(header, SPAN("From"), 1, &other))
		return error_set(err, ERROR_PROTOCOL, "there is more than one "
				 "From field");
	return add_domain(out, first_domain(from.value)) ||
	       error_set(err, ERROR_PROTOCOL, "the From field has no address "
			 "with a domain");
}
