/* test-smtpc-kept.c - which message may use which connection, how long each
 * answer is waited for, and how long an answer may be */
#include "stage.h"

#include "base/macros.h"
#include "io/listen.h"
#include "smtpc/client.h"
#include "smtpc/engine.h"
#include "smtpc/errand.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const here[] = { "127.0.0.1" };

/* --- kinship ---------------------------------------------------------- */

/* One thing about a plan, changed. */
struct change {
	const char *title;
	void (*change)(struct smtpc_plan *p, const char **host);
	bool holds;			/* the connection may be used all the same */
};

static struct ip other_source;

#define CHANGE(name, ...)						\
	static void							\
	name(struct smtpc_plan *p, const char **host)			\
	{								\
		(void)p, (void)host;					\
		__VA_ARGS__;						\
	}
CHANGE(nothing, (void)0)
CHANGE(capitals, *host = "MX.Example.ORG")
CHANGE(other_host, *host = "mx2.example.org")
CHANGE(port_said, p->port = 25)
CHANGE(other_port, p->port = 587)
CHANGE(other_helo, p->helo = "gw2.test")
CHANGE(no_helo, p->helo = NULL)
CHANGE(no_source, p->source = NULL)
CHANGE(next_source, p->source = &other_source)
CHANGE(policy_none, p->tls = TLS_NONE)
CHANGE(policy_any, p->tls = TLS_OPPORTUNISTIC)
CHANGE(policy_required, p->tls = TLS_REQUIRED)
CHANGE(implicitly, p->implicit = true)
CHANGE(no_name, p->server_name = NULL)
CHANGE(name_in_capitals, p->server_name = "SMTP.example.org")
CHANGE(other_name, p->server_name = "smtp2.example.org")
CHANGE(no_identity, p->identity = NULL)
CHANGE(other_identity, p->identity = stage_world.server)
CHANGE(no_trust, p->trust = NULL)
CHANGE(other_trust, p->trust = stage_world.other_trust)
CHANGE(no_login, p->auth = (struct auth_credentials){ .mechanisms = 0 })
CHANGE(other_user, p->auth.user = "v@src.test")
CHANGE(user_in_capitals, p->auth.user = "U@src.test")
CHANGE(other_secret, p->auth.secret = "s3cret2")
CHANGE(secret_in_capitals, p->auth.secret = "S3CRET")
CHANGE(shorter_secret, p->auth.secret = "s3cre")
CHANGE(other_mechanisms, p->auth.mechanisms = AUTH_PLAIN)
CHANGE(own_name, p->self = "gw.test")
/* about our patience, and not about the server */
CHANGE(other_author, p->hosts_written = true)
CHANGE(other_reuse, p->reuse = 3)
CHANGE(other_idle, p->idle_ms = 1)
CHANGE(other_timeouts, p->timeouts_ms[SMTPC_DOT] = 1)

static const struct change changes[] = {
	{ "nothing", nothing, true },
	{ "the host in capitals", capitals, true },
	{ "another host", other_host, false },
	{ "the usual port, said", port_said, true },
	{ "another port", other_port, false },
	{ "another name of ours", other_helo, false },
	{ "no name of ours", no_helo, false },
	{ "a name by which we know ourselves", own_name, false },
	{ "any address of ours", no_source, false },
	{ "another address of ours", next_source, false },
	{ "no TLS", policy_none, false },
	{ "TLS if it is offered", policy_any, false },
	{ "TLS with anybody", policy_required, false },
	{ "TLS before the greeting", implicitly, false },
	{ "to be verified by the host's name", no_name, false },
	{ "the server's name in capitals", name_in_capitals, true },
	{ "another name of the server", other_name, false },
	{ "no certificate of ours", no_identity, false },
	{ "another certificate of ours", other_identity, false },
	{ "no authorities", no_trust, false },
	{ "other authorities", other_trust, false },
	{ "no login", no_login, false },
	{ "another user", other_user, false },
	{ "another user, by a capital", user_in_capitals, false },
	{ "another secret", other_secret, false },
	{ "another secret, by a capital", secret_in_capitals, false },
	{ "another secret, a shorter one", shorter_secret, false },
	{ "another mechanism", other_mechanisms, false },
	{ "a host that the administrator wrote", other_author, false },
	{ "fewer messages", other_reuse, true },
	{ "a shorter idle time", other_idle, true },
	{ "other timeouts", other_timeouts, true },
};

