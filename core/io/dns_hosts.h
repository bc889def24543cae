/* dns_hosts.h - the table of /etc/hosts
 *
 * For io/, and for the check of a configuration.  Read on a worker, not
 * changed after that.  It is ours and not libunbound's because one odd line
 * makes libunbound refuse all of the file and itself with it, and because it
 * would deny every other type (MX) of a name that stands there.  As with the
 * system's own: a name that stands there has the addresses that stand there,
 * and no others.
 */
#ifndef IO_DNS_HOSTS_H
#define IO_DNS_HOSTS_H

#include "base/error.h"
#include "base/ip.h"

struct dns_hosts;

/* A file that is not there is an empty one. */
struct dns_hosts *dns_hosts_read(const char *path, struct error *err);
/* Lines that make no sense are passed over. */
struct dns_hosts *dns_hosts_parse(struct span text);
void dns_hosts_free(struct dns_hosts **h);

/* Whether name (without a last dot) stands there; then ret gets at most max
 * of its addresses of a family, in the file's order, and *n their number,
 * which may be 0. */
bool dns_hosts_find(const struct dns_hosts *h, struct span name,
		    unsigned char family, struct ip *ret, size_t max,
		    size_t *n);

#endif
