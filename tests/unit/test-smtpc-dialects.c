/* test-smtpc-dialects.c - how servers say the same thing otherwise
 *
 * What other clients understand (smtplib, msmtp, swaks, curl, Postfix, Go's
 * net/smtp, Nodemailer, MailKit) is understood here: either because a row of
 * their code is for it, or because a server is known that says so.
 */
#include "stage.h"

#include "base/macros.h"
#include "smtpc/client.h"

/* A reply to EHLO as it is on the wire, and what the server offers by it. */
static const struct {
	const char *title, *said, *offers;
} ehlo[] = {
	{ "Postfix", "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n",
	  "PIPELINING 8BITMIME SMTPUTF8 DSN SIZE=10240000 STARTTLS" },
	{ "Exchange Online", "250-x.outlook.com Hello [192.0.2.1]\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH LOGIN XOAUTH2\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n",
	  "PIPELINING 8BITMIME SMTPUTF8 DSN SIZE=157286400 AUTH=XOAUTH2 LOGIN" },
	{ "one line", "250 mx.test\r\n", "" },
	{ "one line without a name", "250\r\n", "" },
	{ "the first line is the name", "250-STARTTLS\r\n250 8BITMIME\r\n", "8BITMIME" },

	/* keywords */
	{ "lower case", "250-mx\r\n250-starttls\r\n250-size 5\r\n250-8BitMime\r\n250-Auth login Plain\r\n250 dsn\r\n",
	  "8BITMIME DSN SIZE=5 STARTTLS AUTH=PLAIN LOGIN" },
	{ "blanks and tabs", "250-mx\r\n250- STARTTLS \r\n250-SIZE\t5\t\r\n250-AUTH  PLAIN \t LOGIN  \r\n250 \tDSN\r\n",
	  "DSN SIZE=5 STARTTLS AUTH=PLAIN LOGIN" },
	{ "a text behind it", "250-mx\r\n250-STARTTLS is here\r\n250-PIPELINING (yes)\r\n250 8BITMIME DSN\r\n",
	  "PIPELINING 8BITMIME STARTTLS" },
	{ "only as a whole word", "250-mx\r\n250-STARTTLSX\r\n250-XDSN\r\n250-PIPELINING-NOT\r\n250 SIZES 5\r\n", "" },
	{ "hidden by a firewall", "250-mx\r\n250-PIPELINING\r\n250-XXXXXXXA\r\n250-XXXXXXXXB\r\n250 8BITMIME\r\n",
	  "PIPELINING 8BITMIME" },
	{ "statuses within", "250-2.0.0 mx\r\n250-2.0.0 STARTTLS\r\n250 2.0.0 AUTH PLAIN\r\n", "STARTTLS AUTH=PLAIN" },
	{ "twice", "250-mx\r\n250-DSN\r\n250-DSN\r\n250 DSN\r\n", "DSN" },

	/* lines */
	{ "bare LF", "250-mx\n250-STARTTLS\n250 DSN\n", "DSN STARTTLS" },
	{ "one CR too many", "250-mx\r\r\n250-STARTTLS\r\r\n250 DSN\r\r\n", "DSN STARTTLS" },
	{ "no text", "250-mx\r\n250-\r\n250-STARTTLS\r\n250\r\n", "STARTTLS" },
	{ "a tab behind the code", "250-mx\r\n250-STARTTLS\r\n250\tDSN\r\n", "DSN STARTTLS" },
	{ "codes that differ", "220-mx\r\n251-STARTTLS\r\n250 DSN\r\n", "DSN STARTTLS" },
	{ "lines without a code", "250-mx\r\nWelcome!\r\n\r\n250-STARTTLS\r\n  no spam\r\n250 DSN\r\n", "DSN STARTTLS" },

	/* AUTH */
	{ "with =", "250-mx\r\n250 AUTH=LOGIN\r\n", "AUTH=LOGIN" },
	{ "with = and without", "250-mx\r\n250-AUTH=LOGIN\r\n250 AUTH PLAIN CRAM-MD5\r\n", "AUTH=PLAIN LOGIN" },
	{ "without = and with", "250-mx\r\n250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r\n250 HELP\r\n", "AUTH=PLAIN LOGIN" },
	{ "= among blanks", "250-mx\r\n250-AUTH = LOGIN\r\n250 AUTH =PLAIN\r\n", "AUTH=PLAIN LOGIN" },
	{ "with commas", "250-mx\r\n250 AUTH LOGIN,PLAIN, XOAUTH2\r\n", "AUTH=XOAUTH2 PLAIN LOGIN" },
	{ "on several lines", "250-mx\r\n250-AUTH XOAUTH2\r\n250-AUTH LOGIN\r\n250 AUTH\r\n", "AUTH=XOAUTH2 LOGIN" },
	{ "none", "250-mx\r\n250 AUTH\r\n", "" },
	{ "none that we know", "250-mx\r\n250-AUTH GSSAPI NTLM CRAM-MD5 SCRAM-SHA-256-PLUS\r\n250 X-EXPS GSSAPI NTLM LOGIN\r\n", "" },
	{ "names that begin or end like ours", "250-mx\r\n250 AUTH PLAIN-CLIENTTOKEN XLOGIN XOAUTH OAUTHBEARER\r\n", "AUTH=OAUTHBEARER" },

	/* SIZE */
	{ "no number", "250-mx\r\n250 SIZE\r\n", "SIZE" },
	{ "zero", "250-mx\r\n250 SIZE 0\r\n", "SIZE" },
	{ "with =", "250-mx\r\n250 SIZE=5000\r\n", "SIZE=5000" },
	{ "words behind it", "250-mx\r\n250 SIZE 5000 octets\r\n", "SIZE=5000" },
	{ "larger than all numbers", "250-mx\r\n250 SIZE 99999999999999999999999\r\n", "SIZE" },
	{ "no number at all", "250-mx\r\n250-SIZE 10M\r\n250 SIZE -1\r\n", "SIZE" },
	{ "several: the last", "250-mx\r\n250-SIZE 41943040\r\n250 SIZE 10485760\r\n", "SIZE=10485760" },
};

