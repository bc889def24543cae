/* fixup_line.c - what a line of a header section is by itself */
#include "mail/fixup_inside.h"

#include "base/macros.h"

#include <string.h>

/* --- fields that everybody knows ------------------------------------- */

enum known_flag {
	KNOWN_ONCE = 1,			/* RFC 5322 section 3.6, RFC 2045 */
	KNOWN_PREFIX = 2,		/* all names that begin with it */
};

static const struct {
	struct span name;
	unsigned flags;
} known[] = {
	[KNOWN_RECEIVED] = { { "Received", 8 }, 0 },
	[KNOWN_FROM] = { { "From", 4 }, KNOWN_ONCE },
	[KNOWN_DATE] = { { "Date", 4 }, KNOWN_ONCE },
	[KNOWN_MESSAGE_ID] = { { "Message-ID", 10 }, KNOWN_ONCE },
	[KNOWN_SENDER] = { { "Sender", 6 }, KNOWN_ONCE },
	{ { "To", 2 }, KNOWN_ONCE },
	{ { "Cc", 2 }, KNOWN_ONCE },
	{ { "Bcc", 3 }, KNOWN_ONCE },
	{ { "Subject", 7 }, KNOWN_ONCE },
	{ { "Reply-To", 8 }, KNOWN_ONCE },
	{ { "In-Reply-To", 11 }, KNOWN_ONCE },
	{ { "References", 10 }, KNOWN_ONCE },
	{ { "Return-Path", 11 }, KNOWN_ONCE },
	{ { "MIME-Version", 12 }, KNOWN_ONCE },
	{ { "Content-Type", 12 }, KNOWN_ONCE },
	{ { "Content-Transfer-Encoding", 25 }, KNOWN_ONCE },
	{ { "Auto-Submitted", 14 }, KNOWN_ONCE },
	{ { "Importance", 10 }, KNOWN_ONCE },
	{ { "Precedence", 10 }, KNOWN_ONCE },
	{ { "Delivered-To", 12 }, 0 },
	{ { "User-Agent", 10 }, KNOWN_ONCE },
	{ { "Disposition-Notification-To", 27 }, KNOWN_ONCE },
	{ { "DKIM-Signature", 14 }, 0 },
	{ { "Authentication-Results", 22 }, 0 },
	{ { "Received-SPF", 12 }, 0 },
	{ { "X-", 2 }, KNOWN_PREFIX },
	{ { "ARC-", 4 }, KNOWN_PREFIX },
	{ { "List-", 5 }, KNOWN_PREFIX },
	{ { "Resent-", 7 }, KNOWN_PREFIX },
	{ { "Content-", 8 }, KNOWN_PREFIX },
	{ { "Thread-", 7 }, KNOWN_PREFIX },
};
_Static_assert(ARRAY_SIZE(known) == KNOWN_NONE, "the rows are counted");

size_t
known_find(struct span name)
{
	size_t i;

	for (i = 0; i < KNOWN_NONE; i++)
		if (known[i].flags & KNOWN_PREFIX
		    ? span_starts_nocase(name, known[i].name)
		    : span_eq_nocase(name, known[i].name))
			break;
	return i;
}

bool
known_once(size_t row)
{
	return row < KNOWN_NONE && (known[row].flags & KNOWN_ONCE) != 0;
}

/* --- lines ----------------------------------------------------------- */

static struct span
line_unquoted(struct span line)
{
	while (line.n > 0 && line.p[0] == '>')
		line = span_from(line, 1);
	return line;
}

enum line_kind
line_kind(struct span line)
{
	struct span from = line_unquoted(line);
	size_t colon;

	if (span_eq(line, SPAN("\r\n")) || span_eq(line, SPAN("\n")))
		return LINE_EMPTY;
	if (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '\r')
		return LINE_MORE;
	if (header_name_length(line, &colon) > 0)
		return LINE_FIELD;
	if (from.n >= 5 && memcmp(from.p, "From ", 5) == 0)
		return LINE_MAILBOX;
	return LINE_BROKEN;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_month(struct span word)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec",
	};

	for (size_t i = 0; i < ARRAY_SIZE(months); i++)
		if (span_eq(word, span_of(months[i])))
			return true;
	return false;
}

static bool
is_time_of_day(struct span word)
{
	for (size_t i = 1; i + 2 < word.n; i++)
		if (word.p[i] == ':' && is_digit(word.p[i - 1]) &&
		    is_digit(word.p[i + 1]) && is_digit(word.p[i + 2]))
			return true;
	return false;
}

bool
line_is_stamped(struct span line)
{
	bool month = false;
	struct span word;

	while (span_split(&line, ' ', &word)) {
		if (month && is_time_of_day(word))
			return true;
		month = month || is_month(word);
	}
	return false;
}

bool
line_whole(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\n';
}
