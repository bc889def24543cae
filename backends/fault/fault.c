/* fault.c - a backend that gives the answers you configure
 *
 * Postern's own tests deliver to it, to see what Postern does after each kind
 * of answer.
 */
#include <postern-plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault {
	const char *answer, *then;
	int64_t times, delay;
	int32_t phase, hang;
	/* no options */
	postern_instance *me;
	int64_t served;			/* jobs so far */
};

struct fault_job {
	struct fault *fault;
	postern_job *job;
	uint64_t timer;
	const char *answer;
};

static const struct postern_option fault_options[] = {
	POSTERN_OPTION(struct fault, answer, POSTERN_STRING,
		       .fallback = "250 2.0.0 ok", .help = "The answer: "
		       "reply code, enhanced status code (may be left out) "
		       "and text; code 0 means no answer."),
	POSTERN_OPTION(struct fault, phase, POSTERN_ENUM, .fallback = "dot",
		       .words = "none|resolve|connect|greeting|ehlo|starttls|"
		       "auth|mail|rcpt|data|body|dot|quit",
		       .help = "The step of the attempt at which the answer came."),
	POSTERN_OPTION(struct fault, times, POSTERN_INT, .min = 0,
		       .max = 1000000, .help = "The number of deliveries "
		       "that get `answer'; later ones get `then'. 0: all "
		       "deliveries get `answer'."),
	POSTERN_OPTION(struct fault, then, POSTERN_STRING,
		       .fallback = "250 2.0.0 ok",
		       .help = "The answer to the deliveries after the first `times'."),
	POSTERN_OPTION(struct fault, delay, POSTERN_DURATION,
		       .fallback = "0", .help = "The time before each answer."),
	POSTERN_OPTION(struct fault, hang, POSTERN_BOOL, .fallback = "no",
		       .help = "Never answer a delivery that would get "
		       "`answer'."),
	{ 0 },
};

/* RFC 3463 section 2: class.subject.detail; the class is the reply's.  The
 * length, or 0. */
static size_t
fault_enhanced(const char *s, long code)
{
	size_t subject, detail;

	if (*s - '0' != code / 100 || s[1] != '.')
		return 0;
	subject = strspn(s + 2, "0123456789");
	if (subject < 1 || subject > 3 || s[2 + subject] != '.')
		return 0;
	detail = strspn(s + 3 + subject, "0123456789");
	return detail >= 1 && detail <= 3 ? 3 + subject + detail : 0;
}

/* "550 5.1.1 no such user"; the parts in copy, which is as large.  A word of
 * digits and dots behind the code is meant to be an enhanced one. */
static int
fault_parse(const char *answer, char *copy, struct postern_outcome *ret)
{
	size_t n, word;
	char *rest;
	long code;

	memcpy(copy, answer, strlen(answer) + 1);
	code = strtol(copy, &rest, 10);
	if (rest == copy || (*rest != ' ' && *rest != '\0')
	    || (code != 0 && !(code >= 200 && code <= 299)
		&& !(code >= 400 && code <= 599)))
		return -1;
	ret->code = (int32_t)code;
	rest += strspn(rest, " ");
	word = strspn(rest, "0123456789.");
	if (word > 0 && (rest[word] == ' ' || rest[word] == '\0')) {
		n = fault_enhanced(rest, code);
		if (n != word)
			return -1;
		ret->enhanced = rest;
		rest += n;
		if (*rest != '\0')
			*rest++ = '\0';
		rest += strspn(rest, " ");
	}
	ret->text = *rest ? rest : "as told";
	return 0;
}

static int
fault_check_one(const char *answer, const char *key, postern_instance *me)
{
	struct postern_outcome o = { .code = 0 };
	char *copy = malloc(strlen(answer) + 1);
	int rc = copy ? fault_parse(answer, copy, &o) : -1;

	free(copy);
	if (rc != 0)
		postern_fail(me, "`%s' must be a final reply, as in 550 5.1.1 "
			     "no such user: a code of 2xx, 4xx or 5xx, or 0; "
			     "an enhanced code of the same class, or none; "
			     "and text", key);
	return rc;
}

static int
fault_check(const void *self, postern_instance *me)
{
	const struct fault *f = self;

	int answer = fault_check_one(f->answer, "answer", me);

	return fault_check_one(f->then, "then", me) == 0 ? answer : -1;
}

static int
fault_open(void *self, postern_instance *me)
{
	((struct fault *)self)->me = me;
	return 0;
}

/* The recipient's domain, so that tests have as many as they like. */
static void
fault_describe(const void *self, const char *recipient,
	       struct postern_destination *ret)
{
	const char *at = strrchr(recipient, '@');

	(void)self;
	snprintf(ret->name, sizeof(ret->name), "%s", at ? at + 1 : recipient);
}

static void
fault_settle_one(struct fault_job *fj, size_t i)
{
	const char *rcpt = postern_job_rcpt(fj->job, i);
	struct postern_outcome o = { .phase = fj->fault->phase };
	char enhanced[16] = "", *copy;
	int code;

	copy = postern_job_alloc(fj->job, strlen(fj->answer) + 1);
	fault_parse(fj->answer, copy, &o);
	if (sscanf(rcpt, "reply-%3d-%15[0-9.]@", &code, enhanced) >= 1
	    && code >= 200 && code <= 599) {
		o.code = code;
		o.enhanced = enhanced[0] ? enhanced : NULL;
		o.text = "as the address asks";
		o.phase = POSTERN_PHASE_RCPT;
	}
	o.host = "fault";
	postern_settle(fj->job, i, &o);
}

static void
fault_answer(void *arg)
{
	struct fault_job *fj = arg;
	size_t n = postern_job_rcpt_count(fj->job);

	for (size_t i = 0; i < n; i++)
		fault_settle_one(fj, i);
}

static void
fault_deliver(void *self, postern_job *job)
{
	struct fault *f = self;
	struct fault_job *fj = postern_job_data(job, sizeof(*fj));
	int faulty = f->times == 0 || f->served < f->times;

	f->served++;
	fj->fault = f;
	fj->job = job;
	fj->answer = faulty ? f->answer : f->then;
	if (faulty && f->hang)
		return;
	if (f->delay > 0)
		fj->timer = postern_timer(f->me, f->delay, fault_answer, fj);
	else
		fault_answer(fj);
}

static void
fault_cancel(void *self, postern_job *job)
{
	static const struct postern_outcome none = { .text = "cancelled" };
	struct fault *f = self;
	struct fault_job *fj = postern_job_data(job, sizeof(*fj));

	postern_timer_stop(f->me, fj->timer);
	postern_settle_rest(job, &none);
}

static const struct postern_backend fault_backend = {
	.describe = fault_describe,
	.deliver = fault_deliver,
	.cancel = fault_cancel,
};

POSTERN_MODULE(
	.name = "fault",
	.summary = "gives the answers you configure, for tests",
	.options = fault_options,
	.self_size = sizeof(struct fault),
	.check = fault_check,
	.open = fault_open,
	.backend = &fault_backend
);
