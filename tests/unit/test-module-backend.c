/* test-module-backend.c - jobs go out and come back, whatever a module does */
#include "test-module.h"

#include "base/arena.h"
#include "base/file.h"
#include "mail/command.h"
#include "smtpc/smtpc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* --- a double of the SMTP client ------------------------------------------ */

struct smtpc {
	struct loop *loop;
	struct later later;
	const struct smtpc_plan *plan;
	const struct smtpc_message *message;
	const struct smtpc_events *events;
	void *arg;
	bool hold, cancelled;
	unsigned sent;
};

static void
smtpc_answers(struct later *l)
{
	struct smtpc *c = container_of(l, struct smtpc, later);
	struct outcome o;

	for (size_t i = 0; i < c->message->rcpt_count; i++) {
		if (c->cancelled)
			outcome_set(&o, OUTCOME_LOCAL, PHASE_CONNECT, "broken off");
		else
			outcome_reply(&o, PHASE_DOT, &(struct smtp_reply){
				      .code = 250, .text = SPAN("taken") });
		c->events->settled(c->arg, i, &o);
	}
	c->events->done(c->arg);
}

uint64_t
smtpc_send(struct smtpc *c, const struct smtpc_plan *plan,
	   const struct smtpc_message *m, const struct smtpc_events *ev,
	   void *arg)
{
	c->plan = plan;
	c->message = m;
	c->events = ev;
	c->arg = arg;
	c->sent++;
	c->later.run = smtpc_answers;
	if (!c->hold)
		loop_later(c->loop, &c->later);
	return 77;
}

void
smtpc_cancel(struct smtpc *c, uint64_t ticket)
{
	assert_int_equal(ticket, 77);
	c->cancelled = true;
	loop_later(c->loop, &c->later);
}

/* --- the world of one test ------------------------------------------------ */

enum { RCPTS = 3 };

struct world {
	struct loop *loop;
	struct smtpc smtpc;
	struct yaml yaml;
	struct backend *backend;
	struct envelope *env;
	struct body_source *body;
	size_t rcpts[RCPTS];
	struct job job;
	struct outcome outcomes[RCPTS];
	int finished;
};

static void
on_finished(struct job *job)
{
	struct world *w = job->owner;

	w->finished++;
	loop_stop(w->loop);
}

static void
rcpt_add(struct envelope *env, const char *text)
{
	struct rcpt_command r = { .notify = 0 };
	struct error err;

	assert_true(address_parse(span_of(text), 0, &r.recipient, &err));
	assert_true(envelope_add(env, &r, 100));
}

static struct envelope *
envelope_sample(void)
{
	struct mail_command m = { .size = 0 };
	struct envelope *env;
	struct error err;

	assert_true(address_parse(SPAN("boss@here.test"), 0, &m.sender, &err));
	env = envelope_new(&m);
	rcpt_add(env, "nobody@x.test");		/* is not in the job */
	rcpt_add(env, "a@x.test");
	rcpt_add(env, "reply-550-5.1.1@x.test");
	rcpt_add(env, "c@x.test");
	envelope_freeze(env);
	return env;
}

static const char message[] = "Subject: x\r\n\r\nline\r\n\r\r\nbare\rcr\r\n";

static void
world_init(struct world *w, const char *module, const char *options,
	   int64_t deadline_ms)
{
	struct backend_place place = {
		.route = "test", .hostname = "gw/1.test", .smtpc = &w->smtpc,
		.deadline_ms = deadline_ms,
	};
	struct error err = { .text = "" };
	struct module *m;

	memset(w, 0, sizeof(*w));
	place.loop = w->smtpc.loop = w->loop = loop_new("test");
	w->yaml = yaml(options);
	m = module_find(module, &err);
	if (m == NULL)
		fail_msg("%s", err.text);
	w->backend = backend_open(m, w->yaml.root, &place, &err);
	if (w->backend == NULL)
		fail_msg("%s", err.text);
	w->env = envelope_sample();
	w->body = body_from_span(SPAN(message), false);
	for (size_t i = 0; i < RCPTS; i++)
		w->rcpts[i] = i + 1;
	w->job = (struct job){
		.id = "1M5Z8K3QXA", .attempt = 2, .env = w->env,
		.rcpts = w->rcpts, .rcpt_count = RCPTS, .body = w->body,
		.outcomes = w->outcomes, .finished = on_finished, .owner = w,
	};
}

