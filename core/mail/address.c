/* address.c - mailboxes and domains, taken apart
 *
 * Stricter than devices are where a mistake could send mail astray (two
 * addresses in one path, control characters, a second @), milder where they
 * are known to be sloppy and nothing is at stake: missing brackets, blanks
 * around the address, dots at the end of a local part or in a row (iLO
 * boards and some carriers' mailboxes have them), underscores in host names.
 */
#include "mail/address.h"

#include "base/encode.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_MAX = 63 };		/* RFC 1035 section 2.3.4 */

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* RFC 5322 section 3.2.3 */
static bool
is_atext(unsigned char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
bad(struct error *err, const char *why)
{
	return error_set(err, ERROR_PROTOCOL, "%s", why);
}

/* The length of the character at the front: 1 when it is ASCII, more for
 * UTF-8 where that is allowed, else 0. */
static size_t
char_length(struct span s, bool utf8)
{
	if ((unsigned char)s.p[0] < 0x80)
		return 1;
	return utf8 ? utf8_length(s) : 0;
}

bool
address_needs_utf8(struct span text)
{
	return span_has_8bit(text);
}

bool
address_eq(struct address a, struct address b)
{
	return span_eq(a.local, b.local) && span_eq_nocase(a.domain, b.domain);
}

/* --- domains --------------------------------------------------------- */

static bool
label_valid(struct span s, bool utf8)
{
	bool ascii = true;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = char_length(span_from(s, i), utf8);
		if (n == 0 ||
		    (c < 0x80 && !is_alnum(c) && c != '-' && c != '_'))
			return false;
		ascii = ascii && c < 0x80;
	}
	return s.n <= LABEL_MAX || !ascii;
}

bool
domain_valid(struct span s, bool utf8)
{
	struct span label;

	if (s.n == 0 || s.n > LIMIT_DOMAIN || s.p[s.n - 1] == '.')
		return false;
	while (span_split(&s, '.', &label))
		if (!label_valid(label, utf8))
			return false;
	return true;
}

/* tag ":" 1*dcontent, the form kept for address families to come */
static bool
general_literal_valid(struct span s)
{
	size_t colon = span_find(s, ':');

	if (colon == 0 || colon + 1 >= s.n || s.p[colon - 1] == '-')
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!is_alnum((unsigned char)s.p[i]) && s.p[i] != '-')
			return false;
	for (size_t i = colon + 1; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || strchr("[\\]", s.p[i]))
			return false;
	return true;
}

/* [192.0.2.1] | [IPv6:2001:db8::1] | [tag:content]	RFC 5321, 4.1.3 */
static bool
literal_valid(struct span s)
{
	char text[INET6_ADDRSTRLEN + 1] = "";
	unsigned char ip[16];
	int family = AF_INET;

	if (s.n < 3 || s.n > LIMIT_DOMAIN || s.p[s.n - 1] != ']')
		return false;
	s = span_sub(s, 1, s.n - 2);
	if (memchr(s.p, '\0', s.n) != NULL)
		return false;
	if (span_starts_nocase(s, SPAN("IPv6:"))) {
		family = AF_INET6;
		s = span_from(s, 5);
	} else if (span_find(s, ':') < s.n) {
		return general_literal_valid(s);
	}
	if (s.n >= sizeof(text))
		return false;
	if (s.n)
		memcpy(text, s.p, s.n);
	return inet_pton(family, text, ip) == 1;
}

/* --- mailboxes ------------------------------------------------------- */

/* The length of the quoted string at the front, with its quotes; 0 when it
 * is malformed.  RFC 5321 section 4.1.2, QcontentSMTP. */
static size_t
quoted_length(struct span s, bool utf8)
{
	for (size_t i = 1, n; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = char_length(span_from(s, i), utf8);
		if (n == 0 || c < 32 || c == 127)
			return 0;
		if (c == '"')
			return i + 1;
		if (c == '\\') {
			n = 2;
			if (i + 1 >= s.n || s.p[i + 1] < 32 ||
			    s.p[i + 1] == 127)
				return 0;
		}
	}
	return 0;
}

/* The length of what looks like a Dot-string; 0 when it begins wrongly. */
static size_t
dot_string_length(struct span s, bool utf8)
{
	size_t i, n;

	if (s.n == 0 || s.p[0] == '.')
		return 0;
	for (i = 0; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = char_length(span_from(s, i), utf8);
		if (n == 0 || (c < 0x80 && c != '.' && !is_atext(c)))
			break;
	}
	return i;
}

static bool
no_domain_allowed(struct span local, unsigned flags)
{
	return (flags & ADDRESS_NO_DOMAIN) != 0 ||
	       ((flags & ADDRESS_POSTMASTER) != 0 &&
		span_eq_nocase(local, SPAN("postmaster")));
}

