/* tls-world.c - certificates and connections for tests */
#include "tls-world.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/layer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/x509-ext.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define GOOD(call) assert_true((call) >= 0)

/* --- certificates ---------------------------------------------------- */

static void
add_names(gnutls_x509_crt_t crt, const struct wish *w)
{
	unsigned char ip[16];

	if (w->dns != NULL)
		GOOD(gnutls_x509_crt_set_subject_alt_name(crt,
			GNUTLS_SAN_DNSNAME, w->dns, (unsigned)strlen(w->dns),
			GNUTLS_FSAN_APPEND));
	if (w->dns2 != NULL)
		GOOD(gnutls_x509_crt_set_subject_alt_name(crt,
			GNUTLS_SAN_DNSNAME, w->dns2, (unsigned)strlen(w->dns2),
			GNUTLS_FSAN_APPEND));
	if (w->ip == NULL)
		return;
	assert_int_equal(inet_pton(AF_INET, w->ip, ip), 1);
	GOOD(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
						  ip, 4, GNUTLS_FSAN_APPEND));
}

static void
vow_to_staple(gnutls_x509_crt_t crt)
{
	gnutls_x509_tlsfeatures_t features;

	GOOD(gnutls_x509_tlsfeatures_init(&features));
	GOOD(gnutls_x509_tlsfeatures_add(features, 5));
	GOOD(gnutls_x509_crt_set_tlsfeatures(crt, features));
	gnutls_x509_tlsfeatures_deinit(features);
}