static void
world_fini(struct world *w)
{
	backend_close(&w->backend);
	body_source_free(&w->body);
	envelope_free(&w->env);
	yaml_free(&w->yaml);
	loop_free(&w->loop);
}

static void
deliver(struct world *w)
{
	int before = w->finished;

	memset(w->outcomes, 0, sizeof(w->outcomes));
	backend_deliver(w->backend, &w->job);
	assert_int_equal(w->finished, before);
	run_until(w->loop, &w->finished, before + 1);
	assert_int_equal(w->finished, before + 1);
	assert_null(w->job.inside);
}

/* --- backends that wait for nothing --------------------------------------- */

static void
null_takes_all(void **state)
{
	struct world w;
	char name[256];

	(void)state;
	world_init(&w, "null", "{}", 0);
	backend_describe(w.backend, "a@b.test", name, sizeof(name));
	assert_string_equal(name, "null");
	assert_true(backend_parallel(w.backend) > 1000);
	deliver(&w);
	for (size_t i = 0; i < RCPTS; i++)
		CHECK_ROW(i, outcome_delivered(&w.outcomes[i]));
	world_fini(&w);
}

static void
fault_answers_as_told(void **state)
{
	struct world w;
	char name[256];

	(void)state;
	world_init(&w, "fault", "{answer: 451 4.3.0 so busy, phase: mail, "
		   "times: 1, then: 250 fine, delay: 2ms}", 0);
	backend_describe(w.backend, "a@b.test", name, sizeof(name));
	assert_string_equal(name, "b.test");
	deliver(&w);
	assert_int_equal(w.outcomes[0].code, 451);
	assert_int_equal(w.outcomes[0].phase, PHASE_MAIL);
	assert_int_equal(w.outcomes[0].enhanced.subject, 3);
	assert_string_equal(w.outcomes[0].text, "so busy");
	assert_string_equal(w.outcomes[0].host, "fault");
	/* the address says otherwise */
	assert_int_equal(w.outcomes[1].code, 550);
	assert_int_equal(w.outcomes[1].phase, PHASE_RCPT);
	assert_int_equal(w.outcomes[1].enhanced.detail, 1);
	assert_int_equal(w.outcomes[2].code, 451);
	deliver(&w);
	assert_true(outcome_delivered(&w.outcomes[0]));
	assert_string_equal(w.outcomes[0].text, "fine");
	world_fini(&w);
}

