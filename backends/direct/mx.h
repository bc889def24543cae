/* mx.h - from MX records to the hosts that are tried, in order
 *
 * Pure.  RFC 5321 section 5.1, RFC 7505 (null MX).
 */
#ifndef DIRECT_MX_H
#define DIRECT_MX_H

#include <postern-plugin.h>

enum { MX_MOST = 20, MX_NAME = 256 };	/* hosts of a domain that are tried */

enum mx_result {
	MX_HOSTS,		/* at least one */
	MX_NULL,		/* the domain takes no mail, and says so */
	MX_OURS,		/* the best of them is this gateway */
	MX_UNUSABLE,		/* there are some, and none is a host's name */
};

struct mx {
	const char *name;		/* borrowed from the records */
	uint32_t preference;
	uint32_t shuffle;		/* orders those of one preference */
};

/* own is our name: it and what is not better than it are left out.  chance
 * gives a number for each.  Fills hosts, of MX_MOST. */
enum mx_result mx_order(const struct postern_dns_answer *a, const char *own,
			uint32_t (*chance)(void *arg), void *arg,
			struct mx *hosts, size_t *n);

/* The domain of a recipient as it is looked up: lower case, A-labels, without
 * a last dot; "[192.0.2.1]" stays what it is.  0, or -1 when there is none or
 * it is none. */
int mx_domain(const char *recipient, char *buf, size_t size);

#endif
