/* test-smtpc-tls.c - the client engine and TLS: when it is begun, what it
 * forgets, when it is done without */
#include "stage.h"

#include "base/macros.h"


static struct tls_world w;

/* After the handshake, all over again. */
#define AGAIN HELLO, "> 250 mx.test"
/* Once more, and now in the clear although TLS is offered. */
#define IN_THE_CLEAR GREET, "> 250-mx.test", "> 250 STARTTLS", ONE, TAKEN, "?"

#define PLAIN_AFTER(title_, ...)					\
	{ .title = title_, .tls = TLS_OPPORTUNISTIC,			\
	  .script = { STARTTLS, __VA_ARGS__, IN_THE_CLEAR },		\
	  .want = { "R250 dot" }, .facts = "none, it failed" }
#define NEVER_PLAIN(title_, tls_, want_, ...)				\
	{ .title = title_, .tls = tls_,					\
	  .script = { STARTTLS, __VA_ARGS__ }, .want = { want_ } }

static const struct play plays[] = {
	/* each policy, and a server that has TLS */
	{ .title = "none", .tls = TLS_NONE,
	  .script = { GREET, "> 250-mx.test", "> 250 STARTTLS", ONE, TAKEN,
		      "?" },
	  .want = { "R250 dot" }, .facts = "" },
	{ .title = "opportunistic", .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, ".",
		      "= Subject: test", "=", "= .dot", "= last",
		      "> 250 2.0.0 queued", "?" },
	  .want = { "R250 dot 2.0.0 queued" },
	  .facts = "TLS1.3 AES-256-GCM" },
	{ .title = "required", .tls = TLS_REQUIRED,
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.3 AES-256-GCM" },
	{ .title = "verify", .tls = TLS_VERIFY,
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.3 AES-256-GCM, verified" },
	{ .title = "verify, by a name that is not the host's",
	  .tls = TLS_VERIFY, .name = "mx.example.org",
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "a server of TLS 1.2", .tls = TLS_VERIFY,
	  .peer = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.2 AES-256-GCM, verified" },
	{ .title = "offered in small letters, among others",
	  .tls = TLS_REQUIRED,
	  .script = { GREET, "> 250-mx.test", "> 250-size", "> 250-starttls",
		      "> 250 help", "< STARTTLS", "> 220 go", "T", AGAIN, ONE,
		      TAKEN, "?" },
	  .want = { "R250 dot" } },

	/* and one that has not */
	{ .title = "opportunistic, not offered", .tls = TLS_OPPORTUNISTIC,
	  .script = { PLAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "" },
	{ .title = "required, not offered", .tls = TLS_REQUIRED,
	  .script = { PLAIN, "< QUIT", "> 221 bye", "?" },
	  .want = { "S0 starttls |does not offer STARTTLS" } },
	{ .title = "verify, not offered", .tls = TLS_VERIFY,
	  .script = { PLAIN, "< QUIT", "> 221 bye", "?" },
	  .want = { "S0 starttls |does not offer STARTTLS" } },
	{ .title = "opportunistic, and only HELO", .tls = TLS_OPPORTUNISTIC,
	  .script = { GREET, "> 502 no", "< HELO gw.test", "> 250 old", ONE,
		      TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "required, and only HELO", .tls = TLS_REQUIRED,
	  .script = { GREET, "> 502 no", "< HELO gw.test", "> 250 old",
		      "< QUIT", "!" },
	  .want = { "S0 starttls |does not offer STARTTLS" } },

	/* STARTTLS refused */
	{ .title = "opportunistic, 454", .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 454 4.7.0 not now", ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "none, it failed" },
	{ .title = "opportunistic, 502", .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 502 what", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "opportunistic, 421", .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 421 busy", "?" },
	  .want = { "R421 starttls |busy" } },
	PLAIN_AFTER("opportunistic, 354", "> 354 go", "?"),
	PLAIN_AFTER("opportunistic, cut off", "!"),
	{ .title = "required, 354", .tls = TLS_REQUIRED,
	  .script = { STARTTLS, "> 354 go", "?" },
	  .want = { "N0 starttls |no meaning here: 354" } },
	NEVER_PLAIN("required, 454", TLS_REQUIRED,
		    "R454 starttls 4.7.0 not now", "> 454 4.7.0 not now",
		    "< QUIT", "> 221 bye", "?"),
	NEVER_PLAIN("verify, 554", TLS_VERIFY, "R554 starttls ", "> 554 no",
		    "< QUIT", "> 221 bye", "?"),
	NEVER_PLAIN("verify, 454", TLS_VERIFY, "R454 starttls ", "> 454 no",
		    "< QUIT", "!"),

	/* the handshake fails */
	PLAIN_AFTER("opportunistic, closed", "> 220 go", "r", "!"),
	PLAIN_AFTER("opportunistic, reset", "> 220 go", "r", "x"),
	PLAIN_AFTER("opportunistic, no TLS comes", "> 220 go", "r",
		    "> 500 what is this", "??"),
	{ .title = "opportunistic, silence", .tls = TLS_OPPORTUNISTIC,
	  .patience_ms = 60,
	  .script = { STARTTLS, "> 220 go", "??", IN_THE_CLEAR },
	  .want = { "R250 dot" } },
	{ .title = "opportunistic, nothing in common",
	  .tls = TLS_OPPORTUNISTIC,
	  .peer = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1" },
	  .script = { STARTTLS, "> 220 go", "t", "!", IN_THE_CLEAR },
	  .want = { "R250 dot" } },
	{ .title = "opportunistic, twice: not tried a third time",
	  .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 220 go", "r", "!", GREET, "> 250-mx.test",
		      "> 250 STARTTLS", MAIL, "!" },
	  .want = { "N0 mail |closed" } },
	{ .title = "opportunistic, any certificate will do",
	  .tls = TLS_OPPORTUNISTIC, .peer = { .who = WHO_EXPIRED },
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.3 AES-256-GCM" },
	{ .title = "required, any certificate will do",
	  .tls = TLS_REQUIRED, .peer = { .who = WHO_STRANGER },
	  .script = { STARTTLS, "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	NEVER_PLAIN("required, closed", TLS_REQUIRED, "N0 starttls |closed",
		    "> 220 go", "r", "!"),
	NEVER_PLAIN("required, no TLS comes", TLS_REQUIRED, "S0 starttls ",
		    "> 220 go", "r", "> 500 what is this", "??"),
	{ .title = "required, silence", .tls = TLS_REQUIRED, .patience_ms = 60,
	  .script = { STARTTLS, "> 220 go", "??" },
	  .want = { "N0 starttls |no answer within" } },
	{ .title = "verify, a certificate for somebody else",
	  .tls = TLS_VERIFY, .name = "other.example.org",
	  .script = { STARTTLS, "> 220 go", "t", "??" },
	  .want = { "S0 starttls |not for other.example.org" } },
	{ .title = "verify, an expired one", .tls = TLS_VERIFY,
	  .name = "mx.example.org", .peer = { .who = WHO_EXPIRED },
	  .script = { STARTTLS, "> 220 go", "t", "??" },
	  .want = { "S0 starttls |it expired at" } },
	{ .title = "verify, a stranger's", .tls = TLS_VERIFY,
	  .name = "mx.example.org", .peer = { .who = WHO_STRANGER },
	  .script = { STARTTLS, "> 220 go", "t", "??" },
	  .want = { "S0 starttls |its issuer is unknown" } },

	/* what is slipped in behind or before the 220 */
	{ .title = "a reply in the packet of the 220", .tls = TLS_VERIFY,
	  .script = { STARTTLS, ">> 220 go\\r\\n250 2.0.0 slipped in\\r\\n",
		      "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot 2.0.0 taken" } },
	{ .title = "half a reply in it", .tls = TLS_VERIFY,
	  .script = { STARTTLS, ">> 220 go\\r\\n250-mx\\r\\n250-AU", "T",
		      AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot 2.0.0 taken" } },
	NEVER_PLAIN("a reply behind it", TLS_REQUIRED, "S0 starttls ",
		    "> 220 go", "z 40", "> 250 2.0.0 slipped in", "??"),
	{ .title = "the 220 before STARTTLS was said", .tls = TLS_REQUIRED,
	  .script = { GREET, ">> 250-mx.test\\r\\n250 STARTTLS\\r\\n"
		      "220 go\\r\\n", "?" },
	  .want = { "N0 starttls |before it was asked: 220" } },
	{ .title = "a part of it", .tls = TLS_REQUIRED,
	  .script = { GREET, ">> 250-mx.test\\r\\n250 STARTTLS\\r\\n22",
		      "z 40", "> 0 go", "?" },
	  .want = { "N0 starttls |before it was asked: 220" } },

	/* what was heard in the clear is forgotten */
	{ .title = "offered before, and not within",
	  .tls = TLS_VERIFY, .flags = EIGHTBIT | DSN_WISHES,
	  .script = { GREET, "> 250-mx.test", "> 250-PIPELINING",
		      "> 250-SIZE 10", "> 250-8BITMIME", "> 250-DSN",
		      "> 250-LIMITS RCPTMAX=1", "> 250 STARTTLS",
		      "< STARTTLS", "> 220 go", "T", AGAIN, ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "offered within alone", .tls = TLS_VERIFY,
	  .script = { STARTTLS, "> 220 go", "T", HELLO, "> 250-mx.test",
		      "> 250-PIPELINING", "> 250 SIZE 1000",
		      "< MAIL FROM:<a@src.test> SIZE=29", RCPT0, "< DATA",
		      OK, OK, "> 354 go", TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "STARTTLS within TLS is not taken up",
	  .tls = TLS_OPPORTUNISTIC,
	  .script = { SECURE, "> 250-mx.test", "> 250 STARTTLS", ONE, TAKEN,
		      "?" },
	  .want = { "R250 dot" } },
	{ .title = "HELO within TLS", .tls = TLS_REQUIRED,
	  .script = { GREET, "> 250-mx.test", "> 250-PIPELINING",
		      "> 250-SIZE 10", "> 250 STARTTLS", "< STARTTLS",
		      "> 220 go", "T", HELLO, "> 500 what", "< HELO gw.test",
		      "> 250 mx", ONE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.3 AES-256-GCM" },
	{ .title = "EHLO refused within TLS", .tls = TLS_OPPORTUNISTIC,
	  .script = { SECURE, "> 450 no", "< QUIT", "> 221 bye", "?" },
	  .want = { "R450 ehlo" }, .facts = "TLS1.3 AES-256-GCM" },

	/* TLS before the greeting */
#define IMPLICIT .tls = TLS_VERIFY, .implicit = true
#define GREET_WITHIN "@", "T", "> 220 mx.test", HELLO
	{ .title = "implicit", IMPLICIT,
	  .script = { GREET_WITHIN, "> 250-mx.test", "> 250 PIPELINING",
		      ONE_PIPE, TAKEN, "?" },
	  .want = { "R250 dot" }, .facts = "TLS1.3 AES-256-GCM, verified" },
	{ .title = "implicit, and STARTTLS within", IMPLICIT,
	  .script = { GREET_WITHIN, "> 250-mx.test", "> 250 STARTTLS", ONE,
		      TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "implicit, somebody else", IMPLICIT,
	  .name = "other.example.org", .script = { "@", "t", "??" },
	  .want = { "S0 starttls |not for other.example.org" } },
	{ .title = "implicit, and the server greets in the clear", IMPLICIT,
	  .script = { "@", "> 220 mx.test", "??" },
	  .want = { "S0 starttls " } },
	{ .title = "implicit, silence", IMPLICIT, .patience_ms = 60,
	  .script = { "@", "??" },
	  .want = { "N0 starttls |no answer within" } },
	{ .title = "implicit, no greeting", IMPLICIT, .patience_ms = 200,
	  .script = { "@", "T", "?" },
	  .want = { "N0 greeting |no answer within" } },
	{ .title = "implicit, an answer before EHLO", IMPLICIT,
	  .script = { "@", "T", ">> 220 mx.test\\r\\n250 mx.test\\r\\n",
		      "?" },
	  .want = { "N0 ehlo |before it was asked: 250" } },
	{ .title = "implicit, 554 as greeting", IMPLICIT,
	  .script = { "@", "T", "> 554 no", "< QUIT", "> 221 bye", "?" },
	  .want = { "R554 greeting" } },

	/* our certificate */
	{ .title = "asked for and shown", .tls = TLS_VERIFY, .client = true,
	  .peer = { .asks = true },
	  .script = { SECURE, "> 250 mx", ONE, TAKEN, "?" },
	  .want = { "R250 dot" },
	  .facts = "TLS1.3 AES-256-GCM, verified, our certificate sent" },
	{ .title = "not asked for", .tls = TLS_VERIFY, .client = true,
	  .script = { SECURE, "> 250 mx", MAIL, "> 550 5.7.1 who are you",
		      "?" },
	  .want = { "R550 mail" },
	  .facts = "TLS1.3 AES-256-GCM, verified, our certificate was not "
		   "asked for" },
	{ .title = "asked for, and there is none", .tls = TLS_VERIFY,
	  .peer = { .asks = true },
	  .script = { SECURE, "> 250 mx", ONE, TAKEN, "?" },
	  .want = { "R250 dot" },
	  .facts = "TLS1.3 AES-256-GCM, verified, a certificate of ours was "
		   "asked for" },
	{ .title = "insisted upon, TLS 1.2", .tls = TLS_REQUIRED,
	  .peer = { .insists = true,
		    .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
	  .script = { STARTTLS, "> 220 go", "t", "!" },
	  .want = { "S0 starttls |certificate" } },
	{ .title = "insisted upon, TLS 1.3", .tls = TLS_REQUIRED,
	  .peer = { .insists = true },
	  .script = { STARTTLS, "> 220 go", "t", "!" },
	  .want = { "S0 ehlo |certificate" } },
	{ .title = "shown, and not accepted", .tls = TLS_VERIFY,
	  .client = true, .peer = { .insists = true, .doubts = true },
	  .script = { STARTTLS, "> 220 go", "t", "!" },
	  .want = { "S0 ehlo |our certificate" } },
	{ .title = "opportunistic, insisted upon, TLS 1.2",
	  .tls = TLS_OPPORTUNISTIC,
	  .peer = { .insists = true,
		    .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2" },
	  .script = { STARTTLS, "> 220 go", "t", "!", IN_THE_CLEAR },
	  .want = { "R250 dot" }, .facts = "none, it failed" },
	{ .title = "opportunistic, insisted upon, TLS 1.3",
	  .tls = TLS_OPPORTUNISTIC, .peer = { .insists = true },
	  .script = { STARTTLS, "> 220 go", "t", "!", IN_THE_CLEAR },
	  .want = { "R250 dot" }, .facts = "none, it failed" },

	/* recipients, bodies and kept connections within TLS */
	{ .title = "a mixed bag, pipelined", .tls = TLS_VERIFY, .rcpts = 3,
	  .script = { SECURE, "> 250-mx.test", "> 250 PIPELINING", MAIL, RCPT0,
		      RCPT1, RCPT2, "< DATA",
		      ">> 250 ok\\r\\n550 5.1.1 unknown\\r\\n250 ok\\r\\n"
		      "450 4.2.0 later\\r\\n354 go\\r\\n", TAKEN, "?" },
	  .want = { "R550 rcpt 5.1.1 unknown", "R250 dot", "R450 rcpt" } },
	{ .title = "a mixed bag, byte by byte", .tls = TLS_VERIFY, .rcpts = 2,
	  .script = { SECURE, "b 250-mx.test", "b 250 PIPELINING", MAIL, RCPT0,
		      RCPT1, "< DATA", "b 250 ok", "b 250 ok",
		      "b 552 5.5.3 too many", "b 354 go", ".",
		      "b 250 2.0.0 taken", "?" },
	  .want = { "R250 dot 2.0.0 taken", "R452 rcpt 4.5.3" } },
	{ .title = "a large message", .tls = TLS_VERIFY,
	  .flags = LARGE | SLOW_SOURCE,
	  .script = { SECURE, "> 250-mx.test", "> 250 PIPELINING", ONE_PIPE,
		      ".", "n 8000021", "> 250 ok", "?" },
	  .want = { "R250 dot" } },
	{ .title = "one connection for three messages", .tls = TLS_VERIFY,
	  .messages = 3, .idle_ms = 10,
	  .script = { SECURE, "> 250-mx.test", "> 250 PIPELINING", ONE_PIPE,
		      TAKEN, ONE_PIPE, ".", "> 550 no", ONE_PIPE, TAKEN,
		      "< QUIT", "> 221 bye", "?" },
	  .want = { "R250 dot", "R550 dot", "R250 dot" },
	  .facts = "TLS1.3 AES-256-GCM, verified" },
	{ .title = "a kept connection that is dead", .tls = TLS_VERIFY,
	  .messages = 2,
	  .script = { SECURE, "> 250 mx.test", ONE, TAKEN, MAIL, "!",
		      SECURE, "> 250 mx.test", ONE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "one in the clear is kept, too", .messages = 2,
	  .tls = TLS_OPPORTUNISTIC,
	  .script = { STARTTLS, "> 220 go", "r", "!", GREET, "> 250-mx.test",
		      "> 250 STARTTLS", ONE, TAKEN, ONE, TAKEN, "?" },
	  .want = { "R250 dot", "R250 dot" } },

	/* connections that end */
	{ .title = "closed at EHLO", .tls = TLS_VERIFY,
	  .script = { SECURE, "!" }, .want = { "N0 ehlo |closed" } },
	{ .title = "reset at EHLO", .tls = TLS_VERIFY,
	  .script = { SECURE, "x" }, .want = { "N0 ehlo " } },
	{ .title = "closed at STARTTLS", .tls = TLS_REQUIRED,
	  .script = { STARTTLS, "!" }, .want = { "N0 starttls |closed" } },
	{ .title = "closed at MAIL", .tls = TLS_VERIFY,
	  .script = { SECURE, "> 250 mx", MAIL, "!" },
	  .want = { "N0 mail |closed" } },
	{ .title = "closed at RCPT", .tls = TLS_VERIFY, .rcpts = 2,
	  .script = { SECURE, "> 250 mx", MAIL, OK, RCPT0, "> 550 no", RCPT1,
		      "!" },
	  .want = { "R550 rcpt", "N0 rcpt |closed" } },
	{ .title = "closed at DATA", .tls = TLS_VERIFY,
	  .script = { SECURE, "> 250-mx", "> 250 PIPELINING", MAIL, RCPT0,
		      "< DATA", OK, OK, "!" },
	  .want = { "N0 data |closed" } },
	{ .title = "reset within the message", .tls = TLS_VERIFY,
	  .flags = LARGE,
	  .script = { SECURE, "> 250-mx", "> 250 PIPELINING", ONE_PIPE, "r",
		      "x" },
	  .want = { "N0 body " } },
	{ .title = "a refusal within the message", .tls = TLS_VERIFY,
	  .flags = LARGE,
	  .script = { SECURE, "> 250-mx", "> 250 PIPELINING", ONE_PIPE, "r",
		      "> 552 5.3.4 too big", "z 20", "!" },
	  .want = { "R552 body 5.3.4" } },
	{ .title = "closed at the dot", .tls = TLS_VERIFY,
	  .script = { SECURE, "> 250-mx", "> 250 PIPELINING", ONE_PIPE, ".",
		      "!" },
	  .want = { "N0 dot |closed" } },
	{ .title = "reset at the dot", .tls = TLS_VERIFY,
	  .script = { SECURE, "> 250-mx", "> 250 PIPELINING", ONE_PIPE, ".",
		      "x" },
	  .want = { "N0 dot " } },
};

static void
all_plays(void **state)
{
	(void)state;
	stage_perform_all(plays, ARRAY_SIZE(plays));
}

static int
open_world(void **state)
{
	(void)state;
	world_open(&w);
	stage_world(&w);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_plays),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
