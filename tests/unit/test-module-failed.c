/* test-module-failed.c - what a module hears when the SMTP client could not
 * even begin, and what it may do then */
#include "service-world.h"

#include "tls-world.h"

/* What the module does with a job, and in failed(). */
enum deed {
	STAND,				/* returns 0 */
	STAND_SETTLED,			/* settles all, and returns 0 */
	STAND_ONE_SETTLED,
	TAKE_SETTLED,			/* settles all, and returns 1 */
	TAKE,				/* returns 1, settles later */
	SEND_ANEW,			/* to another host */
	NO_CALLBACK,
};

static struct postern_smtp_plan plan;	/* that is sent */
static enum deed deed;
static bool settles_first;		/* a recipient, before it sends */
static postern_job *job;
static char heard[600];
static int failures;

static const char *const hosts[] = { "mx1.test", "mx2.test" };
static const struct postern_outcome ours = {
	.code = 450, .phase = POSTERN_PHASE_RCPT, .enhanced = "4.2.0",
	.text = "ours", .host = "here",
};

static int32_t
on_failed(void *self, postern_job *j, const struct postern_outcome *o)
{
	(void)self;
	failures++;
	snprintf(heard, sizeof(heard), "%d %d %s [%s] %s", o->code, o->phase,
		 o->enhanced, o->host, o->text);
	assert_ptr_equal(j, job);
	switch (deed) {
	case STAND_SETTLED:
		postern_settle_rest(j, &ours);
		return 0;
	case STAND_ONE_SETTLED:
		postern_settle(j, 1, &ours);
		return 0;
	case TAKE_SETTLED:
		postern_settle_rest(j, &ours);
		return 1;
	case TAKE:
		return 1;
	case SEND_ANEW:
		deed = STAND;
		plan.hosts = &hosts[1];
		plan.host_count = 1;
		postern_smtp_send(j, &plan);
		return 1;
	default:
		return 0;
	}
}

static void
deliver(void *self, postern_job *j)
{
	static const struct postern_outcome no = {
		.code = 550, .phase = POSTERN_PHASE_RCPT, .text = "not here",
	};

	(void)self;
	job = j;
	if (settles_first)
		postern_settle(j, 0, &no);
	postern_smtp_send(j, &plan);
}

static const struct postern_backend backend = { .deliver = deliver };
static const struct postern_module table = { .backend = &backend };

static void
begin(struct service_world *w, enum deed what)
{
	plan = (struct postern_smtp_plan){
		.hosts = hosts, .host_count = 2,
		.failed = what == NO_CALLBACK ? NULL : on_failed,
	};
	deed = what;
	settles_first = false;
	heard[0] = '\0';
	failures = 0;
	service_open(w, &table);
}

static void
finish(struct service_world *w)
{
	run_until(w->loop, &w->finished, 1);
	assert_int_equal(w->finished, 1);
	service_close(w);
}

static struct outcome
outcome_of(enum outcome_kind kind, enum phase phase, int code)
{
	struct outcome o = { .code = 0 };

	if (kind == OUTCOME_REPLY)
		outcome_reply(&o, phase, &(struct smtp_reply){
			      .code = code, .text = SPAN("so it is"),
			      .enhanced = { (unsigned short)(code / 100), 7,
					    8 } });
	else
		outcome_set(&o, kind, phase, "so it is");
	snprintf(o.host, sizeof(o.host), "mx1.test[192.0.2.1]:25");
	return o;
}

/* --- failed() --------------------------------------------------------- */

