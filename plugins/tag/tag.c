/* tag.c - a filter that adds one field to each message */
#include <postern-plugin.h>

#include <string.h>

struct tag {
	const char *header, *value;
};

static const struct postern_option tag_options[] = {
	POSTERN_OPTION(struct tag, header, POSTERN_STRING,
		       .fallback = "X-Tag", .help = "The name of the "
		       "header field, without the colon."),
	POSTERN_OPTION(struct tag, value, POSTERN_STRING,
		       .flags = POSTERN_REQUIRED, .help = "The text of the "
		       "header field, on one line."),
	{ 0 },
};

/* RFC 5322 sections 3.6.8 and 2.2: so that no message fails for it.  What is
 * NULL is missing or wrong, and told. */
static int
tag_check(const void *self, postern_instance *me)
{
	const struct tag *tag = self;
	const char *c = tag->header ? tag->header : "X";
	int faults = 0;

	while (*c > ' ' && *c < 127 && *c != ':')
		c++;
	if (c == tag->header || *c != '\0') {
		postern_fail(me, "`header' must be the name of a header field, "
			     "without blanks and colon, not `%s'", tag->header);
		faults++;
	}
	if (tag->value != NULL && strpbrk(tag->value, "\r\n") != NULL) {
		postern_fail(me, "`value' must be on one line");
		faults++;
	}
	return faults > 0 ? -1 : 0;
}

static postern_verdict
tag_message(void *self, postern_txn *txn)
{
	const struct tag *tag = self;

	if (postern_txn_add_header(txn, tag->header, tag->value) == 0)
		return POSTERN_CONTINUE;
	postern_txn_reply(txn, 451, "4.3.0", "too many header fields");
	return POSTERN_DEFER;
}

static const struct postern_filter tag_filter = {
	.on_message = tag_message,
};

POSTERN_MODULE(
	.name = "tag",
	.summary = "adds one field to each message",
	.flags = POSTERN_CHECKS_PARTS,
	.options = tag_options,
	.self_size = sizeof(struct tag),
	.check = tag_check,
	.filter = &tag_filter
);