static void
offers_text(const struct offers *o, struct buf *out)
{
	const struct { bool offered; const char *word; } words[] = {
		{ o->pipelining, "PIPELINING" }, { o->eightbit, "8BITMIME" },
		{ o->smtputf8, "SMTPUTF8" }, { o->dsn, "DSN" },
		{ o->size, "SIZE" },
	};
	char names[100];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].offered)
			buf_addf(out, "%s%s", out->len ? " " : "",
				 words[i].word);
	if (o->size_max != 0)
		buf_addf(out, "=%llu", (unsigned long long)o->size_max);
	if (o->starttls)
		buf_addf(out, "%sSTARTTLS", out->len ? " " : "");
	if (o->auth != 0)
		buf_addf(out, "%sAUTH=%s", out->len ? " " : "",
			 auth_names(o->auth, names, sizeof(names)));
}

static void
what_is_offered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ehlo); i++) {
		AUTO(buf_fini) struct buf in = BUF_MAX(4096), out = BUF_MAX(500);
		struct reply_parser p;
		struct smtp_reply r;
		struct offers o;
		struct error why;

		reply_parser_init(&p);
		buf_add_str(&in, ehlo[i].said);
		if (reply_parse(&p, &in, &r, &why) != PARSE_OK || in.len > 0)
			fail_msg("%s: no reply", ehlo[i].title);
		o = offers_parse(r.text);
		offers_text(&o, &out);
		if (strcmp(buf_str(&out), ehlo[i].offers) != 0)
			fail_msg("%s: %s", ehlo[i].title, buf_str(&out));
		reply_parser_fini(&p);
	}
}

/* --- dialogues -------------------------------------------------------- */

#define LET_IN "> 235 2.7.0 come in", ONE, TAKEN, "?"
#define BYE "< QUIT", "> 221 bye", "?"
#define SIGNS .tls = TLS_VERIFY, .auth
#define OFFER(line) SECURE, "> 250-mx.test", "> 250 " line
/* NUL u@src.test NUL s3cret, in the line */
#define PLAIN_AT_ONCE "< AUTH PLAIN AHVAc3JjLnRlc3QAczNjcmV0"
#define LOGIN_SAYS(user, secret) "< AUTH LOGIN", user, "d u@src.test",	\
	secret, "d s3cret"

