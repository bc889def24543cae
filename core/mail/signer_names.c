/* signer_names.c - what the record of a key is called in the DNS
 *
 * SELECTOR._domainkey.DOMAIN (RFC 6376 section 3.6.2.1), which providers show
 * as one name, or as `SELECTOR._domainkey'.
 */
#include "mail/signer.h"

#include "base/span.h"
#include "mail/address.h"

/* Where `_domainkey' begins among the labels; s.n: nowhere. */
static size_t
domainkey_find(struct span s)
{
	const struct span word = SPAN("_domainkey");

	for (size_t at = 0; at < s.n; at += span_find(span_from(s, at), '.') + 1)
		if (span_starts_nocase(span_from(s, at), word) &&
		    (at + word.n == s.n || s.p[at + word.n] == '.'))
			return at;
	return s.n;
}

bool
signer_domain_check(const char *domain, struct error *err)
{
	struct span s = span_of(domain);
	size_t at = domainkey_find(s);

	if (at < s.n) {
		error_set(err, ERROR_CONFIG, "`%s' is the name of a record, "
			  "not a domain", domain);
		return error_hint(err, "write the domain that mail is sent "
				  "from, as in example.org");
	}
	if (domain_valid(s, false))
		return true;
	error_set(err, ERROR_CONFIG, "`%s' is not a domain", domain);
	return error_hint(err, "write it as example.org, and names with other "
			  "letters as xn--...");
}

bool
signer_selector_check(const char *selector, struct error *err)
{
	struct span s = span_of(selector);
	size_t at = domainkey_find(s);

	if (at < s.n) {
		error_set(err, ERROR_CONFIG, "`%s' is more than the selector",
			  selector);
		return error_hint(err, "write the part before `._domainkey' in "
				  "the name of the record: %.*s",
				  (int)(at > 0 ? at - 1 : 0), selector);
	}
	if (domain_valid(s, false))
		return true;
	error_set(err, ERROR_CONFIG, "`%s' is not a selector", selector);
	return error_hint(err, "use letters, digits and dashes, as in p2026");
}
