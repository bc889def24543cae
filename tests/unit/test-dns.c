/* test-dns.c - the DNS: what is pure in it, and the lives of questions; what
 * real name servers say is tests/black-box/test-dns.py's */
#include "unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns.h"
#include "io/dns_anchor.h"
#include "io/dns_hosts.h"
#include "io/dns_inside.h"
#include "io/dns_record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

/* --- libraries -------------------------------------------------------- */

/* libev has functions of these names, too, and libunbound would call them. */
static void
the_events_are_libevents(void **state)
{
	static const char *const names[] = { "event_add", "event_base_new",
					     "event_base_free", "event_del" };
	Dl_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		void *at = dlsym(RTLD_DEFAULT, names[i]);

		CHECK_ROW(i, at != NULL && dladdr(at, &info) != 0);
		CHECK_ROW(i, strstr(info.dli_fname, "libevent") != NULL);
	}
}

/* --- names ------------------------------------------------------------ */

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void
names_are_checked(void **state)
{
	static const struct { const char *name; bool good; } rows[] = {
		{ "mx.example.test",                         true  },
		{ "localhost",                               true  },
		{ "_25._tcp.mx.example.test",                true  },
		{ "xn--bcher-kva.example",                   true  },
		{ "*.example.test",                          true  },
		{ SIXTY "abc.test",                          true  },
		{ SIXTY "abcd.test",                         false },
		{ SIXTY "." SIXTY "." SIXTY "." SIXTY ".123456789", true },
		{ SIXTY "." SIXTY "." SIXTY "." SIXTY ".1234567890", false },
		{ "",                                        false },
		{ ".",                                       false },
		{ "a..b",                                    false },
		{ ".a",                                      false },
		{ "a.",                                      false },
		{ "a b.test",                                false },
		{ "a\\.b.test",                              false },
		{ "b\xc3\xbc" "cher.example",                false },
		{ "a\tb",                                    false },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		err.text[0] = '\0';
		CHECK_ROW(i, dns_name_check(span_of(rows[i].name), &err) ==
			     rows[i].good);
		CHECK_ROW(i, (err.text[0] == '\0') == rows[i].good);
	}
	assert_int_equal(dns_name_trim(SPAN("a.b.")).n, 3);
	assert_int_equal(dns_name_trim(SPAN("a.b")).n, 3);
	assert_false(dns_name_check(((struct span){ "a\0b", 3 }), &err));
}

/* --- records ---------------------------------------------------------- */

#define MX(wire) wire, sizeof(wire) - 1

