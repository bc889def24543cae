/* cmd_send.c - a message, sent as a device would send it */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/worker.h"
#include "cli/print.h"
#include "daemon/gateway.h"
#include "io/dns.h"
#include "mail/fixup.h"
#include "smtpc/smtpc.h"
#include "smtpd/config.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 256 * 1024 * 1024,
	GREETING_MS = 30 * 1000,	/* a person waits for this one */
};

static const char *opt_server, *opt_from, *opt_to, *opt_subject;

static const struct cli_option options[] = {
	{ .name = "server", .value = &opt_server, .argument = "HOST:PORT" },
	{ .name = "from", .value = &opt_from, .argument = "an address" },
	{ .name = "to", .value = &opt_to, .argument = "addresses",
	  .list = true },
	{ .name = "subject", .value = &opt_subject, .argument = "a text" },
	{ 0 },
};

/* One sending. */
struct sending {
	struct loop *loop;
	struct envelope *env;
	struct buf message;		/* whole CRLF lines */
	bool has_8bit;
	char host[300];
	uint16_t port;
	char name[256];			/* ours */
	size_t failed;
	enum phase failed_at;		/* of the last that failed */
};

static int
complain(int status, const char *what, const char *why)
{
	print_error("send: %s: %s", what, why);
	return status;
}

/* --- where to -------------------------------------------------------- */

static int
server_from_configuration(const struct cli *cli, struct sending *s)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(64 * 1024);
	struct diags *d = diags_new();
	const struct smtpd_config *c;
	struct snapshot *snap;
	int rc = 0;

	if (gateway_load(cli->config, d, &snap)) {
		c = snapshot_get(snap, SLOT_SMTPD);
		struct listener_config *first = c->listen.v;
		struct endpoint at = first->at;
		char ip[IP_TEXT];

		/* 0.0.0.0 takes what comes to any address of this host */
		snprintf(s->host, sizeof(s->host), "%s", ip_text(at.ip, ip));
		if (strcmp(s->host, "0.0.0.0") == 0 || strcmp(s->host, "::") == 0)
			snprintf(s->host, sizeof(s->host), at.ip.family == 6
				 ? "::1" : "127.0.0.1");
		s->port = at.port;
	} else {
		diags_show(d, &text);
		print_lines(stderr, buf_str(&text));
		print_hint("or name the gateway with --server HOST:PORT");
		rc = 78;
	}
	diags_free(&d);
	snapshot_unref(&snap);
	return rc;
}

static int
server_find(const struct cli *cli, struct sending *s)
{
	struct span at = span_of(opt_server);
	size_t colon = span_rfind(at, ':');
	uint64_t port = 25;

	if (opt_server == NULL)
		return server_from_configuration(cli, s);
	if (span_find(at, ']') < at.n && at.n && at.p[at.n - 1] == ']')
		colon = at.n;	/* [::1] without a port */
	if (colon < at.n &&
	    !span_u64(span_from(at, colon + 1), 65535, &port))
		return complain(64, opt_server, "is not a HOST:PORT");
	snprintf(s->host, sizeof(s->host), "%.*s", (int)colon, opt_server);
	s->port = (uint16_t)port;
	return 0;
}

/* --- what ------------------------------------------------------------ */

static int
envelope_make(struct sending *s)
{
	struct passwd *me = getpwuid(getuid());
	char *from = opt_from ? mem_strdup(opt_from) : mem_printf("%s@%s",
		me ? me->pw_name : "root", s->name);
	struct span list = span_of(opt_to), one;
	struct mail_command m = { .size = 0 };
	struct error err;
	int rc = 0;

	if (!address_parse(span_of(strcmp(from, "<>") ? from : ""),
			   ADDRESS_NULL | ADDRESS_UTF8, &m.sender, &err))
		rc = complain(64, from, err.text);
	if (rc == 0) {
		m.smtputf8 = address_needs_utf8(m.sender.text) ||
			     address_needs_utf8(list);
		s->env = envelope_new(&m);
	}
	while (rc == 0 && span_split(&list, ',', &one)) {
		struct rcpt_command r = { .notify = 0 };

		if (!address_parse(span_trim(one), ADDRESS_UTF8 |
				   ADDRESS_POSTMASTER, &r.recipient, &err))
			rc = complain(64, opt_to, err.text);
		else
			envelope_add(s->env, &r, 1000);
	}
	if (rc == 0)
		envelope_freeze(s->env);
	mem_free(from);
	return rc;
}

/* What a person types has no header; what a program gives may have one. */
static void
header_complete(struct sending *s, const struct header_facts *h)
{
	char date[64];

	if (!h->has_from && s->env->sender.text.n > 0)
		header_add(&s->message, SPAN("From"), s->env->sender.text);
	if (!h->has_from)
		header_add(&s->message, SPAN("To"), span_of(opt_to));
	if (opt_subject != NULL)
		header_add(&s->message, SPAN("Subject"), span_of(opt_subject));
	if (!h->has_date)
		header_add(&s->message, SPAN("Date"), span_of(clock_rfc5322(
			clock_wall_ms(), date, sizeof(date))));
}

