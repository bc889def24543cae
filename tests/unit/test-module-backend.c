/* test-module-backend.c - jobs go out and come back, whatever a module does */
#include "module-world.h"

/* --- backends that wait for nothing ---------------------------------- */

static void
null_takes_all(void **state)
{
	struct world w;
	struct backend_destination what;

	(void)state;
	world_init(&w, "null", "{}", 0);
	backend_describe(w.backend, "a@b.test", &what);
	assert_string_equal(what.name, "null");
	assert_true(backend_parallel(w.backend) > 1000);
	world_deliver(&w);
	for (size_t i = 0; i < RCPTS; i++)
		CHECK_ROW(i, outcome_delivered(&w.outcomes[i]));
	world_fini(&w);
}

static void
fault_answers_as_told(void **state)
{
	struct world w;
	struct backend_destination what;

	(void)state;
	world_init(&w, "fault", "{answer: 451 4.3.0 so busy, phase: mail, "
		   "times: 1, then: 250 fine, delay: 2ms}", 0);
	backend_describe(w.backend, "a@b.test", &what);
	assert_string_equal(what.name, "b.test");
	world_deliver(&w);
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
	world_deliver(&w);
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
		world_deliver(&w);
		CHECK_ROW(i, w.outcomes[0].kind == rows[i].kind);
		CHECK_ROW(i, w.outcomes[0].code == 0);
		world_fini(&w);
	}
}

/* --- backends that break the rules ----------------------------------- */

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
		world_deliver(&w);
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
	struct backend_destination what;

	(void)state;
	world_init(&w, "probe", "{}", 0);
	backend_describe(w.backend, "short@x.test", &what);
	assert_string_equal(what.name, "probe");
	backend_describe(w.backend, "long@x.test", &what);
	assert_int_equal(strlen(what.name), 255);
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

/* --- the plan -------------------------------------------------------- */

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
	struct backend_destination what;

	(void)state;
	world_init(&w, "connector", "{host: mx.test, port: 2526, idle: 9s, "
		   "timeouts: {dot: 20m, connect: 3s}}", 0);
	backend_describe(w.backend, "a@b.test", &what);
	assert_string_equal(what.name, "mx.test:2526");
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

static void
a_filter_is_no_backend(void **state)
{
	struct host host = { .loop = NULL };
	struct backend_place place = { .route = "r", .host = &host };
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
		cmocka_unit_test(a_filter_is_no_backend),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
