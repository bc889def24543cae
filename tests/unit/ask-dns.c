/* ask-dns.c - asks what standard input says, and prints the answers as JSON
 *
 * usage: ask-dns [server=ADDRESS:PORT] [stub=ZONE/ADDRESS:PORT] [dnssec=on]
 *		[anchor=FILE] [special=yes] [resolv=FILE] [hosts=FILE]
 *	query TYPE NAME		one question
 *	lookup NAME		the addresses
 *	written NAME		the same, of a name that the administrator wrote
 *	many N TYPE NAME	N questions at once, about 1.NAME, 2.NAME ...
 *	clock MS		turns the clocks on
 *	set MS			sets the wall clock alone, by so much; or -MS
 *	configure WORD...	as on the command line
 *	state
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, WORDS = 20 };

static const char *const statuses[] = { "ok", "nodata", "nxdomain", "failed" };

struct world {
	struct loop *loop;
	struct workers *workers;
	struct dns *dns;
	int awaited;
	unsigned counts[4];
	bool quiet;
};

/* --- settings -------------------------------------------------------- */

struct wishes {
	struct dns_settings s;
	struct endpoint servers[MOST];
	struct dns_stub stubs[MOST];
};

static struct endpoint
endpoint(const char *text)
{
	struct endpoint e;

	if (!endpoint_parse(span_of(text), &e)) {
		fprintf(stderr, "ask-dns: what is %s?\n", text);
		exit(64);
	}
	return e;
}

static void
wish(struct wishes *w, char *word)
{
	char *value = strchr(word, '='), *slash;

	if (value == NULL) {
		fprintf(stderr, "ask-dns: what is %s?\n", word);
		exit(64);
	}
	*value++ = '\0';
	if (!strcmp(word, "server")) {
		w->servers[w->s.server_count++] = endpoint(value);
	} else if (!strcmp(word, "stub") && (slash = strchr(value, '/'))) {
		*slash = '\0';
		w->stubs[w->s.stub_count++] = (struct dns_stub){
			value, endpoint(slash + 1) };
	} else if (!strcmp(word, "dnssec")) {
		w->s.dnssec = !strcmp(value, "on") ? DNSSEC_ON
			    : !strcmp(value, "off") ? DNSSEC_OFF : DNSSEC_AUTO;
	} else if (!strcmp(word, "anchor")) {
		w->s.trust_anchor_file = value;
	} else if (!strcmp(word, "special")) {
		w->s.special_names = true;
	} else if (!strcmp(word, "resolv")) {
		w->s.resolv_conf = value;
	} else if (!strcmp(word, "hosts")) {
		w->s.hosts = value;
	}
}

static void
wishes_read(struct wishes *w, char **words, size_t n)
{
	*w = (struct wishes){ .s = { .servers = w->servers,
				     .stubs = w->stubs } };
	for (size_t i = 0; i < n; i++)
		wish(w, words[i]);
}

/* --- answers --------------------------------------------------------- */

static void
add_string(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ", \"%s\": ", key);
	if (value == NULL)
		buf_add_str(out, "null");
	else
		encode_json(out, span_of(value), SIZE_MAX);
}

static void
answered(struct world *w, enum dns_status status, struct buf *out)
{
	w->counts[status]++;
	if (!w->quiet)
		puts(buf_str(out));
	if (--w->awaited == 0)
		loop_stop(w->loop);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1 << 20);

	buf_addf(&out, "{\"status\": \"%s\", \"secure\": %s, \"ttl\": %u",
		 statuses[a->status], a->secure ? "true" : "false", a->ttl_s);
	add_string(&out, "canonical", a->canonical);
	add_string(&out, "why", a->why);
	buf_add_str(&out, ", \"records\": [");
	for (size_t i = 0; i < a->n; i++) {
		buf_addf(&out, "%s{\"preference\": %u, \"bytes\": %zu",
			 i ? ", " : "", a->records[i].preference,
			 a->records[i].data.n);
		add_string(&out, "text", a->records[i].text);
		buf_add_char(&out, '}');
	}
	buf_add_str(&out, "]}");
	answered(arg, a->status, &out);
}

static void
on_addresses(void *arg, const struct dns_addresses *a)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1 << 20);
	char ip[IP_TEXT];

	buf_addf(&out, "{\"status\": \"%s\", \"secure\": %s",
		 statuses[a->status], a->secure ? "true" : "false");
	add_string(&out, "why", a->why);
	buf_add_str(&out, ", \"ips\": [");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(&out, "%s\"%s\"", i ? ", " : "",
			 ip_text(a->ips[i], ip));
	buf_add_str(&out, "]}");
	answered(arg, a->status, &out);
}