static int
message_read(struct sending *s, const char *path)
{
	AUTO(buf_fini) struct buf raw = BUF_MAX(MESSAGE_MAX);
	AUTO(buf_fini) struct buf lines = BUF_MAX(MESSAGE_MAX);
	AUTO(fixup_fini) struct fixup f;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	ssize_t n = 0;
	char *to;

	fixup_init(&f, BARE_LF_REPAIR);
	if (fd < 0)
		return complain(66, path, strerrordesc_np(errno));
	while ((to = buf_room(&raw, 65536)) != NULL &&
	       (n = read(fd, to, 65536)) > 0)
		buf_added(&raw, (size_t)n);
	if (path != NULL)
		close(fd);
	if (to == NULL || n < 0)
		return complain(66, path ? path : "standard input",
				to ? strerrordesc_np(errno) : "too large");
	if (fixup_chunk(&f, buf_span(&raw), &lines) < raw.len ||
	    !fixup_chunk_finish(&f, &lines))
		return complain(66, "the message", "too large");
	s->has_8bit = f.decoder.saw_8bit;
	header_complete(s, &f.facts);
	if (!buf_add(&s->message, buf_span(&lines)))
		return complain(66, "the message", "too large");
	return 0;
}

/* --- sending --------------------------------------------------------- */

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	struct sending *s = arg;
	struct span to = s->env->rcpts[i].address.text;
	char words[1000];

	if (outcome_delivered(o)) {
		snprintf(words, sizeof(words), "<%.*s> accepted: %s",
			 SPAN_ARG(to), o->text);
		print_text(stdout, words);
		putchar('\n');
		return;
	}
	s->failed++;
	s->failed_at = o->phase;
	print_error("send: <%.*s> not accepted by %s port %u: %s",
		    SPAN_ARG(to), s->host, s->port,
		    outcome_text(o, words, sizeof(words)));
}

static void
send_hint(enum phase at)
{
	if (at == PHASE_CONNECT)
		print_hint("check that the gateway runs and listens there");
	if (at == PHASE_GREETING)
		print_hint("this command uses no TLS: name a listener without "
			   "`tls: implicit' with --server HOST:PORT");
}

static void
on_done(void *arg)
{
	struct sending *s = arg;

	loop_stop(s->loop);
}

static void
send_now(struct sending *s)
{
	static const struct smtpc_events events = { on_settled, on_done };
	size_t n = s->env->rcpt_count, *all = mem_array(n, sizeof(*all));
	struct workers *workers = workers_new("worker", 1);
	const char *host = s->host;
	struct smtpc_plan plan = { .hosts = &host, .host_count = 1,
				   .port = s->port, .helo = s->name,
				   .timeouts_ms = {
					[SMTPC_GREETING] = GREETING_MS } };
	struct smtpc_message m = { .id = "send", .env = s->env, .rcpts = all,
				   .rcpt_count = n };
	struct dns *dns;
	struct smtpc *c;

	for (size_t i = 0; i < n; i++)
		all[i] = i;
	s->loop = loop_new("send");
	dns = dns_new(s->loop, workers, NULL);
	c = smtpc_new(s->loop, dns);
	m.body = body_from_span(buf_span(&s->message), s->has_8bit);
	smtpc_send(c, &plan, &m, &events, s);
	loop_run(s->loop);
	smtpc_free(&c);
	dns_free(&dns);
	workers_free(&workers);
	loop_free(&s->loop);
	body_source_free(&m.body);
	mem_free(all);
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	struct sending s = { .message = BUF_MAX(MESSAGE_MAX) };
	int rc = cli_options(&cmd_send, options, &argc, argv);

	if (rc != 0)
		return rc;
	if (argc > 1)
		return cli_usage(&cmd_send, "unexpected argument `%s'", argv[1]);
	if (opt_to == NULL)
		return cli_usage(&cmd_send, "--to is needed");
	gethostname(s.name, sizeof(s.name) - 1);
	rc = server_find(cli, &s);
	if (rc == 0)
		rc = envelope_make(&s);
	if (rc == 0)
		rc = message_read(&s, argc > 0 ? argv[0] : NULL);
	if (rc == 0) {
		send_now(&s);
		rc = s.failed > 0 ? 75 : 0;
		if (s.failed > 0)
			send_hint(s.failed_at);
	}
	envelope_free(&s.env);
	buf_fini(&s.message);
	return rc;
}

const struct cli_command cmd_send = {
	.name = "send", .run = run,
	.arguments = "[OPTIONS] --to ADDRESS[,ADDRESS...] [FILE]",
	.summary = "send a message to the gateway, as a device would",
	.help = "  --server HOST:PORT  the server (default: the first "
		"listener of the\n"
		"                      configuration)\n"
		"  --from ADDRESS      the sender (default: your user name "
		"on this host)\n"
		"  --to ADDRESSES      the recipients, separated by "
		"commas, or one --to for each\n"
		"  --subject TEXT      add this Subject\n"
		"\n"
		"The message comes from FILE or from standard input.  The "
		"command adds From, To\n"
		"and Date when the message has none.  The command uses no "
		"TLS.\n"
		"\n"
		"Exit status: 0 when all recipients were accepted, 75 when "
		"one was not.\n",
};
