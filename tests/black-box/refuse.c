/* refuse.c - a backend whose open() never succeeds, and says why */
#include <postern-plugin.h>

struct refuse {
	const char *mode;
};

static const struct postern_option refuse_options[] = {
	POSTERN_OPTION(struct refuse, mode, POSTERN_STRING,
		       .help = "What is to blame."),
	{ 0 },
};

static int
refuse_open(void *self, postern_instance *me)
{
	(void)self;
	postern_fail(me, "`mode' cannot be had today\nwrite mode: twice");
	return -1;
}

static void
refuse_describe(const void *self, const char *recipient,
		struct postern_destination *ret)
{
	(void)self, (void)recipient, (void)ret;
}

static void
refuse_deliver(void *self, postern_job *job)
{
	(void)self, (void)job;
}

static const struct postern_backend refuse_backend = {
	.describe = refuse_describe,
	.deliver = refuse_deliver,
};

POSTERN_MODULE(
	.name = "refuse",
	.summary = "does not open",
	.options = refuse_options,
	.self_size = sizeof(struct refuse),
	.open = refuse_open,
	.backend = &refuse_backend
);
