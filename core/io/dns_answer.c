/* dns_answer.c - what libunbound, or /etc/hosts, says, as an answer */
#include "io/dns_inside.h"

#include "base/arena.h"
#include "base/encode.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_hosts.h"

#include <stdio.h>
#include <string.h>
#include <unbound.h>

enum { RCODE_OK = 0, RCODE_NXDOMAIN = 3, HOSTS_ADDRESSES = 32 };

static void
arena_end(struct arena **a)
{
	arena_free(a);
}

void
dns_answer_fail(const struct dns_question *q, enum dns_status status,
		const char *why)
{
	struct dns_answer a = { .status = status, .canonical = q->name,
				.why = why };

	q->done(q->arg, &a);
}

/* --- /etc/hosts ------------------------------------------------------ */

bool
dns_answer_hosts(const struct dns_question *q, const struct dns_hosts *h)
{
	struct ip ips[HOSTS_ADDRESSES];
	char text[HOSTS_ADDRESSES][IP_TEXT];
	struct dns_record records[HOSTS_ADDRESSES];
	struct dns_answer a = { .canonical = q->name, .records = records };

	if ((q->type != DNS_A && q->type != DNS_AAAA) ||
	    !dns_hosts_find(h, span_of(q->name), q->type == DNS_A ? 4 : 6,
			    ips, HOSTS_ADDRESSES, &a.n))
		return false;
	for (size_t i = 0; i < a.n; i++)
		records[i] = (struct dns_record){
			.text = ip_text(ips[i], text[i]),
			.data = { (const char *)ips[i].bytes,
				  q->type == DNS_A ? 4 : 16 },
		};
	if (a.n == 0) {
		a.status = DNS_NODATA;
		a.why = q->type == DNS_A
		      ? "the hosts file has no IPv4 address for the name"
		      : "the hosts file has no IPv6 address for the name";
	}
	q->done(q->arg, &a);
	return true;
}

/* --- libunbound ------------------------------------------------------ */

static const char *
rcode_words(int rcode)
{
	static const struct { int rcode; const char *words; } rows[] = {
		{ 1, "FORMERR: a name server did not understand the question" },
		{ 2, "SERVFAIL: no name server gave a usable answer" },
		{ 4, "NOTIMP: a name server does not answer such questions" },
		{ 5, "REFUSED: the name servers refuse to answer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].rcode == rcode)
			return rows[i].words;
	return "the name servers report an error";
}

static void
records_take(const struct dns_question *q, const struct ub_result *r,
	     struct arena *arena, struct dns_answer *a)
{
	struct dns_record *records;
	size_t n = 0;

	while (r->data[n] != NULL)
		n++;
	a->records = records = arena_array(arena, n, sizeof(*records));
	for (size_t i = 0; i < n; i++) {
		struct span data = { r->data[i], (size_t)r->len[i] };

		if (r->len[i] >= 0 &&
		    dns_record_parse(q->type, data, arena, &records[a->n]))
			a->n++;
	}
	if (a->n > 0)
		return;
	a->status = DNS_FAILED;
	a->why = arena_printf(arena, "the answer has malformed %s records "
			      "only", dns_type_name(q->type));
}

/* For whoever may change the configuration. */
static const char *
remedy_words(const struct dns_question *q)
{
	return q->author != DNS_BY_ADMINISTRATOR ? "" :
	       "; if only your resolver knows this name, give its domain a "
	       "server in `dns: {stubs: ...}', or set `dns: {dnssec: off}'";
}

static const char *
bogus_words(const struct dns_question *q, const struct ub_result *r,
	    struct arena *arena)
{
	AUTO(buf_fini) struct buf reason = BUF_MAX(1000);

	/* the remedy must find room behind it */
	encode_printable(&reason, span_of(r->why_bogus),
			 q->author == DNS_BY_ADMINISTRATOR ? 120 : 300);
	return arena_printf(arena, "the answer is bogus (DNSSEC): %s%s",
			    buf_str(&reason), remedy_words(q));
}

static const char *
absence_words(const struct dns_question *q, const struct ub_result *r,
	      struct arena *arena)
{
	return arena_printf(arena, "the name does not exist%s",
			    r->secure ? remedy_words(q) : "");
}

/* A bogus answer may have data and a good rcode all the same. */
static void
result_judge(const struct dns_question *q, const struct ub_result *r,
	     struct arena *arena, struct dns_answer *a)
{
	a->status = DNS_FAILED;
	if (r->bogus) {
		a->why = bogus_words(q, r, arena);
	} else if (r->rcode == RCODE_NXDOMAIN) {
		a->status = DNS_NXDOMAIN;
		a->why = absence_words(q, r, arena);
	} else if (r->rcode != RCODE_OK) {
		a->why = rcode_words(r->rcode);
	} else if (r->havedata) {
		a->status = DNS_OK;
		records_take(q, r, arena, a);
	} else {
		a->status = DNS_NODATA;
		a->why = arena_printf(arena, "the name has no %s record",
				      dns_type_name(q->type));
	}
	a->secure = r->secure && a->status != DNS_FAILED;
}

void
dns_answer_hold(struct dns_question *q, const struct ub_result *r)
{
	AUTO(arena_end) struct arena *arena = arena_new();
	struct dns_answer a = { .status = DNS_FAILED };

	result_judge(q, r, arena, &a);
	q->held.status = a.status;
	q->held.secure = a.secure;
	q->held.why = mem_strdup(a.why ? a.why : "");
}

void
dns_answer_held(const struct dns_question *q)
{
	struct dns_answer a = { .status = q->held.status,
				.secure = q->held.secure,
				.canonical = q->name, .why = q->held.why };

	q->done(q->arg, &a);
}

void
dns_answer_result(const struct dns_question *q, int err,
		  const struct ub_result *r)
{
	AUTO(arena_end) struct arena *arena = arena_new();
	struct dns_answer a = { .canonical = q->name };

	if (err != 0) {
		dns_answer_fail(q, DNS_FAILED, ub_strerror(err));
		return;
	}
	if (r->canonname != NULL)
		a.canonical = (const char *)arena_span(arena,
			dns_name_trim(span_of(r->canonname))).p;
	a.ttl_s = r->ttl > 0 ? (uint32_t)r->ttl : 0;
	result_judge(q, r, arena, &a);
	q->done(q->arg, &a);
}
