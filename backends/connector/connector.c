/* connector.c - a backend that relays everything to one host by SMTP */
#include <postern-plugin.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct connector {
	const char *host, *helo, *source;
	int64_t port, idle, reuse;
	int64_t connect, greeting, ehlo, mail, rcpt, data, block, dot, quit;
};

#define TIMEOUT(field, standard, text)					\
	POSTERN_OPTION(struct connector, field, POSTERN_DURATION,	\
		       .fallback = standard, .min = 1000,		\
		       .max = 24 * 3600 * 1000, .help = text)

/* RFC 5321 section 4.5.3.2; connecting is not in it. */
static const struct postern_option connector_timeouts[] = {
	TIMEOUT(connect, "30s", "For the connection to be made."),
	TIMEOUT(greeting, "5m", "For the 220 greeting."),
	TIMEOUT(ehlo, "5m", "For the answer to EHLO."),
	TIMEOUT(mail, "5m", "For the answer to MAIL."),
	TIMEOUT(rcpt, "5m", "For the answer to each RCPT."),
	TIMEOUT(data, "2m", "For the 354 after DATA."),
	TIMEOUT(block, "3m", "For each piece of the message to be taken."),
	TIMEOUT(dot, "10m", "For the answer to the end of the message."),
	TIMEOUT(quit, "5s", "For the answer to QUIT."),
	{ 0 },
};

static const struct postern_option connector_options[] = {
	POSTERN_OPTION(struct connector, host, POSTERN_STRING,
		       .flags = POSTERN_REQUIRED,
		       .help = "The next hop: a name or an address."),
	POSTERN_OPTION(struct connector, port, POSTERN_INT, .fallback = "25",
		       .min = 1, .max = 65535, .help = "Its port."),
	POSTERN_OPTION(struct connector, helo, POSTERN_STRING,
		       .help = "The name in EHLO, instead of the gateway's."),
	POSTERN_OPTION(struct connector, source, POSTERN_STRING,
		       .help = "The address of ours that connects."),
	POSTERN_OPTION(struct connector, idle, POSTERN_DURATION,
		       .fallback = "5s", .min = 0, .max = 300 * 1000,
		       .help = "A connection without work is kept so long; "
		       "0: not at all."),
	POSTERN_OPTION(struct connector, reuse, POSTERN_INT,
		       .fallback = "100", .min = 1, .max = 100000,
		       .help = "So many messages for each connection."),
	{ .key = "timeouts", .type = POSTERN_BLOCK,
	  .block = connector_timeouts,
	  .help = "How long is waited, for each step." },
	{ 0 },
};

static int
connector_check(const void *self, postern_instance *me)
{
	const struct connector *c = self;

	unsigned char bytes[sizeof(struct in6_addr)];

	if (c->host[0] == '\0' || strpbrk(c->host, " \t@/") != NULL) {
		postern_fail(me, "`host' must be a name or an address, not "
			     "`%s'", c->host);
		return -1;
	}
	if (c->source != NULL && inet_pton(AF_INET, c->source, bytes) != 1
	    && inet_pton(AF_INET6, c->source, bytes) != 1) {
		postern_fail(me, "`source' must be an address of this host, not "
			     "`%s'", c->source);
		return -1;
	}
	return 0;
}

static void
connector_describe(const void *self, const char *recipient,
		   struct postern_destination *ret)
{
	const struct connector *c = self;

	(void)recipient;
	snprintf(ret->name, sizeof(ret->name), "%s:%lld", c->host,
		 (long long)c->port);
}

static void
connector_deliver(void *self, postern_job *job)
{
	const struct connector *c = self;
	const struct postern_smtp_plan plan = {
		.hosts = &c->host,
		.host_count = 1,
		.port = (uint32_t)c->port,
		.reuse = (uint32_t)c->reuse,
		.idle_ms = c->idle > 0 ? c->idle : -1,
		.helo = c->helo,
		.source = c->source,
		.timeouts_ms = {
			[POSTERN_TIMEOUT_CONNECT] = c->connect,
			[POSTERN_TIMEOUT_GREETING] = c->greeting,
			[POSTERN_TIMEOUT_EHLO] = c->ehlo,
			[POSTERN_TIMEOUT_MAIL] = c->mail,
			[POSTERN_TIMEOUT_RCPT] = c->rcpt,
			[POSTERN_TIMEOUT_DATA] = c->data,
			[POSTERN_TIMEOUT_BLOCK] = c->block,
			[POSTERN_TIMEOUT_DOT] = c->dot,
			[POSTERN_TIMEOUT_QUIT] = c->quit,
		},
	};

	postern_smtp_send(job, &plan);
}

static const struct postern_backend connector_backend = {
	.describe = connector_describe,
	.deliver = connector_deliver,
};

POSTERN_MODULE(
	.name = "connector",
	.summary = "relays everything to one host by SMTP",
	.options = connector_options,
	.self_size = sizeof(struct connector),
	.check = connector_check,
	.backend = &connector_backend
);