bool
address_parse(struct span s, unsigned flags, struct address *ret,
	      struct error *err)
{
	bool utf8 = (flags & ADDRESS_UTF8) != 0;
	struct address a = { .text = s };
	size_t n;

	if (s.n == 0) {
		if (!(flags & ADDRESS_NULL))
			return bad(err, "the address is empty");
		*ret = a;
		return true;
	}
	if (s.n > LIMIT_PATH - 2)
		return bad(err, "the address is too long");
	n = s.p[0] == '"' ? quoted_length(s, utf8) : dot_string_length(s, utf8);
	if (n == 0)
		return bad(err, "the address does not begin with a local part");
	if (n > LIMIT_LOCAL_PART)
		return bad(err, "the local part is too long");
	a.local = span_sub(s, 0, n);
	if (n == s.n) {
		if (!no_domain_allowed(a.local, flags))
			return bad(err, "the address has no domain");
		*ret = a;
		return true;
	}
	if (s.p[n] != '@')
		return bad(err, "the local part holds a character that is not "
			   "allowed there");
	a.domain = span_from(s, n + 1);
	if (a.domain.n && a.domain.p[0] == '[') {
		if (!literal_valid(a.domain))
			return bad(err, "the address literal is malformed");
	} else if (!domain_valid(a.domain, utf8)) {
		return bad(err, "the domain is malformed");
	}
	*ret = a;
	return true;
}

/* What stands between the quotes, without its backslashes; its length. */
static size_t
unquote(struct span quoted, char *to)
{
	size_t n = 0;

	for (size_t i = 1; i + 1 < quoted.n; i++) {
		if (quoted.p[i] == '\\' && i + 2 < quoted.n)
			i++;
		to[n++] = quoted.p[i];
	}
	return n;
}

static size_t
quote(struct span s, char *to)
{
	size_t n = 0;

	to[n++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			to[n++] = '\\';
		to[n++] = s.p[i];
	}
	to[n++] = '"';
	return n;
}

struct address
address_plain(struct address a, char *room)
{
	char inner[LIMIT_PATH];
	struct span s = { inner, 0 };
	size_t n, rest = a.text.n - a.local.n;

	if (a.local.n < 2 || a.local.p[0] != '"' || a.text.n > LIMIT_PATH)
		return a;
	s.n = unquote(a.local, inner);
	if (s.n > 0 && dot_string_length(s, true) == s.n) {
		memcpy(room, inner, s.n);
		n = s.n;
	} else {
		n = quote(s, room);	/* never longer than it was */
	}
	memcpy(room + n, a.text.p + a.local.n, rest);
	return (struct address){
		.text = { room, n + rest }, .local = { room, n },
		.domain = { room + n + rest - a.domain.n, a.domain.n },
	};
}

/* --- paths ----------------------------------------------------------- */

static struct span
skip_blanks(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* "@a,@b:" at the front is skipped, as RFC 5321 appendix C asks. */
static bool
skip_source_route(struct span *s)
{
	struct span route, hop;
	size_t colon;

	if (s->n == 0 || s->p[0] != '@')
		return true;
	colon = span_find(*s, ':');
	if (colon == s->n)
		return false;
	route = span_sub(*s, 0, colon);
	while (span_split(&route, ',', &hop)) {
		hop = span_trim(hop);
		if (hop.n < 2 || hop.p[0] != '@' ||
		    !domain_valid(span_from(hop, 1), true))
			return false;
	}
	*s = skip_blanks(span_from(*s, colon + 1));
	return true;
}

/* Where the mailbox at the front ends: at the first byte of `ends' that is
 * outside of quotes, or at the end of s. */
static size_t
mailbox_end(struct span s, const char *ends)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted)
			i++;
		else if (!quoted && c && strchr(ends, c) != NULL)
			return i;
	}
	return s.n;
}

bool
path_parse(struct span *s, unsigned flags, struct address *ret,
	   struct error *err)
{
	struct span rest = skip_blanks(*s);
	size_t end;

	if (rest.n == 0)
		return bad(err, "the address is missing");
	if (rest.p[0] != '<') {
		end = mailbox_end(rest, " \t");
		if (!address_parse(span_sub(rest, 0, end),
				   flags & ~(unsigned)ADDRESS_NULL, ret, err))
			return false;
		*s = span_from(rest, end);
		return true;
	}
	rest = skip_blanks(span_from(rest, 1));
	if (!skip_source_route(&rest))
		return bad(err, "the source route is malformed");
	end = mailbox_end(rest, ">");
	if (end == rest.n)
		return bad(err, "the address lacks its closing `>'");
	if (!address_parse(span_trim(span_sub(rest, 0, end)), flags, ret, err))
		return false;
	*s = span_from(rest, end + 1);
	return true;
}
