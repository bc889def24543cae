/* encode.h - numbers and bytes as text: ids, JSON strings */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

/* Appends s as a JSON string with its quotes.  Bytes that are not UTF-8 come
 * out as U+FFFD and controls (C1 too) as \u00xx, so that the result is
 * always valid and drives no terminal.  After max bytes of output, or one
 * character more, the string ends with "...".  False, with nothing added,
 * when b has no room. */
bool encode_json(struct buf *b, struct span s, size_t max);

/* The length of the well-formed UTF-8 sequence at the front of s (RFC 3629;
 * 1 for ASCII), or 0. */
size_t utf8_length(struct span s);

/* A message's id is 50 bits, printed as ten characters of Crockford's
 * base 32 ("1M5Z8K3QXA"), which sort as the numbers do.  buf: 11 bytes. */
enum { ID_TEXT = 10 };
const char *encode_id(uint64_t id, char *buf);
/* Lower case is taken, and the letters I L O for 1 1 0. */
bool decode_id(struct span s, uint64_t *ret);

/* The value of a hexadecimal digit, or -1. */
int decode_hex(char c);

/* s with everything that would break a line or a terminal made visible
 * ("\r", "\x1b"); at most max bytes of output, then "...". */
bool encode_printable(struct buf *b, struct span s, size_t max);

#endif
