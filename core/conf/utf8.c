/* utf8.c - RFC 3629 */
#include "conf/utf8.h"

size_t
utf8_decode(struct span s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first;
	uint32_t c;
	size_t n;

	if (s.n == 0)
		return 0;
	first = (unsigned char)s.p[0];
	n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2
	    : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
	if (n == 0 || n > s.n)
		return 0;
	c = n == 1 ? first : first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

size_t
utf8_bytes(struct span s, size_t n)
{
	size_t at = 0;

	for (; n > 0 && at < s.n; n--) {
		uint32_t c;
		size_t more = utf8_decode(span_from(s, at), &c);

		at += more ? more : 1;
	}
	return at;
}

size_t
utf8_count(struct span s)
{
	size_t n = 0;

	for (size_t at = 0; at < s.n; n++)
		at += utf8_bytes(span_from(s, at), 1);
	return n;
}

bool
utf8_is_text(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return (c < 0x7f || c > 0x9f || c == 0x85) && c != 0xfeff
	       && c != 0xfffe && c != 0xffff;
}