static void
only_what_failed_before_recipients_comes_back(void **state)
{
	static const struct {
		enum outcome_kind kind;
		enum phase phase;
		int code;
		const char *heard;	/* NULL: it is not called */
	} rows[] = {
		{ OUTCOME_DNS, PHASE_RESOLVE, 0, "0 1  [" },
		{ OUTCOME_NETWORK, PHASE_CONNECT, 0, "0 2  [mx1.test[192.0.2.1]"
		  ":25] so it is" },
		{ OUTCOME_REPLY, PHASE_GREETING, 554, "554 3 5.7.8 [" },
		{ OUTCOME_REPLY, PHASE_EHLO, 450, "450 4 4.7.8 [" },
		{ OUTCOME_NETWORK, PHASE_STARTTLS, 0, "0 5  [" },
		{ OUTCOME_REPLY, PHASE_AUTH, 535, "535 6 5.7.8 [mx1.test[192.0"
		  ".2.1]:25] so it is" },
		{ OUTCOME_REPLY, PHASE_MAIL, 550, NULL },
		{ OUTCOME_NETWORK, PHASE_MAIL, 0, NULL },
		{ OUTCOME_UNSUPPORTED, PHASE_MAIL, 0, NULL },
		{ OUTCOME_REPLY, PHASE_RCPT, 550, NULL },
		{ OUTCOME_REPLY, PHASE_DOT, 250, NULL },
		{ OUTCOME_NETWORK, PHASE_DOT, 0, NULL },
		{ OUTCOME_LOCAL, PHASE_NONE, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(rows[i].kind, rows[i].phase,
					      rows[i].code);
		struct service_world w;

		begin(&w, STAND);
		service_deliver(&w);
		smtpc_answer(&w.smtpc, &o);
		CHECK_ROW(i, failures == (rows[i].heard != NULL));
		if (rows[i].heard != NULL)
			CHECK_HAS(heard, rows[i].heard);
		for (size_t r = 0; r < 2; r++) {
			CHECK_ROW(i, w.outcomes[r].kind == rows[i].kind);
			CHECK_ROW(i, w.outcomes[r].phase == rows[i].phase);
			CHECK_ROW(i, w.outcomes[r].code == rows[i].code);
		}
		finish(&w);
	}
}

static void
the_module_decides(void **state)
{
	static const struct {
		enum deed deed;
		int code[2];
	} rows[] = {
		{ NO_CALLBACK, { 554, 554 } },
		{ STAND, { 554, 554 } },
		{ STAND_SETTLED, { 450, 450 } },
		{ STAND_ONE_SETTLED, { 554, 450 } },
		{ TAKE_SETTLED, { 450, 450 } },
	};
	const struct outcome o = outcome_of(OUTCOME_REPLY, PHASE_GREETING, 554);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w, rows[i].deed);
		service_deliver(&w);
		smtpc_answer(&w.smtpc, &o);
		CHECK_ROW(i, w.outcomes[0].code == rows[i].code[0]);
		CHECK_ROW(i, w.outcomes[1].code == rows[i].code[1]);
		CHECK_ROW(i, w.smtpc.sent == 1);
		finish(&w);
	}
}

static void
a_job_that_was_taken_back_is_open(void **state)
{
	const struct outcome o = outcome_of(OUTCOME_NETWORK, PHASE_CONNECT, 0);
	struct service_world w;

	(void)state;
	begin(&w, TAKE);
	service_deliver(&w);
	smtpc_answer(&w.smtpc, &o);
	service_settle(&w);
	assert_int_equal(w.finished, 0);
	postern_settle_rest(job, &ours);
	assert_int_equal(w.outcomes[1].code, 450);
	finish(&w);

	/* and can be cancelled as any other */
	begin(&w, TAKE);
	service_deliver(&w);
	smtpc_answer(&w.smtpc, &o);
	backend_cancel(w.backend, &w.job);
	assert_int_equal(w.smtpc.cancelled, 0);
	CHECK_HAS(w.outcomes[1].text, "the gateway stops");
	finish(&w);
}

static void
it_may_be_sent_anew(void **state)
{
	const struct outcome no = outcome_of(OUTCOME_NETWORK, PHASE_CONNECT, 0);
	const struct outcome yes = outcome_of(OUTCOME_REPLY, PHASE_DOT, 250);
	struct service_world w;

	(void)state;
	begin(&w, SEND_ANEW);
	settles_first = true;
	service_deliver(&w);
	assert_int_equal(w.smtpc.plan->host_count, 2);
	assert_int_equal(w.smtpc.message->rcpt_count, 1);
	smtpc_answer(&w.smtpc, &no);
	assert_int_equal(w.smtpc.sent, 2);
	assert_int_equal(w.smtpc.plan->host_count, 1);
	assert_string_equal(w.smtpc.plan->hosts[0], "mx2.test");
	assert_int_equal(w.smtpc.message->rcpt_count, 1);
	assert_int_equal(w.smtpc.message->rcpts[0], 1);
	assert_int_equal(w.finished, 0);
	smtpc_answer(&w.smtpc, &yes);
	assert_int_equal(failures, 1);
	assert_int_equal(w.outcomes[0].code, 550);
	assert_int_equal(w.outcomes[1].code, 250);
	finish(&w);
}

