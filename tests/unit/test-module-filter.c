/* test-module-filter.c - a hook goes through a chain, at once or in time */
#include "test-module.h"

#include "base/limits.h"
#include "mail/command.h"

/* --- the world of one test ------------------------------------------- */

struct world {
	struct postern_txn txn;
	struct loop *loop;
	struct yaml yaml;
	struct filters *filters;
	struct envelope *env;
	struct buf prefix;
	int journal[2];
	int answers;
	postern_verdict verdict;
};

static void
on_answered(struct postern_txn *txn, postern_verdict v)
{
	struct world *w = container_of(txn, struct world, txn);

	w->verdict = v;
	w->answers++;
	loop_stop(w->loop);
}

static const struct txn_ops ops = { on_answered };

/* `list' has a %d for each journal. */
static void
world_init(struct world *w, const char *list)
{
	struct instance_place place = { .route = "", .hostname = "gw.test" };
	struct mail_command m = { .size = 0 };
	struct rcpt_command r = { .notify = 0 };
	struct error err = { .text = "" };
	char text[600];

	memset(w, 0, sizeof(*w));
	assert_int_equal(pipe(w->journal), 0);
	snprintf(text, sizeof(text), list, w->journal[1], w->journal[1]);
	w->yaml = yaml(text);
	if (!filters_check(w->yaml.root, true, w->yaml.d))
		fail_msg("%s", yaml_said(&w->yaml));
	w->loop = place.loop = loop_new("test");
	w->filters = filters_open(w->yaml.root, &place, &err);
	if (w->filters == NULL)
		fail_msg("%s", err.text);
	filters_set_patience(w->filters, 30000);
	w->prefix = BUF_MAX(LIMIT_PREFIX);

	assert_true(address_parse(SPAN("a@here.test"), 0, &m.sender, &err));
	assert_true(address_parse(SPAN("b@x.test"), 0, &r.recipient, &err));
	w->env = envelope_new(&m);
	envelope_add(w->env, &r, 10);
	txn_init(&w->txn, &ops);
	w->txn.client = "192.0.2.7";
	w->txn.helo = "printer";
	w->txn.env = w->env;
	w->txn.rcpt = "b@x.test";
	w->txn.head = SPAN("Subject: one\r\n two\r\nX-A: 1\r\nX-A: 2\r\n\r\n");
	w->txn.size = 4321;
	w->txn.prefix = &w->prefix;
}

static void
world_fini(struct world *w)
{
	txn_fini(&w->txn);
	filters_close(&w->filters);
	envelope_free(&w->env);
	buf_fini(&w->prefix);
	yaml_free(&w->yaml);
	loop_free(&w->loop);
	close(w->journal[0]);
	close(w->journal[1]);
}

static postern_verdict
ask_and_wait(struct world *w, enum hook hook)
{
	int before = w->answers;
	postern_verdict v = filters_ask(w->filters, hook, &w->txn);

	if (v != POSTERN_PENDING) {
		assert_int_equal(w->answers, before);
		return v;
	}
	run_until(w->loop, &w->answers, before + 1);
	assert_int_equal(w->answers, before + 1);
	return w->verdict;
}

