/* lan.h - the private networks that this host is in
 *
 * What `lan' means in relay.networks: the networks of this host's interfaces,
 * as far as all of their addresses are private (RFC 1918, 3927, 4193, and
 * link-local ones); never a public one.
 */
#ifndef SMTPD_LAN_H
#define SMTPD_LAN_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

bool network_is_private(struct network n);

/* *ret is an array of *count in the arena. */
bool lan_networks(struct arena *arena, struct network **ret, size_t *count,
		  struct error *err);

#endif
