/* slow.c - a blocking backend for tests: waits on a pipe inside deliver() */
#include <postern-plugin.h>

#include <stdio.h>
#include <unistd.h>

struct slow {
	int64_t wait_fd, tell_fd;
	int32_t settles, reads;
	postern_instance *me;
};

static const struct postern_option slow_options[] = {
	POSTERN_OPTION(struct slow, wait_fd, POSTERN_INT, .fallback = "-1",
		       .help = "An octet from here lets it go on."),
	POSTERN_OPTION(struct slow, tell_fd, POSTERN_INT, .fallback = "-1",
		       .help = "An octet goes here when it begins and ends."),
	POSTERN_OPTION(struct slow, settles, POSTERN_BOOL, .fallback = "yes",
		       .help = "Settle at the end."),
	POSTERN_OPTION(struct slow, reads, POSTERN_BOOL, .fallback = "no",
		       .help = "Read the message before."),
	{ 0 },
};

static int
slow_open(void *self, postern_instance *me)
{
	struct slow *s = self;

	s->me = me;
	return postern_timer(me, 1, NULL, NULL) == 0 ? 0 : -1;
}

static void
slow_describe(const void *self, const char *recipient,
	      struct postern_destination *ret)
{
	(void)self, (void)recipient;
	snprintf(ret->name, sizeof(ret->name), "slow");
}

static void
tell(const struct slow *s, char c)
{
	if (s->tell_fd >= 0 && write((int)s->tell_fd, &c, 1) != 1)
		postern_log(s->me, POSTERN_ERROR, "cannot tell");
}

static void
slow_deliver(void *self, postern_job *job)
{
	struct slow *s = self;
	struct postern_outcome o = { .code = 250, .text = "slowly" };
	char text[64], bytes[100], c;
	uint64_t at = 0;
	int64_t n = 0;

	tell(s, 'b');
	if (s->wait_fd >= 0 && read((int)s->wait_fd, &c, 1) != 1)
		postern_log(s->me, POSTERN_ERROR, "cannot wait");
	while (s->reads
	       && (n = postern_job_pread(job, at, bytes, sizeof(bytes))) > 0)
		at += (uint64_t)n;
	snprintf(text, sizeof(text), "read %llu, %lld for %s",
		 (unsigned long long)at, (long long)n, postern_job_rcpt(job, 0));
	o.text = text;
	if (s->settles)
		postern_settle_rest(job, &o);
	tell(s, 'e');
}

static const struct postern_backend slow_backend = {
	.describe = slow_describe,
	.deliver = slow_deliver,
};

POSTERN_MODULE(
	.name = "slow",
	.summary = "a blocking backend for tests",
	.flags = POSTERN_BLOCKING,
	.options = slow_options,
	.self_size = sizeof(struct slow),
	.open = slow_open,
	.backend = &slow_backend
);
