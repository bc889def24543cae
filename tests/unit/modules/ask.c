/* ask.c - a filter for tests: answers each hook as its option says, and
 * writes what it was asked into a pipe */
#include <postern-plugin.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ask {
	const char *at;			/* the hook that `verdict' is for */
	int32_t verdict;
	int32_t how;
	int64_t journal, code;
	postern_instance *me;
};

enum { AT_ONCE, RESUME, ANSWER, TWO_STEPS, NO_TICKET, NEVER, UNUSED_TICKET };

static const struct postern_option ask_options[] = {
	POSTERN_OPTION(struct ask, at, POSTERN_STRING, .fallback = "none",
		       .help = "The hook."),
	POSTERN_OPTION(struct ask, verdict, POSTERN_ENUM,
		       .fallback = "continue",
		       .words = "continue|reject|defer|pending|discard|nonsense",
		       .help = "What is said there."),
	POSTERN_OPTION(struct ask, how, POSTERN_ENUM, .fallback = "at-once",
		       .words = "at-once|resume|answer|two-steps|no-ticket|"
		       "never|unused-ticket",
		       .help = "When it is said."),
	POSTERN_OPTION(struct ask, journal, POSTERN_INT, .fallback = "-1",
		       .help = "A descriptor."),
	POSTERN_OPTION(struct ask, code, POSTERN_INT, .fallback = "0",
		       .help = "The reply."),
	{ 0 },
};

/* What a thread needs to answer: copies, and the ticket. */
struct errand {
	struct ask *ask;
	uint64_t ticket;
};

struct ask_txn {
	int hooks;			/* of this transaction */
};

static void
note(const struct ask *a, char c)
{
	if (a->journal >= 0 && write((int)a->journal, &c, 1) != 1)
		postern_log(a->me, POSTERN_ERROR, "cannot write the journal");
}

static postern_verdict
say(struct ask *a, postern_txn *txn)
{
	if (a->code != 0)
		postern_txn_reply(txn, (int)a->code, NULL, "so it is said");
	return a->verdict;
}

static postern_verdict
on_answer(void *arg, postern_txn *txn)
{
	struct errand *e = arg;
	struct ask *a = e->ask;

	free(e);
	if (txn == NULL) {
		note(a, '0');
		return POSTERN_CONTINUE;
	}
	note(a, 'a');
	return say(a, txn);
}

static void start_thread(struct ask *a, uint64_t ticket, void *(*run)(void *));

static void *
run_answer(void *arg)
{
	struct errand *e = arg;

	postern_answer(e->ticket, on_answer, e);
	return NULL;
}

static postern_verdict
on_first_step(void *arg, postern_txn *txn)
{
	struct errand *e = arg;
	struct ask *a = e->ask;

	free(e);
	note(a, txn ? '1' : '0');
	if (txn == NULL)
		return POSTERN_CONTINUE;
	start_thread(a, postern_txn_ticket(txn), run_answer);
	return POSTERN_PENDING;
}

static void *
run_two_steps(void *arg)
{
	struct errand *e = arg;

	postern_answer(e->ticket, on_first_step, e);
	return NULL;
}

static void *
run_resume(void *arg)
{
	struct errand *e = arg;

	postern_resume(e->ticket, e->ask->verdict);
	postern_resume(e->ticket, POSTERN_REJECT);	/* too late */
	postern_resume(12345, POSTERN_REJECT);		/* nobody's */
	free(e);
	return NULL;
}

static void
start_thread(struct ask *a, uint64_t ticket, void *(*run)(void *))
{
	struct errand *e = malloc(sizeof(*e));
	pthread_t t;

	if (e == NULL)
		abort();
	e->ask = a;
	e->ticket = ticket;
	if (pthread_create(&t, NULL, run, e) != 0)
		abort();
	pthread_detach(t);
}

static postern_verdict
hook(struct ask *a, postern_txn *txn, const char *name, char c)
{
	struct ask_txn *mine = postern_txn_data(txn, sizeof(*mine));

	note(a, c);
	if (mine != NULL)
		mine->hooks++;
	if (strcmp(a->at, name) != 0)
		return POSTERN_CONTINUE;
	switch (a->how) {
	case RESUME:
		start_thread(a, postern_txn_ticket(txn), run_resume);
		return POSTERN_PENDING;
	case ANSWER:
		start_thread(a, postern_txn_ticket(txn), run_answer);
		return POSTERN_PENDING;
	case TWO_STEPS:
		start_thread(a, postern_txn_ticket(txn), run_two_steps);
		return POSTERN_PENDING;
	case NO_TICKET:
		return POSTERN_PENDING;
	case NEVER:
		postern_txn_ticket(txn);
		return POSTERN_PENDING;
	case UNUSED_TICKET:
		start_thread(a, postern_txn_ticket(txn), run_answer);
		return POSTERN_CONTINUE;
	default:
		return say(a, txn);
	}
}

static postern_verdict
ask_connect(void *self, postern_txn *txn)
{
	return hook(self, txn, "connect", 'C');
}

static postern_verdict
ask_helo(void *self, postern_txn *txn)
{
	return hook(self, txn, "helo", 'H');
}

static postern_verdict
ask_mail(void *self, postern_txn *txn)
{
	return hook(self, txn, "mail", 'M');
}

static postern_verdict
ask_rcpt(void *self, postern_txn *txn, const char *recipient)
{
	(void)recipient;
	return hook(self, txn, "rcpt", 'R');
}

static postern_verdict
ask_message(void *self, postern_txn *txn)
{
	return hook(self, txn, "message", 'D');
}

static void
ask_end(void *self, postern_txn *txn)
{
	struct ask *a = self;
	struct ask_txn *mine = postern_txn_data(txn, sizeof(*mine));

	note(a, 'E');
	note(a, (char)('0' + mine->hooks));
}

static int
ask_open(void *self, postern_instance *me)
{
	((struct ask *)self)->me = me;
	return 0;
}

static const struct postern_filter ask_filter = {
	.on_connect = ask_connect,
	.on_helo = ask_helo,
	.on_mail = ask_mail,
	.on_rcpt = ask_rcpt,
	.on_message = ask_message,
	.on_end = ask_end,
};

POSTERN_MODULE(
	.name = "ask",
	.summary = "a filter for tests",
	.options = ask_options,
	.self_size = sizeof(struct ask),
	.open = ask_open,
	.filter = &ask_filter
);