static void
records_are_parsed(void **state)
{
	static const struct {
		enum dns_type type;
		const char *data;
		size_t n;
		const char *text;	/* NULL: malformed; "-": has none */
		unsigned preference;
	} rows[] = {
		{ DNS_A,     MX("\300\0\2\1"),                 "192.0.2.1", 0 },
		{ DNS_A,     MX("\300\0\2"),                   NULL, 0 },
		{ DNS_A,     MX("\300\0\2\1\1"),               NULL, 0 },
		{ DNS_AAAA,  MX("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1", 0 },
		{ DNS_AAAA,  MX("\300\0\2\1"),                 NULL, 0 },
		{ DNS_MX,    MX("\0\12\2mx\4test\0"),          "mx.test", 10 },
		{ DNS_MX,    MX("\377\377\2mx\4test\0"),       "mx.test", 65535 },
		{ DNS_MX,    MX("\0\0\0"),                     "", 0 },
		{ DNS_MX,    MX("\0\12\3a b\4test\0"),         "a\\032b.test", 10 },
		{ DNS_MX,    MX("\0\12\3a.b\4test\0"),         "a\\.b.test", 10 },
		{ DNS_MX,    MX("\0\12\3a\0b\1\\\0"),          "a\\000b.\\\\", 10 },
		{ DNS_MX,    MX("\0\12"),                      NULL, 0 },
		{ DNS_MX,    MX("\0"),                         NULL, 0 },
		{ DNS_MX,    "",                           0,  NULL, 0 },
		{ DNS_MX,    MX("\0\12\2mx\4test"),            NULL, 0 },
		{ DNS_MX,    MX("\0\12\2mx\4test\0x"),         NULL, 0 },
		{ DNS_MX,    MX("\0\12\2mx\11test\0"),         NULL, 0 },
		{ DNS_MX,    MX("\0\12\2mx\300\14"),           NULL, 0 },
		{ DNS_MX,    MX("\0\12\100" SIXTY "abcd\0"),   NULL, 0 },
		{ DNS_CNAME, MX("\1a\0"),                      "a", 0 },
		{ DNS_PTR,   MX("\1a\1b\0"),                   "a.b", 0 },
		{ DNS_CNAME, MX("\74" SIXTY "\74" SIXTY "\74" SIXTY "\74" SIXTY "\11" "123456789\0"),
		  SIXTY "." SIXTY "." SIXTY "." SIXTY ".123456789", 0 },
		{ DNS_CNAME, MX("\74" SIXTY "\74" SIXTY "\74" SIXTY "\74" SIXTY "\12" TEN "\0"), NULL, 0 },
		{ DNS_TXT,   MX("\3abc"),                      "abc", 0 },
		{ DNS_TXT,   MX("\3abc\0\2de"),                "abcde", 0 },
		{ DNS_TXT,   MX("\0"),                         "", 0 },
		{ DNS_TXT,   MX("\3a\0b"),                     "a?b", 0 },
		{ DNS_TXT,   MX("\3ab"),                       NULL, 0 },
		{ DNS_TXT,   MX("\1ab"),                       NULL, 0 },
		{ DNS_TXT,   "",                           0,  NULL, 0 },
		{ DNS_TLSA,  MX("\3\1\1x"),                    "-", 0 },
		{ DNS_TLSA,  MX("\3\1\1"),                     NULL, 0 },
		{ (enum dns_type)99, MX("x"),                  "-", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena *arena = arena_new();
		/* a copy of its own length: a byte too far is seen by ASan */
		char *copy = memcpy(mem_array(rows[i].n + 1, 1), rows[i].data,
				    rows[i].n);
		char *exact = rows[i].n ? mem_resize(copy, rows[i].n, 1)
					: copy;
		struct span data = { exact, rows[i].n };
		struct dns_record r;
		bool good = dns_record_parse(rows[i].type, data, arena, &r);

		CHECK_ROW(i, good == (rows[i].text != NULL));
		if (good) {
			CHECK_ROW(i, (r.text == NULL) ==
				     !strcmp(rows[i].text, "-"));
			CHECK_ROW(i, r.text == NULL ||
				     !strcmp(r.text, rows[i].text));
			CHECK_ROW(i, r.preference == rows[i].preference);
			CHECK_ROW(i, r.data.p == exact && r.data.n == rows[i].n);
		}
		mem_free(exact);
		arena_free(&arena);
	}
}

/* --- /etc/hosts ------------------------------------------------------- */

static void
hosts_are_found(void **state)
{
	static const char text[] =
		"127.0.0.1\tlocalhost local # not-this\n"
		"::1 localhost\r\n"
		"# 10.0.0.1 comment\n"
		"fe80::1%lo0 scoped\n"
		"nonsense here\n"
		"10.0.0.2\n"
		"10.0.0.3 Mail.Example.TEST. bad..name mail\n"
		"10.0.0.4 mail\n"
		"10.0.0.3 mail\n"
		"10.0.0.5 last";
	static const struct {
		const char *name;
		unsigned char family;
		bool found;
		const char *ips[3];
	} rows[] = {
		{ "localhost",         4, true,  { "127.0.0.1" } },
		{ "LOCALHOST",         6, true,  { "::1" } },
		{ "local",             4, true,  { "127.0.0.1" } },
		{ "local",             6, true,  { NULL } },
		{ "mail.example.test", 4, true,  { "10.0.0.3" } },
		{ "mail",              4, true,  { "10.0.0.3", "10.0.0.4" } },
		{ "last",              4, true,  { "10.0.0.5" } },
		{ "not-this",          4, false, { NULL } },
		{ "comment",           4, false, { NULL } },
		{ "scoped",            6, false, { NULL } },
		{ "here",              4, false, { NULL } },
		{ "bad..name",         4, false, { NULL } },
		{ "",                  4, false, { NULL } },
	};
	struct dns_hosts *h = dns_hosts_parse(SPAN(text));
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ips[3];
		char ip[IP_TEXT];
		size_t n;

		CHECK_ROW(i, dns_hosts_find(h, span_of(rows[i].name),
			  rows[i].family, ips, 3, &n) == rows[i].found);
		for (size_t k = 0; k < 3 && rows[i].ips[k]; k++)
			CHECK_ROW(i, k < n && !strcmp(ip_text(ips[k], ip),
						      rows[i].ips[k]));
		CHECK_ROW(i, n == 3 || rows[i].ips[n] == NULL);
	}
	dns_hosts_free(&h);
	h = dns_hosts_parse(SPAN_NONE);
	dns_hosts_free(&h);
	h = dns_hosts_read("/nonexistent/hosts", &err);
	assert_non_null(h);
	dns_hosts_free(&h);
	assert_null(dns_hosts_read("/", &err));
	assert_non_null(strstr(err.text, "/: "));
}

/* --- trust anchors ---------------------------------------------------- */

static void
anchors_are_read(void **state)
{
	static const struct { const char *text, *owner; } rows[] = {
		{ ". IN DS 20326 8 2 E06D\n",                      ""     },
		{ "; a comment\n\n.\t3600 IN DNSKEY 257 3 8 AwEA\n", ""   },
		{ "example.test. DS 1 8 2 AA",                     "example.test" },
		{ "$TTL 60\nexample.test 60 IN ds 1 8 2 AA",       "example.test" },
		{ "; . IN DS 20326 8 2 E06D\n",                    NULL   },
		{ ". IN A 1.2.3.4\n",                              NULL   },
		{ "",                                              NULL   },
	};
	char path[] = "/tmp/postern-anchor-XXXXXX";
	int fd = mkstemp(path);
	struct error err;

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf owner = BUF_MAX(300);
		size_t n = strlen(rows[i].text);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].text, n, 0), n);
		CHECK_ROW(i, dns_anchor_read(path, &owner, &err) ==
			     (rows[i].owner != NULL));
		CHECK_ROW(i, rows[i].owner == NULL ||
			     !strcmp(buf_str(&owner), rows[i].owner));
		CHECK_ROW(i, rows[i].owner != NULL || strstr(err.text, path));
	}
	close(fd);
	unlink(path);
}