static void
silence_has_a_kind(void **state)
{
	static const struct {
		const char *options;
		enum outcome_kind kind;
	} rows[] = {
		{ "{answer: 0 refused, phase: connect}", OUTCOME_NETWORK },
		{ "{answer: 0 no answer, phase: resolve}", OUTCOME_DNS },
		{ "{answer: 0 disk full, phase: none}", OUTCOME_LOCAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		world_init(&w, "fault", rows[i].options, 0);
		deliver(&w);
		CHECK_ROW(i, w.outcomes[0].kind == rows[i].kind);
		CHECK_ROW(i, w.outcomes[0].code == 0);
		world_fini(&w);
	}
}

/* --- backends that break the rules ---------------------------------------- */

static void
settles_once_whatever_happens(void **state)
{
	static const struct {
		const char *mode;
		int first, second;	/* codes */
		const char *text;
	} rows[] = {
		{ "twice", 250, 250, "probed" },
		{ "later", 250, 550, "probed" },
		{ "range", 250, 250, "probed" },
		{ "bad-code", 0, 0, "reply code 999" },
		{ "read", 250, 250, "read: 32 octets" },
		{ "pread", 250, 250, "probed" },
		{ "settle-after", 250, 250, "taken" },
		{ "smtp", 250, 250, "taken" },
		{ "smtp-after", 550, 250, "not here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		char options[60];

		snprintf(options, sizeof(options), "mode: %s", rows[i].mode);
		world_init(&w, "probe", options, 0);
		deliver(&w);
		CHECK_ROW(i, w.outcomes[0].code == rows[i].first);
		CHECK_ROW(i, w.outcomes[1].code == rows[i].second);
		CHECK_HAS(w.outcomes[0].text, rows[i].text);
		world_fini(&w);
	}
}

static void
names_are_cut_and_never_empty(void **state)
{
	struct world w;
	char name[300];

	(void)state;
	world_init(&w, "probe", "{}", 0);
	backend_describe(w.backend, "short@x.test", name, sizeof(name));
	assert_string_equal(name, "probe");
	backend_describe(w.backend, "long@x.test", name, sizeof(name));
	assert_int_equal(strlen(name), 255);
	world_fini(&w);
}

/* A body that answers when it is told to. */
struct held_body {
	struct body_source source;
	body_read_fn *done;
	void *arg;
};

static void
held_read(struct body_source *s, uint64_t offset, size_t max,
	  body_read_fn *done, void *arg)
{
	struct held_body *h = container_of(s, struct held_body, source);

	(void)offset, (void)max;
	h->done = done;
	h->arg = arg;
}

static void
a_failed_read_keeps_the_mail(void **state)
{
	static const struct body_ops ops = { .read = held_read };
	struct held_body h = { .source = { .ops = &ops, .size = 10 } };
	struct error err;
	struct world w;

	(void)state;
	world_init(&w, "probe", "mode: read", 0);
	w.job.body = &h.source;
	backend_deliver(w.backend, &w.job);
	h.done(h.arg, SPAN("12345"), NULL);
	error_set(&err, ERROR_SYSTEM, "disk on fire");
	h.done(h.arg, SPAN_NONE, &err);
	run_until(w.loop, &w.finished, 1);
	assert_int_equal(w.outcomes[0].code, 0);
	CHECK_HAS(w.outcomes[0].text, "failed: 5 octets");
	world_fini(&w);
}

static void
a_read_is_waited_for(void **state)
{
	static const struct body_ops ops = { .read = held_read };
	struct held_body h = { .source = { .ops = &ops, .size = 10 } };
	struct world w;

	(void)state;
	world_init(&w, "probe", "mode: read", 0);
	w.job.body = &h.source;
	backend_deliver(w.backend, &w.job);
	backend_cancel(w.backend, &w.job);
	for (int i = 0; i < 3; i++)
		ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
	assert_int_equal(w.finished, 0);	/* its body is in use */
	h.done(h.arg, SPAN("12345"), NULL);
	run_until(w.loop, &w.finished, 1);
	CHECK_HAS(w.outcomes[0].text, "the gateway stops");
	world_fini(&w);
}

static void
cancel_brings_jobs_back(void **state)
{
	static const struct { const char *module, *options, *text; } rows[] = {
		{ "probe", "mode: never", "the gateway stops" },
		{ "probe", "mode: heeds", "heeded" },
		{ "probe", "mode: keep", "probed" },
		{ "probe", "mode: smtp", "broken off" },
		{ "fault", "hang: yes", "cancelled" },
		{ "fault", "delay: 1h", "cancelled" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		world_init(&w, rows[i].module, rows[i].options, 0);
		w.smtpc.hold = true;
		backend_deliver(w.backend, &w.job);
		backend_cancel(w.backend, &w.job);
		backend_cancel(w.backend, &w.job);
		run_until(w.loop, &w.finished, 1);
		CHECK_HAS(w.outcomes[0].text, rows[i].text);
		CHECK_ROW(i, w.outcomes[2].code == 0);
		CHECK_ROW(i, w.outcomes[2].text[0] != '\0');
		ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
		CHECK_ROW(i, w.finished == 1);
		world_fini(&w);
	}
}

/* --- the plan ------------------------------------------------------------- */

static void
plans_are_copied(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "probe", "mode: smtp-after", 0);
	w.smtpc.hold = true;
	backend_deliver(w.backend, &w.job);
	assert_int_equal(w.smtpc.plan->host_count, 2);
	assert_string_equal(w.smtpc.plan->hosts[1], "b.test");
	assert_int_equal(w.smtpc.plan->port, 2525);
	assert_string_equal(w.smtpc.plan->helo, "gw/1.test");
	assert_non_null(w.smtpc.plan->source);
	assert_int_equal(w.smtpc.plan->reuse, 1);
	assert_int_equal(w.smtpc.plan->timeouts_ms[SMTPC_DOT], 1234);
	assert_int_equal(w.smtpc.plan->timeouts_ms[SMTPC_MAIL], 0);
	/* the first was settled before */
	assert_int_equal(w.smtpc.message->rcpt_count, 2);
	assert_int_equal(w.smtpc.message->rcpts[0], 2);
	smtpc_answers(&w.smtpc.later);
	assert_int_equal(w.finished, 1);
	assert_int_equal(w.outcomes[0].code, 550);
	assert_int_equal(w.outcomes[1].code, 250);
	world_fini(&w);
}

static void
connector_makes_a_plan(void **state)
{
	struct world w;
	char name[256];

	(void)state;
	world_init(&w, "connector", "{host: mx.test, port: 2526, idle: 9s, "
		   "timeouts: {dot: 20m, connect: 3s}}", 0);
	backend_describe(w.backend, "a@b.test", name, sizeof(name));
	assert_string_equal(name, "mx.test:2526");
	w.smtpc.hold = true;
	backend_deliver(w.backend, &w.job);
	assert_string_equal(w.smtpc.plan->hosts[0], "mx.test");
	assert_int_equal(w.smtpc.plan->port, 2526);
	assert_int_equal(w.smtpc.plan->idle_ms, 9000);
	assert_int_equal(w.smtpc.plan->reuse, 100);
	assert_int_equal(w.smtpc.plan->timeouts_ms[SMTPC_CONNECT], 3000);
	assert_int_equal(w.smtpc.plan->timeouts_ms[SMTPC_GREETING], 300000);
	assert_int_equal(w.smtpc.plan->timeouts_ms[SMTPC_DOT], 1200000);
	assert_int_equal(w.smtpc.message->rcpt_count, RCPTS);
	assert_true(w.smtpc.message->body == w.body);
	smtpc_answers(&w.smtpc.later);
	assert_int_equal(w.finished, 1);
	world_fini(&w);
}

/* --- blocking backends ---------------------------------------------------- */

struct pipes {
	int wait[2], tell[2];
	char options[120];
};

static void
pipes_init(struct pipes *p, const char *more)
{
	assert_int_equal(pipe(p->wait), 0);
	assert_int_equal(pipe(p->tell), 0);
	snprintf(p->options, sizeof(p->options), "{wait_fd: %d, tell_fd: %d%s}",
		 p->wait[0], p->tell[1], more);
}

static void
pipes_fini(struct pipes *p)
{
	close(p->wait[0]);
	close(p->wait[1]);
	close(p->tell[0]);
	close(p->tell[1]);
}

/* Blocks until the module tells that it has begun 'b' or ended 'e'. */
static void
heard(struct pipes *p, char want)
{
	char c = 0;

	assert_int_equal(read(p->tell[0], &c, 1), 1);
	assert_int_equal(c, want);
}

static void
go_on(struct pipes *p)
{
	assert_int_equal(write(p->wait[1], "x", 1), 1);
}

static void
a_worker_delivers(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, ", reads: yes");
	world_init(&w, "slow", p.options, 0);
	assert_int_equal(backend_parallel(w.backend), 1);
	for (int i = 0; i < 3; i++) {
		go_on(&p);
		deliver(&w);
		assert_int_equal(w.outcomes[2].code, 250);
		assert_string_equal(w.outcomes[2].text, "read 32, 0 for a@x.test");
		heard(&p, 'b');
		heard(&p, 'e');
	}
	world_fini(&w);
	pipes_fini(&p);
}

static void
a_worker_that_settles_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "slow", "settles: no", 0);
	deliver(&w);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_LOCAL);
	CHECK_HAS(w.outcomes[0].text, "module `slow' gave no outcome");
	world_fini(&w);
}

