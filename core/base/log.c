/* log.c - making a line; log_queue.c writes it
 *
 * Known limit: a text longer than a part of LIMIT_LOG_LINE is cut, and a
 * field for which the line has no room any more is left out.  So a line is
 * always whole, and in JSON always valid, whatever a stranger puts in it.
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log_queue.h"
#include "base/macros.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

enum {
	LINE_END = 2,			/* what ends a line: "}\n" */
	LINE_ROOM = 2 * LIMIT_LOG_LINE,	/* for a field until it is measured */
};

/* syslog(3): err, warning, info, debug */
static const char *const level_priorities[] = {
	[LOG_LEVEL_ERROR] = "<3>", [LOG_LEVEL_WARNING] = "<4>",
	[LOG_LEVEL_INFO] = "<6>", [LOG_LEVEL_DEBUG] = "<7>",
};

static _Atomic bool log_journal;	/* lines begin with a priority */
static _Atomic int log_format = LOG_FORMAT_TEXT, log_level = LOG_LEVEL_INFO;

void
log_configure(enum log_format format, enum log_level level)
{
	log_format = (int)format;
	log_level = (int)level;
}

void
log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	log_journal = stream != NULL &&
		      sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		      fstat(STDERR_FILENO, &st) == 0 &&
		      st.st_dev == device && st.st_ino == inode;
}

bool
log_wants(enum log_level level)
{
	return (int)level <= log_level;
}

/* --- one line -------------------------------------------------------- */

static bool
text_is_bare(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' ||
		    s.p[i] == '=')
			return false;
	return s.n > 0;
}

static void
text_field(struct buf *line, const struct log_field *f)
{
	buf_addf(line, " %s=", f->key);
	if (f->is_number)
		buf_addf(line, "%lld", (long long)f->number);
	else if (text_is_bare(f->text))
		encode_printable(line, f->text, LIMIT_LOG_LINE / 4);
	else
		encode_json(line, f->text, LIMIT_LOG_LINE / 4);
}

static void
json_field(struct buf *line, const struct log_field *f)
{
	buf_add(line, SPAN(","));
	encode_json(line, span_of(f->key), LIMIT_LOG_LINE / 4);
	buf_add(line, SPAN(":"));
	if (f->is_number)
		buf_addf(line, "%lld", (long long)f->number);
	else
		encode_json(line, f->text, LIMIT_LOG_LINE / 4);
}

static void
line_field(struct buf *line, bool json, const struct log_field *f)
{
	size_t before = line->len;

	if (f->key == NULL)
		return;
	if (json)
		json_field(line, f);
	else
		text_field(line, f);
	if (line->len > LIMIT_LOG_LINE - LINE_END)
		buf_cut(line, before);
}

static void
line_inherited(struct buf *line, bool json, const struct log *log)
{
	if (log == NULL)
		return;
	line_inherited(line, json, log->parent);
	for (size_t i = 0; i < ARRAY_SIZE(log->fields); i++)
		line_field(line, json, &log->fields[i]);
}

static void
line_begin(struct buf *line, bool json, const struct log *log,
	   enum log_level level, struct span words)
{
	const char *room = log && log->room ? log->room : "postern";
	char stamp[32];

	clock_iso(clock_wall_ms(), stamp, sizeof(stamp));
	if (json) {
		buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\","
			 "\"room\":\"%s\",\"message\":",
			 stamp, level_words[level], room);
		encode_json(line, words, LIMIT_LOG_LINE / 2);
		return;
	}
	buf_addf(line, "%s ", stamp);
	if (level != LOG_LEVEL_INFO)
		buf_addf(line, "%s: ", level_words[level]);
	buf_addf(line, "%s: ", room);
	encode_printable(line, words, LIMIT_LOG_LINE / 2);
}

/* --- lines ----------------------------------------------------------- */

static void
line_make(struct buf *line, const struct log *log, enum log_level level,
	  const struct log_field *fields, size_t n, struct span words)
{
	bool json = log_format == LOG_FORMAT_JSON;

	if (log_journal)
		buf_add_str(line, level_priorities[level]);
	line_begin(line, json, log, level, words);
	line_inherited(line, json, log);
	for (size_t i = 0; i < n; i++)
		line_field(line, json, &fields[i]);
	buf_add_str(line, json ? "}\n" : "\n");
}

void
log_make_lost(struct buf *line, uint64_t lost)
{
	static const struct log log = { .room = "log" };
	const struct log_field f = LOG_NUM("lost", (int64_t)lost);

	line_make(line, &log, LOG_LEVEL_WARNING, &f, 1,
		  SPAN("lines were lost, because the reader of the log was too "
		       "slow"));
}

void
log_event(const struct log *log, enum log_level level,
	  const struct log_field *fields, size_t n, const char *fmt, ...)
{
	AUTO(buf_fini) struct buf line = BUF_MAX(LINE_ROOM);
	AUTO(buf_fini) struct buf words = BUF_MAX(LIMIT_LOG_LINE / 2);
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	buf_vaddf(&words, fmt, ap);
	va_end(ap);

	line_make(&line, log, level, fields, n, buf_span(&words));
	log_queue_line(buf_span(&line));
}
