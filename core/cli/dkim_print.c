/* dkim_print.c - a key's record, ready to be pasted */
#include "cli/dkim.h"

#include "base/limits.h"
#include "base/macros.h"
#include "mail/signer.h"

#include <stdio.h>

enum {
	STRING = 255,			/* RFC 1035 section 3.3 */
	RECORD_MAX = 4096,
};

void
dkim_name(const struct signer_key *k, struct buf *out)
{
	buf_addf(out, "%s._domainkey.%s", signer_key_selector(k),
		 signer_key_domain(k));
}

void
dkim_print_record(const struct dkim_row *row)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(RECORD_MAX);
	AUTO(buf_fini) struct buf name = BUF_MAX(LIMIT_DOMAIN);

	dkim_name(row->key, &name);
	signer_key_record(row->key, &value);
	printf("name   %s\ntype   TXT\nvalue  %s\n\n", buf_str(&name),
	       buf_str(&value));
	printf("in a zone file:\n\n%s. IN TXT (", buf_str(&name));
	for (struct span s = buf_span(&value); s.n > 0;
	     s = span_from(s, STRING))
		printf("\n\t\"%.*s\"", SPAN_ARG(span_sub(s, 0, STRING)));
	printf(" )\n");
}

void
dkim_print_route(const struct dkim_row *row)
{
	printf("dkim:\n  - {domain: %s, selector: %s, key: %s}\n",
	       signer_key_domain(row->key), signer_key_selector(row->key),
	       row->file);
}

json_t *
dkim_json(const struct dkim_row *row)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(RECORD_MAX);
	AUTO(buf_fini) struct buf name = BUF_MAX(LIMIT_DOMAIN);
	const struct signer_key *k = row->key;
	json_t *strings = json_array();

	dkim_name(k, &name);
	signer_key_record(k, &value);
	for (struct span s = buf_span(&value); s.n > 0;
	     s = span_from(s, STRING)) {
		struct span part = span_sub(s, 0, STRING);

		json_array_append_new(strings, json_stringn(part.p, part.n));
	}
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:o}",
			 "domain", signer_key_domain(k),
			 "selector", signer_key_selector(k), "type",
			 signer_key_algorithm(k) == SIGNER_RSA ? "rsa"
							       : "ed25519",
			 "bits", (int)signer_key_bits(k), "file", row->file,
			 "name", buf_str(&name), "value", buf_str(&value),
			 "strings", strings);
}
