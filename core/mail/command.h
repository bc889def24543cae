/* command.h - the lines that an SMTP client sends, taken apart
 *
 * Grammar only: bytes to structs.  What is allowed when is for smtpd/.
 * RFC 5321 section 4.1.1; parameters: RFC 1870 (SIZE), 6152 (BODY), 6531
 * (SMTPUTF8), 3461 (RET ENVID NOTIFY ORCPT), 3030 (BDAT), 4954 (AUTH=).
 *
 * All spans of a result point into the line.
 */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include "mail/address.h"

/* Splits "MAIL FROM:<a@b>" into verb and what follows its first blank; a
 * missing rest is empty.  Trailing blanks are dropped. */
void command_split(struct span line, struct span *verb, struct span *args);

/* HELO and EHLO.  Devices send nothing, addresses and nonsense: whatever it
 * is, it is returned without its trailing blanks; false only when it holds
 * control characters or is longer than LIMIT_DOMAIN. */
bool command_hello(struct span args, struct span *ret, struct error *err);

enum body_kind { BODY_7BIT, BODY_8BITMIME };
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };
enum dsn_notify {		/* 0: nothing was said */
	DSN_NOTIFY_NEVER = 1, DSN_NOTIFY_SUCCESS = 2, DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8,
};

struct mail_command {
	struct address sender;
	uint64_t size;			/* 0: not said */
	enum body_kind body;
	bool smtputf8;
	enum dsn_ret ret;
	struct span envid;		/* xtext as written, "" : none */
	struct span auth;		/* AUTH= as written, "" : none */
};

struct rcpt_command {
	struct address recipient;
	unsigned notify;		/* of enum dsn_notify */
	struct span orcpt;		/* "rfc822;xtext" as written, or "" */
};

/* A refusal of the grammar: the reply to give and the words. */
struct command_error {
	int code;			/* 501, 553, 555 ... */
	const char *enhanced;		/* "5.5.4" */
	struct error why;
};

bool command_mail(struct span args, struct mail_command *ret,
		  struct command_error *err);
/* utf8: the transaction said SMTPUTF8 */
bool command_rcpt(struct span args, bool utf8, struct rcpt_command *ret,
		  struct command_error *err);
/* "86 LAST" */
bool command_bdat(struct span args, uint64_t *size, bool *last,
		  struct command_error *err);

#endif
