/* signer_from.c - whose message it is, by its From field
 *
 * The first address of the field (address_list.h) says it.  Two From fields
 * are nobody's: which of them a reader sees is not known.
 */
#include "mail/signer.h"

#include "base/limits.h"
#include "base/macros.h"
#include "mail/address_list.h"
#include "mail/header.h"

#include <idn2.h>
#include <string.h>

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

static bool
add_lower(struct buf *out, struct span s)
{
	size_t before = out->len;

	for (size_t i = 0; i < s.n; i++)
		if (!buf_add_char(out, ascii_lower(s.p[i]))) {
			buf_cut(out, before);
			return false;
		}
	return true;
}

/* Keys are for A-labels (RFC 8616 section 4).  ASCII stays what it is, also
 * where IDNA would not have it. */
static bool
add_domain(struct buf *out, struct span domain)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(LIMIT_DOMAIN + 1);
	char *ascii = NULL;
	bool ok;

	if (!domain_valid(domain, true))
		return false;
	if (is_ascii(domain))
		return add_lower(out, domain);
	buf_add(&text, domain);
	ok = idn2_to_ascii_8z(buf_str(&text), &ascii, IDN2_NONTRANSITIONAL |
			      IDN2_NFC_INPUT) == IDN2_OK &&
	     add_lower(out, span_of(ascii));
	idn2_free(ascii);
	return ok;
}

bool
signer_from_domain(struct span header, struct buf *out, struct error *err)
{
	struct address_list_reader list = { .in_group = false };
	struct header_field from, other;
	struct address first;
	char room[LIMIT_PATH];

	if (!header_find(header, SPAN("From"), 0, &from))
		return error_set(err, ERROR_PROTOCOL, "there is no From field");
	if (header_find(header, SPAN("From"), 1, &other))
		return error_set(err, ERROR_PROTOCOL, "there is more than one "
				 "From field");
	list.rest = from.value;
	return (address_list_next(&list, room, &first, err) ==
		ADDRESS_LIST_ONE && add_domain(out, first.domain)) ||
	       error_set(err, ERROR_PROTOCOL, "the From field has no address "
			 "with a domain");
}