static struct smtpc_plan
plan_sample(struct ip *source)
{
	assert_true(ip_parse(SPAN("192.0.2.1"), source));
	assert_true(ip_parse(SPAN("192.0.2.2"), &other_source));
	return (struct smtpc_plan){
		.helo = "gw.test", .source = source, .tls = TLS_VERIFY,
		.server_name = "smtp.example.org", .identity = stage_world.client,
		.trust = stage_world.trust,
		.auth = { .mechanisms = AUTH_PLAIN | AUTH_LOGIN,
			  .user = "u@src.test", .secret = "s3cret" },
	};
}

static void
what_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		const char *host = "mx.example.org";
		struct kinship before, after;
		struct smtpc_plan plan, changed;
		struct ip source;

		plan = changed = plan_sample(&source);
		kinship_init(&before, &plan, host);
		c->change(&changed, &host);
		if (kinship_holds(&before, &changed, host) != c->holds)
			fail_msg("%s: %s", c->title,
				 c->holds ? "refused" : "taken");
		/* it goes both ways */
		kinship_init(&after, &changed, host);
		if (kinship_holds(&after, &plan, "mx.example.org") != c->holds)
			fail_msg("%s, the other way", c->title);
		if (!kinship_holds(&after, &changed, host))
			fail_msg("%s: not like itself", c->title);
		kinship_fini(&before);
		kinship_fini(&after);
	}
}

/* A plan without anything is like another, wherever the name comes from. */
static void
what_is_left_out_is_compared_too(void **state)
{
	const struct smtpc_plan bare = { .port = 0 };
	const struct smtpc_plan said = { .port = 25, .self = "",
					 .server_name = "mx.test" };
	struct kinship k;

	(void)state;
	kinship_init(&k, &bare, "mx.test");
	assert_true(kinship_holds(&k, &bare, "mx.test"));
	assert_true(kinship_holds(&k, &said, "mx.test"));
	assert_false(kinship_holds(&k, &bare, "mx2.test"));
	kinship_fini(&k);
}

/* What a connection was made for is kept with it, and no longer lent. */
static void
a_connection_outlives_its_plan(void **state)
{
	static char user[] = "u@src.test", secret[] = "s3cret";
	struct tls_identity *identity = world_identity(&stage_world, WHO_SERVER);
	struct smtpc_plan plan;
	struct kinship k;
	struct ip source;

	(void)state;
	plan = plan_sample(&source);
	plan.identity = identity;
	plan.auth.user = user;
	plan.auth.secret = secret;
	kinship_init(&k, &plan, "mx.example.org");
	tls_identity_unref(&identity);
	memset(secret, 'x', strlen(secret));
	user[0] = 'v';
	assert_false(kinship_holds(&k, &plan, "mx.example.org"));
	plan.auth.user = "u@src.test";
	plan.auth.secret = "s3cret";
	assert_true(kinship_holds(&k, &plan, "mx.example.org"));
	assert_int_equal(tls_identity_number(k.identity),
			 tls_identity_number(plan.identity));
	kinship_fini(&k);
}

/* --- the pool ---------------------------------------------------------- */

/* One more that has done its work for a.  Who is at the other end does not
 * matter: the loop does not turn. */
static struct client *
idle_client(struct errand *a, struct endpoint at)
{
	struct client *c = client_connect(a, at, "127.0.0.1", false);

	c->errand = NULL;
	a->client = NULL;
	client_go(c, ST_IDLE);
	return c;
}