/* What the filters wrote since the last time. */
static const char *
journal(struct world *w)
{
	static char text[200];
	struct pollfd p = { .fd = w->journal[0], .events = POLLIN };
	ssize_t n = 0;

	if (poll(&p, 1, 0) == 1)
		n = read(w->journal[0], text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* The same, but waits until there is something. */
static const char *
journal_later(struct world *w)
{
	struct pollfd p = { .fd = w->journal[0], .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20000), 1);
	return journal(w);
}

/* --- verdicts -------------------------------------------------------- */

static void
an_empty_chain_has_no_objection(void **state)
{
	struct instance_place place = { .route = "" };
	struct postern_txn txn;
	struct error err;
	struct filters *f = filters_open(NULL, &place, &err);

	(void)state;
	txn_init(&txn, &ops);
	assert_true(filters_empty(f));
	assert_int_equal(filters_ask(f, HOOK_MAIL, &txn), POSTERN_CONTINUE);
	filters_end(f, &txn);
	txn_fini(&txn);
	filters_close(&f);
}

static void
verdicts_and_their_replies(void **state)
{
	static const struct {
		const char *options;
		enum hook hook;
		postern_verdict want;
		int code;
		const char *asked;	/* by both filters */
	} rows[] = {
		{ "", HOOK_MAIL, POSTERN_CONTINUE, 0, "MM" },
		{ "at: mail, verdict: reject", HOOK_MAIL, POSTERN_REJECT, 550, "M" },
		{ "at: mail, verdict: defer", HOOK_MAIL, POSTERN_DEFER, 451, "M" },
		{ "at: mail, verdict: defer", HOOK_RCPT, POSTERN_CONTINUE, 0, "RR" },
		{ "at: rcpt, verdict: reject, code: 553", HOOK_RCPT,
		  POSTERN_REJECT, 553, "R" },
		/* words that do not fit what is done */
		{ "at: rcpt, verdict: reject, code: 451", HOOK_RCPT,
		  POSTERN_REJECT, 550, "R" },
		{ "at: rcpt, verdict: continue, code: 553", HOOK_RCPT,
		  POSTERN_CONTINUE, 0, "RR" },
		{ "at: rcpt, verdict: reject, code: 250", HOOK_RCPT,
		  POSTERN_REJECT, 550, "R" },
		{ "at: connect, verdict: reject", HOOK_CONNECT, POSTERN_REJECT,
		  554, "C" },
		{ "at: connect, verdict: defer", HOOK_CONNECT, POSTERN_DEFER,
		  421, "C" },
		{ "at: message, verdict: discard", HOOK_MESSAGE,
		  POSTERN_DISCARD, 0, "D" },
		/* what nobody may say there */
		{ "at: rcpt, verdict: discard", HOOK_RCPT, POSTERN_DEFER, 451, "R" },
		{ "at: rcpt, verdict: nonsense", HOOK_RCPT, POSTERN_DEFER, 451, "R" },
		{ "at: helo, how: no-ticket", HOOK_HELO, POSTERN_DEFER, 451, "H" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		char list[300];

		snprintf(list, sizeof(list), "- ask: {journal: %%d, %s}\n"
			 "- ask: {journal: %%d}\n", rows[i].options);
		world_init(&w, list);
		CHECK_ROW(i, ask_and_wait(&w, rows[i].hook) == rows[i].want);
		CHECK_ROW(i, w.txn.reply.code == rows[i].code);
		CHECK_ROW(i, strcmp(journal(&w), rows[i].asked) == 0);
		filters_end(w.filters, &w.txn);
		world_fini(&w);
	}
}

static void
the_end_is_told_to_those_that_began(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "- ask: {journal: %d, at: rcpt, verdict: reject}\n"
		   "- ask: {journal: %d}\n");
	ask_and_wait(&w, HOOK_CONNECT);
	ask_and_wait(&w, HOOK_HELO);
	filters_end(w.filters, &w.txn);
	assert_string_equal(journal(&w), "CCHH");
	ask_and_wait(&w, HOOK_MAIL);
	ask_and_wait(&w, HOOK_RCPT);
	ask_and_wait(&w, HOOK_RCPT);
	filters_end(w.filters, &w.txn);
	/* three hooks for the first, one for the second */
	assert_string_equal(journal(&w), "MMRRE1E3");
	filters_end(w.filters, &w.txn);
	assert_string_equal(journal(&w), "");
	world_fini(&w);

	/* the second was never reached */
	world_init(&w, "- ask: {journal: %d, at: mail, verdict: reject}\n"
		   "- ask: {journal: %d}\n");
	ask_and_wait(&w, HOOK_MAIL);
	filters_end(w.filters, &w.txn);
	assert_string_equal(journal(&w), "ME1");
	world_fini(&w);
}

static void
transactions_do_not_mix(void **state)
{
	struct postern_txn other;
	struct world w;

	(void)state;
	world_init(&w, "- ask: {journal: %d}\n");
	txn_init(&other, &ops);
	filters_ask(w.filters, HOOK_MAIL, &w.txn);
	filters_ask(w.filters, HOOK_MAIL, &other);
	filters_ask(w.filters, HOOK_MESSAGE, &other);
	filters_end(w.filters, &w.txn);
	filters_end(w.filters, &other);
	assert_string_equal(journal(&w), "MMDE1E2");
	txn_fini(&other);
	world_fini(&w);
}

/* --- waiting --------------------------------------------------------- */

static void
pending_answers_come_from_threads(void **state)
{
	static const struct {
		const char *options;
		postern_verdict want;
		int code;
		const char *journal;
	} rows[] = {
		{ "how: resume", POSTERN_CONTINUE, 0, "RR" },
		{ "how: resume, verdict: reject", POSTERN_REJECT, 550, "R" },
		{ "how: resume, verdict: defer", POSTERN_DEFER, 451, "R" },
		{ "how: resume, verdict: pending", POSTERN_DEFER, 451, "R" },
		{ "how: answer", POSTERN_CONTINUE, 0, "RaR" },
		{ "how: answer, verdict: reject, code: 552", POSTERN_REJECT,
		  552, "Ra" },
		{ "how: two-steps, verdict: reject, code: 554", POSTERN_REJECT,
		  554, "R1a" },
		{ "how: two-steps", POSTERN_CONTINUE, 0, "R1aR" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		char list[300];

		snprintf(list, sizeof(list), "- ask: {journal: %%d, at: rcpt, %s}\n"
			 "- ask: {journal: %%d}\n", rows[i].options);
		world_init(&w, list);
		CHECK_ROW(i, ask_and_wait(&w, HOOK_RCPT) == rows[i].want);
		CHECK_ROW(i, w.txn.reply.code == rows[i].code);
		CHECK_ROW(i, strcmp(journal(&w), rows[i].journal) == 0);
		filters_end(w.filters, &w.txn);
		world_fini(&w);
	}
}

static void
both_may_wait(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "- ask: {journal: %d, at: mail, how: answer}\n"
		   "- ask: {journal: %d, at: mail, how: answer, "
		   "verdict: reject}\n");
	assert_int_equal(ask_and_wait(&w, HOOK_MAIL), POSTERN_REJECT);
	assert_string_equal(journal(&w), "MaMa");
	filters_end(w.filters, &w.txn);
	world_fini(&w);
}

static void
patience_ends(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "- ask: {journal: %d, at: mail, how: never}\n"
		   "- ask: {journal: %d}\n");
	filters_set_patience(w.filters, 20);
	assert_int_equal(ask_and_wait(&w, HOOK_MAIL), POSTERN_DEFER);
	assert_int_equal(w.txn.reply.code, 451);
	filters_end(w.filters, &w.txn);
	assert_string_equal(journal(&w), "ME1");
	world_fini(&w);
}

