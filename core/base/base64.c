/* base64.c - by nettle, which is there with GnuTLS */
#include "base/base64.h"

#include <nettle/base64.h>

bool
encode_base64(struct buf *b, struct span s)
{
	size_t n;
	char *to;

	if (s.n > SIZE_MAX / 2)
		return false;
	n = BASE64_ENCODE_RAW_LENGTH(s.n);
	to = buf_room(b, n);
	if (to == NULL)
		return false;
	base64_encode_raw(to, s.n, (const uint8_t *)s.p);
	buf_added(b, n);
	return true;
}

bool
decode_base64(struct buf *b, struct span s)
{
	struct base64_decode_ctx ctx;
	size_t n = BASE64_DECODE_LENGTH(s.n);
	char *to = buf_room(b, n);

	if (to == NULL)
		return false;
	/* nettle skips white space, which has no place here */
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r'))
			return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, (uint8_t *)to, s.n, s.p) ||
	    !base64_decode_final(&ctx))
		return false;
	buf_added(b, n);
	return true;
}
