/* fuzz-dns.c - what a name server's records hold, and a hosts file
 *
 * The first byte of an input is the type.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "io/dns_hosts.h"
#include "io/dns_record.h"

#include <string.h>

static const enum dns_type types[] = {
	DNS_A, DNS_AAAA, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_TLSA,
	(enum dns_type)99,
};

/* The byte that text begins with, its escape taken off. */
static unsigned char
byte_take(const char **text)
{
	const char *t = *text;

	must(*t > ' ' && *t < 0x7f);
	if (*t != '\\') {
		*text = t + 1;
		return (unsigned char)*t;
	}
	if (t[1] < '0' || t[1] > '9') {
		*text = t + 2;
		return (unsigned char)t[1];
	}
	*text = t + 4;
	return (unsigned char)((t[1] - '0') * 100 + (t[2] - '0') * 10 +
			       (t[3] - '0'));
}

/* What the text says is what the wire said. */
static void
check_name(const char *text, struct span wire)
{
	must(strlen(text) < DNS_NAME_TEXT);
	must(wire.n > 0 && wire.n <= DNS_NAME_WIRE);
	while (wire.p[0] != 0) {
		size_t n = (unsigned char)wire.p[0];

		must(n < wire.n && n <= DNS_LABEL_MAX);
		for (size_t i = 1; i <= n; i++)
			must(byte_take(&text) == (unsigned char)wire.p[i]);
		wire = span_from(wire, n + 1);
		if (wire.p[0] != 0)
			must(*text++ == '.');
	}
	must(wire.n == 1 && *text == '\0');
}

static void
check_record(enum dns_type type, struct span data)
{
	struct arena *arena = arena_new();
	struct dns_record r;
	struct ip ip;

	if (dns_record_parse(type, data, arena, &r)) {
		must(r.data.p == data.p && r.data.n == data.n);
		if (type == DNS_A || type == DNS_AAAA)
			must(ip_parse(span_of(r.text), &ip));
		else if (type == DNS_MX)
			check_name(r.text, span_from(data, 2));
		else if (type == DNS_CNAME || type == DNS_PTR)
			check_name(r.text, data);
		else if (type == DNS_TXT)
			must(strlen(r.text) < data.n);
		else
			must(r.text == NULL);
	}
	arena_free(&arena);
}

static void
check_hosts(struct span text)
{
	struct dns_hosts *h = dns_hosts_parse(text);
	struct ip ips[4];
	struct span word = span_trim(text);
	size_t n = 0;

	dns_hosts_find(h, span_sub(word, 0, span_find(word, '\n')), 4, ips, 4,
		       &n);
	must(n <= 4);
	for (size_t i = 0; i < n; i++)
		must(ips[i].family == 4);
	dns_hosts_free(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = fuzz_span(data, size);
	struct error err = { .text = "" };

	if (size == 0)
		return 0;
	check_record(types[data[0] % ARRAY_SIZE(types)], span_from(s, 1));
	check_hosts(span_from(s, 1));
	if (!dns_name_check(span_from(s, 1), &err))
		must(err.text[0] != '\0');
	return 0;
}
