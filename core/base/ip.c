/* ip.c - addresses as bytes and as text */
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct ip
ip_from_v6(const unsigned char *bytes)
{
	static const unsigned char mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
	};
	struct ip ip = { .family = 6 };

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		ip.family = 4;
		memcpy(ip.bytes, bytes + 12, 4);
	} else {
		memcpy(ip.bytes, bytes, 16);
	}
	return ip;
}

bool
ip_parse(struct span s, struct ip *ret)
{
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(text) || span_find(s, '\0') < s.n)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret = (struct ip){ .family = 4 };
		memcpy(ret->bytes, bytes, 4);
		return true;
	}
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	*ret = ip_from_v6(bytes);
	return true;
}

const char *
ip_text(struct ip ip, char *buf)
{
	if (ip.family == 0 ||
	    inet_ntop(ip.family == 4 ? AF_INET : AF_INET6, ip.bytes, buf,
		      IP_TEXT) == NULL)
		snprintf(buf, IP_TEXT, "unknown");
	return buf;
}

bool
ip_eq(struct ip a, struct ip b)
{
	return a.family == b.family &&
	       memcmp(a.bytes, b.bytes, a.family == 4 ? 4 : 16) == 0;
}

bool
ip_is_loopback(struct ip ip)
{
	static const struct ip six = { .family = 6, .bytes = { [15] = 1 } };

	return ip.family == 4 ? ip.bytes[0] == 127 : ip_eq(ip, six);
}

bool
network_parse(struct span s, struct network *ret)
{
	size_t slash = span_find(s, '/');
	uint64_t prefix;
	struct ip ip;

	if (!ip_parse(span_sub(s, 0, slash), &ip))
		return false;
	prefix = ip.family == 4 ? 32 : 128;
	if (slash < s.n && !span_u64(span_from(s, slash + 1), prefix, &prefix))
		return false;
	*ret = (struct network){ ip, (unsigned char)prefix };
	return true;
}

struct network
network_base(struct network n)
{
	for (unsigned i = 0; i < sizeof(n.ip.bytes); i++) {
		unsigned kept = n.prefix > 8 * i ? n.prefix - 8 * i : 0;

		if (kept < 8)
			n.ip.bytes[i] &= (unsigned char)(0xff00 >> kept);
	}
	return n;
}

bool
network_contains(struct network n, struct ip ip)
{
	unsigned whole = n.prefix / 8, rest = n.prefix % 8;

	if (n.ip.family != ip.family || ip.family == 0)
		return false;
	if (memcmp(n.ip.bytes, ip.bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       (n.ip.bytes[whole] ^ ip.bytes[whole]) >> (8 - rest) == 0;
}

bool
endpoint_parse(struct span s, struct endpoint *ret)
{
	size_t colon = span_rfind(s, ':');
	struct span host = span_sub(s, 0, colon);
	uint64_t port;

	if (colon == s.n || !span_u64(span_from(s, colon + 1), 65535, &port))
		return false;
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_sub(host, 1, host.n - 2);
	else if (span_find(host, ':') < host.n)
		return false;	/* IPv6 wants its brackets */
	if (!ip_parse(host, &ret->ip))
		return false;
	ret->port = (uint16_t)port;
	return true;
}

const char *
endpoint_text(struct endpoint e, char *buf)
{
	char ip[IP_TEXT];

	snprintf(buf, ENDPOINT_TEXT, e.ip.family == 6 ? "[%s]:%u" : "%s:%u",
		 ip_text(e.ip, ip), (unsigned)e.port);
	return buf;
}

bool
endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *ret)
{
	*ret = (struct endpoint){ .port = 0 };
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		ret->ip.family = 4;
		memcpy(ret->ip.bytes, &in->sin_addr, 4);
		ret->port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
			(const struct sockaddr_in6 *)sa;

		ret->ip = ip_from_v6(in6->sin6_addr.s6_addr);
		ret->port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

socklen_t
endpoint_to_sockaddr(struct endpoint e, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (e.ip.family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(e.port);
		memcpy(&in->sin_addr, e.ip.bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e.port);
	memcpy(&in6->sin6_addr, e.ip.bytes, 16);
	return sizeof(*in6);
}