/* The session goes while a thread is at work: its answer finds nobody. */
static void
late_answers_are_ignored(void **state)
{
	struct world w;
	int rounds = 0;

	(void)state;
	world_init(&w, "- ask: {journal: %d, at: mail, how: answer}\n");
	for (; rounds < 50; rounds++) {
		const char *j;

		assert_int_equal(filters_ask(w.filters, HOOK_MAIL, &w.txn),
				 POSTERN_PENDING);
		assert_string_equal(journal(&w), "M");
		filters_end(w.filters, &w.txn);
		j = journal(&w);
		assert_int_equal(j[0], 'E');
		/* at once on its thread, or by way of the loop */
		while (strchr(j, '0') == NULL) {
			ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
			poll(NULL, 0, 1);
			j = journal(&w);
		}
	}
	assert_int_equal(w.answers, 0);
	world_fini(&w);
}

static void
a_ticket_need_not_be_used(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "- ask: {journal: %d, at: mail, how: unused-ticket}\n");
	assert_int_equal(ask_and_wait(&w, HOOK_MAIL), POSTERN_CONTINUE);
	do
		ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
	while (strchr(journal_later(&w), '0') == NULL && w.answers == 0);
	assert_int_equal(w.answers, 0);
	filters_end(w.filters, &w.txn);
	world_fini(&w);
}

/* --- what a filter is told ------------------------------------------- */