static const struct play plays[] = {
	/* the greeting */
	{ .title = "a greeting of many lines",
	  .script = { "@", "> 220-mx.test ESMTP", "> 220-no spam here",
		      "> 220-", "> 220 and no virus", HELLO, "> 250 mx", ONE,
		      TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "a greeting without words",
	  .script = { "@", "> 220", HELLO, "> 250 mx", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "a greeting with stars in place of them",
	  .script = { "@", "> 220 ***********************0*00*2******", HELLO,
		      "> 250 mx", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "bare LF everywhere",
	  .script = { "@", ">> 220 mx\\n", HELLO,
		      ">> 250-mx\\n250 SIZE 1000\\n",
		      "< MAIL FROM:<a@src.test> SIZE=29", ">> 250 ok\\n",
		      RCPT0, ">> 250 ok\\n", "< DATA", ">> 354 go\\n", ".",
		      ">> 250 taken\\n", "?" },
	  .want = { "R250 dot" } },
	{ .title = "a greeting that ends as a refusal", .idle_ms = 10,
	  .script = { "@", "> 220-mx.test ESMTP",
		      "> 521 5.7.1 not from there", BYE },
	  .want = { "R521 greeting 5.7.1" } },

	/* EHLO refused */
	{ .title = "EHLO: 500",
	  .script = { "@", "> 220 old", HELLO, "> 500 what", "< HELO gw.test",
		      "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 501",
	  .script = { "@", "> 220 old", HELLO, "> 501 what", "< HELO gw.test",
		      "> 250", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 502",
	  .script = { "@", "> 220 old", HELLO, "> 502 5.5.1 no",
		      "< HELO gw.test", "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 503",
	  .script = { "@", "> 220 old", HELLO, "> 503 no", "< HELO gw.test",
		      "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 504",
	  .script = { "@", "> 220 old", HELLO, "> 504 no", "< HELO gw.test",
		      "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 550",
	  .script = { "@", "> 220 old", HELLO, "> 550 no", "< HELO gw.test",
		      "> 250 old", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "EHLO: 421 is the end",
	  .script = { "@", "> 220 mx", HELLO, "> 421 4.7.0 your name is no "
		      "name", "?" },
	  .want = { "R421 ehlo 4.7.0" } },
	{ .title = "EHLO: cut off in its answer",
	  .script = { "@", "> 220 mx", HELLO, ">> 250-mx\\r\\n250-SI", "!" },
	  .want = { "N0 ehlo |closed" } },

	/* other codes for the same */
	{ .title = "DATA: 350",
	  .script = { PLAIN, MAIL, "> 200 ok", RCPT0, "> 251 ok", "< DATA",
		      "> 350 go", TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "AUTH: 250", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN", "> 334",
		      "d \\0u@src.test\\0s3cret", "> 250 ok", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "AUTH: let in by the address already", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN",
		      "> 503 5.5.1 Already authenticated", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "AUTH: another 503 is a refusal", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN",
		      "> 503 AUTH command used when not advertised", BYE },
	  .want = { "R503 auth" } },
	{ .title = "STARTTLS: 250", SIGNS = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx", "> 250 starttls", "< STARTTLS",
		      "> 250 go", "T", HELLO, "> 250-mx", "> 250 auth=plain",
		      "< AUTH PLAIN", "> 334", "d \\0u@src.test\\0s3cret",
		      LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "STARTTLS: hidden by a firewall", SIGNS = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx", "> 250 XXXXXXXA", BYE },
	  .want = { "S0 starttls |does not offer STARTTLS" } },
	{ .title = "AUTH: only before TLS", SIGNS = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx", "> 250-AUTH=PLAIN", "> 250 STARTTLS",
		      "< STARTTLS", "> 220 go", "T", HELLO, "> 250 mx", BYE },
	  .want = { "S0 auth |does not offer" } },

	/* what LOGIN asks for */
	{ .title = "LOGIN: Username:", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH=LOGIN"), LOGIN_SAYS("> 334 VXNlcm5hbWU6",
		      "> 334 UGFzc3dvcmQ6"), LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: username", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), LOGIN_SAYS("c username:",
		      "c password:"), LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: User Name, with a NUL", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), LOGIN_SAYS("> 334 VXNlciBOYW1lAA==",
		      "> 334 UGFzc3dvcmQA"), LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: in plain words", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), LOGIN_SAYS("> 334 Username:",
		      "> 334 Password:"), LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: without words", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), LOGIN_SAYS("> 334", "> 334 "),
		      LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: on two lines, with a tab", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), "< AUTH LOGIN", "> 334-hello",
		      "> 334 who are you", "d u@src.test", "> 334\tand",
		      "d s3cret", LET_IN },
	  .want = { "R250 dot" } },

	/* no two steps */
	{ .title = "PLAIN: refused without its response", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN LOGIN"), "< AUTH PLAIN",
		      "> 535 Incorrect authentication data", PLAIN_AT_ONCE,
		      LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "PLAIN: the same as a syntax error", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN", "> 501 5.5.2 what",
		      PLAIN_AT_ONCE, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "PLAIN: once is enough", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN", "> 535 no",
		      PLAIN_AT_ONCE, "> 535 5.7.8 no", BYE },
	  .want = { "R535 auth 5.7.8" } },
	{ .title = "PLAIN: our words in the refusal", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN", "> 501 what",
		      PLAIN_AT_ONCE, "e 535 5.7.8 what is ", BYE },
	  .want = { "R535 auth 5.7.8 what is AUTH PLAIN ****" } },
	{ .title = "PLAIN: asked for again", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH PLAIN"), "< AUTH PLAIN", "> 501 what",
		      PLAIN_AT_ONCE, "> 334", "d \\0u@src.test\\0s3cret",
		      LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN: it says nothing first", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN"), "< AUTH LOGIN", "> 535 5.7.8 no",
		      BYE },
	  .want = { "R535 auth 5.7.8" } },
	{ .title = "XOAUTH2: refused without its response",
	  SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("AUTH XOAUTH2"), "< AUTH XOAUTH2", "> 501 what",
		      "< AUTH XOAUTH2 dXNlcj11QHNyYy50ZXN0AWF1dGg9QmVhcmVyIHMz"
		      "Y3JldAEB", LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "XOAUTH2: and the reason first", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("AUTH XOAUTH2"), "< AUTH XOAUTH2", "> 501 what",
		      "<*", "c {\"status\":\"401\"}", "<",
		      "> 535 5.7.3 no", BYE },
	  .want = { "R535 auth 5.7.3" } },

	/* a mechanism that is offered in vain */
	{ .title = "504: the next one", SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN PLAIN"), "< AUTH PLAIN",
		      "> 504 5.7.4 unrecognized", LOGIN_SAYS("> 334", "> 334"),
		      LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "534: the next one, if there is one", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("AUTH LOGIN PLAIN"), "< AUTH PLAIN",
		      "> 534 5.7.9 too weak", BYE },
	  .want = { "R534 auth 5.7.9" } },
	{ .title = "all of them in vain", SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN PLAIN"), "< AUTH PLAIN", "> 504 no",
		      "< AUTH LOGIN", "> 504 5.7.4 neither", BYE },
	  .want = { "R504 auth 5.7.4" } },
	{ .title = "535 is said of the login", SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { OFFER("AUTH LOGIN PLAIN"), "< AUTH PLAIN", "> 334",
		      "d \\0u@src.test\\0s3cret", "> 535 5.7.8 no", BYE },
	  .want = { "R535 auth 5.7.8" } },
};

static void
all_plays(void **state)
{
	(void)state;
	stage_perform_all(plays, ARRAY_SIZE(plays));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_offered),
		cmocka_unit_test(all_plays),
	};

	return cmocka_run_group_tests(tests, stage_open_world,
				      stage_close_world);
}
