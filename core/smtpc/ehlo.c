/* ehlo.c - what a server offers in its reply to EHLO
 *
 * A line is a keyword and words behind it.  Servers of all ages write them with
 * tabs and more blanks than one, some with = behind the keyword (AUTH=LOGIN is
 * older than RFC 2554), or with commas between mechanisms.  The same keyword on
 * several lines adds up, but for SIZE, of which the last one counts.
 */
#include "smtpc/client.h"

#include "base/macros.h"

#include <limits.h>
#include <string.h>

/* Takes the next word from the front; false when there is none.  A byte of
 * `by' parts words. */
static bool
word_take(struct span *s, const char *by, struct span *ret)
{
	size_t from = 0, end;

	while (from < s->n && s->p[from] && strchr(by, s->p[from]) != NULL)
		from++;
	end = from;
	while (end < s->n && (!s->p[end] || strchr(by, s->p[end]) == NULL))
		end++;
	*ret = span_sub(*s, from, end - from);
	*s = span_from(*s, end);
	return ret->n > 0;
}

static void
offer_pipelining(struct offers *o, struct span args)
{
	(void)args;
	o->pipelining = true;
}

static void
offer_8bitmime(struct offers *o, struct span args)
{
	(void)args;
	o->eightbit = true;
}

static void
offer_smtputf8(struct offers *o, struct span args)
{
	(void)args;
	o->smtputf8 = true;
}

static void
offer_dsn(struct offers *o, struct span args)
{
	(void)args;
	o->dsn = true;
}

/* RFC 1870 section 4: no number, or 0, names no limit; neither does one that
 * is larger than any message */
static void
offer_size(struct offers *o, struct span args)
{
	struct span number;
	uint64_t max;

	o->size = true;
	if (word_take(&args, " \t=", &number) &&
	    span_u64(number, UINT64_MAX, &max))
		o->size_max = max;
}

static void
offer_starttls(struct offers *o, struct span args)
{
	(void)args;
	o->starttls = true;
}

/* RFC 4954 section 3 */
static void
offer_auth(struct offers *o, struct span args)
{
	struct span one;

	while (word_take(&args, " \t=,", &one))
		o->auth |= auth_by_name(one);
}

/* "MAILMAX=100 RCPTMAX=50", RFC 9422 section 3 */
static void
offer_limits(struct offers *o, struct span args)
{
	struct span one;

	while (word_take(&args, " \t", &one)) {
		size_t eq = span_find(one, '=');
		struct span key = span_sub(one, 0, eq);
		uint64_t n;

		if (eq == one.n ||
		    !span_u64(span_from(one, eq + 1), UINT_MAX, &n))
			continue;
		if (span_eq_nocase(key, SPAN("MAILMAX")))
			o->mail_max = (unsigned)n;
		else if (span_eq_nocase(key, SPAN("RCPTMAX")))
			o->rcpt_max = (unsigned)n;
	}
}

static const struct {
	const char *keyword;
	void (*offer)(struct offers *o, struct span args);
} keywords[] = {
	{ "PIPELINING", offer_pipelining },
	{ "8BITMIME",   offer_8bitmime },
	{ "SMTPUTF8",   offer_smtputf8 },
	{ "DSN",        offer_dsn },
	{ "SIZE",       offer_size },
	{ "LIMITS",     offer_limits },
	{ "STARTTLS",   offer_starttls },
	{ "AUTH",       offer_auth },
};

struct offers
offers_parse(struct span text)
{
	struct offers o = { .pipelining = false };
	struct span line;

	span_split(&text, '\n', &line);		/* the server's name */
	while (span_split(&text, '\n', &line)) {
		struct span word;

		if (!word_take(&line, " \t=", &word))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
			if (span_eq_nocase(word, span_of(keywords[i].keyword)))
				keywords[i].offer(&o, line);
	}
	return o;
}
