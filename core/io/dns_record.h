/* dns_record.h - names and records, between the wire and text; pure
 *
 * Private to io/.  What comes from the wire comes from strangers: every
 * length is checked.  RFC 1035 sections 2.3.4, 3.3 and 5.1; RFC 3596, 6698.
 */
#ifndef IO_DNS_RECORD_H
#define IO_DNS_RECORD_H

#include "base/arena.h"
#include "base/error.h"
#include "io/dns.h"

enum {
	DNS_NAME_MAX = 253,	/* of a name that is asked for, as text */
	DNS_LABEL_MAX = 63,
	DNS_NAME_WIRE = 255,
	DNS_NAME_TEXT = 1024,	/* of one from the wire: each byte may become
				 * four */
};

/* Whether name, which is text without its last dot, may be asked for.  The
 * root, "", may not. */
bool dns_name_check(struct span name, struct error *err);
/* Without its last dot. */
struct span dns_name_trim(struct span name);

/* One record's data, as libunbound gives it: whole and without compressed
 * names.  data is borrowed, text is the arena's.  False when it is malformed.
 * Of a type that is not in enum dns_type only data is set. */
bool dns_record_parse(enum dns_type type, struct span data, struct arena *arena,
		      struct dns_record *ret);

const char *dns_type_name(enum dns_type type);	/* "MX", or "such" */

#endif