static void
the_second_may_fail_as_the_first(void **state)
{
	const struct outcome no = outcome_of(OUTCOME_DNS, PHASE_RESOLVE, 0);
	struct service_world w;

	(void)state;
	begin(&w, SEND_ANEW);
	service_deliver(&w);
	smtpc_answer(&w.smtpc, &no);
	smtpc_answer(&w.smtpc, &no);
	assert_int_equal(failures, 2);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_DNS);
	finish(&w);
}

static void
what_is_cancelled_does_not_come_back(void **state)
{
	const struct outcome off = outcome_of(OUTCOME_LOCAL, PHASE_CONNECT, 0);
	struct service_world w;

	(void)state;
	begin(&w, SEND_ANEW);
	service_deliver(&w);
	backend_cancel(w.backend, &w.job);
	assert_int_equal(w.smtpc.cancelled, 1);
	assert_int_equal(w.finished, 0);
	smtpc_answer(&w.smtpc, &off);
	assert_int_equal(failures, 0);
	assert_int_equal(w.smtpc.sent, 1);
	finish(&w);
}

/* --- certificates ----------------------------------------------------- */

static struct tls_world certificates;

static void
files_are_fetched_first(void **state)
{
	static const struct {
		int32_t tls;
		const char *certificate, *key, *trust_file;
		const char *asked;	/* NULL: nothing */
		enum tls_policy policy;
		bool implicit;
	} rows[] = {
		{ POSTERN_TLS_NONE, NULL, NULL, NULL, NULL, TLS_NONE, false },
		{ POSTERN_TLS_NONE, "/c", "/k", "/t", NULL, TLS_NONE, false },
		{ POSTERN_TLS_OPPORTUNISTIC, NULL, NULL, NULL, NULL,
		  TLS_OPPORTUNISTIC, false },
		{ POSTERN_TLS_REQUIRED, "/c", "/k", NULL, "/c /k 0 -",
		  TLS_REQUIRED, false },
		{ POSTERN_TLS_VERIFY, NULL, NULL, NULL, "- - 1 -", TLS_VERIFY,
		  false },
		{ POSTERN_TLS_VERIFY, "/c", NULL, "/t", "/c - 1 /t",
		  TLS_VERIFY, false },
		{ POSTERN_TLS_IMPLICIT, NULL, NULL, NULL, "- - 1 -",
		  TLS_VERIFY, true },
	};
	const struct outcome yes = outcome_of(OUTCOME_REPLY, PHASE_DOT, 250);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w, STAND);
		plan.tls = rows[i].tls;
		plan.certificate = rows[i].certificate;
		plan.key = rows[i].key;
		plan.trust_file = rows[i].trust_file;
		w.tls.at_once = true;
		w.tls.made = (struct tls_made){
			.identity = certificates.client,
			.trust = certificates.trust,
		};
		service_deliver(&w);
		CHECK_ROW(i, w.tls.n == (rows[i].asked != NULL));
		if (rows[i].asked != NULL)
			assert_string_equal(w.tls.asked[0].text,
					    rows[i].asked);
		CHECK_ROW(i, w.smtpc.sent == 1);
		CHECK_ROW(i, w.smtpc.plan->tls == rows[i].policy);
		CHECK_ROW(i, w.smtpc.plan->implicit == rows[i].implicit);
		CHECK_ROW(i, (w.smtpc.plan->identity == certificates.client) ==
			     (rows[i].asked != NULL));
		smtpc_answer(&w.smtpc, &yes);
		finish(&w);
	}
}

static void
files_that_come_later(void **state)
{
	const struct tls_made made = { .trust = certificates.trust };
	const struct outcome yes = outcome_of(OUTCOME_REPLY, PHASE_DOT, 250);
	struct service_world w;

	(void)state;
	begin(&w, STAND);
	plan.tls = POSTERN_TLS_VERIFY;
	service_deliver(&w);
	assert_int_equal(w.smtpc.sent, 0);
	service_settle(&w);
	assert_int_equal(w.finished, 0);
	w.tls.asked[0].open = false;
	w.tls.asked[0].tls(w.tls.asked[0].arg, &made, NULL);
	assert_int_equal(w.smtpc.sent, 1);
	assert_ptr_equal(w.smtpc.plan->trust, certificates.trust);
	assert_null(w.smtpc.plan->identity);
	smtpc_answer(&w.smtpc, &yes);
	assert_int_equal(w.outcomes[0].code, 250);
	finish(&w);
}

