/* probe.c - a backend for tests: does what its option says, right or wrong */
#include <postern-plugin.h>

#include <stdio.h>
#include <string.h>

enum { TWICE, LATER, READ, BAD_CODE, RANGE, NEVER, HEEDS, SMTP, SMTP_AFTER,
       SETTLE_AFTER, PREAD, KEEP, REFUSE };

struct probe {
	int32_t mode;
	postern_instance *me;
};

struct probe_job {
	struct probe *probe;
	postern_job *job;
	uint64_t at;
	uint32_t sum;
};

static const struct postern_option probe_options[] = {
	POSTERN_OPTION(struct probe, mode, POSTERN_ENUM, .fallback = "twice",
		       .words = "twice|later|read|bad-code|range|never|heeds|"
		       "smtp|smtp-after|settle-after|pread|keep|refuse",
		       .help = "What to do."),
	{ 0 },
};

static const struct postern_outcome ok = {
	.code = 250, .phase = POSTERN_PHASE_DOT, .enhanced = "2.0.0",
	.text = "probed", .host = "probe.test",
};
static const struct postern_outcome no = {
	.code = 550, .phase = POSTERN_PHASE_RCPT, .enhanced = "5.1.1",
	.text = "not here",
};

static int
probe_open(void *self, postern_instance *me)
{
	struct probe *probe = self;

	probe->me = me;
	if (probe->mode != REFUSE)
		return 0;
	postern_fail(me, "`mode' cannot be had today\nwrite mode: twice");
	postern_fail(me, "nothing else can, either");
	return -1;
}

static void
probe_describe(const void *self, const char *recipient,
	       struct postern_destination *ret)
{
	(void)self;
	/* unterminated on purpose */
	if (strcmp(recipient, "long@x.test") == 0)
		memset(ret->name, 'x', sizeof(ret->name));
}

static void
on_later(void *arg)
{
	struct probe_job *pj = arg;

	if (postern_job_data(pj->job, sizeof(*pj)) != pj)
		return;
	postern_settle(pj->job, 1, &no);
	postern_settle_rest(pj->job, &ok);
}

/* Small reads: memory answers at once, and the stack must not notice. */
static void
on_bytes(void *arg, const void *bytes, int64_t n)
{
	struct probe_job *pj = arg;
	const unsigned char *p = bytes;
	char text[64];
	struct postern_outcome o = ok;

	for (int64_t i = 0; i < n; i++)
		pj->sum += p[i];
	if (n > 0) {
		pj->at += (uint64_t)n;
		postern_job_read(pj->job, pj->at, 7, on_bytes, pj);
		return;
	}
	if (n < 0)
		o = (struct postern_outcome){ .text = text };
	snprintf(text, sizeof(text), "%s: %llu octets, sum %u",
		 n < 0 ? "failed" : "read", (unsigned long long)pj->at, pj->sum);
	o.text = text;
	postern_settle_rest(pj->job, &o);
}

static void
send(postern_job *job)
{
	static const char *const hosts[] = { "a.test", "b.test" };
	const struct postern_smtp_plan plan = {
		.hosts = hosts, .host_count = 2, .port = 2525, .idle_ms = -1,
		.source = "192.0.2.1",
		.timeouts_ms = { [POSTERN_TIMEOUT_DOT] = 1234 },
	};

	postern_smtp_send(job, &plan);
}

static void
probe_deliver(void *self, postern_job *job)
{
	struct probe *p = self;
	struct probe_job *pj = postern_job_data(job, sizeof(*pj));
	struct postern_outcome bad = { .code = 999, .text = "odd" };
	char c;

	pj->probe = p;
	pj->job = job;
	switch (p->mode) {
	case TWICE:
		postern_settle(job, 0, &ok);
		postern_settle(job, 0, &no);
		postern_settle_rest(job, &ok);
		postern_settle(job, 0, &no);
		break;
	case LATER:
		postern_timer(p->me, 5, on_later, pj);
		break;
	case READ:
		postern_job_read(job, 0, 7, on_bytes, pj);
		break;
	case BAD_CODE:
		postern_settle_rest(job, &bad);
		break;
	case RANGE:
		postern_settle(job, 1000, &ok);
		postern_settle_rest(job, &ok);
		break;
	case SMTP:
		send(job);
		break;
	case SMTP_AFTER:
		postern_settle(job, 0, &no);
		send(job);
		break;
	case SETTLE_AFTER:
		send(job);
		postern_settle_rest(job, &no);
		break;
	case PREAD:
		if (postern_job_pread(job, 0, &c, 1) == -1)
			postern_settle_rest(job, &ok);
		break;
	default:
		break;
	}
}

static void
probe_cancel(void *self, postern_job *job)
{
	static const struct postern_outcome stopped = { .text = "heeded" };
	struct probe *p = self;

	if (p->mode == HEEDS)
		postern_settle_rest(job, &stopped);
	if (p->mode == KEEP)
		postern_settle(job, 0, &ok);
}

static const struct postern_backend probe_backend = {
	.describe = probe_describe,
	.deliver = probe_deliver,
	.cancel = probe_cancel,
};

POSTERN_MODULE(
	.name = "probe",
	.summary = "a backend for tests",
	.options = probe_options,
	.self_size = sizeof(struct probe),
	.open = probe_open,
	.backend = &probe_backend
);
