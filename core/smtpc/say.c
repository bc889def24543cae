/* say.c - the commands, as they go out
 *
 * A body that has 8-bit bytes goes as it is to a server that does not offer
 * 8BITMIME: nearly all of them pass it, and refusing it would bounce what
 * devices send.  Making it 7-bit (RFC 6152 section 3) is for those who
 * prepare the message.
 *
 * An ORCPT of the type utf-8 goes with its characters as they are where the
 * server has SMTPUTF8, and it alone makes a message need that no more than a
 * comment would: other servers get it in the escapes of RFC 6533 section 3.
 */
#include "smtpc/client.h"

#include "base/encode.h"
#include "base/macros.h"
#include "smtpc/errand.h"

#include <stdio.h>

void
say_line(struct client *c, struct span line)
{
	buf_add(stream_out(c->stream), line);
	stream_send(c->stream);
}

/* RFC 5321 section 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static const char *
address_literal(struct ip ip, char *buf, size_t size)
{
	char text[IP_TEXT];

	snprintf(buf, size, "[%s%s]", ip.family == 6 ? "IPv6:" : "",
		 ip_text(ip, text));
	return buf;
}

void
say_hello(struct client *c, const char *verb)
{
	const char *name = c->kin.helo;
	char literal[IP_TEXT + 10];

	if (name[0] == '\0')
		name = address_literal(stream_local(c->stream).ip, literal,
				       sizeof(literal));
	buf_addf(stream_out(c->stream), "%s %s\r\n", verb, name);
	stream_send(c->stream);
}

/* A sender who said SMTPUTF8 may have said so in vain. */
bool
needs_smtputf8(const struct errand *a)
{
	const struct envelope *env = a->m->env;

	if (!env->smtputf8)
		return false;
	if (a->m->body->header_8bit || address_needs_utf8(env->sender.text))
		return true;
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (a->rcpts[i] == RCPT_CHOSEN &&
		    address_needs_utf8(errand_rcpt(a, i)->address.text))
			return true;
	return false;
}

/* One of the recipients has an ORCPT that is UTF-8, and it will be said. */
static bool
says_utf8(const struct client *c)
{
	const struct errand *a = c->errand;

	if (!a->m->env->smtputf8 || !c->offers.dsn)
		return false;
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (a->rcpts[i] == RCPT_CHOSEN &&
		    address_needs_utf8(errand_rcpt(a, i)->orcpt))
			return true;
	return false;
}

static void
add_path(struct buf *out, const char *verb, struct span address)
{
	buf_add_str(out, verb);
	buf_add(out, address);
	buf_add(out, SPAN(">"));
}

/* RFC 5321 section 4.1.1.2 */
void
say_mail(struct client *c)
{
	const struct errand *a = c->errand;
	const struct envelope *env = a->m->env;
	struct buf *out = stream_out(c->stream);
	char number[32];

	add_path(out, "MAIL FROM:<", env->sender.text);
	if (c->offers.size) {
		snprintf(number, sizeof(number), " SIZE=%llu",
			 (unsigned long long)a->m->body->size);
		buf_add_str(out, number);
	}
	if (c->offers.eightbit && a->m->body->has_8bit)
		buf_add(out, SPAN(" BODY=8BITMIME"));
	if (c->offers.smtputf8 && (needs_smtputf8(a) || says_utf8(c)))
		buf_add(out, SPAN(" SMTPUTF8"));
	if (c->offers.dsn && env->ret != DSN_RET_NONE)
		buf_add_str(out, env->ret == DSN_RET_FULL ? " RET=FULL"
							  : " RET=HDRS");
	if (c->offers.dsn && env->envid.n > 0) {
		buf_add(out, SPAN(" ENVID="));
		buf_add(out, env->envid);
	}
	say_line(c, SPAN("\r\n"));
}

static void
add_notify(struct buf *out, unsigned notify)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ DSN_NOTIFY_NEVER,   "NEVER" },
		{ DSN_NOTIFY_SUCCESS, "SUCCESS" },
		{ DSN_NOTIFY_FAILURE, "FAILURE" },
		{ DSN_NOTIFY_DELAY,   "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(notify & words[i].bit))
			continue;
		buf_add_str(out, before);
		buf_add_str(out, words[i].word);
		before = ",";
	}
}

/* The character at the front, which is n bytes of well-formed UTF-8. */
static unsigned
code_point(struct span s, size_t n)
{
	unsigned c = (unsigned char)s.p[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	return c;
}

/* RFC 6533 section 3: utf-8-addr-xtext, for a server that reads ASCII.  What
 * is ASCII in it is escaped already. */
static void
add_orcpt(struct buf *out, struct span orcpt, bool utf8)
{
	buf_add(out, SPAN(" ORCPT="));
	while (orcpt.n > 0) {
		size_t n = utf8_length(orcpt);

		if (n > 1 && !utf8)
			buf_addf(out, "\\x{%X}", code_point(orcpt, n));
		else
			buf_add(out, span_sub(orcpt, 0, MAX(n, (size_t)1)));
		orcpt = span_from(orcpt, MAX(n, (size_t)1));
	}
}

/* RFC 5321 section 4.1.1.3; the wishes: RFC 3461 section 4 */
void
say_rcpt(struct client *c, const struct rcpt *r)
{
	struct buf *out = stream_out(c->stream);

	add_path(out, "RCPT TO:<", r->address.text);
	if (c->offers.dsn) {
		add_notify(out, r->notify);
		if (r->orcpt.n > 0)
			add_orcpt(out, r->orcpt, c->offers.smtputf8);
	}
	say_line(c, SPAN("\r\n"));
}
