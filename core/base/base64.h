/* base64.h - RFC 4648 section 4 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Both append, and fail, adding nothing, when the buffer's maximum would be
 * passed.  Decoding takes padded text without blanks, and fails on anything
 * else. */
bool encode_base64(struct buf *b, struct span s);
bool decode_base64(struct buf *b, struct span s);

#endif
