/* http-double.c - names and authorities as the test wants them */
#include "unit.h"

#include "http-double.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <strings.h>

/* --- names ------------------------------------------------------------ */

static const struct name {
	const char *name;
	enum dns_status status;
	const char *ips[3];
} names[] = {
	{ "ok.test",     DNS_OK, { "127.0.0.1" } },
	{ "www.ok.test", DNS_OK, { "127.0.0.1" } },
	{ "other.test",  DNS_OK, { "127.0.0.1" } },
	{ "now.test",    DNS_OK, { "127.0.0.1" } },
	{ "localhost",   DNS_OK, { "127.0.0.1" } },
	{ "two.test",    DNS_OK, { "127.0.0.9", "127.0.0.1" } },
	{ "six.test",    DNS_OK, { "::1", "127.0.0.1" } },
	{ "gone.test",   DNS_NXDOMAIN, { NULL } },
	{ "empty.test",  DNS_NODATA, { NULL } },
	{ "broken.test", DNS_FAILED, { NULL } },
	{ "silent.test", DNS_FAILED, { NULL } },
};

struct dns {
	struct loop *loop;
	struct tickets *tickets;
	unsigned waits;
	char last[256];
	enum dns_author last_author;
};

struct lookup {
	struct dns *dns;		/* NULL: forgotten */
	const struct name *name;
	uint64_t ticket;
	struct later later;
	dns_addresses_fn *done;
	void *arg;
};

static void
name_tell(const struct name *n, dns_addresses_fn *done, void *arg)
{
	struct dns_addresses a = { .status = n->status };
	struct ip ips[3];

	for (; a.n < 3 && n->ips[a.n] != NULL; a.n++)
		assert_true(ip_parse(span_of(n->ips[a.n]), &ips[a.n]));
	a.ips = ips;
	a.why = n->status == DNS_OK ? NULL : "said the double";
	done(arg, &a);
}

static void
on_lookup(struct later *l)
{
	struct lookup *q = container_of(l, struct lookup, later);

	if (q->dns != NULL) {
		q->dns->waits--;
		ticket_close(q->dns->tickets, q->ticket);
		name_tell(q->name, q->done, q->arg);
	}
	mem_free(q);
}

uint64_t
dns_lookup(struct dns *d, const char *name, enum dns_author author,
	   dns_addresses_fn *done, void *arg)
{
	struct name literal = { name, DNS_OK, { name } };
	const struct name *n = NULL;
	struct lookup *q;
	struct ip ip;

	snprintf(d->last, sizeof(d->last), "%s", name);
	d->last_author = author;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].name, name) == 0)
			n = &names[i];
	if (n == NULL)
		assert_true(ip_parse(span_of(name), &ip));
	if (n == NULL || strcmp(name, "now.test") == 0) {
		name_tell(n != NULL ? n : &literal, done, arg);
		return 0;
	}
	q = NEW(struct lookup);
	*q = (struct lookup){ .dns = d, .name = n, .done = done, .arg = arg,
			      .later.run = on_lookup };
	d->waits++;
	if (strcmp(name, "silent.test") != 0)
		loop_later(d->loop, &q->later);
	q->ticket = ticket_open(d->tickets, q);
	return q->ticket;
}

void
dns_forget(struct dns *d, uint64_t ticket)
{
	struct lookup *q = ticket_find(d->tickets, ticket);

	if (q == NULL)
		return;
	ticket_close(d->tickets, ticket);
	d->waits--;
	q->dns = NULL;
	loop_later(d->loop, &q->later);
}

struct dns *
dns_double(struct loop *loop)
{
	struct dns *d = NEW(struct dns);

	d->loop = loop;
	d->tickets = tickets_new();
	return d;
}

void
dns_double_free(struct dns **d)
{
	assert_int_equal((*d)->waits, 0);
	tickets_free(&(*d)->tickets);
	mem_free(*d);
	*d = NULL;
}

unsigned
dns_double_waits(const struct dns *d)
{
	return d->waits;
}

const char *
dns_double_last(const struct dns *d)
{
	return d->last;
}

enum dns_author
dns_double_last_author(const struct dns *d)
{
	return d->last_author;
}

/* --- authorities ------------------------------------------------------ */

struct tls_store {
	struct loop *loop;
	struct tickets *tickets;
	const char *trust_file;
	unsigned waits;
};

struct fetch {
	struct tls_store *store;	/* NULL: forgotten */
	uint64_t ticket;
	struct later later;
	char *file;
	tls_store_fn *done;
	void *arg;
};

static struct tls_trust *
trust_read(const char *file)
{
	struct error err = { .text = "" };
	struct tls_trust *t = tls_trust_read(file, &err);

	if (t == NULL)
		fail_msg("%s", err.text);
	return t;
}

static void
on_fetch(struct later *l)
{
	struct fetch *f = container_of(l, struct fetch, later);
	struct tls_made made = { .identity = NULL };

	if (f->store != NULL) {
		f->store->waits--;
		ticket_close(f->store->tickets, f->ticket);
		made.trust = trust_read(f->file);
		f->done(f->arg, &made, NULL);
		tls_trust_unref(&made.trust);
	}
	mem_free(f->file);
	mem_free(f);
}

uint64_t
tls_store_get(struct tls_store *s, const struct tls_files *files,
	      tls_store_fn *done, void *arg)
{
	const char *file = files->trust_file ? files->trust_file
					     : s->trust_file;
	struct fetch *f;
	struct error err;

	assert_true(files->trust && files->certificate == NULL);
	if (strcmp(file, "absent") == 0) {
		error_set(&err, ERROR_SYSTEM, "absent: no such file");
		done(arg, NULL, &err);
		return 0;
	}
	f = NEW(struct fetch);
	*f = (struct fetch){ .store = s, .file = mem_strdup(file),
			     .done = done, .arg = arg, .later.run = on_fetch };
	s->waits++;
	if (strcmp(file, "silent") != 0)
		loop_later(s->loop, &f->later);
	f->ticket = ticket_open(s->tickets, f);
	return f->ticket;
}

void
tls_store_forget(struct tls_store *s, uint64_t ticket)
{
	struct fetch *f = ticket_find(s->tickets, ticket);

	if (f == NULL)
		return;
	ticket_close(s->tickets, ticket);
	s->waits--;
	f->store = NULL;
	loop_later(s->loop, &f->later);
}

struct tls_store *
store_double(struct loop *loop, const char *trust_file)
{
	struct tls_store *s = NEW(struct tls_store);

	s->loop = loop;
	s->trust_file = trust_file;
	s->tickets = tickets_new();
	return s;
}

void
store_double_free(struct tls_store **s)
{
	assert_int_equal((*s)->waits, 0);
	tickets_free(&(*s)->tickets);
	mem_free(*s);
	*s = NULL;
}

unsigned
store_double_waits(const struct tls_store *s)
{
	return s->waits;
}