/* --- lives of questions ----------------------------------------------- */

struct world {
	struct loop *loop;
	struct workers *workers;
	struct dns *dns;
	struct timer watchdog;
	int silent;			/* a name server that never answers */
	unsigned answers;
	enum dns_status status;
	size_t n;
	struct ip ips[4];
	char why[400];
	uint64_t forget;		/* within the next answer */
};

static void
on_watchdog(struct timer *t)
{
	loop_stop(container_of(t, struct world, watchdog)->loop);
}

static void
world_init(struct world *w, enum dns_dnssec dnssec, const char *hosts)
{
	struct sockaddr_storage sa;
	struct endpoint at;
	struct dns_settings s = { .servers = &at, .server_count = 1,
				  .dnssec = dnssec, .hosts = hosts };
	socklen_t len;

	*w = (struct world){ .loop = loop_new("test"),
			     .workers = workers_new("test", 2) };
	assert_true(endpoint_parse(SPAN("127.0.0.1:0"), &at));
	len = endpoint_to_sockaddr(at, &sa);
	w->silent = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(w->silent, (struct sockaddr *)&sa, len), 0);
	len = sizeof(sa);
	getsockname(w->silent, (struct sockaddr *)&sa, &len);
	assert_true(endpoint_from_sockaddr((struct sockaddr *)&sa, &at));
	timer_init(&w->watchdog, w->loop, on_watchdog);
	w->dns = dns_new(w->loop, w->workers, &s);
}

