/* tls.c - the layer, on either side: GnuTLS between the stream and what is
 * below
 *
 * GnuTLS pulls and pushes through the layer below, which never blocks; what
 * that layer has to say about a failure is kept for the words.  A peer that
 * closes without its good-bye has closed all the same: SMTP says by itself
 * where a message ends.
 */
#include "io/tls_inside.h"

#include "base/macros.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* Warnings, and wishes to negotiate anew, that are passed over. */
enum { WARNINGS_MAX = 16 };

static struct tls_layer *
tls_of(const struct layer *l)
{
	return container_of(l, struct tls_layer, layer);
}

/* --- transport ------------------------------------------------------- */

static void
keep_reason(struct tls_layer *t, const struct error *err)
{
	if (t->why != NULL)
		return;
	t->why = NEW(struct error);
	*t->why = *err;
}

static ssize_t
transport_error(struct tls_layer *t, int number)
{
	gnutls_transport_set_errno(t->session, number);
	return -1;
}

static ssize_t
tls_pull(gnutls_transport_ptr_t arg, void *to, size_t max)
{
	struct tls_layer *t = arg;
	struct layer *below = t->layer.below;
	struct error err;
	enum layer_step step;
	size_t n;

	step = below->ops->read(below, to, max, &n, &err);
	if (step == LAYER_END)
		return 0;
	if (step == LAYER_FAILED) {
		keep_reason(t, &err);
		return transport_error(t, EIO);
	}
	if (step != LAYER_OK)
		return transport_error(t, EAGAIN);
	t->heard = true;
	if (t->first == 0)
		t->first = *(const char *)to;
	return (ssize_t)n;
}

/* A peer that hung up in the middle of the handshake may have said why: the
 * bytes are lost, and GnuTLS goes on to read the alert. */
static ssize_t
tls_push(gnutls_transport_ptr_t arg, const void *bytes, size_t size)
{
	struct tls_layer *t = arg;
	struct layer *below = t->layer.below;
	struct error err;
	enum layer_step step;
	size_t n;

	step = below->ops->write(below, (struct span){ bytes, size }, &n, &err);
	if (step == LAYER_OK)
		return (ssize_t)n;
	if (step != LAYER_FAILED)
		return transport_error(t, EAGAIN);
	keep_reason(t, &err);
	return t->shaken ? transport_error(t, EIO) : (ssize_t)size;
}

/* Pulling does not block: whoever wants to know shall try. */
static int
tls_pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
	(void)arg, (void)ms;
	return 1;
}

/* --- steps ----------------------------------------------------------- */

static bool
tls_waits(int code)
{
	return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static enum layer_step
tls_want(const struct tls_layer *t)
{
	return gnutls_record_get_direction(t->session) ? LAYER_WANT_WRITE
						       : LAYER_WANT_READ;
}

static enum layer_step
tls_fail(struct tls_layer *t, int code, struct error *err)
{
	if (t->side->failed != NULL)
		t->side->failed(t);
	t->fault = tls_words(t, code, err);
	return LAYER_FAILED;
}

/* In TLS 1.2 either side may wish to begin anew; the other then could be
 * anybody, and it costs us more than a client.  A server's wish may be passed
 * over; a client's begins with a message that cannot be. */
static bool
tls_pass_over(struct tls_layer *t, int code)
{
	if (gnutls_error_is_fatal(code) || ++t->warnings > WARNINGS_MAX)
		return false;
	if (code != GNUTLS_E_REHANDSHAKE)
		return true;
	return gnutls_alert_send(t->session, GNUTLS_AL_WARNING,
				 GNUTLS_A_NO_RENEGOTIATION) >= 0 &&
	       t->side->may_begin_anew;
}

static void
tls_shaken(struct tls_layer *t)
{
	gnutls_session_t s = t->session;
	struct tls_facts *f = &t->facts;
	const char *suite = gnutls_ciphersuite_get(s);

	snprintf(f->protocol, sizeof(f->protocol), "%s",
		 gnutls_protocol_get_name(gnutls_protocol_get_version(s)));
	snprintf(f->cipher, sizeof(f->cipher), "%s",
		 gnutls_cipher_get_name(gnutls_cipher_get(s)));
	snprintf(f->suite, sizeof(f->suite), "%s", suite ? suite : f->cipher);
	snprintf(f->text, sizeof(f->text), "%s %s", f->protocol, f->cipher);
	f->resumed = gnutls_session_is_resumed(s) != 0;
	if (t->side->shaken != NULL)
		t->side->shaken(t);
	t->shaken = true;
}

static enum layer_step
tls_handshake(struct layer *l, struct error *err)
{
	struct tls_layer *t = tls_of(l);
	int code;

	do
		code = gnutls_handshake(t->session);
	while (code < 0 && !tls_waits(code) && tls_pass_over(t, code));
	if (code >= 0) {
		tls_shaken(t);
		return LAYER_OK;
	}
	if (tls_waits(code))
		return tls_want(t);
	/* the peer's administrator would like to know, too */
	if (t->why == NULL && code != GNUTLS_E_FATAL_ALERT_RECEIVED &&
	    code != GNUTLS_E_PREMATURE_TERMINATION)
		gnutls_alert_send_appropriate(t->session, code);
	return tls_fail(t, code, err);
}

static enum layer_step
tls_read(struct layer *l, char *to, size_t max, size_t *got,
	 struct error *err)
{
	struct tls_layer *t = tls_of(l);
	ssize_t n;

	do
		n = gnutls_record_recv(t->session, to, max);
	while (n < 0 && !tls_waits((int)n) && tls_pass_over(t, (int)n));
	if (n > 0) {
		if (t->side->heard != NULL)
			t->side->heard(t);
		*got = (size_t)n;
		return LAYER_OK;
	}
	if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION)
		return LAYER_END;
	return tls_waits((int)n) ? tls_want(t) : tls_fail(t, (int)n, err);
}

