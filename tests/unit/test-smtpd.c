/* test-smtpd.c - the guard, private networks, and the configuration */
#include "unit.h"

#include "base/macros.h"
#include "smtpd/config.h"
#include "smtpd/guard.h"
#include "smtpd/lan.h"

#include <stdio.h>

static struct ip
ip(const char *text)
{
	struct ip ret;

	assert_true(ip_parse(span_of(text), &ret));
	return ret;
}

static void
guard_counts_each_client(void **state)
{
	struct guard *g = guard_new();
	struct ip a = ip("10.0.0.1"), b = ip("fd00::1");

	(void)state;
	assert_int_equal(guard_enter(g, a, 3, 2), GUARD_OK);
	assert_int_equal(guard_enter(g, a, 3, 2), GUARD_OK);
	assert_int_equal(guard_enter(g, a, 3, 2), GUARD_TOO_MANY_OF_CLIENT);
	assert_int_equal(guard_enter(g, b, 3, 2), GUARD_OK);
	assert_int_equal(guard_enter(g, b, 3, 2), GUARD_TOO_MANY);
	assert_int_equal(guard_sessions(g), 3);
	guard_leave(g, a);
	assert_int_equal(guard_enter(g, a, 3, 2), GUARD_OK);
	guard_leave(g, a);
	guard_leave(g, a);
	guard_leave(g, b);
	assert_int_equal(guard_sessions(g), 0);
	guard_free(&g);
	guard_free(&g);
}

static void
guard_is_of_fixed_size(void **state)
{
	struct guard *g = guard_new();
	struct ip busy = ip("10.0.0.1");
	char text[32];

	(void)state;
	assert_int_equal(guard_enter(g, busy, 1000000, 1), GUARD_OK);
	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "192.168.%d.%d", i / 250,
			 i % 250);
		assert_int_equal(guard_enter(g, ip(text), 1000000, 1),
				 GUARD_OK);
		guard_leave(g, ip(text));
	}
	/* who has a session is not forgotten for those who have none */
	assert_int_equal(guard_enter(g, busy, 1000000, 1),
			 GUARD_TOO_MANY_OF_CLIENT);
	guard_leave(g, busy);
	guard_free(&g);
}

static void
guard_warns_once_a_minute(void **state)
{
	struct guard *g = guard_new();
	struct ip a = ip("10.0.0.1"), b = ip("10.0.0.2");

	(void)state;
	assert_true(guard_may_warn(g, a, 0));
	assert_false(guard_may_warn(g, a, 59000));
	assert_true(guard_may_warn(g, b, 59000));
	assert_true(guard_may_warn(g, a, 61000));
	guard_free(&g);
}