static void
world_fini(struct world *w)
{
	dns_free(&w->dns);
	workers_free(&w->workers);
	timer_stop(&w->watchdog);
	loop_free(&w->loop);
	close(w->silent);
}

static void
on_addresses(void *arg, const struct dns_addresses *a)
{
	struct world *w = arg;

	w->answers++;
	w->status = a->status;
	w->n = a->n;
	for (size_t i = 0; i < a->n && i < ARRAY_SIZE(w->ips); i++)
		w->ips[i] = a->ips[i];
	snprintf(w->why, sizeof(w->why), "%s", a->why ? a->why : "");
	if (w->forget != 0)
		dns_forget(w->dns, w->forget);
	loop_stop(w->loop);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct world *w = arg;

	w->answers++;
	w->status = a->status;
	w->n = a->n;
	snprintf(w->why, sizeof(w->why), "%s", a->why ? a->why : "");
	if (w->forget != 0)
		dns_forget(w->dns, w->forget);
	loop_stop(w->loop);
}

static void
run(struct world *w, int64_t ms)
{
	ev_now_update(loop_ev(w->loop));
	timer_start(&w->watchdog, ms);
	loop_run(w->loop);
	timer_stop(&w->watchdog);
}

static void
addresses_need_no_question(void **state)
{
	static const struct { const char *name, *ip; } rows[] = {
		{ "192.0.2.7",          "192.0.2.7"   },
		{ "[192.0.2.8]",        "192.0.2.8"   },
		{ "[IPv6:2001:db8::1]", "2001:db8::1" },
		{ "2001:db8::2",        "2001:db8::2" },
	};
	struct world w;
	char text[IP_TEXT];

	(void)state;
	world_init(&w, DNSSEC_OFF, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t t = dns_lookup(w.dns, rows[i].name, DNS_BY_ANYBODY,
					on_addresses, &w);

		CHECK_ROW(i, t == 0 && w.answers == i + 1);
		CHECK_ROW(i, w.status == DNS_OK && w.n == 1);
		CHECK_ROW(i, !strcmp(ip_text(w.ips[0], text), rows[i].ip));
	}
	assert_int_equal(dns_lookup(w.dns, "a..b", DNS_BY_ANYBODY,
				    on_addresses, &w), 0);
	assert_int_equal(w.status, DNS_NXDOMAIN);
	assert_int_equal(dns_query(w.dns, "a..b", DNS_MX, on_answer, &w), 0);
	assert_int_equal(w.status, DNS_NXDOMAIN);
	assert_true(w.why[0] != '\0');
	assert_false(dns_state(w.dns).asked);
	world_fini(&w);
}

static void
local_names_answer(void **state)
{
	char path[] = "/tmp/postern-hosts-XXXXXX";
	static const char text[] = "10.0.0.1 both.test\n2001:db8::1 both.test\n"
		"2001:db8::2 both.test\n::ffff:10.0.0.1 both.test\n";
	static const char *const want[] = { "10.0.0.1", "2001:db8::1",
					    "2001:db8::2" };
	int fd = mkstemp(path);
	struct world w;
	char ip[IP_TEXT];

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	for (int dnssec = DNSSEC_AUTO; dnssec <= DNSSEC_OFF; dnssec++) {
		world_init(&w, (enum dns_dnssec)dnssec, path);
		assert_true(dns_lookup(w.dns, "both.test.", DNS_BY_ANYBODY,
				       on_addresses, &w) != 0);
		assert_true(dns_state(w.dns).asked);
		run(&w, unit_slowly(20000));
		assert_int_equal(w.answers, 1);
		assert_int_equal(w.status, DNS_OK);
		assert_int_equal(w.n, 3);
		for (size_t i = 0; i < 3; i++)
			assert_string_equal(ip_text(w.ips[i], ip), want[i]);
		/* the table is there now: at once */
		assert_int_equal(dns_query(w.dns, "BOTH.test", DNS_A,
					   on_answer, &w), 0);
		assert_int_equal(w.n, 1);
		loop_run(w.loop);	/* takes that stop */
		/* after the key has not come, with auto */
		dns_query(w.dns, "a.localhost", DNS_AAAA, on_answer, &w);
		run(&w, unit_slowly(20000));
		assert_int_equal(w.answers, 3);
		assert_int_equal(w.status, DNS_OK);
		assert_true(dns_state(w.dns).validating ==
			    (dnssec == DNSSEC_ON));
		world_fini(&w);
	}
	unlink(path);
}