/* Past the deadline the job comes back; so does the next one, which never
 * began; then the worker does, and everything it does is in vain. */
static void
a_worker_past_its_deadline(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, ", reads: yes");
	world_init(&w, "slow", p.options, 50);
	deliver(&w);
	CHECK_HAS(w.outcomes[0].text, "`slow' did not finish within 1 s");
	heard(&p, 'b');
	deliver(&w);
	CHECK_HAS(w.outcomes[2].text, "was busy with another message");

	/* its owner's things are gone by now */
	body_source_free(&w.body);
	envelope_free(&w.env);
	w.env = envelope_sample();
	w.body = w.job.body = body_from_span(SPAN(message), false);
	w.job.env = w.env;
	go_on(&p);
	heard(&p, 'e');
	assert_string_not_equal(w.outcomes[0].text, "slowly");

	/* and it works again */
	go_on(&p);
	deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	world_fini(&w);
	pipes_fini(&p);
}

static void
a_worker_is_cancelled(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, "");
	world_init(&w, "slow", p.options, 0);
	backend_deliver(w.backend, &w.job);
	heard(&p, 'b');
	backend_cancel(w.backend, &w.job);
	run_until(w.loop, &w.finished, 1);
	CHECK_HAS(w.outcomes[1].text, "the gateway stops");

	/* its instance stays behind, and the loop may go */
	world_fini(&w);
	go_on(&p);
	heard(&p, 'e');
	pipes_fini(&p);
}

/* A body whose pread waits on a pipe: a read that is under way at the
 * deadline is waited for, since its bytes belong to the owner. */