static void
private_is_never_public(void **state)
{
	static const struct { const char *network; bool private; } rows[] = {
		{ "10.1.0.0/16", true }, { "10.0.0.0/8", true },
		{ "10.0.0.0/7", false }, { "172.16.5.0/24", true },
		{ "172.32.0.0/16", false }, { "172.16.0.0/8", false },
		{ "192.168.1.0/24", true }, { "192.169.1.0/24", false },
		{ "169.254.0.0/16", true }, { "203.0.113.0/24", false },
		{ "127.0.0.0/8", false }, { "fd12:3456::/64", true },
		{ "fe80::/64", true }, { "2001:db8::/64", false },
		{ "::/0", false }, { "0.0.0.0/0", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct network n;

		CHECK_ROW(i, network_parse(span_of(rows[i].network), &n));
		CHECK_ROW(i, network_is_private(n) == rows[i].private);
	}
}

/* --- configuration ------------------------------ */

struct bound {
	struct diags *d;
	struct arena *arena;
	struct tree *tree;
	struct smtpd_config c;
	bool ok;
};

static struct bound
bind_text(const char *text)
{
	struct bound b = { .d = diags_new(), .arena = arena_new() };

	b.tree = tree_parse("postern.yaml", span_of(text), b.d);
	assert_non_null(b.tree);
	b.ok = smtpd_config_bind(&b.c, tree_root(b.tree), "gw.test", b.arena,
				 b.d);
	return b;
}

static void
bound_free(struct bound *b)
{
	tree_free(&b->tree);
	arena_free(&b->arena);
	diags_free(&b->d);
}

static void
defaults_are_safe(void **state)
{
	AUTO(bound_free) struct bound b = bind_text("hostname: x\n");
	const struct listener_config *l = b.c.listen.v;

	(void)state;
	assert_true(b.ok);
	assert_int_equal(diags_errors(b.d) + diags_warnings(b.d), 0);
	assert_int_equal(b.c.listen.n, 1);
	assert_string_equal(l->address, "127.0.0.1:2525");
	assert_int_equal(l->at.port, 2525);
	assert_true(ip_is_loopback(l->at.ip));
	assert_true(smtpd_may_relay(&b.c, ip("127.0.0.1")));
	assert_true(smtpd_may_relay(&b.c, ip("127.9.9.9")));
	assert_true(smtpd_may_relay(&b.c, ip("::1")));
	assert_false(smtpd_may_relay(&b.c, ip("10.0.0.1")));
	assert_false(smtpd_may_relay(&b.c, ip("::2")));
	assert_int_equal(b.c.message_size, 150 * 1024 * 1024);
	assert_int_equal(b.c.recipients, 1000);
	assert_int_equal(b.c.sessions, 2000);
	assert_int_equal(b.c.sessions_per_client, 50);
	assert_int_equal(b.c.memory, 256 * 1024 * 1024);
	assert_null(b.c.filters);
	assert_string_equal(b.c.hostname, "gw.test");
}

static void
everything_can_be_said(void **state)
{
	AUTO(bound_free) struct bound b = bind_text(
		"hostname: x\nlisten:\n  - address: 0.0.0.0:25\n"
		"  - {address: '[::]:25'}\n"
		"relay: {networks: [loopback, lan, 192.168.10.0/24, 10.0.0.7]}\n"
		"limits: {message_size: 10M, recipients: 7}\n"
		"filters: [{tag: {value: x}}]\n");
	const struct listener_config *l = b.c.listen.v;

	(void)state;
	assert_true(b.ok);
	assert_int_equal(b.c.listen.n, 2);
	assert_int_equal(l[1].at.ip.family, 6);
	assert_true(smtpd_may_relay(&b.c, ip("192.168.10.77")));
	assert_true(smtpd_may_relay(&b.c, ip("10.0.0.7")));
	assert_true(smtpd_may_relay(&b.c, ip("127.0.0.1")));
	assert_false(smtpd_may_relay(&b.c, ip("203.0.113.1")));
	assert_int_equal(b.c.message_size, 10 * 1024 * 1024);
	assert_int_equal(b.c.recipients, 7);
	assert_non_null(b.c.filters);
}

/* As "4:25 6:25", in order. */
static const char *
bound_at(const struct smtpd_config *c, struct buf *out)
{
	const struct listener_config *l = c->listen.v;

	for (size_t i = 0; i < c->listen.n; i++)
		buf_addf(out, "%s%d:%d=%s", i ? " " : "", l[i].at.ip.family,
			 l[i].at.port, l[i].address);
	return buf_str(out);
}

static void
all_of_ipv6_is_ipv4_too(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "['[::]:25']", "6:25=[::]:25 4:25=[::]:25" },
		{ "['[::]:25', '[::]:465']", "6:25=[::]:25 6:465=[::]:465 "
		  "4:25=[::]:25 4:465=[::]:465" },
		{ "['[::]:25', '0.0.0.0:25']", "6:25=[::]:25 4:25=0.0.0.0:25" },
		{ "['192.0.2.1:25', '[::]:25']",
		  "4:25=192.0.2.1:25 6:25=[::]:25" },
		{ "['[::]:25', '0.0.0.0:26']", "6:25=[::]:25 4:26=0.0.0.0:26 "
		  "4:25=[::]:25" },
		{ "['[::1]:25']", "6:25=[::1]:25" },
		{ "['[::]:0']", "6:0=[::]:0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf text = BUF_MAX(1024), at = BUF_MAX(1024);
		struct span rest, one;

		buf_add_str(&text, "listen:\n");
		rest = span_of(rows[i].list);
		rest = span_sub(rest, 1, rest.n - 2);
		while (span_split(&rest, ',', &one))
			buf_addf(&text, "  - address: %.*s\n", SPAN_ARG(one));
		AUTO(bound_free) struct bound b = bind_text(buf_str(&text));

		CHECK_ROW(i, b.ok);
		CHECK_ROW(i, strcmp(bound_at(&b.c, &at), rows[i].want) == 0);
	}
}

