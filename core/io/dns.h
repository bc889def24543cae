/* dns.h - names to addresses, without blocking the loop
 *
 * Lives on the delivery loop.  A name that is an address (with or without
 * brackets) is answered without asking anybody.
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include "base/ip.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/worker.h"

struct dns;

enum dns_status {
	DNS_OK,			/* at least one address */
	DNS_NONE,		/* the name, or an address for it, does not exist */
	DNS_FAILED,		/* no answer: try later; never a proof */
};

struct dns_answer {
	enum dns_status status;
	const struct ip *ips;		/* borrowed until the callback returns */
	size_t n;
	const char *why;		/* words when not DNS_OK */
};

typedef void dns_fn(void *arg, const struct dns_answer *a);

struct dns *dns_new(struct loop *loop, struct workers *workers);
void dns_free(struct dns **d);		/* forgets what is under way */

/* A ticket for dns_forget(); done may come before this returns (then the
 * ticket is 0). */
uint64_t dns_lookup(struct dns *d, const char *name, dns_fn *done, void *arg);
void dns_forget(struct dns *d, uint64_t ticket);

#endif
