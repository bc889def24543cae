/* dsn_read.c - what a report of ours was about, from the report itself */
#include "mail/dsn_inside.h"

#include "mail/header.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

/* The fields behind the header of the part for programs; "" : there is none. */
static struct span
status_part(struct span report)
{
	static const char *const types[] = {
		"\r\nContent-Type: message/delivery-status\r\n",
		"\r\nContent-Type: message/global-delivery-status\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types) && report.n > 0; i++) {
		const char *at = memmem(report.p, report.n, types[i],
					strlen(types[i]));
		struct span rest, line;

		if (at == NULL)
			continue;
		rest = span_from(report, (size_t)(at + 2 - report.p));
		while (span_split(&rest, '\n', &line) && line.n > 1)
			;
		return rest;
	}
	return SPAN_NONE;
}

/* The value on one line, without its "rfc822; ". */
static void
take_value(char *to, size_t size, struct span value)
{
	AUTO(buf_fini) struct buf flat = BUF_MAX(2 * DSN_WORDS_MAX);
	struct span s;
	size_t typed;

	header_unfold(&flat, value);
	s = buf_span(&flat);
	typed = span_find(s, ';');
	if (typed + 1 < s.n && s.p[typed + 1] == ' ' &&
	    span_find(s, ' ') == typed + 1)
		s = span_from(s, typed + 2);
	snprintf(to, size, "%.*s", SPAN_ARG(s));
}

static void
take_field(struct dsn_story *story, const struct header_field *field)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} rows[] = {
		{ "X-Postern-Queue-Id", story->id, sizeof(story->id) },
		{ "X-Postern-Sender", story->sender, sizeof(story->sender) },
		{ "Final-Recipient", story->rcpt, sizeof(story->rcpt) },
		{ "Diagnostic-Code", story->why, sizeof(story->why) },
	};

	if (span_eq_nocase(field->name, SPAN("Final-Recipient")))
		story->rcpts++;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		/* the first of each; and what is said of the first alone */
		if (span_eq_nocase(field->name, span_of(rows[i].name)) &&
		    rows[i].to[0] == '\0' && story->rcpts <= 1)
			take_value(rows[i].to, rows[i].size, field->value);
}

bool
dsn_read(struct span report, struct dsn_story *ret)
{
	struct span rest = status_part(report), end;
	struct header_field field;

	*ret = (struct dsn_story){ .rcpts = 0 };
	/* blocks of fields with an empty line between them, up to what is
	 * neither: the next part's boundary */
	do {
		while (rest.n > 0 && header_next(&rest, &field))
			take_field(ret, &field);
		end = span_sub(rest, 0, 2);
		rest = span_from(rest, 2);
	} while (rest.n > 0 && span_eq(end, SPAN("\r\n")));
	return ret->id[0] != '\0';
}
