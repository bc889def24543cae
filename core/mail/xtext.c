/* xtext.c - bytes in a word of printable ASCII: "+" and two digits for others */
#include "mail/xtext.h"

#include "base/encode.h"

/* The byte at the front, and how many bytes of s say it; 0: malformed. */
static size_t
xtext_next(struct span s, char *ret)
{
	unsigned char c = (unsigned char)s.p[0];

	if (c < 33 || c > 126 || c == '=')
		return 0;
	if (c != '+') {
		*ret = s.p[0];
		return 1;
	}
	if (s.n < 3 || decode_hex(s.p[1]) < 0 || decode_hex(s.p[2]) < 0)
		return 0;
	*ret = (char)(decode_hex(s.p[1]) << 4 | decode_hex(s.p[2]));
	return 3;
}

bool
xtext_valid(struct span s)
{
	char c;

	for (size_t i = 0, n; i < s.n; i += n) {
		n = xtext_next(span_from(s, i), &c);
		if (n == 0)
			return false;
	}
	return s.n > 0;
}

bool
xtext_decode(struct buf *b, struct span s)
{
	size_t before = b->len;
	char c;

	for (size_t i = 0, n; i < s.n; i += n) {
		n = xtext_next(span_from(s, i), &c);
		if (n == 0 || !buf_add_char(b, c)) {
			buf_cut(b, before);
			return false;
		}
	}
	return true;
}

bool
xtext_encode(struct buf *b, struct span s)
{
	size_t before = b->len;
	bool ok = true;

	for (size_t i = 0; ok && i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 33 || c > 126 || c == '+' || c == '=')
			ok = buf_addf(b, "+%02X", c);
		else
			ok = buf_add_char(b, s.p[i]);
	}
	if (!ok)
		buf_cut(b, before);
	return ok;
}