void
cert_make(struct cert *c, const struct wish *w)
{
	enum { DAY = 24 * 60 * 60 };
	static unsigned serial = 1;
	gnutls_x509_crt_t issuer;
	gnutls_x509_privkey_t key;
	unsigned char number[4];
	time_t now = time(NULL);

	GOOD(gnutls_x509_privkey_init(&c->key));
	GOOD(gnutls_x509_privkey_generate(c->key,
		w->weak ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA, w->weak ? 768
		: GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	GOOD(gnutls_x509_crt_init(&c->crt));
	serial++;
	memcpy(number, &serial, 4);
	number[0] |= 1;
	number[3] = 1;
	GOOD(gnutls_x509_crt_set_version(c->crt, 3));
	GOOD(gnutls_x509_crt_set_serial(c->crt, number, 4));
	GOOD(gnutls_x509_crt_set_key(c->crt, c->key));
	GOOD(gnutls_x509_crt_set_dn_by_oid(c->crt, GNUTLS_OID_X520_COMMON_NAME,
					   0, w->cn, (unsigned)strlen(w->cn)));
	GOOD(gnutls_x509_crt_set_activation_time(c->crt,
		now + (w->from ? w->from : -7) * DAY));
	GOOD(gnutls_x509_crt_set_expiration_time(c->crt,
		now + (w->to ? w->to : 365) * DAY));
	GOOD(gnutls_x509_crt_set_basic_constraints(c->crt, w->ca, -1));
	GOOD(gnutls_x509_crt_set_key_usage(c->crt, w->ca
		? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE));
	add_names(c->crt, w);
	if (w->staple)
		vow_to_staple(c->crt);
	if (w->purpose != NULL)
		GOOD(gnutls_x509_crt_set_key_purpose_oid(c->crt, w->purpose,
							 0));
	issuer = w->issuer != NULL ? w->issuer->crt : c->crt;
	key = w->issuer != NULL ? w->issuer->key : c->key;
	GOOD(gnutls_x509_crt_sign2(c->crt, issuer, key, GNUTLS_DIG_SHA256, 0));
}

void
cert_fini(struct cert *c)
{
	if (c->crt != NULL)
		gnutls_x509_crt_deinit(c->crt);
	if (c->key != NULL)
		gnutls_x509_privkey_deinit(c->key);
	*c = (struct cert){ NULL, NULL };
}

void
pem_save(const char *path, const struct cert *const *chain, size_t n,
	 const struct cert *key)
{
	FILE *f = fopen(path, "w");
	gnutls_datum_t pem;

	assert_non_null(f);
	for (size_t i = 0; i < n; i++) {
		GOOD(gnutls_x509_crt_export2(chain[i]->crt,
					     GNUTLS_X509_FMT_PEM, &pem));
		fwrite(pem.data, 1, pem.size, f);
		gnutls_free(pem.data);
	}
	if (key != NULL) {
		GOOD(gnutls_x509_privkey_export2_pkcs8(key->key,
			GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem));
		fwrite(pem.data, 1, pem.size, f);
		gnutls_free(pem.data);
	}
	fclose(f);
}

/* --- the world ------------------------------------------------------- */

char *
world_path(const struct tls_world *w, const char *name)
{
	return mem_printf("%s/%s", w->folder, name);
}

struct tls_identity *
world_identity(const struct tls_world *w, enum who who)
{
	const struct cert *chain[2] = { &w->certs[who], &w->certs[WHO_MIDDLE] };
	char *path = world_path(w, "one.pem");
	struct tls_identity *i;
	struct error err = { .text = "" };

	pem_save(path, chain, who == WHO_CLIENT ? 2 : 1, &w->certs[who]);
	i = tls_identity_read(path, NULL, &err);
	if (i == NULL)
		fail_msg("%s", err.text);
	unlink(path);
	mem_free(path);
	return i;
}

static struct tls_trust *
world_trust(const struct tls_world *w, enum who who)
{
	const struct cert *one = &w->certs[who];
	char *path = world_path(w, "ca.pem");
	struct tls_trust *t;
	struct error err;

	pem_save(path, &one, 1, NULL);
	t = tls_trust_read(path, &err);
	assert_non_null(t);
	unlink(path);
	mem_free(path);
	return t;
}

void
world_open(struct tls_world *w)
{
	struct cert *c = w->certs;
	const struct wish wishes[WHO_COUNT] = {
		[WHO_CA] = { .cn = "Test CA", .ca = true },
		[WHO_OTHER_CA] = { .cn = "Other CA", .ca = true },
		[WHO_MIDDLE] = { .cn = "Middle CA", .ca = true,
				 .issuer = &c[WHO_CA] },
		[WHO_SERVER] = { .cn = "mx", .dns = "mx.example.org",
				 .dns2 = "mx2.example.org", .ip = "127.0.0.1",
				 .issuer = &c[WHO_CA] },
		[WHO_CLIENT] = { .cn = "gw", .dns = "gw.example.org",
				 .issuer = &c[WHO_MIDDLE] },
		[WHO_EXPIRED] = { .cn = "old", .dns = "mx.example.org",
				  .issuer = &c[WHO_CA], .from = -30, .to = -1 },
		[WHO_NOT_YET] = { .cn = "young", .dns = "mx.example.org",
				  .issuer = &c[WHO_CA], .from = 2 },
		[WHO_STRANGER] = { .cn = "stranger", .dns = "mx.example.org",
				   .issuer = &c[WHO_OTHER_CA] },
		[WHO_ALONE] = { .cn = "alone", .dns = "mx.example.org" },
		[WHO_NO_SERVER] = { .cn = "person", .dns = "mx.example.org",
				    .issuer = &c[WHO_CA],
				    .purpose = GNUTLS_KP_TLS_WWW_CLIENT },
		[WHO_WEAK] = { .cn = "weak", .dns = "mx.example.org",
			       .issuer = &c[WHO_CA], .weak = true },
		[WHO_STAPLE] = { .cn = "vows", .dns = "mx.example.org",
				 .issuer = &c[WHO_CA], .staple = true },
	};

	*w = (struct tls_world){ .folder = "/tmp/postern-tls-XXXXXX" };
	assert_non_null(mkdtemp(w->folder));
	for (size_t i = 0; i < WHO_COUNT; i++)
		cert_make(&w->certs[i], &wishes[i]);
	w->trust = world_trust(w, WHO_CA);
	w->other_trust = world_trust(w, WHO_OTHER_CA);
	w->server = world_identity(w, WHO_SERVER);
	w->client = world_identity(w, WHO_CLIENT);
}

void
world_close(struct tls_world *w)
{
	tls_trust_unref(&w->trust);
	tls_trust_unref(&w->other_trust);
	tls_identity_unref(&w->server);
	tls_identity_unref(&w->client);
	for (size_t i = 0; i < WHO_COUNT; i++)
		cert_fini(&w->certs[i]);
	assert_int_equal(rmdir(w->folder), 0);
}

/* --- ends ------------------------------------------------------------ */

static void
end_event(struct end *e)
{
	struct pair *p = e->pair;

	if (p->until != NULL && p->until(p))
		loop_stop(p->loop);
}

static void
on_ready(void *arg)
{
	struct end *e = arg;

	e->ready = true;
	end_event(e);
}

static void
on_input(void *arg)
{
	struct end *e = arg;
	struct buf *in = stream_in(e->stream);

	buf_add(&e->got, buf_span(in));
	buf_drop(in, in->len);
	end_event(e);
}

static void
on_drained(void *arg)
{
	struct end *e = arg;

	e->drained = true;
	if (e->pair->fill != NULL)
		e->pair->fill(e);
	end_event(e);
}

static void
on_closed(void *arg, const struct error *err)
{
	struct end *e = arg;

	e->ended = true;
	if (err != NULL)
		snprintf(e->error, sizeof(e->error), "%s", err->text);
	end_event(e);
}

static const struct stream_events events = {
	on_ready, on_input, on_drained, NULL, on_closed,
};

static void
on_watchdog(struct timer *t)
{
	struct pair *p = container_of(t, struct pair, watchdog);

	p->late = true;
	loop_stop(p->loop);
}

static void
end_open(struct end *e, struct pair *p, int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	e->stream = stream_accept(p->loop, fd, 64 * 1024, &events, e);
}

void
pair_open(struct pair *p, bool both)
{
	int fds[2];

	*p = (struct pair){ .bare = -1 };
	p->a.pair = p->b.pair = p;
	p->a.got = p->b.got = BUF_MAX(64 << 20);
	p->loop = loop_new("test");
	timer_init(&p->watchdog, p->loop, on_watchdog);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	end_open(&p->a, p, fds[0]);
	if (both)
		end_open(&p->b, p, fds[1]);
	else
		p->bare = fds[1];
}

void
end_adopt(struct pair *p)
{
	end_open(&p->b, p, p->bare);
	p->bare = -1;
}

void
pair_close(struct pair *p)
{
	stream_close(&p->a.stream);
	stream_close(&p->b.stream);
	if (p->bare >= 0)
		close(p->bare);
	timer_stop(&p->watchdog);
	loop_free(&p->loop);
	buf_fini(&p->a.got);
	buf_fini(&p->b.got);
}

void
pair_run_for(struct pair *p, int64_t ms)
{
	p->until = NULL;
	timer_start(&p->watchdog, ms);
	loop_run(p->loop);
}

void
pair_run(struct pair *p, bool (*until)(struct pair *p))
{
	p->until = until;
	p->late = false;
	timer_start(&p->watchdog, unit_slowly(20 * 1000));
	if (!until(p))
		loop_run(p->loop);
	timer_stop(&p->watchdog);
	p->until = NULL;
	if (!until(p))
		fail_msg("it took too long; a: %s%s, b: %s%s",
			 p->a.ready ? "ready " : "", p->a.error,
			 p->b.ready ? "ready " : "", p->b.error);
}

void
end_say(struct end *e, const char *s)
{
	buf_add_str(stream_out(e->stream), s);
	stream_send(e->stream);
}

bool
end_got(const struct end *e, const char *s)
{
	return span_eq(buf_span(&e->got), span_of(s));
}

bool
a_ready(struct pair *p)
{
	return p->a.ready;
}

bool
both_ready(struct pair *p)
{
	return p->a.ready && p->b.ready;
}

bool
a_over(struct pair *p)
{
	return p->a.ended;
}

bool
both_over(struct pair *p)
{
	return p->a.ended && p->b.ended;
}

/* --- drip ------------------------------------------------------------ */

struct drip {
	struct layer layer;
	unsigned reads, writes;
};

static enum layer_step
drip_read(struct layer *l, char *to, size_t max, size_t *n, struct error *err)
{
	struct drip *d = container_of(l, struct drip, layer);

	(void)max;
	if (d->reads++ % 2 == 0)
		return LAYER_WANT_READ;
	return l->below->ops->read(l->below, to, 1, n, err);
}

static enum layer_step
drip_write(struct layer *l, struct span bytes, size_t *n, struct error *err)
{
	struct drip *d = container_of(l, struct drip, layer);

	if (d->writes++ % 2 == 0)
		return LAYER_WANT_WRITE;
	bytes.n = MIN(bytes.n, (size_t)7);
	return l->below->ops->write(l->below, bytes, n, err);
}

static void
drip_free(struct layer *l)
{
	mem_free(container_of(l, struct drip, layer));
}

static const struct layer_ops drip_ops = {
	.name = "drip", .read = drip_read, .write = drip_write,
	.free = drip_free,
};

struct layer *
drip_new(void)
{
	struct drip *d = NEW(struct drip);

	d->layer.ops = &drip_ops;
	return &d->layer;
}

/* --- the bare peer --------------------------------------------------- */

static int
play_line(struct raw *r)
{
	char line[100];
	ssize_t n = gnutls_record_recv(r->session, line, sizeof(line));

	if (n <= 0)
		return (int)n;
	return (int)gnutls_record_send(r->session, "ok\n", 3);
}

static void
raw_look(struct raw *r)
{
	size_t size = sizeof(r->sni);
	unsigned type;

	gnutls_certificate_get_peers(r->session, &r->chain);
	if (r->server)
		gnutls_server_name_get(r->session, r->sni, &size, &type, 0);
}

static void
raw_credentials(struct raw *r)
{
	GOOD(gnutls_certificate_allocate_credentials(&r->credentials));
	if (r->cert != NULL) {
		gnutls_x509_crt_t crt = r->cert->crt;

		GOOD(gnutls_certificate_set_x509_key(r->credentials, &crt, 1,
						     r->cert->key));
	}
	if (r->authority != NULL) {
		gnutls_x509_crt_t crt = r->authority->crt;

		GOOD(gnutls_certificate_set_x509_trust(r->credentials, &crt,
						       1));
	}
}

int
raw_shake(struct raw *r)
{
	raw_credentials(r);
	GOOD(gnutls_init(&r->session, (r->server ? GNUTLS_SERVER
				       : GNUTLS_CLIENT) | GNUTLS_NO_SIGNAL));
	GOOD(gnutls_priority_set_direct(r->session, r->priority
					? r->priority : "NORMAL", NULL));
	GOOD(gnutls_credentials_set(r->session, GNUTLS_CRD_CERTIFICATE,
				    r->credentials));
	if (r->server)
		gnutls_certificate_server_set_request(r->session, r->demand);
	if (r->ticket_key != NULL)
		GOOD(gnutls_session_ticket_enable_server(r->session,
							 r->ticket_key));
	if (r->server && r->authority != NULL && !r->trusting)
		gnutls_session_set_verify_cert(r->session, NULL, 0);
	if (r->patience_ms > 0) {
		gnutls_handshake_set_timeout(r->session, r->patience_ms);
		gnutls_record_set_timeout(r->session, r->patience_ms);
	}
	gnutls_transport_set_int(r->session, r->fd);
	do
		r->code = gnutls_handshake(r->session);
	while (r->code < 0 && !gnutls_error_is_fatal(r->code));
	if (r->code >= 0)
		raw_look(r);
	else
		gnutls_alert_send_appropriate(r->session, r->code);
	return r->code;
}

void
raw_end(struct raw *r)
{
	gnutls_deinit(r->session);
	gnutls_certificate_free_credentials(r->credentials);
	r->session = NULL;
	r->credentials = NULL;
}

static void *
raw_main(void *arg)
{
	struct raw *r = arg;

	if (raw_shake(r) >= 0) {
		r->code = (r->play != NULL ? r->play : play_line)(r);
		gnutls_bye(r->session, GNUTLS_SHUT_WR);
	}
	raw_end(r);
	close(r->fd);
	return NULL;
}

void
raw_take(struct raw *r, struct pair *p)
{
	r->fd = p->bare;
	p->bare = -1;
	assert_int_equal(pthread_create(&r->thread, NULL, raw_main, r), 0);
}

void
raw_join(struct raw *r)
{
	pthread_join(r->thread, NULL);
}