struct piped_body {
	struct body_source source;
	int fd;
	_Atomic int begun;
};

static bool
piped_pread(struct body_source *s, uint64_t offset, char *to, size_t max,
	    size_t *got, struct error *err)
{
	struct piped_body *b = container_of(s, struct piped_body, source);
	char c;

	(void)offset, (void)to, (void)max, (void)err;
	b->begun = 1;
	if (read(b->fd, &c, 1) != 1)
		return error_errno(err, "pipe");
	*got = 0;
	return true;
}

static void
the_deadline_waits_for_a_read(void **state)
{
	static const struct body_ops ops = { .pread = piped_pread };
	struct piped_body b = { .source = { .ops = &ops, .size = 10 } };
	struct world w;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	b.fd = fds[0];
	world_init(&w, "slow", "reads: yes", 100);
	w.job.body = &b.source;
	backend_deliver(w.backend, &w.job);
	for (int i = 0; i < 4; i++) {
		poll(NULL, 0, 50);
		ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
	}
	assert_int_equal(b.begun, 1);
	assert_int_equal(w.finished, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	run_until(w.loop, &w.finished, 1);
	CHECK_HAS(w.outcomes[0].text, "did not finish");
	/* the next one has to wait until the worker has come home */
	w.job.body = w.body;
	deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	world_fini(&w);
	close(fds[0]);
	close(fds[1]);
}

/* --- maildir -------------------------------------------------------------- */

/* The only file in the folder, read whole. */
static void
only_file(const char *folder, struct buf *ret, char *name, size_t size)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	struct error err;
	unsigned n = 0;
	char path[600];

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, size, "%s", e->d_name);
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 1);
	assert_true(file_read(ret, path, &err));
	unlink(path);
}

static unsigned
files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void
maildir_holds_the_message(void **state)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(10000);
	char top[] = "/tmp/postern-maildir-XXXXXX", options[100], path[100];
	char name[256];
	struct world w;

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(options, sizeof(options), "path: %s/box", top);
	world_init(&w, "maildir", options, 0);
	deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	CHECK_HAS(w.outcomes[2].text, "/box/new/");
	snprintf(path, sizeof(path), "%s/box/new", top);
	only_file(path, &text, name, sizeof(name));
	CHECK_HAS(name, ".gw\\0571.test");
	assert_string_equal(buf_str(&text),
		"Return-Path: <boss@here.test>\n"
		"Delivered-To: a@x.test\n"
		"Delivered-To: reply-550-5.1.1@x.test\n"
		"Delivered-To: c@x.test\n"
		"Subject: x\n\nline\n\r\nbare\rcr\n");
	snprintf(path, sizeof(path), "%s/box/tmp", top);
	assert_int_equal(files_in(path), 0);
	world_fini(&w);

	snprintf(path, sizeof(path), "rm -r %s", top);
	assert_int_equal(system(path), 0);
}

static void
maildir_fails_with_a_reason(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "maildir", "path: /nonexistent/disk/box", 0);
	deliver(&w);
	assert_int_equal(w.outcomes[0].code, 0);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_LOCAL);
	CHECK_HAS(w.outcomes[0].text, "/nonexistent/disk/box: No such file");
	world_fini(&w);
}

static void
a_filter_is_no_backend(void **state)
{
	struct backend_place place = { .route = "r" };
	struct error err;

	(void)state;
	assert_null(backend_open(module_find("tag", &err), NULL, &place, &err));
	CHECK_HAS(err.text, "module `tag' is a filter");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_takes_all),
		cmocka_unit_test(fault_answers_as_told),
		cmocka_unit_test(silence_has_a_kind),
		cmocka_unit_test(settles_once_whatever_happens),
		cmocka_unit_test(names_are_cut_and_never_empty),
		cmocka_unit_test(a_failed_read_keeps_the_mail),
		cmocka_unit_test(a_read_is_waited_for),
		cmocka_unit_test(cancel_brings_jobs_back),
		cmocka_unit_test(plans_are_copied),
		cmocka_unit_test(connector_makes_a_plan),
		cmocka_unit_test(a_worker_delivers),
		cmocka_unit_test(a_worker_that_settles_nothing),
		cmocka_unit_test(a_worker_past_its_deadline),
		cmocka_unit_test(a_worker_is_cancelled),
		cmocka_unit_test(the_deadline_waits_for_a_read),
		cmocka_unit_test(maildir_holds_the_message),
		cmocka_unit_test(maildir_fails_with_a_reason),
		cmocka_unit_test(a_filter_is_no_backend),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
