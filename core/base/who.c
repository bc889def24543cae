/* who.c - users by their number, without asking a network */
#include "base/who.h"

#include "base/file.h"
#include "base/macros.h"

#include <stdio.h>

enum { PASSWD_MAX = 256 * 1024 };

/* A line of passwd(5) of that uid: "name:x:uid:...". */
static bool
who_line_is(struct span line, unsigned uid, struct span *name)
{
	struct span word;
	uint64_t number;

	return span_split(&line, ':', name) && span_split(&line, ':', &word) &&
	       span_split(&line, ':', &word) &&
	       span_u64(word, UINT32_MAX, &number) && number == uid;
}

struct who
who_user(unsigned uid)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(PASSWD_MAX);
	struct who w = { .kind = WHO_USER, .uid = uid };
	struct span rest, line, name;
	struct error err;

	if (!file_read(&text, "/etc/passwd", &err))
		return w;
	rest = buf_span(&text);
	while (span_split(&rest, '\n', &line))
		if (who_line_is(line, uid, &name)) {
			snprintf(w.user, sizeof(w.user), "%.*s",
				 SPAN_ARG(name));
			break;
		}
	return w;
}

struct who
who_signal(const char *name)
{
	struct who w = { .kind = WHO_SIGNAL };

	snprintf(w.user, sizeof(w.user), "%s", name);
	return w;
}

size_t
who_fields(const struct who *w, struct log_field *to)
{
	size_t n = 0;

	if (w->kind == WHO_USER)
		to[n++] = LOG_NUM("uid", w->uid);
	if (w->user[0] != '\0')
		to[n++] = LOG_STR(w->kind == WHO_USER ? "user" : "signal",
				  w->user);
	return n;
}
