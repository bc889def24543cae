/* null.c - a backend that accepts and discards every message */
#include <postern-plugin.h>

static void
null_describe(const void *self, const char *recipient,
	      struct postern_destination *ret)
{
	(void)self, (void)recipient;
	(void)ret;		/* one destination for all, named after the module */
}

static void
null_deliver(void *self, postern_job *job)
{
	static const struct postern_outcome taken = {
		.code = 250, .phase = POSTERN_PHASE_DOT, .enhanced = "2.0.0",
		.text = "discarded",
	};

	(void)self;
	postern_settle_rest(job, &taken);
}

static const struct postern_backend null_backend = {
	.describe = null_describe,
	.deliver = null_deliver,
};

POSTERN_MODULE(
	.name = "null",
	.summary = "accepts and discards every message",
	.backend = &null_backend
);