static void
who_is_idle_the_longest_leaves_when_there_are_too_many(void **state)
{
	static const struct play p = { .title = "too many" };
	struct client *clients[POOL_MAX + 2];
	struct endpoint at;
	struct error err;
	struct errand *a;
	struct stage s;
	int fd;

	(void)state;
	assert_true(endpoint_parse(SPAN("127.0.0.1:0"), &at));
	fd = listen_open(&at, true, &err);
	assert_true(fd >= 0 && listen(fd, ARRAY_SIZE(clients)) == 0);
	stage_init(&s, &p, here, 1, at.port);
	a = errand_new(s.smtpc, &s.plan, &s.message);
	for (size_t i = 0; i < POOL_MAX; i++)
		clients[i] = idle_client(a, at);
	assert_int_equal(smtpc_count(s.smtpc).idle, POOL_MAX);
	assert_int_equal(clients[0]->state, ST_IDLE);
	/* the first is taken and comes back: it is the youngest now */
	pool_leave(clients[0]);
	pool_put(clients[0]);
	for (size_t i = POOL_MAX; i < ARRAY_SIZE(clients); i++)
		clients[i] = idle_client(a, at);
	assert_int_equal(smtpc_count(s.smtpc).idle, POOL_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		CHECK_ROW(i, clients[i]->state ==
			     (i == 1 || i == 2 ? ST_QUIT : ST_IDLE));
	stage_fini(&s);
	close(fd);
}

#define KEPT SECURE, "> 250-mx.test", "> 250 AUTH PLAIN",		\
	"< AUTH PLAIN", "> 334 "
#define SIGNED_IN KEPT, "d \\0u@src.test\\0s3cret", "> 235 in"

static void
a_new_secret_wants_a_new_connection(void **state)
{
	static const struct play p = {
		.tls = TLS_VERIFY, .auth = AUTH_PLAIN, .idle_ms = 100000,
		.script = { SIGNED_IN, ONE, TAKEN, ONE, TAKEN, KEPT,
			    "d \\0u@src.test\\0other", "> 535 no", "< QUIT",
			    "!" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	stage_server(&p, &server, &at);
	stage_init(&s, &p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, unit_slowly(1000));
	stage_send(&s);
	stage_run(&s, unit_slowly(1000));
	assert_int_equal(smtpc_count(s.smtpc).connects, 1);
	s.plan.auth.secret = "other";
	stage_send(&s);
	stage_run(&s, unit_slowly(1000));
	assert_int_equal(smtpc_count(s.smtpc).connects, 2);
	stage_check("before", "R250 dot", s.got[1]);
	stage_check("after", "R535 auth", s.got[2]);
	stage_run(&s, unit_slowly(30));
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

static struct stage *talking;

static void
on_moment(struct timer *t)
{
	(void)t;
	stage_send(talking);
}

/* In one turn of the loop a message takes a connection that cannot carry it,
 * so that it waits for the turn's end, and the server begins to talk there. */
static void
a_server_that_talks_as_it_is_taken(void **state)
{
	static const struct play p = {
		.flags = LARGE, .messages = 1, .idle_ms = 100000,
		.script = { GREET, "> 250-mx.test", "> 250 SIZE 20", "z 50",
			    "> 250 hello?", "?", GREET, "> 250-mx.test",
			    "> 250 SIZE 20", "?" },
	};
	struct timer moment;
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	talking = &s;
	stage_server(&p, &server, &at);
	stage_init(&s, &p, here, 1, at.port);
	timer_init(&moment, s.loop, on_moment);
	stage_send(&s);
	stage_run(&s, unit_slowly(1000));
	stage_check("the first", "U0 mail 5.3.4", s.got[0]);
	assert_int_equal(smtpc_count(s.smtpc).idle, 1);
	usleep(200 * 1000);		/* it has talked by then */
	timer_start(&moment, 0);	/* comes before what it said */
	stage_run(&s, unit_slowly(1000));
	stage_check("the second", "U0 mail 5.3.4", s.got[1]);
	assert_int_equal(smtpc_count(s.smtpc).attempts, 0);
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

/* --- patience ---------------------------------------------------------- */

/* Only what this row is about is waited for briefly. */
static const struct {
	enum smtpc_timeout timeout;
	unsigned flags;
	bool signs_in, implicit;
	const char *script[LINES];
	const char *want;
} patiences[] = {
	{ SMTPC_GREETING, 0, false, false, { "@", "?" }, "N0 greeting " },
	{ SMTPC_EHLO, 0, false, false, { GREET, "?" }, "N0 ehlo " },
	{ SMTPC_EHLO, 0, false, false,
	  { GREET, "> 500 what", "< HELO gw.test", "?" }, "N0 ehlo " },
	{ SMTPC_EHLO, 0, true, false, { STARTTLS, "?" }, "N0 starttls " },
	{ SMTPC_TLS, 0, true, false, { STARTTLS, "> 220 go", "??" },
	  "N0 starttls " },
	{ SMTPC_TLS, 0, true, true, { "@", "??" }, "N0 starttls " },
	{ SMTPC_AUTH, 0, true, false,
	  { SECURE, "> 250-mx", "> 250 AUTH PLAIN", "< AUTH PLAIN", "?" },
	  "N0 auth " },
	{ SMTPC_AUTH, 0, true, false, { KEPT, "<*", "?" }, "N0 auth " },
	{ SMTPC_MAIL, 0, false, false, { PLAIN, MAIL, "?" }, "N0 mail " },
	{ SMTPC_MAIL, 0, false, false,
	  { PIPE, MAIL, RCPT0, "< DATA", "?" }, "N0 mail " },
	{ SMTPC_RCPT, 0, false, false, { PLAIN, MAIL, OK, RCPT0, "?" },
	  "N0 rcpt " },
	{ SMTPC_DATA, 0, false, false,
	  { PIPE, MAIL, RCPT0, "< DATA", OK, OK, "?" }, "N0 data " },
	{ SMTPC_BLOCK, DEAD_SOURCE, false, false, { PIPE, ONE_PIPE, "?" },
	  "L0 body " },
	{ SMTPC_DOT, 0, false, false, { PIPE, ONE_PIPE, ".", "?" },
	  "N0 dot " },
};

static void
each_answer_is_waited_for_by_its_own_clock(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patiences); i++) {
		struct play p = {
			.flags = patiences[i].flags,
			.tls = patiences[i].signs_in ? TLS_VERIFY : TLS_NONE,
			.auth = patiences[i].signs_in ? AUTH_PLAIN : 0,
			.implicit = patiences[i].implicit,
		};
		struct server server;
		struct endpoint at;
		struct stage s;

		memcpy(p.script, patiences[i].script, sizeof(p.script));
		stage_server(&p, &server, &at);
		stage_init(&s, &p, here, 1, at.port);
		for (size_t t = 0; t < SMTPC_TIMEOUTS; t++)
			s.plan.timeouts_ms[t] = 600 * 1000;
		s.plan.timeouts_ms[patiences[i].timeout] = unit_slowly(40);
		stage_send(&s);
		/* with a source that never answers it does not get done */
		stage_run(&s, unit_slowly(patiences[i].flags ? 300 : 2000));
		CHECK_ROW(i, s.settled == 1);
		stage_check("patience", patiences[i].want, s.got[0]);
		if (patiences[i].flags & DEAD_SOURCE) {
			s.source.flags = 0;
			s.source.later.run(&s.source.later);
		}
		CHECK_ROW(i, s.done == 1);
		stage_fini(&s);
		server_join(&server);
		if (server.wrong[0])
			fail_msg("row %zu: server: %s", i, server.wrong);
	}
}

/* Nobody takes connections here: two wait already, which is as many as may. */
static int
crowded(struct endpoint *at, int fds[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct error err;
	int listener;

	must(endpoint_parse(SPAN("127.0.0.1:0"), at));
	listener = listen_open(at, true, &err);
	must(listener >= 0 && listen(listener, 0) == 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(at->port);
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
				SOCK_CLOEXEC, 0);
		connect(fds[i], (struct sockaddr *)&to, sizeof(to));
	}
	return listener;
}

static void
connecting_has_an_end(void **state)
{
	static const struct play p = { .rcpts = 2 };
	struct endpoint at;
	int fds[2], listener = crowded(&at, fds);
	struct stage s;

	(void)state;
	stage_init(&s, &p, here, 1, at.port);
	for (size_t t = 0; t < SMTPC_TIMEOUTS; t++)
		s.plan.timeouts_ms[t] = 600 * 1000;
	s.plan.timeouts_ms[SMTPC_CONNECT] = unit_slowly(40);
	stage_send(&s);
	stage_run(&s, unit_slowly(900));
	stage_check("crowded", "N0 connect |no answer within", s.got[0]);
	stage_check("crowded", "N0 connect |no answer within", s.got[1]);
	assert_int_equal(s.done, 1);
	stage_fini(&s);
	close(listener);
	close(fds[0]);
	close(fds[1]);
}

static void
good_bye_is_not_waited_for_long(void **state)
{
	static const struct play p = {
		.idle_ms = 10,
		.script = { PLAIN, ONE, TAKEN, "< QUIT", "?" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	stage_server(&p, &server, &at);
	stage_init(&s, &p, here, 1, at.port);
	s.plan.timeouts_ms[SMTPC_QUIT] = unit_slowly(40);
	stage_send(&s);
	stage_run(&s, unit_slowly(2000));
	for (int i = 0; i < 400 && smtpc_count(s.smtpc).connections > 0; i++)
		stage_run(&s, unit_slowly(5));
	assert_int_equal(smtpc_count(s.smtpc).connections, 0);
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

/* --- how long an answer may be ---------------------------------------- */

static const struct play lengths[] = {
	{ .title = "a line longer than RFC 5321 allows",
	  .script = { GREET, "> 250-mx.test", "~ 2000 250-X-", "> 250 SIZE 9999",
		      "< MAIL FROM:<a@src.test> SIZE=29", OK, RCPT0, OK,
		      "< DATA", "> 354 go", TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "many lines",
	  .script = { GREET, "> 250-mx.test", "* 800 250-X-ANOTHER-ONE",
		      "> 250 HELP", ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },
	{ .title = "too many lines",
	  .script = { GREET, "> 250-mx.test", "* 2000 250-X-ANOTHER-ONE", "?" },
	  .want = { "N0 ehlo |the reply is too long" } },
	{ .title = "lines without end",
	  .script = { "@", "* 20000 220-welcome", "??" },
	  .want = { "N0 greeting |the reply is too long" } },
	{ .title = "a line that is too long",
	  .script = { PLAIN, MAIL, "~ 20000 250 ", "?" },
	  .want = { "N0 mail |the reply is too long" } },
	{ .title = "a line without end",
	  .script = { PLAIN, MAIL, ">> 250 ", "~ 100000 -", "??" },
	  .want = { "N0 mail |the reply is too long" } },
	{ .title = "the same within TLS", .tls = TLS_VERIFY,
	  .script = { SECURE, "> 250-mx.test", "* 2000 250-X-ANOTHER-ONE",
		      "??" },
	  .want = { "N0 ehlo |the reply is too long" } },
	{ .title = "a long refusal is cut, not lost",
	  .script = { PLAIN, MAIL, "~ 5000 550 5.7.1 ", "?" },
	  .want = { "R550 mail 5.7.1 xxxxxxxx" } },
	{ .title = "many answers at once, each short enough", .rcpts = 3,
	  .script = { PIPE, MAIL, RCPT0, RCPT1, RCPT2, "< DATA",
		      "~ 9000 250 ", "~ 9000 250 ", "~ 9000 550 5.1.1 ",
		      "~ 9000 250 ", "~ 9000 354 ", TAKEN, "?" },
	  .want = { "R250 dot", "R550 rcpt 5.1.1 xxx", "R250 dot" } },
};

static void
answers_have_a_limit(void **state)
{
	(void)state;
	stage_perform_all(lengths, ARRAY_SIZE(lengths));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_compared),
		cmocka_unit_test(what_is_left_out_is_compared_too),
		cmocka_unit_test(a_connection_outlives_its_plan),
		cmocka_unit_test(a_new_secret_wants_a_new_connection),
		cmocka_unit_test(who_is_idle_the_longest_leaves_when_there_are_too_many),
		cmocka_unit_test(a_server_that_talks_as_it_is_taken),
		cmocka_unit_test(each_answer_is_waited_for_by_its_own_clock),
		cmocka_unit_test(connecting_has_an_end),
		cmocka_unit_test(good_bye_is_not_waited_for_long),
		cmocka_unit_test(answers_have_a_limit),
	};

	return cmocka_run_group_tests(tests, stage_open_world,
				      stage_close_world);
}
