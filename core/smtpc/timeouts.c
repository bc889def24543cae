/* timeouts.c - the default timeouts of a client */
#include "smtpc/smtpc.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/* RFC 5321 section 4.5.3.2, where it names one */
const struct smtpc_timeout_row smtpc_timeout_rows[SMTPC_TIMEOUTS] = {
	[SMTPC_CONNECT]  = { "connect",  30 * SECOND, "Until the connection is made." },
	[SMTPC_GREETING] = { "greeting", 5 * MINUTE,  "Until the greeting." },
	[SMTPC_EHLO]     = { "ehlo",     5 * MINUTE,  "Until the reply to EHLO, HELO or RSET." },
	[SMTPC_MAIL]     = { "mail",     5 * MINUTE,  "Until the reply to MAIL." },
	[SMTPC_RCPT]     = { "rcpt",     5 * MINUTE,  "Until the reply to each RCPT." },
	[SMTPC_DATA]     = { "data",     2 * MINUTE,  "Until the reply to DATA." },
	[SMTPC_BLOCK]    = { "block",    3 * MINUTE,  "Until the server takes more of the message." },
	[SMTPC_DOT]      = { "dot",      10 * MINUTE, "Until the reply to the whole message." },
	[SMTPC_QUIT]     = { "quit",     5 * SECOND,  "Until the reply to QUIT." },
	[SMTPC_TLS]      = { "tls",      MINUTE,      "Until the TLS handshake ends." },
	[SMTPC_AUTH]     = { "auth",     2 * MINUTE,  "Until the reply to each step of AUTH." },
};
