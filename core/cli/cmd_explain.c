/* cmd_explain.c - which way would a message go, and why not another?
 *
 * What is said is what the intake would answer, and in the same order.  Exit
 * statuses: 65 when a recipient would be refused, 75 when for now only.
 */
#include "cli/cli.h"

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "cli/print.h"
#include "daemon/gateway.h"
#include "mail/fixup.h"
#include "route/route.h"
#include "smtpd/config.h"

#include <string.h>

static const char *opt_client, *opt_listener, *opt_size, *opt_message;

static const struct cli_option options[] = {
	{ .name = "client", .value = &opt_client, .argument = "an address" },
	{ .name = "listener", .value = &opt_listener, .argument = "an address" },
	{ .name = "size", .value = &opt_size, .argument = "a size" },
	{ .name = "message", .value = &opt_message, .argument = "a file" },
	{ 0 },
};

/* What was asked, and what holds the bytes. */
struct question {
	struct facts facts;
	struct buf message;
	struct buf header;		/* its, as the intake would store it */
	const struct snapshot *snap;
	struct buf denied;		/* why nothing of it is accepted; or "" */
	int denied_rc;			/* the status that goes with it */
	json_t *json;			/* the answer, with --json */
	json_t *rows;			/* of one recipient */
	const struct route *taken, *maybe;
};

static int
bad(const char *which, const char *what, const char *why)
{
	print_error("explain: %s `%s': %s", which, what, why);
	return 64;
}

/* Rules see the header section after its repair, and LIMIT_HEADER bytes of it
 * at most. */
static void
question_read_header(struct question *q)
{
	AUTO(fixup_fini) struct fixup f;

	fixup_init(&f, BARE_LF_REPAIR);
	if (fixup_chunk(&f, buf_span(&q->message), &q->header) ==
	    q->message.len)
		fixup_chunk_finish(&f, &q->header);
	q->facts.header = span_sub(buf_span(&q->header), 0,
				   MIN(f.facts.length, LIMIT_HEADER));
}

/* A listener that is none would meet no rule, as if the rule were wrong. */
static int
question_listener(struct question *q, const struct smtpd_config *c)
{
	const struct listener_config *listen = c->listen.v;

	if (opt_listener == NULL) {
		q->facts.listener = span_of(c->listen.n ? listen[0].address
							: "");
		return 0;
	}
	for (size_t i = 0; i < c->listen.n; i++) {
		q->facts.listener = span_of(listen[i].address);
		if (span_eq(q->facts.listener, span_of(opt_listener)))
			return 0;
	}
	return bad("--listener", opt_listener, "it is not one of the listeners;"
		   " write it exactly as under `listen'");
}

static int
question_fill(struct question *q)
{
	struct error err;
	int64_t size = 0;

	if (!ip_parse(span_of(opt_client ? opt_client : "127.0.0.1"),
		      &q->facts.client))
		return bad("--client", opt_client, "it is not an IP address");
	if (opt_size != NULL && !parse_size(span_of(opt_size), &size))
		return bad("--size", opt_size, "write a size such as 12M");
	if (opt_message != NULL && !file_read(&q->message, opt_message, &err)) {
		print_failure(&err);
		return 66;
	}
	if (opt_message != NULL) {
		question_read_header(q);
		size = size ? size : (int64_t)q->message.len;
	}
	q->facts.size = (uint64_t)size;
	q->facts.at_end = opt_size != NULL || opt_message != NULL;
	return 0;
}

/* --- printing -------------------------------------------------------- */

static const char *const words[] = {
	[MATCH_NO] = "no", [MATCH_MAYBE] = "maybe", [MATCH_YES] = "yes",
};

static void
on_route(void *arg, const struct route *r, enum match_result m,
	 const char *reason)
{
	struct question *q = arg;
	const char *why = m == MATCH_YES && q->taken != NULL
		? "would match too, but an earlier one does" : reason;

	if (m == MATCH_MAYBE && q->taken == NULL && q->maybe == NULL)
		q->maybe = r;
	if (q->rows != NULL) {
		json_array_append_new(q->rows, json_pack("{s:s, s:s, s:s, s:s}",
			"route", r->name, "file", r->path, "matches", words[m],
			"reason", why));
	} else if (m == MATCH_YES && q->taken == NULL) {
		printf("  %-16s %s backend %s (%s)\n", r->name,
		       q->denied.len > 0 ? "would be taken by" : "TAKEN by",
		       r->backend, r->path);
	} else {
		printf("  %-16s %s", r->name,
		       m == MATCH_MAYBE ? "perhaps: " : "not: ");
		print_text(stdout, why);
		putchar('\n');
	}
	if (m == MATCH_YES && q->taken == NULL)
		q->taken = r;
}

/* NULL: it is taken.  *rc: the status that goes with it. */
static const char *
explain_verdict(struct question *q, int *rc)
{
	*rc = q->denied.len > 0 ? q->denied_rc : 0;
	if (q->denied.len > 0)
		return buf_str(&q->denied);
	if (q->maybe != NULL)
		return "accepted; the route is decided at the end of the "
		       "message: add --message FILE or --size";
	if (q->taken != NULL)
		return NULL;
	*rc = 65;
	return "refused: no route matches (550 5.7.1)";
}