static void
tls_is_offered_where_there_is_a_certificate(void **state)
{
	static const struct {
		const char *text;
		int tls[4];
		const char *warning;
	} rows[] = {
		{ "", { LISTENER_PLAIN }, NULL },
		{ "tls: {certificate: /c.pem, key: /k.pem}\n",
		  { LISTENER_STARTTLS }, NULL },
		{ "listen: [{address: 1.2.3.4:25, tls: none}]\n",
		  { LISTENER_PLAIN }, NULL },
		{ "listen: [{address: 1.2.3.4:25, tls: starttls}]\n",
		  { LISTENER_PLAIN }, "STARTTLS is not offered: there is no "
		  "certificate" },
		{ "tls: {certificate: /c.pem}\nlisten: [{address: 1.2.3.4:25}, "
		  "{address: 1.2.3.4:26, tls: none}, {address: 1.2.3.4:27, tls: "
		  "required}, {address: 1.2.3.4:28, tls: implicit}]\n",
		  { LISTENER_STARTTLS, LISTENER_PLAIN, LISTENER_REQUIRED,
		    LISTENER_IMPLICIT }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound b = bind_text(rows[i].text);
		AUTO(buf_fini) struct buf shown = BUF_MAX(8192);
		const struct listener_config *l = b.c.listen.v;

		CHECK_ROW(i, b.ok && diags_errors(b.d) == 0);
		for (size_t k = 0; k < b.c.listen.n; k++)
			CHECK_ROW(i, l[k].tls == rows[i].tls[k]);
		diags_show(b.d, &shown);
		CHECK_ROW(i, diags_warnings(b.d) == (rows[i].warning != NULL));
		CHECK_ROW(i, rows[i].warning == NULL ||
			     strstr(buf_str(&shown), rows[i].warning) != NULL);
	}
}

static void
wrong_values_are_told(void **state)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "listen: [{address: nonsense}]\n", "not an address with a port" },
		{ "listen: [{address: 0.0.0.0}]\n", "not an address with a port" },
		{ "listen: []\n", "at least one address" },
		{ "listen: [{}]\n", "`address' is missing" },
		{ "listen: [{address: 1.2.3.4:25}, {address: 1.2.3.4:25}]\n",
		  "listed twice" },
		{ "listen: [{address: 1.2.3.4:25, tls: sniff}]\n",
		  "none, starttls, required" },
		{ "listen: [{address: 1.2.3.4:25, tls: required}]\n",
		  "TLS is required, and there is no certificate" },
		{ "listen: [{address: 1.2.3.4:25, tls: implicit}]\n",
		  "TLS is required, and there is no certificate" },
		{ "tls: {key: /k.pem}\n", "a key, and no certificate" },
		{ "tls: {certificate: }\n", "certificate" },
		{ "tls: yes\n", "with none, starttls, required or implicit" },
		{ "tls: starttls\n", "write tls: {certificate: FILE, key: FILE}" },
		{ "listen: {address: 0.0.0.0:25, tls: yes}\n", "none, starttls, required or implicit, not `yes'" },
		{ "listen: {address: 0.0.0.0:25, tls: no}\n", "none: there is no TLS. starttls: TLS is offered." },
		{ "listen: {address: 0.0.0.0:25, tls: on}\n", "starttls: TLS is offered. required:" },
		{ "relay: {networks: [1.2.3.0/33]}\n", "not a network" },
		{ "relay: {networks: [intranet]}\n", "not a network" },
		{ "relay: {networks: 10.0.0.0/8 192.168.1.0/24}\n", "networks: [192.168.10.0/24, ...]" },
		{ "relay: {network: [lan]}\n", "unknown key `network'" },
		{ "limits: {recipients: 0}\n", "recipients" },
		{ "limits: {message_size: lots}\n", "message_size" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bound_free) struct bound b = bind_text(rows[i].text);
		AUTO(buf_fini) struct buf shown = BUF_MAX(8192);

		CHECK_ROW(i, !b.ok);
		CHECK_ROW(i, diags_errors(b.d) == 1);
		diags_show(b.d, &shown);
		CHECK_ROW(i, strstr(buf_str(&shown), rows[i].words) != NULL);
		CHECK_ROW(i, strstr(buf_str(&shown), "yaml:1:") != NULL);
	}
}

static void
an_open_relay_is_a_warning(void **state)
{
	AUTO(bound_free) struct bound b =
		bind_text("relay: {networks: 0.0.0.0/0}\n");

	(void)state;
	assert_true(b.ok);
	assert_int_equal(diags_warnings(b.d), 1);
	assert_true(smtpd_may_relay(&b.c, ip("203.0.113.1")));
}

static void
a_network_with_host_bits_is_a_warning(void **state)
{
	AUTO(bound_free) struct bound b =
		bind_text("relay: {networks: [192.168.1.5/24, 10.0.0.0/8]}\n");
	AUTO(buf_fini) struct buf shown = BUF_MAX(8192);

	(void)state;
	assert_true(b.ok);
	assert_int_equal(diags_warnings(b.d), 1);
	diags_show(b.d, &shown);
	assert_non_null(strstr(buf_str(&shown), "write 192.168.1.0/24"));
	assert_true(smtpd_may_relay(&b.c, ip("192.168.1.77")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guard_counts_each_client),
		cmocka_unit_test(guard_is_of_fixed_size),
		cmocka_unit_test(guard_warns_once_a_minute),
		cmocka_unit_test(private_is_never_public),
		cmocka_unit_test(defaults_are_safe),
		cmocka_unit_test(everything_can_be_said),
		cmocka_unit_test(all_of_ipv6_is_ipv4_too),
		cmocka_unit_test(tls_is_offered_where_there_is_a_certificate),
		cmocka_unit_test(wrong_values_are_told),
		cmocka_unit_test(an_open_relay_is_a_warning),
		cmocka_unit_test(a_network_with_host_bits_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
