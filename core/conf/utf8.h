/* utf8.h - characters of a configuration file: where each begins and ends */
#ifndef CONF_UTF8_H
#define CONF_UTF8_H

#include "base/span.h"

/* The first character of s: its bytes, or 0 when s is empty or does not
 * begin with well-formed UTF-8 (RFC 3629: shortest form, no surrogates). */
size_t utf8_decode(struct span s, uint32_t *ret);

/* Characters in s; a byte that is no UTF-8 counts as one. */
size_t utf8_count(struct span s);

/* Bytes of the first n characters of s, counted in the same way. */
size_t utf8_bytes(struct span s, size_t n);

/* May stand in a YAML text as itself (YAML 1.1, section 5.1). */
bool utf8_is_text(uint32_t c);

#endif
