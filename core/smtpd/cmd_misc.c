/* cmd_misc.c - RSET NOOP VRFY EXPN HELP QUIT, and what is none of ours */
#include "smtpd/session.h"

#include "base/limits.h"

bool
no_arguments_check(struct session *s, struct span args, struct reply *reterr)
{
	(void)s;
	if (args.n == 0)
		return true;
	*reterr = reply(501, "5.5.4", "this command takes no arguments");
	return false;
}

struct reply
rset_proceed(struct session *s)
{
	transaction_end(s);
	return reply(250, "2.0.0", "Ok");
}

struct reply
noop_proceed(struct session *s)
{
	(void)s;
	return reply(250, "2.0.0", "Ok");
}

bool
vrfy_check(struct session *s, struct span args, struct reply *reterr)
{
	(void)s;
	if (args.n > 0)
		return true;
	*reterr = reply(501, "5.5.4", "whom?");
	return false;
}

/* RFC 5321 section 3.5.3: whoever may relay will see at RCPT. */
struct reply
vrfy_proceed(struct session *s)
{
	(void)s;
	return reply(252, "2.1.5", "cannot tell, but will take messages and "
		     "try to deliver them");
}

struct reply
expn_proceed(struct session *s)
{
	(void)s;
	return reply(502, "5.5.1", "there are no lists here");
}

struct reply
help_proceed(struct session *s)
{
	(void)s;
	return reply(214, "2.0.0", "EHLO HELO STARTTLS MAIL RCPT DATA BDAT "
		     "RSET NOOP VRFY HELP QUIT");
}

struct reply
quit_proceed(struct session *s)
{
	transaction_end(s);
	return reply(221, "2.0.0", "Bye");
}

struct reply
unknown_proceed(struct session *s)
{
	if (++s->bad > LIMIT_BAD_COMMANDS)
		return reply(421, "4.7.0", "too many errors");
	return reply(500, "5.5.2", "command not recognized");
}

struct reply
foreign_proceed(struct session *s)
{
	s->trace.seen |= SEEN_HTTP;
	transaction_end(s);
	return reply(421, "4.7.0", "this is an SMTP server");
}
