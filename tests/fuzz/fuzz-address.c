/* fuzz-address.c - mailboxes, paths and domains
 *
 * The first byte chooses the flags, the rest is the text.
 */
#include "fuzz.h"

#include "mail/address.h"

static void
check(const struct address *a, struct span within, unsigned flags)
{
	struct address again;
	struct error err;

	must(fuzz_within(a->text, within));
	must(fuzz_within(a->local, a->text));
	must(fuzz_within(a->domain, a->text));
	must(a->text.n > 0 || (flags & ADDRESS_NULL));
	must(a->text.n == a->local.n + a->domain.n + (a->domain.n > 0));
	must(flags & ADDRESS_UTF8 || !address_needs_utf8(a->text));
	for (size_t i = 0; i < a->text.n; i++)
		must((unsigned char)a->text.p[i] >= 32 && a->text.p[i] != 127);
	/* what was taken once is taken again, and equals itself */
	must(address_parse(a->text, flags, &again, &err));
	must(address_eq(*a, again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = fuzz_span(data, size), rest;
	unsigned flags = size ? data[0] & 15 : 0;
	struct address a;
	struct error err;

	if (size == 0)
		return 0;
	s = span_from(s, 1);
	if (address_parse(s, flags, &a, &err))
		check(&a, s, flags);
	rest = s;
	if (path_parse(&rest, flags, &a, &err)) {
		check(&a, s, flags);
		must(fuzz_within(rest, s) && rest.n < s.n);
		must(rest.p + rest.n == s.p + s.n);
	} else {
		must(rest.p == s.p && rest.n == s.n);
	}
	domain_valid(s, (flags & ADDRESS_UTF8) != 0);
	return 0;
}
