/* test-module-probe.c - what a module asks of a host without a message */
#include "service-world.h"

#include "capture.h"

static const char *const hosts[] = { "mx1.test" };
static postern_instance *instance;
static char heard[400];			/* the latest answer */
static int answers;

static int
open_it(void *self, postern_instance *me)
{
	(void)self;
	instance = me;
	return 0;
}

static const struct postern_module table = {
	.flags = POSTERN_RELAY, .open = open_it,
};

static void
on_answer(void *arg, const struct postern_probe_answer *a)
{
	assert_ptr_equal(arg, heard);
	answers++;
	snprintf(heard, sizeof(heard), "%d %d %d %s %s [%s] %s", a->ok,
		 a->outcome->code, a->outcome->phase, a->outcome->enhanced,
		 a->outcome->text, a->outcome->host,
		 a->remedy ? a->remedy : "-");
}

static const char *
remedy(const struct outcome *o, enum backend_manner m, const char *route,
       const char *mailbox, char *buf, size_t size)
{
	snprintf(buf, size, "look at %s for %s", route, mailbox);
	return o->code == 535 && m == BACKEND_RELAY ? buf : NULL;
}

static void
begin(struct service_world *w)
{
	answers = 0;
	heard[0] = '\0';
	service_open(w, &table);
	w->host.remedy = remedy;
}

static uint64_t
probe(const struct postern_probe *how, int32_t tls)
{
	const struct postern_smtp_plan plan = {
		.hosts = hosts, .host_count = 1, .port = 587, .tls = tls,
		.auth = POSTERN_AUTH_XOAUTH2, .user = "u", .secret = "s",
	};
	struct postern_probe p = *how;

	p.plan = &plan;
	return postern_smtp_probe(instance, &p, on_answer, heard);
}

static const struct postern_probe to_auth = { .upto = POSTERN_PHASE_AUTH };

static void
all_outcomes_are_told(void **state)
{
	static const struct {
		struct outcome outcome;
		const char *want;
	} rows[] = {
		{ { .kind = OUTCOME_REPLY, .code = 235, .phase = PHASE_AUTH,
		    .enhanced = { 2, 7, 0 }, .text = "in", .host = "h" },
		  "1 235 6 2.7.0 in [h] -" },
		{ { .kind = OUTCOME_REPLY, .code = 535, .phase = PHASE_AUTH,
		    .enhanced = { 5, 7, 3 }, .text = "no", .host = "h" },
		  "0 535 6 5.7.3 no [h] look at test for u" },
		{ { .kind = OUTCOME_NETWORK, .phase = PHASE_CONNECT,
		    .text = "refused", .host = "h" },
		  "0 0 2  refused [h] -" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w);
		assert_true(probe(&to_auth, POSTERN_TLS_REQUIRED) != 0);
		assert_int_equal(w.smtpc.upto, PHASE_AUTH);
		assert_string_equal(w.smtpc.plan->hosts[0], "mx1.test");
		assert_string_equal(w.smtpc.plan->auth.secret, "s");
		assert_int_equal(answers, 0);
		smtpc_answer(&w.smtpc, &rows[i].outcome);
		assert_int_equal(answers, 1);
		assert_string_equal(heard, rows[i].want);
		/* nobody need wait for it */
		assert_false(backend_busy(w.backend));
		service_close(&w);
	}
}

static void
certificates_come_first(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w);
	probe(&to_auth, POSTERN_TLS_VERIFY);
	assert_int_equal(w.tls.n, 1);
	assert_int_equal(w.smtpc.sent, 0);
	w.tls.asked[0].open = false;
	w.tls.asked[0].tls(w.tls.asked[0].arg, &(struct tls_made){ 0 }, NULL);
	assert_int_equal(w.smtpc.sent, 1);
	smtpc_answer(&w.smtpc, &(struct outcome){
		.kind = OUTCOME_REPLY, .code = 235, .phase = PHASE_AUTH });
	assert_int_equal(answers, 1);
	/* and cannot be had */
	w.tls.at_once = true;
	error_set(&w.tls.err, ERROR_CONFIG, "no such file");
	assert_int_equal(probe(&to_auth, POSTERN_TLS_VERIFY), 0);
	assert_int_equal(answers, 2);
	assert_string_equal(heard, "0 0 5  no such file [] -");
	assert_int_equal(w.tls.doubts, 1);
	service_close(&w);
}

static void
it_takes_so_long_and_no_longer(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w);
	probe(&(struct postern_probe){ .upto = POSTERN_PHASE_EHLO,
				       .timeout_ms = 1 }, 0);
	while (w.smtpc.cancelled == 0)
		ev_run(loop_ev(w.loop), EVRUN_ONCE);
	smtpc_answer(&w.smtpc, &(struct outcome){
		.kind = OUTCOME_LOCAL, .phase = PHASE_GREETING,
		.text = "broken off", .host = "h" });
	assert_string_equal(heard, "0 0 3  no answer within 1 s [h] -");
	/* while certificates are read */
	probe(&(struct postern_probe){ .upto = POSTERN_PHASE_EHLO,
				       .timeout_ms = 1 }, POSTERN_TLS_VERIFY);
	while (answers < 2)
		ev_run(loop_ev(w.loop), EVRUN_ONCE);
	assert_true(w.tls.asked[0].forgotten);
	service_close(&w);
}

static void
it_is_given_up(void **state)
{
	struct service_world w;
	uint64_t question;

	(void)state;
	begin(&w);
	question = probe(&to_auth, POSTERN_TLS_REQUIRED);
	postern_give_up(instance, question);
	assert_int_equal(w.smtpc.forgotten, 1);
	question = probe(&to_auth, POSTERN_TLS_VERIFY);
	postern_give_up(instance, question);
	assert_true(w.tls.asked[0].forgotten);
	postern_give_up(instance, question);
	/* by the end of the instance */
	probe(&to_auth, POSTERN_TLS_REQUIRED);
	probe(&to_auth, POSTERN_TLS_VERIFY);
	service_close(&w);
	assert_int_equal(w.smtpc.forgotten, 2);
	assert_true(w.tls.asked[1].forgotten);
	assert_int_equal(answers, 0);
}

static void
mistakes_are_the_module_s(void **state)
{
	static struct capture log;
	struct service_world w;

	(void)state;
	begin(&w);
	capture_begin(&log);
	probe(&(struct postern_probe){ .upto = POSTERN_PHASE_RCPT }, 0);
	probe(&to_auth, 77);
	w.host.smtpc = NULL;
	probe(&to_auth, 0);
	capture_end(&log);
	assert_int_equal(answers, 3);
	CHECK_HAS(log.text, "postern_smtp_probe(): a probe goes as far as EHLO, "
		  "STARTTLS or AUTH");
	CHECK_HAS(log.text, "unknown kind of TLS");
	assert_null(strstr(log.text, "no SMTP"));
	assert_string_equal(heard, "0 0 0  there is no SMTP here [] -");
	service_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_outcomes_are_told),
		cmocka_unit_test(certificates_come_first),
		cmocka_unit_test(it_takes_so_long_and_no_longer),
		cmocka_unit_test(it_is_given_up),
		cmocka_unit_test(mistakes_are_the_module_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
