/* cmd_hello.c - the greeting, HELO and EHLO: RFC 5321 section 4.1.1.1 */
#include "smtpd/session.h"

#include "base/mem.h"

#include <inttypes.h>

struct reply
connect_proceed(struct session *s)
{
	return reply(220, "", "%s ESMTP Postern", session_config(s)->hostname);
}

void
hello_forget(struct session *s)
{
	mem_free(s->helo);
	s->helo = NULL;
	s->txn.helo = "";
}

/* The name becomes the session's here, so that filters see it; without their
 * consent it is none. */
bool
hello_check(struct session *s, struct span args, struct reply *reterr)
{
	struct span name;
	struct error err;

	trace_name(s, args);
	if (!command_hello(args, &name, &err)) {
		*reterr = reply_error(501, "5.5.4", &err);
		return false;
	}
	transaction_end(s);
	hello_forget(s);
	s->helo = span_dup(name);
	s->txn.helo = s->helo;
	return true;
}

struct reply
helo_proceed(struct session *s)
{
	s->extended = false;
	return reply(250, "", "%s", session_config(s)->hostname);
}

/* What the device does not know it ignores (RFC 5321 section 2.2.1). */
struct reply
ehlo_proceed(struct session *s)
{
	const struct smtpd_config *c = session_config(s);
	const char *mark = s->server->deps.mark;

	s->extended = true;
	return reply(250, "",
		     "%s%s%s\nPIPELINING\nSIZE %" PRId64 "\n8BITMIME\nSMTPUTF8\n"
		     "CHUNKING\nENHANCEDSTATUSCODES\n%sDSN",
		     c->hostname, mark ? " " : "", mark ? mark : "",
		     c->message_size,
		     tls_is_offered(s) ? "STARTTLS\n" : "");
}
