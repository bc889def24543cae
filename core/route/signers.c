/* signers.c - which of a route's keys sign a message */
#include "route/route.h"

#include "base/macros.h"
#include "mail/signer.h"

/* example.org is above mail.example.org, and is above itself. */
static bool
is_above(struct span above, struct span domain)
{
	return span_ends_nocase(domain, above) &&
	       (domain.n == above.n ||
		domain.p[domain.n - above.n - 1] == '.');
}

static bool
has_algorithm(const struct signer_key **v, size_t n, enum signer_algorithm a)
{
	for (size_t i = 0; i < n; i++)
		if (signer_key_algorithm(v[i]) == a)
			return true;
	return false;
}

size_t
signers_pick(const struct route *r, struct span from_domain,
	     const struct signer_key **ret, size_t max)
{
	size_t nearest = 0, n = 0;

	for (size_t i = 0; i < r->signer_count; i++) {
		struct span domain = span_of(signer_key_domain(r->signers[i]));

		if (is_above(domain, from_domain))
			nearest = MAX(nearest, domain.n);
	}
	for (size_t i = 0; i < r->signer_count && n < max; i++) {
		const struct signer_key *k = r->signers[i];
		struct span domain = span_of(signer_key_domain(k));

		if (nearest > 0 && domain.n == nearest &&
		    is_above(domain, from_domain) &&
		    !has_algorithm(ret, n, signer_key_algorithm(k)))
			ret[n++] = k;
	}
	return n;
}
