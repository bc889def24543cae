/* cmd_tls.c - STARTTLS, and TLS from the first byte: RFC 3207, RFC 8314
 *
 * After the 220 nothing is read in the clear any more: when it has left, what
 * has come meanwhile is thrown away and the layer is pushed.  After the
 * handshake the client begins anew, with EHLO.
 */
#include "smtpd/session.h"

#include "io/layer.h"
#include "io/tls.h"

bool
tls_is_offered(const struct session *s)
{
	return !s->secured && s->server->identity != NULL &&
	       (s->tls == LISTENER_STARTTLS || s->tls == LISTENER_REQUIRED);
}

bool
starttls_check(struct session *s, struct span args, struct reply *reterr)
{
	if (args.n > 0)
		*reterr = reply(501, "5.5.4", "STARTTLS takes no arguments");
	else if (s->secured)
		*reterr = reply(503, "5.5.1", "TLS is already active");
	else if (s->tls == LISTENER_PLAIN)
		*reterr = reply(502, "5.5.1", "TLS is not offered here");
	else if (s->server->identity == NULL)
		*reterr = reply(454, "4.7.0", "TLS is not available for now");
	else
		return true;
	return false;
}

struct reply
starttls_proceed(struct session *s)
{
	transaction_end(s);
	session_sleep(s, WAIT_TLS);
	return reply(220, "2.0.0", "Ready to start TLS");
}

bool
tls_begin(struct session *s)
{
	if (s->server->identity == NULL)
		return false;
	/* what a stranger may have slipped in (RFC 3207 section 6) */
	buf_clear(stream_in(s->stream));
	s->wait = WAIT_TLS;
	s->shaking = true;
	stream_push(s->stream, tls_server_layer(s->server->identity));
	return true;
}

/* RFC 3207 section 4.2 */
void
tls_done(struct session *s)
{
	s->shaking = false;
	s->secured = true;
	s->extended = false;
	hello_forget(s);
	session_wake(s);
	if (s->tls == LISTENER_IMPLICIT)
		command_start(s, &command_connect, SPAN_NONE);
}

void
tls_failed(struct session *s, const struct error *err)
{
	trace_end(s, ENDED_TLS, err);
}

struct span
tls_text(const struct session *s)
{
	const struct tls_facts *f = stream_tls(s->stream);

	return f != NULL ? span_of(f->text) : SPAN_NONE;
}

bool
tls_trace(const struct session *s, struct buf *out)
{
	const struct tls_facts *f = stream_tls(s->stream);

	return f != NULL &&
	       buf_addf(out, "TLSv%.*s with cipher %s", 8,
			f->protocol + sizeof("TLS") - 1, f->suite);
}
