/* null.c - a backend that takes everything and keeps nothing */
#include <postern-plugin.h>

static void
null_describe(const void *self, const char *recipient,
	      struct postern_destination *ret)
{
	(void)self, (void)recipient;
	(void)ret;		/* one for all, called as we are */
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
	.summary = "takes every message and keeps none",
	.backend = &null_backend
);