/* At every stage, and twice; forgotten ones are not answered. */
static void
forgotten_at_every_stage(void **state)
{
	struct world w;
	uint64_t a, b, c;

	(void)state;
	for (int dnssec = DNSSEC_AUTO; dnssec <= DNSSEC_OFF; dnssec++) {
		world_init(&w, (enum dns_dnssec)dnssec, "/nonexistent");
		/* in line: the context is being made */
		a = dns_query(w.dns, "a.example", DNS_MX, on_answer, &w);
		b = dns_lookup(w.dns, "b.example", DNS_BY_ANYBODY,
			       on_addresses, &w);
		c = dns_lookup(w.dns, "c.example", DNS_BY_ANYBODY,
			       on_addresses, &w);
		assert_true(a != 0 && b != 0 && a != b && b != c);
		dns_forget(w.dns, a);
		dns_forget(w.dns, a);
		dns_forget(w.dns, b);
		/* the context is there, the candidate's key is asked for */
		run(&w, 200);
		dns_forget(w.dns, c);
		/* under way at a server that does not answer */
		dns_query(w.dns, "x.localhost", DNS_A, on_answer, &w);
		run(&w, unit_slowly(20000));
		assert_int_equal(w.answers, 1);
		a = dns_query(w.dns, "a.example", DNS_MX, on_answer, &w);
		b = dns_lookup(w.dns, "b.example", DNS_BY_ANYBODY,
			       on_addresses, &w);
		run(&w, 200);
		dns_forget(w.dns, a);
		dns_forget(w.dns, b);
		dns_forget(w.dns, b);
		/* within the answer of another */
		w.forget = dns_query(w.dns, "a.example", DNS_MX, on_answer, &w);
		dns_lookup(w.dns, "x.localhost", DNS_BY_ANYBODY, on_addresses,
			   &w);
		run(&w, unit_slowly(20000));
		assert_int_equal(w.answers, 2);
		run(&w, 200);
		assert_int_equal(w.answers, 2);
		world_fini(&w);
	}
}

/* The same, when no context without validation can be made. */
static void
forgotten_while_all_are_told(void **state)
{
	struct error err = { .text = "no descriptor is free" };
	struct world w;

	(void)state;
	world_init(&w, DNSSEC_AUTO, "/nonexistent");
	dns_query(w.dns, "a.example", DNS_MX, on_answer, &w);
	w.forget = dns_query(w.dns, "b.example", DNS_MX, on_answer, &w);
	dns_query(w.dns, "c.example", DNS_MX, on_answer, &w);
	/* as dns_local_step() leaves them; c.example has just begun */
	for (struct dns_question *q = w.dns->line.first; q->next; q = q->next)
		q->stage = STAGE_UNVALIDATED;
	w.dns->resolver.unvalidated_failed(w.dns, &err);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.dns->line.n, 1);
	world_fini(&w);
}