/* A record that did not leave whole is in GnuTLS's hands, with its length:
 * what it was made of is not looked at again. */
static enum layer_step
tls_write(struct layer *l, struct span bytes, size_t *put, struct error *err)
{
	struct tls_layer *t = tls_of(l);
	ssize_t n;

	n = t->sending ? gnutls_record_send(t->session, NULL, 0)
		       : gnutls_record_send(t->session, bytes.p, bytes.n);
	t->sending = n < 0 && tls_waits((int)n);
	if (n >= 0) {
		*put = MIN((size_t)n, bytes.n);
		return LAYER_OK;
	}
	return t->sending ? tls_want(t) : tls_fail(t, (int)n, err);
}

static bool
tls_pending(const struct layer *l)
{
	return gnutls_record_check_pending(tls_of(l)->session) > 0;
}

static void
tls_shutdown(struct layer *l)
{
	/* one try: the connection is closed behind it */
	gnutls_bye(tls_of(l)->session, GNUTLS_SHUT_WR);
}

static void
tls_free(struct layer *l)
{
	struct tls_layer *t = tls_of(l);

	gnutls_deinit(t->session);
	tls_identity_unref(&t->identity);
	mem_free(t->why);
	if (t->side->fini != NULL)
		t->side->fini(t);
	mem_free(t);
}

static const struct layer_ops tls_ops = {
	.name      = "tls",
	.handshake = tls_handshake,
	.read      = tls_read,
	.write     = tls_write,
	.pending   = tls_pending,
	.shutdown  = tls_shutdown,
	.free      = tls_free,
};

void
tls_layer_init(struct tls_layer *t, const struct tls_side *side,
	       unsigned flags, gnutls_certificate_credentials_t credentials,
	       struct tls_identity *identity)
{
	t->layer.ops = &tls_ops;
	t->side = side;
	if (identity != NULL)
		t->identity = tls_identity_ref(identity);
	must(gnutls_init(&t->session, flags | GNUTLS_NONBLOCK |
			 GNUTLS_NO_SIGNAL) >= 0);
	must(gnutls_priority_set(t->session, tls_shared_priority()) >= 0);
	must(gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE,
				    credentials) >= 0);
	gnutls_session_set_ptr(t->session, t);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_pull_function(t->session, tls_pull);
	gnutls_transport_set_push_function(t->session, tls_push);
	gnutls_transport_set_pull_timeout_function(t->session,
						   tls_pull_timeout);
	/* the stream's user is who loses patience */
	gnutls_handshake_set_timeout(t->session, GNUTLS_INDEFINITE_TIMEOUT);
}

static const struct tls_layer *
stream_tls_layer(const struct stream *s)
{
	struct layer *l = stream_top(s);

	while (l != NULL && l->ops != &tls_ops)
		l = l->below;
	return l != NULL ? tls_of(l) : NULL;
}

const struct tls_facts *
stream_tls(const struct stream *s)
{
	const struct tls_layer *t = stream_tls_layer(s);

	return t != NULL && t->shaken ? &t->facts : NULL;
}

enum tls_fault
stream_tls_fault(const struct stream *s)
{
	const struct tls_layer *t = stream_tls_layer(s);

	return t != NULL ? t->fault : TLS_FAULT_OTHER;
}

bool
stream_heard(const struct stream *s)
{
	const struct tls_layer *t = stream_tls_layer(s);

	return t != NULL && t->heard;
}
