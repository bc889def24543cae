/* test-direct-mx.c - which hosts of a domain are tried, and in which order */
#include "unit.h"

#include "../../backends/direct/mx.h"

#include <stdio.h>

/* --- the domain of a recipient --------------------------------------- */

#define L60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh."

static const struct {
	const char *recipient, *domain;		/* NULL: there is none */
} domains[] = {
	{ "b@example.org", "example.org" },
	{ "b@Example.ORG.", "example.org" },
	{ "\"a@b\"@example.org", "example.org" },
	{ "b@b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
	{ "b@B\xc3\x9c" "cher.example.", "xn--bcher-kva.example" },
	{ "b@stra\xc3\x9f" "e.example", "xn--strae-oqa.example" },
	{ "b@xn--bcher-kva.example", "xn--bcher-kva.example" },
	/* what IDNA would not have, and the DNS does not mind */
	{ "b@r3--x.example", "r3--x.example" },
	{ "b@xn--bad.example", "xn--bad.example" },
	{ "b@-x-.example", "-x-.example" },
	{ "b@_x.example", "_x.example" },
	{ "b@[192.0.2.1]", "[192.0.2.1]" },
	{ "b@[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]" },
	{ "b@" L60 L60 L60 L60 "example", L60 L60 L60 L60 "example" },
	{ "b@" L60 L60 L60 L60 "examples.example", NULL },
	{ "b@\xe2\x98\x83.example", NULL },
	{ "b@\xff.example", NULL },
	{ "b@", NULL }, { "b@.", NULL }, { "b", NULL }, { "", NULL },
};

static void
domains_are_as_they_are_looked_up(void **state)
{
	char buf[MX_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		int ret = mx_domain(domains[i].recipient, buf, sizeof(buf));

		CHECK_ROW(i, (ret == 0) == (domains[i].domain != NULL));
		if (ret == 0)
			assert_string_equal(buf, domains[i].domain);
	}
}

/* --- the order ------------------------------------------------------- */

/* The dice fall 0, 1, 2: equals stay in the order of their records. */
static uint32_t
in_turn(void *arg)
{
	return (*(uint32_t *)arg)++;
}

static uint32_t
in_reverse(void *arg)
{
	return (*(uint32_t *)arg)--;
}

/* "20 mx2,10 mx1" as records. */
struct zone {
	char text[400];
	struct postern_dns_record records[40];
	const struct postern_dns_record *rows[40];
	struct postern_dns_answer answer;
};

static void
zone_read(struct zone *z, const char *text)
{
	char *at = z->text, *name;
	size_t n = 0;

	snprintf(z->text, sizeof(z->text), "%s", text);
	while (at != NULL) {
		char *pair = at;

		at = strchr(at, ',');
		if (at != NULL)
			*at++ = '\0';
		z->records[n].preference = (uint32_t)strtoul(pair, &name, 10);
		z->records[n].text = name[0] == ' ' ? name + 1 : NULL;
		z->rows[n] = &z->records[n];
		n++;
	}
	z->answer = (struct postern_dns_answer){ .records = z->rows, .n = n };
}

static void
hosts_write(const struct mx *hosts, size_t n, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s",
				       i > 0 ? " " : "", hosts[i].name);
}

#define MANY "1 a," "2 b," "3 c," "4 d," "5 e," "6 f," "7 g," "8 h," "9 i," "10 j,"
#define MANY_TRIED "a b c d e f g h i j k l m n o p q r s t"

static const struct {
	const char *zone;
	enum mx_result result;
	const char *hosts;
} orders[] = {
	{ "20 mx2,10 mx1", MX_HOSTS, "mx1 mx2" },
	{ "10 b,10 a,5 c,10 d", MX_HOSTS, "c b a d" },
	{ "0 mx", MX_HOSTS, "mx" },
	{ "65535 last,0 first", MX_HOSTS, "first last" },
	{ MANY "20 t,19 s,18 r,17 q,16 p,15 o,14 n,13 m,12 l,11 k,21 u",
	  MX_HOSTS, MANY_TRIED },
	/* null MX (RFC 7505), and what only looks like it */
	{ "0 ", MX_NULL, "" },
	{ "10 ", MX_NULL, "" },
	{ "0 ,10 mx", MX_HOSTS, "mx" },
	/* ourselves, and what is not better (RFC 5321 section 5.1) */
	{ "10 mx1,20 GW.example,20 mx2,30 mx3", MX_HOSTS, "mx1" },
	{ "10 mx1,20 mx2,20 gw.example", MX_HOSTS, "mx1" },
	{ "5 a,10 b,15 gw.example,10 c", MX_HOSTS, "a b c" },
	{ "10 gw.example,20 mx2", MX_OURS, "" },
	{ "10 mx1,10 gw.example", MX_OURS, "" },
	{ "10 gw.example.org,20 mx2", MX_HOSTS, "gw.example.org mx2" },
	/* no names of hosts */
	{ "10 192.0.2.1", MX_UNUSABLE, "" },
	{ "10 127,20 mx.1", MX_UNUSABLE, "" },
	{ "10 not\\032a\\.host,20 [192.0.2.1],30 a/b", MX_UNUSABLE, "" },
	{ "10 192.0.2.1,20 2001:db8::1,30 mx3", MX_HOSTS, "mx3" },
	{ "10 1.example,20 example.1a", MX_HOSTS, "1.example example.1a" },
	{ "10,20 mx2", MX_HOSTS, "mx2" },	/* one that has no name at all */
	{ "10", MX_UNUSABLE, "" },
};

static void
hosts_are_in_order(void **state)
{
	struct mx hosts[MX_MOST];
	struct zone z = { .text = "" };
	char got[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		uint32_t dice = 0;
		size_t n = 0;

		zone_read(&z, orders[i].zone);
		CHECK_ROW(i, mx_order(&z.answer, "gw.example", in_turn, &dice,
				      hosts, &n) == orders[i].result);
		hosts_write(hosts, n, got, sizeof(got));
		assert_string_equal(got, orders[i].hosts);
	}
}

static void
equals_are_in_the_order_of_chance(void **state)
{
	struct mx hosts[MX_MOST];
	uint32_t dice = 100;
	struct zone z = { .text = "" };
	char got[400];
	size_t n;

	(void)state;
	zone_read(&z, "10 a,10 b,5 c,10 d,5 e");
	assert_int_equal(mx_order(&z.answer, "gw", in_reverse, &dice, hosts,
				  &n), MX_HOSTS);
	hosts_write(hosts, n, got, sizeof(got));
	assert_string_equal(got, "e c d b a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_as_they_are_looked_up),
		cmocka_unit_test(hosts_are_in_order),
		cmocka_unit_test(equals_are_in_the_order_of_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