static void
files_are_doubted_by_what_came_of_them(void **state)
{
	static const struct {
		enum outcome_kind kind;
		enum phase phase;
		int code;
		enum shown shown;
		bool doubted;
	} rows[] = {
		{ OUTCOME_SECURITY, PHASE_STARTTLS, 0, SHOWN_NOTHING, true },
		{ OUTCOME_REPLY, PHASE_RCPT, 550, SHOWN_EXPIRED, true },
		{ OUTCOME_REPLY, PHASE_MAIL, 450, SHOWN_CERTIFICATE, true },
		{ OUTCOME_REPLY, PHASE_MAIL, 550, SHOWN_NOTHING, false },
		{ OUTCOME_REPLY, PHASE_DOT, 554, SHOWN_CERTIFICATE, false },
		{ OUTCOME_REPLY, PHASE_DOT, 250, SHOWN_CERTIFICATE, false },
		{ OUTCOME_NETWORK, PHASE_CONNECT, 0, SHOWN_NOTHING, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = outcome_of(rows[i].kind, rows[i].phase,
					      rows[i].code);
		struct service_world w;

		o.shown = rows[i].shown;
		begin(&w, STAND);
		service_deliver(&w);
		smtpc_answer(&w.smtpc, &o);
		CHECK_ROW(i, w.tls.doubts == rows[i].doubted);
		finish(&w);
	}
}

static void
files_that_cannot_be_read(void **state)
{
	static const struct {
		bool at_once;
		enum deed deed;
		int code;		/* of the first recipient */
		size_t asked;
	} rows[] = {
		{ true, NO_CALLBACK, 0, 1 }, { false, NO_CALLBACK, 0, 1 },
		{ true, STAND, 0, 1 }, { false, STAND, 0, 1 },
		{ true, TAKE_SETTLED, 450, 1 }, { false, TAKE_SETTLED, 450, 1 },
		{ true, SEND_ANEW, 0, 2 }, { false, SEND_ANEW, 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w, rows[i].deed);
		plan.tls = POSTERN_TLS_VERIFY;
		error_set(&w.tls.err, ERROR_SYSTEM, "/t: no such file");
		w.tls.at_once = rows[i].at_once;
		service_deliver(&w);
		for (size_t n = 0; n < w.tls.n; n++) {
			struct asked *a = &w.tls.asked[n];

			if (!a->open)
				continue;
			a->open = false;
			a->tls(a->arg, NULL, &w.tls.err);
		}
		CHECK_ROW(i, w.tls.n == rows[i].asked);
		CHECK_ROW(i, w.smtpc.sent == 0);
		if (rows[i].deed != NO_CALLBACK)
			CHECK_HAS(heard, "0 5  [] /t: no such file");
		CHECK_ROW(i, w.outcomes[0].code == rows[i].code);
		if (rows[i].code == 0) {
			CHECK_HAS(w.outcomes[1].text, "/t: no such file");
			CHECK_ROW(i, w.outcomes[1].phase == PHASE_STARTTLS);
		}
		finish(&w);
	}
}

static void
cancelled_while_files_are_read(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w, SEND_ANEW);
	plan.tls = POSTERN_TLS_VERIFY;
	service_deliver(&w);
	assert_true(w.tls.asked[0].open);
	backend_cancel(w.backend, &w.job);
	assert_true(w.tls.asked[0].forgotten);
	backend_cancel(w.backend, &w.job);
	assert_int_equal(w.smtpc.sent + w.smtpc.cancelled, 0);
	assert_int_equal(failures, 0);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_LOCAL);
	CHECK_HAS(w.outcomes[1].text, "cancelled by the gateway");
	finish(&w);
}

static void
a_house_without_tls(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w, STAND);
	plan.tls = POSTERN_TLS_VERIFY;
	w.host.tls = NULL;
	service_deliver(&w);
	CHECK_HAS(w.outcomes[0].text, "there is no TLS here");
	assert_int_equal(failures, 1);
	finish(&w);
}

static int
open_world(void **state)
{
	(void)state;
	world_open(&certificates);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&certificates);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_failed_before_recipients_comes_back),
		cmocka_unit_test(the_module_decides),
		cmocka_unit_test(a_job_that_was_taken_back_is_open),
		cmocka_unit_test(it_may_be_sent_anew),
		cmocka_unit_test(the_second_may_fail_as_the_first),
		cmocka_unit_test(what_is_cancelled_does_not_come_back),
		cmocka_unit_test(files_are_fetched_first),
		cmocka_unit_test(files_that_come_later),
		cmocka_unit_test(files_are_doubted_by_what_came_of_them),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(cancelled_while_files_are_read),
		cmocka_unit_test(a_house_without_tls),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
