/* test-module-relay.c - the connector with the real SMTP client, to a server
 * of a few lines on a thread */
#include "test-module.h"

#include "module/host.h"

#include <stdio.h>

#include "base/thread.h"
#include "base/worker.h"
#include "io/dns.h"
#include "mail/command.h"
#include "smtpc/smtpc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct server {
	int fd;
	uint16_t port;
	unsigned messages;		/* until it ends */
	char heard[4000];
};

static void
server_init(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	memset(s, 0, sizeof(*s));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 10), 0);
	assert_int_equal(getsockname(s->fd, (void *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
}

static const char *
server_answer(const char *line, bool *body)
{
	if (strncmp(line, "EHLO", 4) == 0)
		return "250-server.test\r\n250 SIZE 1000000\r\n";
	if (strstr(line, "<no@") != NULL)
		return "550 5.1.1 not here\r\n";
	if (strncmp(line, "QUIT", 4) == 0)
		return "221 bye\r\n";
	*body = strncmp(line, "DATA", 4) == 0;
	return *body ? "354 go ahead\r\n" : "250 ok\r\n";
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	bool body = false;
	char line[1000];

	dprintf(fd, "220 server.test\r\n");
	while (s->messages > 0 && fgets(line, sizeof(line), in) != NULL) {
		snprintf(s->heard + strlen(s->heard),
			 sizeof(s->heard) - strlen(s->heard), "%s", line);
		if (!body) {
			dprintf(fd, "%s", server_answer(line, &body));
		} else if (strcmp(line, ".\r\n") == 0) {
			body = false;
			s->messages--;
			dprintf(fd, "250 2.0.0 taken\r\n");
		}
	}
	fclose(in);
	return NULL;
}

static int finished;

static void
on_finished(struct job *job)
{
	finished++;
	loop_stop(job->owner);
}

static struct envelope *
envelope_sample(void)
{
	struct mail_command m = { .size = 0 };
	struct rcpt_command yes = { .notify = 0 }, no = { .notify = 0 };
	struct envelope *env;
	struct error err;

	assert_true(address_parse(SPAN("a@here.test"), 0, &m.sender, &err));
	assert_true(address_parse(SPAN("yes@x.test"), 0, &yes.recipient, &err));
	assert_true(address_parse(SPAN("no@x.test"), 0, &no.recipient, &err));
	env = envelope_new(&m);
	envelope_add(env, &no, 10);
	envelope_add(env, &yes, 10);
	envelope_freeze(env);
	return env;
}

static void
relays(void **state)
{
	static const size_t rcpts[] = { 0, 1 };
	struct server server;
	struct loop *loop = loop_new("relay");
	struct workers *workers = workers_new("dns", 1);
	struct dns *dns = dns_new(loop, workers, NULL);
	struct smtpc *smtpc = smtpc_new(loop, dns);
	struct host host = { .loop = loop, .smtpc = smtpc };
	struct backend_place place = { .route = "r", .hostname = "gw.test",
				       .host = &host };
	struct envelope *env = envelope_sample();
	struct body_source *body
		= body_from_span(SPAN("Subject: x\r\n\r\n.dot\r\n"), false);
	struct outcome outcomes[2];
	struct job job = { .id = "X", .attempt = 1, .env = env, .rcpts = rcpts,
			   .rcpt_count = 2, .body = body, .owner = loop,
			   .outcomes = outcomes, .finished = on_finished };
	struct backend *b;
	struct error err;
	struct yaml y;
	pthread_t thread;
	char options[100];

	(void)state;
	server_init(&server);
	server.messages = 2;
	thread = thread_start("server", server_main, &server);
	snprintf(options, sizeof(options), "{host: 127.0.0.1, port: %u}",
		 server.port);
	y = yaml(options);
	b = backend_open(module_find("connector", &err), y.root, &place, &err);
	assert_non_null(b);
	for (int i = 1; i <= 2; i++) {
		memset(outcomes, 0, sizeof(outcomes));
		backend_deliver(b, &job);
		run_until(loop, &finished, i);
		assert_int_equal(outcomes[0].code, 550);
		assert_int_equal(outcomes[0].phase, PHASE_RCPT);
		assert_int_equal(outcomes[1].code, 250);
		assert_int_equal(outcomes[1].phase, PHASE_DOT);
	}
	pthread_join(thread, NULL);
	CHECK_HAS(server.heard, "EHLO gw.test\r\n");
	CHECK_HAS(server.heard, "\r\n..dot\r\n.\r\n");

	backend_close(&b);
	smtpc_free(&smtpc);
	dns_free(&dns);
	workers_free(&workers);
	body_source_free(&body);
	envelope_free(&env);
	yaml_free(&y);
	loop_free(&loop);
	close(server.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relays),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