static void
accessors_tell(void **state)
{
	struct world w;
	struct postern_txn *t = &w.txn;

	(void)state;
	world_init(&w, "[]");
	t->hook = HOOK_MESSAGE;
	assert_string_equal(postern_txn_client(t), "192.0.2.7");
	assert_string_equal(postern_txn_helo(t), "printer");
	assert_string_equal(postern_txn_sender(t), "a@here.test");
	assert_int_equal(postern_txn_rcpt_count(t), 1);
	assert_string_equal(postern_txn_rcpt(t, 0), "b@x.test");
	assert_string_equal(postern_txn_rcpt(t, 1), "");
	assert_string_equal(postern_txn_header(t, "subject", 0), "one two");
	assert_string_equal(postern_txn_header(t, "X-A", 1), "2");
	assert_null(postern_txn_header(t, "X-A", 2));
	assert_int_equal(postern_txn_size(t), 4321);
	assert_int_equal(postern_txn_add_header(t, "X B", "1"), -1);
	assert_int_equal(postern_txn_add_header(t, "X-B", "1\r\n2"), -1);
	assert_int_equal(postern_txn_add_header(t, "X-B", "1"), 0);
	assert_string_equal(buf_str(&w.prefix), "X-B: 1\r\n");
	assert_null(postern_txn_data(t, 10));
	assert_int_equal(postern_txn_ticket(t), 0);

	/* the header is not there before the message is */
	t->hook = HOOK_RCPT;
	assert_null(postern_txn_header(t, "subject", 0));
	assert_int_equal(postern_txn_add_header(t, "X-B", "1"), -1);
	t->env = NULL;
	assert_string_equal(postern_txn_sender(t), "");
	assert_int_equal(postern_txn_rcpt_count(t), 0);
	world_fini(&w);
}

static void
tag_tags(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "- tag: {header: X-Relayed-By, value: postern}\n"
		   "- tag: {value: second}\n");
	assert_int_equal(ask_and_wait(&w, HOOK_MAIL), POSTERN_CONTINUE);
	assert_int_equal(ask_and_wait(&w, HOOK_MESSAGE), POSTERN_CONTINUE);
	assert_string_equal(buf_str(&w.prefix), "X-Relayed-By: postern\r\n"
			    "X-Tag: second\r\n");
	filters_end(w.filters, &w.txn);

	/* no room for more */
	w.prefix.max = w.prefix.len;
	assert_int_equal(ask_and_wait(&w, HOOK_MESSAGE), POSTERN_DEFER);
	assert_int_equal(w.txn.reply.code, 451);
	filters_end(w.filters, &w.txn);
	world_fini(&w);
}

/* --- lists ----------------------------------------------------------- */

static void
lists_are_checked(void **state)
{
	static const struct { const char *text, *said; } rows[] = {
		{ "tag: {value: x}\n", "1:1: error: `filters' must be a list" },
		{ "- [a]\n", "1:3: error: a filter is the name of a module" },
		{ "- {tag: {value: x}, ask: {}}\n", "1:3: error: a filter is" },
		{ "- tagg\n", "1:3: error: there is no module `tagg'" },
		{ "- tagg\n", "did you mean `tag'?" },
		{ "- null: {}\n", "error" },
		{ "- fault: {}\n", "1:3: error: module `fault' is a backend" },
		{ "- tag\n", "`value' is missing in filter `tag'" },
		{ "- ask\n- tag: {valeu: x}\n", "2:9: error: unknown key `valeu'" },
		{ "- tag: {value: x, header: 'a b'}\n", "1:27: error: module `tag': "
		  "`header' must be" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct yaml y = yaml(rows[i].text);

		CHECK_ROW(i, !filters_check(y.root, true, y.d));
		CHECK_HAS(yaml_said(&y), rows[i].said);
		yaml_free(&y);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_chain_has_no_objection),
		cmocka_unit_test(verdicts_and_their_replies),
		cmocka_unit_test(the_end_is_told_to_those_that_began),
		cmocka_unit_test(transactions_do_not_mix),
		cmocka_unit_test(pending_answers_come_from_threads),
		cmocka_unit_test(both_may_wait),
		cmocka_unit_test(patience_ends),
		cmocka_unit_test(late_answers_are_ignored),
		cmocka_unit_test(a_ticket_need_not_be_used),
		cmocka_unit_test(accessors_tell),
		cmocka_unit_test(tag_tags),
		cmocka_unit_test(lists_are_checked),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
