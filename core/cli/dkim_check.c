/* dkim_check.c - is the DNS right about our keys?
 *
 * All are asked at once, on a loop of our own.
 */
#include "cli/dkim.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "cli/control.h"
#include "io/dns.h"
#include "mail/signer.h"

#include <stdio.h>

enum found { FOUND_RIGHT, FOUND_MISSING, FOUND_DIFFERENT, FOUND_NO_ANSWER };

static const struct {
	const char *name, *words;
	int status;			/* of sysexits(3) */
} kinds[] = {
	[FOUND_RIGHT]     = { "right", "published and right", 0 },
	[FOUND_MISSING]   = { "missing", "not published yet", 65 },
	[FOUND_DIFFERENT] = { "different", "published, but different", 65 },
	[FOUND_NO_ANSWER] = { "no-answer", "the DNS gives no answer", 75 },
};

struct asked {
	const struct dkim_row *row;
	struct checking *all;
	struct buf name;
	enum found found;
	struct buf why;			/* printable; "" for none */
	bool testing, secure;
};

struct checking {
	struct loop *loop;
	struct asked *v;
	size_t n, left;
};

/* --- the answer ------------------------------------------------------ */

static void
judge(struct asked *q, const struct dns_answer *a)
{
	struct span record;
	struct error why;

	if (a->status == DNS_FAILED) {
		q->found = FOUND_NO_ANSWER;
		encode_printable(&q->why, span_of(a->why), 200);
		return;
	}
	if (a->status != DNS_OK || a->n == 0) {
		q->found = FOUND_MISSING;
		return;
	}
	q->secure = a->secure;
	q->found = FOUND_DIFFERENT;
	if (a->n > 1) {
		buf_addf(&q->why, "there are %zu records, and receivers may "
			 "take any of them: keep one", a->n);
		return;
	}
	record = span_of(a->records[0].text);
	q->testing = signer_record_testing(record);
	if (signer_key_matches(q->row->key, record, &why))
		q->found = FOUND_RIGHT;
	else
		encode_printable(&q->why, span_of(why.text), 200);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct asked *q = arg;

	judge(q, a);
	if (--q->all->left == 0)
		loop_stop(q->all->loop);
}

static void
ask_all(struct checking *c, const struct dns_settings *settings)
{
	struct workers *workers = workers_new("dkim", 1);
	struct dns *dns;

	c->loop = loop_new("dkim");
	dns = dns_new(c->loop, workers, settings);
	for (size_t i = 0; i < c->n; i++)
		dns_query(dns, buf_str(&c->v[i].name), DNS_TXT, on_answer,
			  &c->v[i]);
	if (c->left > 0)
		loop_run(c->loop);
	dns_free(&dns);
	workers_free(&workers);
	loop_drain(c->loop);
	loop_free(&c->loop);
}

/* --- telling --------------------------------------------------------- */

static json_t *
json_of(const struct asked *q)
{
	json_t *o = dkim_json(q->row);

	json_object_set_new(o, "status", json_string(kinds[q->found].name));
	json_object_set_new(o, "reason", q->why.len > 0
		? json_stringn(q->why.data + q->why.head, q->why.len)
		: json_null());
	json_object_set_new(o, "testing", json_boolean(q->testing));
	json_object_set_new(o, "secure", json_boolean(q->secure));
	return o;
}

static void
print(struct asked *q)
{
	printf("%s: %s%s%s\n", buf_str(&q->name), kinds[q->found].words,
	       q->why.len > 0 ? ": " : "", buf_str(&q->why));
	if (q->testing)
		printf("  note: it says t=y, testing: receivers may ignore the "
		       "signatures; remove it\n");
	if (q->found != FOUND_MISSING && q->found != FOUND_DIFFERENT)
		return;
	printf("\npublish this:\n\n");
	dkim_print_record(q->row);
	printf("\n");
}

static int
tell(const struct cli *cli, struct checking *c)
{
	json_t *all = cli->json ? json_array() : NULL;
	int rc = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct asked *q = &c->v[i];

		if (all != NULL)
			json_array_append_new(all, json_of(q));
		else
			print(q);
		/* what can be mended outweighs what may mend itself */
		if (rc == 0 || kinds[q->found].status == 65)
			rc = kinds[q->found].status;
	}
	if (all != NULL)
		print_json(all);
	return rc;
}

/* 192.0.2.53, 192.0.2.53@5353, 2001:db8::53@5353 */
static bool
server_parse(struct span s, struct endpoint *ret)
{
	size_t at = span_find(s, '@');
	uint64_t port = 53;

	if (!ip_parse(span_sub(s, 0, at), &ret->ip) ||
	    (at < s.n && !span_u64(span_from(s, at + 1), UINT16_MAX, &port)))
		return false;
	ret->port = (uint16_t)port;
	return true;
}

int
dkim_check(const struct cli *cli, const struct dkim_row *rows, size_t n,
	   const struct dns_settings *settings, const char *server)
{
	struct checking c = { .n = n, .left = n };
	struct endpoint e;
	/* a server that is asked by name is believed, in any zone */
	const struct dns_settings one = {
		.servers = &e, .server_count = 1, .dnssec = DNSSEC_OFF,
		.special_names = true,
	};
	int rc;

	if (server != NULL && !server_parse(span_of(server), &e))
		return cli_usage(&cmd_dkim, "`--server': `%s' is not an "
				 "address, such as 192.0.2.53 or "
				 "127.0.0.1@5353", server);
	c.v = mem_array(n, sizeof(*c.v));
	for (size_t i = 0; i < n; i++) {
		c.v[i] = (struct asked){
			.row = &rows[i], .all = &c, .why = BUF_MAX(1000),
			.name = BUF_MAX(LIMIT_DOMAIN + 1),
		};
		dkim_name(rows[i].key, &c.v[i].name);
	}
	ask_all(&c, server != NULL ? &one : settings);
	rc = tell(cli, &c);
	for (size_t i = 0; i < n; i++) {
		buf_fini(&c.v[i].name);
		buf_fini(&c.v[i].why);
	}
	mem_free(c.v);
	return rc;
}
