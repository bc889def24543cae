/* ip.h - addresses, networks and endpoints
 *
 * Plain values.  An IPv4-mapped IPv6 address is always held as IPv4.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/span.h"

#include <sys/socket.h>

struct ip {
	unsigned char family;		/* 4, 6, or 0: none */
	unsigned char bytes[16];	/* network order; 4 used for IPv4 */
};

struct network {
	struct ip ip;
	unsigned char prefix;		/* bits */
};

struct endpoint {
	struct ip ip;
	uint16_t port;			/* host order */
};

enum { IP_TEXT = 48, ENDPOINT_TEXT = 56 };

bool ip_parse(struct span s, struct ip *ret);
const char *ip_text(struct ip ip, char *buf);		/* of IP_TEXT */
bool ip_eq(struct ip a, struct ip b);
bool ip_is_loopback(struct ip ip);

/* "10.0.0.0/8", "10.1.2.3" (all bits), "fd00::/8", "loopback" is not one. */
bool network_parse(struct span s, struct network *ret);
/* The same network without the bits behind its prefix, which must be 0:
 * 192.168.1.5/24 means either 192.168.1.0/24 or 192.168.1.5. */
struct network network_base(struct network n);
bool network_contains(struct network n, struct ip ip);

/* "127.0.0.1:2525", "[::1]:25"; port 0..65535. */
bool endpoint_parse(struct span s, struct endpoint *ret);
/* buf has ENDPOINT_TEXT bytes. */
const char *endpoint_text(struct endpoint e, char *buf);

bool endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *ret);
socklen_t endpoint_to_sockaddr(struct endpoint e, struct sockaddr_storage *ret);

#endif
