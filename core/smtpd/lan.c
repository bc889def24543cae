/* lan.c - asks the system for its interfaces */
#include "smtpd/lan.h"

#include "base/macros.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

static const struct network private_networks[] = {
	{ { 4, { 10 } }, 8 },
	{ { 4, { 172, 16 } }, 12 },
	{ { 4, { 192, 168 } }, 16 },
	{ { 4, { 169, 254 } }, 16 },
	{ { 6, { 0xfc } }, 7 },
	{ { 6, { 0xfe, 0x80 } }, 10 },
};

bool
network_is_private(struct network n)
{
	for (size_t i = 0; i < ARRAY_SIZE(private_networks); i++)
		if (n.ip.family == private_networks[i].ip.family &&
		    n.prefix >= private_networks[i].prefix &&
		    network_contains(private_networks[i], n.ip))
			return true;
	return false;
}

/* The bits of a netmask; -1 when it is not a run of ones. */
static int
mask_bits(const unsigned char *mask, size_t bytes)
{
	size_t bits = 0;

	while (bits < bytes * 8 && (mask[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	for (size_t i = bits; i < bytes * 8; i++)
		if ((mask[i / 8] & (0x80 >> i % 8)) != 0)
			return -1;
	return (int)bits;
}

static bool
network_of(const struct ifaddrs *a, struct network *ret)
{
	struct endpoint at;
	int bits = -1;

	if (a->ifa_addr == NULL || a->ifa_netmask == NULL ||
	    (a->ifa_flags & IFF_UP) == 0)
		return false;
	if (a->ifa_addr->sa_family == AF_INET)
		bits = mask_bits((const unsigned char *)
			&((const struct sockaddr_in *)(const void *)
			  a->ifa_netmask)->sin_addr, 4);
	else if (a->ifa_addr->sa_family == AF_INET6)
		bits = mask_bits((const unsigned char *)
			&((const struct sockaddr_in6 *)(const void *)
			  a->ifa_netmask)->sin6_addr, 16);
	if (bits < 0 || !endpoint_from_sockaddr(a->ifa_addr, &at))
		return false;
	*ret = (struct network){ at.ip, (unsigned char)bits };
	return true;
}

bool
lan_networks(struct arena *arena, struct network **ret, size_t *count,
	     struct error *err)
{
	struct ifaddrs *all;
	struct network n, *found;
	size_t most = 0, used = 0;

	if (getifaddrs(&all) < 0)
		return error_errno(err, "cannot list this host's interfaces");
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
		most++;
	found = arena_array(arena, most + 1, sizeof(*found));
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
		if (network_of(a, &n) && network_is_private(n))
			found[used++] = n;
	freeifaddrs(all);
	*ret = found;
	*count = used;
	return true;
}