/* The end at every stage: in line, while the key is asked for, under way. */
static void
freed_with_questions(void **state)
{
	struct world w;

	(void)state;
	for (int dnssec = DNSSEC_AUTO; dnssec <= DNSSEC_OFF; dnssec++) {
		for (int ms = 0; ms <= 200; ms += 100) {
			world_init(&w, (enum dns_dnssec)dnssec, "/nonexistent");
			for (int i = 0; i < 50; i++) {
				dns_query(w.dns, "a.example", DNS_MX,
					  on_answer, &w);
				dns_lookup(w.dns, "b.example",
					   DNS_BY_ADMINISTRATOR, on_addresses,
					   &w);
			}
			if (ms > 0)
				run(&w, ms);
			world_fini(&w);
			assert_int_equal(w.answers, 0);
		}
	}
}

/* New settings: what is under way stays with the old context, what waits
 * goes to the new one. */
static void
configured_anew(void **state)
{
	struct dns_settings off = { .dnssec = DNSSEC_OFF,
				    .hosts = "/nonexistent" };
	struct world w;
	uint64_t old;

	(void)state;
	world_init(&w, DNSSEC_ON, "/nonexistent");
	dns_query(w.dns, "x.localhost", DNS_A, on_answer, &w);
	run(&w, unit_slowly(20000));
	assert_int_equal(w.answers, 1);
	assert_true(dns_state(w.dns).validating);
	old = dns_query(w.dns, "a.example", DNS_A, on_answer, &w);
	run(&w, 100);
	dns_configure(w.dns, &off);
	dns_query(w.dns, "y.localhost", DNS_A, on_answer, &w);
	dns_configure(w.dns, &off);	/* the same: no other context */
	run(&w, unit_slowly(20000));
	assert_int_equal(w.answers, 2);
	assert_false(dns_state(w.dns).validating);
	assert_non_null(strstr(dns_state(w.dns).why, "switched off"));
	/* while one waits for the context */
	off.special_names = true;
	dns_configure(w.dns, &off);
	dns_query(w.dns, "z.localhost", DNS_A, on_answer, &w);
	off.special_names = false;
	dns_configure(w.dns, &off);
	run(&w, unit_slowly(20000));
	assert_int_equal(w.answers, 3);
	dns_forget(w.dns, old);		/* the last one: its context goes */
	run(&w, 100);
	assert_int_equal(w.answers, 3);
	world_fini(&w);
}

/* Settings that libunbound refuses: every question is told so. */
static void
what_cannot_be_made_is_told(void **state)
{
	struct dns_settings s = { .dnssec = DNSSEC_ON, .hosts = "/nonexistent",
		.trust_anchor_file = "/nonexistent/anchors" };
	struct world w;

	(void)state;
	world_init(&w, DNSSEC_OFF, "/nonexistent");
	dns_configure(w.dns, &s);
	dns_query(w.dns, "a.example", DNS_A, on_answer, &w);
	run(&w, unit_slowly(20000));
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.status, DNS_FAILED);
	assert_non_null(strstr(w.why, "/nonexistent/anchors"));
	s.dnssec = DNSSEC_AUTO;
	dns_configure(w.dns, &s);
	dns_query(w.dns, "a.localhost", DNS_A, on_answer, &w);
	run(&w, unit_slowly(20000));
	assert_int_equal(w.answers, 2);
	assert_int_equal(w.status, DNS_OK);
	assert_false(dns_state(w.dns).validating);
	assert_non_null(strstr(dns_state(w.dns).why, "/nonexistent/anchors"));
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_events_are_libevents),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(records_are_parsed),
		cmocka_unit_test(hosts_are_found),
		cmocka_unit_test(anchors_are_read),
		cmocka_unit_test(addresses_need_no_question),
		cmocka_unit_test(local_names_answer),
		cmocka_unit_test(forgotten_at_every_stage),
		cmocka_unit_test(forgotten_while_all_are_told),
		cmocka_unit_test(freed_with_questions),
		cmocka_unit_test(configured_anew),
		cmocka_unit_test(what_cannot_be_made_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