/* The status to exit with. */
static int
explain_recipient(struct question *q, const char *rcpt)
{
	const struct routes *routes = snapshot_get(q->snap, SLOT_ROUTES);
	const char *said;
	int rc;

	q->taken = q->maybe = NULL;
	q->rows = q->json ? json_array() : NULL;
	if (q->rows == NULL) {
		print_text(stdout, rcpt);
		putchar('\n');
		if (q->denied.len > 0)	/* then nothing else matters */
			printf("  => %s\n", buf_str(&q->denied));
	}
	routes_explain(routes, &q->facts, on_route, q);
	said = explain_verdict(q, &rc);
	if (q->rows == NULL) {
		if (said != NULL && q->denied.len == 0)
			printf("  => %s\n", said);
		return rc;
	}
	json_array_append_new(q->json, json_pack("{s:s, s:b, s:s?, s:s?, s:o}",
		"recipient", rcpt, "accepted", rc == 0, "route",
		q->taken && q->denied.len == 0 ? q->taken->name : NULL,
		"note", said, "routes", q->rows));
	return rc;
}

static int
explain_all(struct question *q, const char *sender, char **rcpts, int n)
{
	struct error err;
	int worst = 0, rc;

	if (!address_parse(span_of(strcmp(sender, "<>") ? sender : ""),
			   ADDRESS_NULL | ADDRESS_UTF8, &q->facts.sender, &err))
		return bad("the sender", sender, err.text);
	for (int i = 0; i < n; i++) {
		if (!address_parse(span_of(rcpts[i]), ADDRESS_UTF8 |
				   ADDRESS_POSTMASTER, &q->facts.recipient,
				   &err))
			return bad("the recipient", rcpts[i], err.text);
		rc = explain_recipient(q, rcpts[i]);
		/* what is final goes before what is so for now */
		worst = worst == 65 || rc == 0 ? worst : rc;
	}
	return worst;
}

static void
deny_client(struct question *q, const struct strings *networks)
{
	char client[IP_TEXT];

	q->denied_rc = 65;
	buf_addf(&q->denied, "refused: %s may not relay (550 5.7.1); "
		 "`relay.networks' has ", ip_text(q->facts.client, client));
	for (size_t i = 0; i < networks->n; i++)
		buf_addf(&q->denied, "%s%s", i > 0 ? ", " : "",
			 networks->v[i]);
	buf_add_str(&q->denied, networks->n > 0 ? "" : "none");
	buf_add_str(&q->denied, ": add its network there");
}

/* What is refused whoever the recipient is. */
static void
explain_deny(struct question *q, const struct smtpd_config *c)
{
	const struct routes *routes = snapshot_get(q->snap, SLOT_ROUTES);

	if (q->facts.size > (uint64_t)c->message_size) {
		buf_addf(&q->denied, "refused: the message is larger than "
			 "`limits.message_size' (552 5.3.4)");
		q->denied_rc = 65;
	} else if (!smtpd_may_relay(c, q->facts.client)) {
		deny_client(q, &c->relay_networks);
	} else if (routes == NULL || routes->n == 0) {
		buf_addf(&q->denied, "refused for now: there is no route "
			 "(451 4.3.5): put a file such as 50-default.yaml into "
			 "conf.d beside postern.yaml");
		q->denied_rc = 75;
	}
}

static int
explain(const struct cli *cli, struct question *q, int argc, char **argv)
{
	const struct smtpd_config *c = snapshot_get(q->snap, SLOT_SMTPD);
	int rc = question_fill(q);

	if (rc == 0)
		rc = question_listener(q, c);
	if (rc != 0)
		return rc;
	explain_deny(q, c);
	q->json = cli->json ? json_array() : NULL;
	rc = explain_all(q, argv[0], argv + 1, argc - 1);
	if (q->json != NULL && (rc == 0 || rc == 65 || rc == 75))
		print_json(q->json);
	else
		json_decref(q->json);
	buf_fini(&q->message);
	buf_fini(&q->header);
	buf_fini(&q->denied);
	return rc;
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(1024 * 1024);
	struct question q = { .message = BUF_MAX(1024 * 1024 * 1024),
			      .header = BUF_MAX(LIMIT_HEADER + 2 * FIXUP_ROOM),
			      .denied = BUF_MAX(64 * 1024) };
	struct diags *d;
	struct snapshot *snap;
	int rc = cli_options(&cmd_explain, options, &argc, argv);

	if (rc != 0)
		return rc;
	if (argc < 2)
		return cli_usage(&cmd_explain, "a sender and at least one "
				 "recipient are needed");
	d = diags_new();
	if (gateway_load(cli->config, d, &snap)) {
		q.snap = snap;
		rc = explain(cli, &q, argc, argv);
	} else {
		diags_show(d, &text);
		print_lines(stderr, buf_str(&text));
		rc = 78;
	}
	diags_free(&d);
	snapshot_unref(&snap);
	return rc;
}

const struct cli_command cmd_explain = {
	.name = "explain", .run = run,
	.arguments = "[OPTIONS] SENDER RECIPIENT...",
	.summary = "show which route each recipient would take, and why not "
		   "another",
	.help = "  --client ADDRESS    the address of the device (default: "
		"127.0.0.1)\n"
		"  --listener ADDRESS  the listener that the device uses, "
		"as under `listen'\n"
		"  --size SIZE         the size of the message, such as 12M\n"
		"  --message FILE      a message, for rules on header and size\n"
		"  --json              print JSON\n"
		"\n"
		"The sender `<>' is the null sender.  Nothing is sent, and "
		"no running gateway is\n"
		"needed.\n"
		"\n"
		"Exit status: 0 when all recipients would be accepted, 65 "
		"when a recipient would\n"
		"be refused, 75 when a recipient would be refused for now.\n",
};
