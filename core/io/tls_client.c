/* tls_client.c - the client's side: whom it speaks to, and sessions that are
 * taken up again
 *
 * What a session proved is not proved again when it is taken up: its key in
 * the store holds everything that decided about it.
 */
#include "io/tls_inside.h"

#include "base/clock.h"
#include "base/ip.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/tls_verify.h"

#include <inttypes.h>
#include <string.h>

struct tls_client_layer {
	struct tls_layer tls;		/* first: it is freed as this */
	enum tls_policy policy;
	char *name;			/* without its last dot; or NULL */
	struct tls_trust *trust;
	struct tls_sessions *sessions;	/* borrowed, or NULL */
	char *key;			/* of its session there */
	struct tls_kept offered;	/* but for the session itself */
	bool kept;			/* its session has been */
};

static struct tls_client_layer *
client_of(struct tls_layer *t)
{
	return container_of(t, struct tls_client_layer, tls);
}

/* --- is it who it should be? ----------------------------------------- */

/* Not called when a session is taken up again. */
static int
client_verify(gnutls_session_t session)
{
	struct tls_layer *t = gnutls_session_get_ptr(session);
	struct tls_client_layer *c = client_of(t);
	gnutls_alert_description_t alert;
	struct error why;

	if (tls_verify(session, c->trust, c->name, &alert, &why))
		return 0;
	t->why = NEW(struct error);
	*t->why = why;
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* --- sessions -------------------------------------------------------- */

static void
client_offer_session(struct tls_client_layer *c)
{
	struct span session;

	if (c->sessions == NULL ||
	    !tls_sessions_find(c->sessions, c->key, &c->offered))
		return;
	session = c->offered.session;
	c->offered.session = SPAN_NONE;
	/* one that does not fit is not offered: the handshake is a whole one */
	gnutls_session_set_data(c->tls.session, session.p, session.n);
}

/* In TLS 1.3 there is nothing to be kept before the server has sent a ticket,
 * which comes after the handshake. */
static bool
client_has_session(gnutls_session_t s)
{
	return gnutls_protocol_get_version(s) < GNUTLS_TLS1_3 ||
	       (gnutls_session_get_flags(s) & GNUTLS_SFLAGS_SESSION_TICKET);
}

static void
client_heard(struct tls_layer *t)
{
	struct tls_client_layer *c = client_of(t);
	struct tls_kept kept = c->offered;
	gnutls_datum_t data;

	if (c->sessions == NULL || c->kept || !client_has_session(t->session))
		return;
	c->kept = true;
	if (gnutls_session_get_data2(t->session, &data) < 0)
		return;
	kept.session = (struct span){ (char *)data.data, data.size };
	kept.asked = t->facts.asked;
	if (!t->facts.resumed)
		kept.proved_ms = clock_now_ms();
	tls_sessions_keep(c->sessions, c->key, &kept);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
}

/* --- the side -------------------------------------------------------- */

static void
client_shaken(struct tls_layer *t)
{
	struct tls_client_layer *c = client_of(t);

	t->facts.verified = c->policy == TLS_VERIFY;
	if (!t->facts.resumed)
		return;
	t->facts.asked = c->offered.asked;
	t->showed = t->facts.asked == TLS_SENT;
}

/* Whatever was wrong, the next one begins from nothing. */
static void
client_failed(struct tls_layer *t)
{
	struct tls_client_layer *c = client_of(t);

	if (c->sessions != NULL)
		tls_sessions_drop(c->sessions, c->key);
}

static void
client_fini(struct tls_layer *t)
{
	struct tls_client_layer *c = client_of(t);

	tls_trust_unref(&c->trust);
	mem_free(c->name);
	mem_free(c->key);
}

static const struct tls_side client_side = {
	.peer           = "the server",
	.may_begin_anew = true,
	.shaken         = client_shaken,
	.heard          = client_heard,
	.failed         = client_failed,
	.fini           = client_fini,
};

static char *
client_name(const char *name)
{
	struct span s = span_of(name);

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	return s.n > 0 ? span_dup(s) : NULL;
}

/* The parts hold no line ends: they are names and numbers. */
static char *
client_key(const struct tls_client *how, const char *name)
{
	uint64_t trust = how->trust ? tls_trust_number(how->trust) : 0;
	uint64_t identity = how->identity ? tls_identity_number(how->identity)
					  : 0;

	return mem_printf("%d\n%" PRIu64 "\n%" PRIu64 "\n%s\n%s",
			  (int)how->policy, trust, identity, how->peer,
			  name ? name : "");
}

struct layer *
tls_client_layer(const struct tls_client *how)
{
	struct tls_client_layer *c = NEW(struct tls_client_layer);
	bool verify = how->policy == TLS_VERIFY;
	struct ip ip;

	must(how->policy != TLS_NONE);
	c->policy = how->policy;
	c->name = client_name(how->server_name);
	must(!verify || (how->trust != NULL && c->name != NULL));
	if (verify)
		c->trust = tls_trust_ref(how->trust);
	tls_layer_init(&c->tls, &client_side, GNUTLS_CLIENT,
		       verify ? c->trust->credentials
			      : tls_shared_credentials(), how->identity);
	if (verify)
		gnutls_session_set_verify_function(c->tls.session,
						   client_verify);
	/* SNI has no addresses (RFC 6066 section 3) */
	if (c->name != NULL && !ip_parse(span_of(c->name), &ip))
		gnutls_server_name_set(c->tls.session, GNUTLS_NAME_DNS,
				       c->name, strlen(c->name));
	if (how->sessions != NULL && how->peer != NULL) {
		c->sessions = how->sessions;
		c->key = client_key(how, c->name);
		client_offer_session(c);
	}
	return &c->tls.layer;
}
