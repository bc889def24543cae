/* dkim.c - reading what stands under `dkim:' */
#include "route/dkim.h"

#include <stddef.h>

const struct schema_key dkim_keys[] = {
	{ .name = "domain", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct dkim_entry, domain),
	  .help = "The key signs mail whose From is in this domain or in a "
		  "subdomain. The nearest domain that has a key signs." },
	{ .name = "selector", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct dkim_entry, selector),
	  .help = "The selector of the key. The DNS record of the key is "
		  "SELECTOR._domainkey.DOMAIN." },
	{ .name = "key", .type = T_PATH, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct dkim_entry, key),
	  .help = "The file with the private key, RSA or ed25519, in PEM." },
	{ 0 },
};

bool
dkim_entries_check(const struct blocks *entries, struct diags *d)
{
	const struct dkim_entry *v = entries->v;
	bool ok = true;

	for (size_t i = 0; i < entries->n; i++) {
		const struct node *at = entries->nodes[i];

		/* what is missing has been told */
		ok = ok && v[i].domain && v[i].selector && v[i].key;
		if (v[i].domain != NULL &&
		    !domain_valid(span_of(v[i].domain), false)) {
			diag_error(d, schema_mark(at, "domain"),
				   "`%s' is no domain", v[i].domain);
			ok = diag_hint(d, "write it as example.org, and names "
				       "with other letters as xn--...");
		}
		if (v[i].selector != NULL &&
		    !domain_valid(span_of(v[i].selector), false)) {
			diag_error(d, schema_mark(at, "selector"),
				   "`%s' is no selector", v[i].selector);
			ok = diag_hint(d, "use letters, digits and dashes, as "
				       "in p2026");
		}
	}
	return ok;
}
