/* fuzz-signer.c - any message, in any pieces, signed with a fixed key
 *
 * The first byte makes the sizes of the pieces.
 */
#include "fuzz.h"

#include "base/macros.h"
#include "mail/header.h"
#include "mail/signer.h"

#include <stdlib.h>

static const char ed_pem[] = "-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";

static const struct signer_key *
fixed_key(void)
{
	static struct signer_key *k;
	struct error err;

	if (k == NULL)
		k = signer_key_new(span_of(ed_pem), "example.org", "s", &err);
	must(k != NULL);
	return k;
}

static bool
sign(struct span message, unsigned seed, struct buf *out)
{
	const struct signer_key *const keys[] = { fixed_key() };
	struct signing *s = signing_new(keys, 1, 1700000000);
	struct error err = { .text = "" };
	bool ok = true;

	while (ok && message.n > 0) {
		size_t n = seed ? (size_t)rand_r(&seed) % 50 : message.n;

		ok = signing_feed(s, span_sub(message, 0, n), &err);
		message = span_from(message, n);
	}
	ok = ok && signing_finish(s, out, &err);
	must(ok || (out->len == 0 && err.text[0] != '\0'));
	signing_free(&s);
	return ok;
}

/* One field, of printable lines that are not too long. */
static void
check_field(struct span s)
{
	struct span rest = s, line;
	struct header_field f;

	must(header_next(&rest, &f) && rest.n == 0);
	must(span_eq(f.name, SPAN("DKIM-Signature")));
	for (rest = s; span_split(&rest, '\n', &line); ) {
		must(line.n <= 999);
		for (size_t i = 0; i < line.n; i++)
			must((line.p[i] >= ' ' && line.p[i] < 127) ||
			     line.p[i] == '\t' ||
			     (line.p[i] == '\r' && i + 1 == line.n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf whole = BUF_MAX(65536);
	AUTO(buf_fini) struct buf pieces = BUF_MAX(65536);
	AUTO(buf_fini) struct buf domain = BUF_MAX(255);
	struct span message = fuzz_span(data, size);
	struct error err;

	if (size == 0 || size > 65536)
		return 0;
	message = span_from(message, 1);
	signer_from_domain(message, &domain, &err);
	if (sign(message, 0, &whole))
		check_field(buf_span(&whole));
	sign(message, 1 + data[0], &pieces);
	must(span_eq(buf_span(&whole), buf_span(&pieces)));
	return 0;
}