/* --- commands -------------------------------------------------------- */

static enum dns_type
type_of(const char *word)
{
	static const struct { const char *name; enum dns_type type; } rows[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "CNAME", DNS_CNAME },
		{ "PTR", DNS_PTR }, { "MX", DNS_MX }, { "TXT", DNS_TXT },
		{ "TLSA", DNS_TLSA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, word))
			return rows[i].type;
	fprintf(stderr, "ask-dns: what is the type %s?\n", word);
	exit(64);
}

static int
number(const char *word)
{
	uint64_t n = 0;

	span_u64(span_of(word), 1000 * 1000 * 1000, &n);
	return (int)n;
}

static void
wait_for_all(struct world *w)
{
	loop_run(w->loop);
}

static void
many(struct world *w, int n, const char *type, const char *name)
{
	w->quiet = true;
	memset(w->counts, 0, sizeof(w->counts));
	w->awaited = n;
	for (int i = 1; i <= n; i++) {
		char *one = mem_printf("%d.%s", i, name);

		dns_query(w->dns, one, type_of(type), on_answer, w);
		mem_free(one);
	}
	wait_for_all(w);
	w->quiet = false;
	printf("{\"ok\": %u, \"nodata\": %u, \"nxdomain\": %u, "
	       "\"failed\": %u}\n", w->counts[0], w->counts[1], w->counts[2],
	       w->counts[3]);
}

static void
tell_state(struct world *w)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(1 << 20);
	struct dns_state s = dns_state(w->dns);

	buf_addf(&out, "{\"asked\": %s, \"validating\": %s",
		 s.asked ? "true" : "false", s.validating ? "true" : "false");
	add_string(&out, "why", s.why);
	buf_add_str(&out, ", \"unvalidated\": [");
	for (size_t i = 0; i < s.unvalidated_count; i++)
		buf_addf(&out, "%s\"%s\"", i ? ", " : "",
			 s.unvalidated[i]);
	buf_add_str(&out, "]}");
	puts(buf_str(&out));
}

static void
obey(struct world *w, char **words, size_t n)
{
	struct wishes wishes;

	w->awaited = 1;
	if (!strcmp(words[0], "query") && n == 3) {
		dns_query(w->dns, words[2], type_of(words[1]), on_answer, w);
		wait_for_all(w);
	} else if (!strcmp(words[0], "lookup") && n == 2) {
		dns_lookup(w->dns, words[1], DNS_BY_ANYBODY, on_addresses, w);
		wait_for_all(w);
	} else if (!strcmp(words[0], "written") && n == 2) {
		dns_lookup(w->dns, words[1], DNS_BY_ADMINISTRATOR,
			   on_addresses, w);
		wait_for_all(w);
	} else if (!strcmp(words[0], "many") && n == 4) {
		many(w, number(words[1]), words[2], words[3]);
	} else if (!strcmp(words[0], "clock") && n == 2) {
		clock_fake(clock_now_ms() + number(words[1]),
			   clock_wall_ms() + number(words[1]));
		puts("{}");
	} else if (!strcmp(words[0], "set") && n == 2) {
		clock_fake(clock_now_ms(), clock_wall_ms() + (words[1][0] == '-'
			   ? -number(words[1] + 1) : number(words[1])));
		puts("{}");
	} else if (!strcmp(words[0], "configure")) {
		wishes_read(&wishes, words + 1, n - 1);
		dns_configure(w->dns, &wishes.s);
		puts("{}");
	} else {
		tell_state(w);
	}
	fflush(stdout);
}

static size_t
split(char *line, char **words)
{
	size_t n = 0;

	for (char *p = line; n < WORDS && *p; n++) {
		words[n] = p;
		p += strcspn(p, " \n");
		if (*p)
			*p++ = '\0';
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct world w = { .loop = loop_new("ask"),
			   .workers = workers_new("ask", 2) };
	struct wishes wishes;
	char line[2000], *words[WORDS];

	wishes_read(&wishes, argv + 1, (size_t)argc - 1);
	w.dns = dns_new(w.loop, w.workers, &wishes.s);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		size_t n = split(line, words);

		if (n > 0)
			obey(&w, words, n);
	}
	dns_free(&w.dns);
	workers_free(&w.workers);
	loop_free(&w.loop);
	return 0;
}
