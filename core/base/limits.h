/* limits.h - every bound that is not configured, with its reason
 *
 * What an administrator may want to change is in `limits:' instead.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
	LIMIT_PATH = 256,		/* RFC 5321 4.5.3.1.3, with brackets */
	LIMIT_LOCAL_PART = 128,		/* 64 by RFC 5321; devices send more */
	LIMIT_DOMAIN = 255,		/* RFC 5321 4.5.3.1.2 */
	LIMIT_COMMAND = 12288,		/* RFC 4954 section 4: with AUTH */
	LIMIT_REPLY_LINE = 1024,	/* RFC 5321 says 512; big ones exist */
	LIMIT_REPLY = 16 * 1024,	/* all lines of one reply together */
	LIMIT_BAD_COMMANDS = 20,	/* then the session ends with 421 */
	LIMIT_HEADER = 256 * 1024,	/* the header section that we look at */
	LIMIT_RECEIVED = 50,		/* hops until we call it a loop */
	LIMIT_ENVID = 100,		/* RFC 3461 section 4.4 */
	LIMIT_ORCPT = 500,		/* RFC 3461 section 4.2 */
	LIMIT_ROUTES_PER_MESSAGE = 64,	/* items that one message can make */
	LIMIT_PREFIX = 64 * 1024,	/* header fields that we put in front */
	LIMIT_INLINE_BODY = 128 * 1024,	/* larger bodies are files */
	LIMIT_CHUNK = 256 * 1024,	/* one read or write of a large body */
	LIMIT_CONF_FILE = 1024 * 1024,	/* one YAML file */
	LIMIT_CONF_DEPTH = 16,		/* nesting in it */
	LIMIT_CONF_NODES = 100 * 1000,	/* nodes in it, aliases counted out */
	LIMIT_CONF_ANCHORS = 1000,	/* anchors in it */
	LIMIT_CONF_ERRORS = 50,		/* shown in one run */
	LIMIT_KEY_FILE = 64 * 1024,	/* a private key, in PEM */
	LIMIT_CONF_VALUE = 64 * 1024,	/* a value, its variables expanded */
	LIMIT_ROUTES = 1000,		/* route files */
	LIMIT_PATTERN = 1000,		/* bytes of one match pattern */
	LIMIT_MATCH_FIELDS = 100,	/* header fields of one name that a
					 * rule is asked about */
	LIMIT_LOG_LINE = 8 * 1024,	/* the rest is cut */
	LIMIT_LOG_QUEUE = 4 * 1024 * 1024, /* waiting for the log's reader */
	LIMIT_CONTROL_BODY = 64 * 1024,	/* one request to the control socket */
	LIMIT_STATE = 64 * 1024,	/* what a module keeps under one key */
	LIMIT_PAGE = 1000,		/* rows in one answer of the API */
	LIMIT_OUTCOME_TEXT = 400,	/* what is kept of a remote's words */
	LIMIT_HINT = 480,		/* some sentences, with two commands */
	LIMIT_OUTCOME_HINT = 240,	/* one or two: there are many of them */
	LIMIT_WINDOW = 2000,		/* items in dispatch's memory */
	LIMIT_WINDOW_INTAKE = 1500,	/* of them straight from intake: retries
					 * are never shut out */
	LIMIT_WAITING = 1000,		/* of them for one destination: a slow
					 * one does not stop the others */
	LIMIT_JOB_RCPTS = 100,		/* RFC 5321 4.5.3.1.8: all servers take
					 * so many */
	LIMIT_DESTINATIONS = 10000,	/* idle ones go at once above it */
	LIMIT_CERTIFICATE_FILE = 1024 * 1024, /* a chain, with its key */
	LIMIT_TRUST_FILE = 16 * 1024 * 1024, /* a system's authorities take
					 * a quarter of a megabyte */
	LIMIT_CHAIN = 16,		/* certificates that GnuTLS verifies */
	LIMIT_NAMES_SHOWN = 200,	/* bytes of a certificate's names */
	LIMIT_TLS_SESSION = 16 * 1024,	/* one that a client keeps */
	LIMIT_DSN_ORIGINAL = 32 * 1024,	/* returned in a delivery report */
};

#endif
