/* mime.c - quoted-printable, encoded words, and Unicode in ASCII fields */
#include "mail/mime.h"

#include "base/base64.h"
#include "base/encode.h"
#include "base/macros.h"

#include <string.h>

enum {
	QUOTED_COLUMNS = 76,		/* RFC 2045 section 6.7 */
	WORD_MAX = 1000,		/* an encoded word that is decoded; 75
					 * by RFC 2047, senders write more */
};

/* --- quoted-printable ------------------------------------------------ */

/* Of one line, without its end; the last blank of it is encoded. */
static bool
quoted_line(struct buf *out, struct span line)
{
	size_t column = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];
		bool blank = c == ' ' || c == '\t';
		bool plain = (c > 32 && c < 127 && c != '=') ||
			     (blank && i + 1 < line.n);
		size_t width = plain ? 1 : 3;

		/* one column is left for the "=" of a soft line end */
		if (column + width > QUOTED_COLUMNS - 1) {
			ok = buf_add_str(out, "=\r\n");
			column = 0;
		}
		ok = ok && (plain ? buf_add_char(out, (char)c)
				  : buf_addf(out, "=%02X", c));
		column += width;
	}
	return ok;
}

bool
mime_quoted(struct buf *out, struct span text)
{
	struct span line;

	while (text.n > 0) {
		bool ended = span_find(text, '\n') < text.n;

		span_split(&text, '\n', &line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!quoted_line(out, line) ||
		    (ended && !buf_add_str(out, "\r\n")))
			return false;
	}
	return true;
}

/* --- encoded words --------------------------------------------------- */

/* The Q encoding of RFC 2047 section 4.2. */
static bool
decode_q(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '_' ? ' ' : s.p[i];

		if (c == '=') {
			if (i + 2 >= s.n || decode_hex(s.p[i + 1]) < 0 ||
			    decode_hex(s.p[i + 2]) < 0)
				return false;
			c = (char)(decode_hex(s.p[i + 1]) << 4 |
				   decode_hex(s.p[i + 2]));
			i += 2;
		}
		if (!buf_add_char(b, c))
			return false;
	}
	return true;
}

static bool
add_latin1(struct buf *out, struct span s)
{
	bool ok = true;

	for (size_t i = 0; ok && i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		ok = c < 0x80 ? buf_add_char(out, (char)c)
			      : buf_addf(out, "%c%c", 0xc0 | c >> 6,
					 0x80 | (c & 0x3f));
	}
	return ok;
}

/* "=?charset?Q?text?=" at the front of s: its length, or 0; the parts. */
static size_t
word_split(struct span s, struct span *charset, char *encoding,
	   struct span *text)
{
	struct span rest = span_from(s, 2), part;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	span_split(&rest, '?', charset);
	/* RFC 2231 section 5: "utf-8*en" */
	*charset = span_sub(*charset, 0, span_find(*charset, '*'));
	if (!span_split(&rest, '?', &part) || part.n != 1)
		return 0;
	*encoding = ascii_lower(part.p[0]);
	if (!span_split(&rest, '?', text) || rest.n == 0 || rest.p[0] != '=')
		return 0;
	return (size_t)(rest.p + 1 - s.p);
}

/* Appends what the word at the front of s says.  Its length; 0: it is none
 * that can be decoded here. */
static size_t
word_decode(struct buf *out, struct span s)
{
	AUTO(buf_fini) struct buf bytes = BUF_MAX(WORD_MAX);
	struct span charset, text;
	char encoding = 0;
	size_t n = word_split(s, &charset, &encoding, &text);
	bool latin1;

	if (n == 0 || (encoding != 'q' && encoding != 'b'))
		return 0;
	latin1 = span_eq_nocase(charset, SPAN("iso-8859-1"));
	if (!latin1 && !span_eq_nocase(charset, SPAN("utf-8")) &&
	    !span_eq_nocase(charset, SPAN("us-ascii")))
		return 0;
	if (!(encoding == 'q' ? decode_q(&bytes, text)
			      : decode_base64(&bytes, text)))
		return 0;
	if (!(latin1 ? add_latin1(out, buf_span(&bytes))
		     : buf_add(out, buf_span(&bytes))))
		return 0;
	return n;
}

bool
mime_words(struct buf *out, struct span value)
{
	bool after_word = false, ok = true;

	while (ok && value.n > 0) {
		size_t before = out->len, blanks = 0, n;

		while (blanks < value.n && value.p[blanks] == ' ')
			blanks++;
		/* those between two of them go (RFC 2047 section 6.2) */
		ok = after_word || buf_add(out, span_sub(value, 0, blanks));
		n = ok ? word_decode(out, span_from(value, blanks)) : 0;
		after_word = n > 0;
		if (n == 0) {
			buf_cut(out, before);
			n = blanks < value.n ? 1 : 0;
			ok = buf_add(out, span_sub(value, 0, blanks + n));
		}
		value = span_from(value, blanks + n);
	}
	return ok;
}

/* --- Unicode in ASCII ------------------------------------------------ */

/* The code point that n bytes of well-formed UTF-8 stand for. */
static unsigned
code_point(struct span s, size_t n)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned c = (unsigned char)s.p[0] & masks[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	return c;
}

/* The QCHAR of RFC 6533 section 3. */
static bool
is_qchar(unsigned c)
{
	return c > 32 && c < 127 && c != '+' && c != '=' && c != '\\';
}

bool
mime_ascii(struct buf *out, struct span text, bool is_address)
{
	bool ok = true;

	while (ok && text.n > 0) {
		size_t n = utf8_length(text);
		unsigned c = n > 0 ? code_point(text, n)
				   : (unsigned char)text.p[0];

		n = n > 0 ? n : 1;
		ok = c < 0x80 && (!is_address || is_qchar(c))
		   ? buf_add_char(out, (char)c)
		   : buf_addf(out, "\\x{%02X}", c);
		text = span_from(text, n);
	}
	return ok;
}
