/* timeouts.c - how patient a client is, unless it is told otherwise */
#include "smtpc/smtpc.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/* RFC 5321 section 4.5.3.2, where it names one */
const struct smtpc_timeout_row smtpc_timeout_rows[SMTPC_TIMEOUTS] = {
	[SMTPC_CONNECT]  = { "connect",  30 * SECOND, "until a connection is made" },
	[SMTPC_GREETING] = { "greeting", 5 * MINUTE,  "until the server greets" },
	[SMTPC_EHLO]     = { "ehlo",     5 * MINUTE,  "until EHLO, HELO or RSET is answered" },
	[SMTPC_MAIL]     = { "mail",     5 * MINUTE,  "until MAIL is answered" },
	[SMTPC_RCPT]     = { "rcpt",     5 * MINUTE,  "until each RCPT is answered" },
	[SMTPC_DATA]     = { "data",     2 * MINUTE,  "until DATA is answered" },
	[SMTPC_BLOCK]    = { "block",    3 * MINUTE,  "until some of the message can be sent on" },
	[SMTPC_DOT]      = { "dot",      10 * MINUTE, "until the whole message is answered" },
	[SMTPC_QUIT]     = { "quit",     5 * SECOND,  "until QUIT is answered" },
	[SMTPC_TLS]      = { "tls",      MINUTE,      "until the TLS handshake is done" },
	[SMTPC_AUTH]     = { "auth",     2 * MINUTE,  "until each step of AUTH is answered" },
};
