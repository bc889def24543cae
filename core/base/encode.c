/* encode.c - ids, JSON strings, bytes made safe to look at */
#include "base/encode.h"

#include <string.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *
encode_id(uint64_t id, char *buf)
{
	for (int i = ID_TEXT - 1; i >= 0; i--, id >>= 5)
		buf[i] = crockford[id & 31];
	buf[ID_TEXT] = '\0';
	return buf;
}

static int
crockford_value(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	at = c ? strchr(crockford, c) : NULL;
	return at ? (int)(at - crockford) : -1;
}

int
decode_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
decode_id(struct span s, uint64_t *ret)
{
	uint64_t id = 0;

	if (s.n != ID_TEXT)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = crockford_value(s.p[i]);

		if (v < 0)
			return false;
		id = id << 5 | (uint64_t)v;
	}
	*ret = id;
	return true;
}

size_t
utf8_length(struct span s)
{
	static const struct { unsigned char lo, hi, second_lo, second_hi, n; } rows[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.n == 0)
		return 0;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		if (p[0] < rows[r].lo || p[0] > rows[r].hi)
			continue;
		if (s.n < rows[r].n)
			return 0;
		if (rows[r].n > 1 && (p[1] < rows[r].second_lo ||
				      p[1] > rows[r].second_hi))
			return 0;
		for (size_t i = 2; i < rows[r].n; i++)
			if ((p[i] & 0xc0) != 0x80)
				return 0;
		return rows[r].n;
	}
	return 0;
}

static bool
json_escape(struct buf *b, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;

	if (at != NULL)
		return buf_addf(b, "\\%c", letter[at - plain]);
	if (c < 0x20 || c == 0x7f)
		return buf_addf(b, "\\u%04x", c);
	return buf_add_char(b, (char)c);
}

/* U+0080 to U+009F, which some terminals obey as they do ESC. */
static bool
is_c1(struct span s, size_t length)
{
	return length == 2 && s.p[0] == '\xc2' && (unsigned char)s.p[1] < 0xa0;
}

/* The character at the front of s, n bytes of it; 0: it is none. */
static bool
json_char(struct buf *b, struct span s, size_t n)
{
	if (n == 0)
		return buf_add(b, SPAN("\xef\xbf\xbd"));
	if (n == 1)
		return json_escape(b, (unsigned char)s.p[0]);
	if (is_c1(s, n))
		return buf_addf(b, "\\u%04x", (unsigned char)s.p[1]);
	return buf_add(b, span_sub(s, 0, n));
}

bool
encode_json(struct buf *b, struct span s, size_t max)
{
	size_t before = b->len;
	bool ok = buf_add_char(b, '"');

	while (ok && s.n > 0) {
		size_t n = utf8_length(s);

		if (b->len - before > max) {
			ok = buf_add_str(b, "...");
			break;
		}
		ok = json_char(b, s, n);
		s = span_from(s, n ? n : 1);
	}
	ok = ok && buf_add_char(b, '"');
	if (!ok)
		buf_cut(b, before);
	return ok;
}

/* Like utf8_length, but 0 as well for what a terminal would obey. */
static size_t
printable_length(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = utf8_length(s);

	if (n == 1 && (p[0] < 0x20 || p[0] == 0x7f))
		return 0;
	return is_c1(s, n) ? 0 : n;
}

bool
encode_printable(struct buf *b, struct span s, size_t max)
{
	size_t start = b->len;
	bool ok = true;

	while (ok && s.n > 0) {
		size_t n = printable_length(s);

		if (b->len - start >= max)
			return buf_add_str(b, "...");
		if (n > 0)
			ok = buf_add(b, span_sub(s, 0, n));
		else if (s.p[0] == '\r' || s.p[0] == '\n')
			ok = buf_add_str(b, s.p[0] == '\r' ? "\\r" : "\\n");
		else
			ok = buf_addf(b, "\\x%02x", (unsigned char)s.p[0]);
		s = span_from(s, n ? n : 1);
	}
	return ok;
}
