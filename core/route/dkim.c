/* dkim.c - reading what stands under `dkim:' */
#include "route/dkim.h"

#include "mail/signer.h"

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

static bool
name_told(const struct node *entry, const char *key, const struct error *err,
	  struct diags *d)
{
	diag_error(d, schema_mark(entry, key), "%s", err->text);
	return diag_hint(d, "%s", err->hint);
}

bool
dkim_entries_check(const struct blocks *entries, struct diags *d)
{
	struct dkim_entry *v = entries->v;
	bool ok = true;

	for (size_t i = 0; i < entries->n; i++) {
		const struct node *at = entries->nodes[i];
		struct error err;

		if (v[i].domain != NULL &&
		    !signer_domain_check(v[i].domain, &err)) {
			ok = name_told(at, "domain", &err, d);
			v[i].domain = NULL;
		}
		if (v[i].selector != NULL &&
		    !signer_selector_check(v[i].selector, &err)) {
			ok = name_told(at, "selector", &err, d);
			v[i].selector = NULL;
		}
		/* what is missing has been told */
		ok = ok && v[i].domain && v[i].selector && v[i].key;
	}
	return ok;
}
