/* match.c - does a message meet a route's rules?
 *
 * What costs most is asked once: the rules on everything but the recipient
 * give one answer for a message and a route (facts.kept), and a rule on a
 * header goes over the header section once.
 */
#include "route/match.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "mail/header.h"

#include <stdatomic.h>

enum {
	TELL_AGAIN_MS = 60 * 1000,	/* the trouble of one pattern */
	WORDS_MAX = 100,		/* of a stranger's text in a reason */
};

static const struct log route_log = { .room = "route" };

/* One route asked about one message. */
struct question {
	const struct route *route;
	const struct facts *facts;
	struct buf *reason;		/* or NULL */
};

/* What is being compared with the patterns of a list. */
struct subject {
	const char *name;		/* "sender" */
	struct span words;		/* for the reason */
	struct address address;
	struct ip ip;
	enum pattern_family family;
};

/* --- lists ----------------------------------------------------------- */

/* What a list has said so far, of one subject or of several. */
struct tally {
	bool met;				/* a positive entry is */
	const struct pattern *excluded;		/* by this one: it is over */
	const struct pattern *undecided;	/* the last that was */
};

static enum pattern_answer
ask(const struct pattern *p, const struct subject *s)
{
	switch (s->family) {
	case PATTERNS_OF_ADDRESSES:
		return pattern_meets_address(p, s->address);
	case PATTERNS_OF_CLIENTS:
		return pattern_meets_client(p, s->ip);
	default:
		return pattern_meets_text(p, s->words);
	}
}

static void
tell_undecided(const struct question *q, const struct pattern *p)
{
	int64_t now = clock_now_ms(), last = atomic_load(p->told_ms);

	if (q->reason != NULL || (last != 0 && now - last < TELL_AGAIN_MS) ||
	    !atomic_compare_exchange_strong(p->told_ms, &last, now))
		return;
	log_warning(&route_log, "route `%s': the pattern %s%.*s took too many "
		    "steps to tell whether it is met, so it counts as %s; "
		    "write it without repetitions inside of repetitions",
		    q->route->name, p->excludes ? "!" : "", SPAN_ARG(p->text),
		    p->excludes ? "met" : "not met");
}

/* An excluding pattern that is undecided counts as met, any other as not. */
static void
list_ask(const struct question *q, const struct patterns *ps,
	 const struct subject *s, struct tally *t)
{
	for (size_t i = 0; i < ps->n && t->excluded == NULL; i++) {
		const struct pattern *p = &ps->v[i];
		enum pattern_answer a;

		if (t->met && !p->excludes)
			continue;
		a = ask(p, s);
		if (a == PATTERN_UNDECIDED) {
			t->undecided = p;
			tell_undecided(q, p);
		}
		if (p->excludes)
			t->excluded = a != PATTERN_MISSED ? p : NULL;
		else
			t->met = a == PATTERN_MET;
	}
}

/* A list matches if no ! entry does and, where there are positive entries,
 * one of them does. */
static bool
list_matches(const struct patterns *ps, const struct tally *t)
{
	bool positive = false;

	for (size_t i = 0; i < ps->n; i++)
		positive = positive || !ps->v[i].excludes;
	return t->excluded == NULL && (t->met || !positive);
}

/* --- reasons --------------------------------------------------------- */

static void
add_patterns(struct buf *reason, const struct patterns *ps)
{
	for (size_t i = 0; i < ps->n && i < 4; i++)
		buf_addf(reason, "%s%s%.*s", i ? ", " : "",
			 ps->v[i].excludes ? "!" : "", SPAN_ARG(ps->v[i].text));
	if (ps->n > 4)
		buf_addf(reason, " and %zu more", ps->n - 4);
}

/* Why the list does not match the subject. */
static void
add_reason(struct buf *reason, const struct patterns *ps,
	   const struct subject *s, const struct tally *t)
{
	if (reason == NULL)
		return;
	buf_addf(reason, "%s ", s->name);
	encode_printable(reason, s->words, WORDS_MAX);
	if (t->excluded != NULL) {
		buf_addf(reason, " is excluded by !%.*s",
			 SPAN_ARG(t->excluded->text));
	} else {
		buf_add_str(reason, " is not among ");
		add_patterns(reason, ps);
	}
	if (t->undecided == NULL)
		return;
	buf_addf(reason, "; %s%.*s took too many steps to tell, and counts as "
		 "%s", t->undecided->excludes ? "!" : "",
		 SPAN_ARG(t->undecided->text),
		 t->undecided->excludes ? "met" : "not met");
}

static bool
matches(const struct question *q, const struct patterns *ps,
	const struct subject *s)
{
	struct tally t = { .met = false };

	if (ps->n == 0)
		return true;
	list_ask(q, ps, s, &t);
	if (list_matches(ps, &t))
		return true;
	add_reason(q->reason, ps, s, &t);
	return false;
}

/* --- sender, recipient, client, listener ----------------------------- */

static bool
address_matches(const struct question *q, const struct patterns *ps,
		const char *name, struct address a)
{
	char room[LIMIT_PATH];
	struct subject s = { .name = name, .family = PATTERNS_OF_ADDRESSES,
			     .words = a.text.n ? a.text : SPAN("<>") };

	if (ps->n == 0)
		return true;
	s.address = address_plain(a, room);
	return matches(q, ps, &s);
}

static bool
client_matches(const struct question *q, const struct patterns *ps)
{
	char text[IP_TEXT];
	struct subject s = { .name = "client", .ip = q->facts->client,
			     .family = PATTERNS_OF_CLIENTS };

	if (ps->n == 0)
		return true;
	s.words = span_of(ip_text(s.ip, text));
	return matches(q, ps, &s);
}

static bool
listener_matches(const struct question *q, const struct patterns *ps)
{
	struct subject s = { .name = "listener", .words = q->facts->listener,
			     .family = PATTERNS_OF_TEXT };

	return matches(q, ps, &s);
}

static bool
origin_matches(const struct question *q)
{
	const struct match *m = q->route->match;

	return address_matches(q, &m->sender, "sender", q->facts->sender) &&
	       (q->facts->own || (client_matches(q, &m->client) &&
				  listener_matches(q, &m->listener)));
}

/* --- header and size ------------------------------------------------- */

/* Asks about each field of that name; a header that is missing counts as an
 * empty one.  What stands behind LIMIT_MATCH_FIELDS of them is not looked at,
 * and no way around an exclusion: false then. */
static bool
fields_ask(const struct question *q, const struct header_rule *rule,
	   struct subject *s, struct tally *t)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(LIMIT_HEADER);
	struct span rest = q->facts->header;
	struct header_field f;
	size_t n = 0;

	s->words = SPAN("");
	while (t->excluded == NULL && header_next(&rest, &f)) {
		if (!span_eq_nocase(f.name, rule->name))
			continue;
		if (n++ == LIMIT_MATCH_FIELDS)
			return false;
		buf_clear(&value);
		header_unfold(&value, f.value);
		s->words = buf_span(&value);
		list_ask(q, &rule->values, s, t);
		s->words = span_trim(f.value);
	}
	if (n == 0)
		list_ask(q, &rule->values, s, t);
	return true;
}

static bool
excludes_any(const struct patterns *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		if (ps->v[i].excludes)
			return true;
	return false;
}

/* The list is asked about all fields together: one that is excluded is
 * enough to exclude, and one that meets a positive entry to match. */
static bool
header_matches(const struct question *q, const struct header_rule *rule)
{
	AUTO(buf_fini) struct buf name = BUF_MAX(200);
	struct subject s = { .family = PATTERNS_OF_TEXT };
	struct tally t = { .met = false };
	bool all = fields_ask(q, rule, &s, &t);

	if (!all && excludes_any(&rule->values)) {
		if (q->reason != NULL)
			buf_addf(q->reason, "more than %d header fields are "
				 "called %.*s, and what they hold may be "
				 "excluded", LIMIT_MATCH_FIELDS,
				 SPAN_ARG(span_sub(rule->name, 0, WORDS_MAX)));
		return false;
	}
	if (list_matches(&rule->values, &t))
		return true;
	buf_addf(&name, "header %.*s",
		 SPAN_ARG(span_sub(rule->name, 0, WORDS_MAX)));
	s.name = buf_str(&name);
	add_reason(q->reason, &rule->values, &s, &t);
	return false;
}

static bool
end_matches(const struct question *q)
{
	const struct match *m = q->route->match;
	int64_t size = (int64_t)q->facts->size;

	for (size_t i = 0; i < m->header_count; i++)
		if (!header_matches(q, &m->headers[i]))
			return false;
	if (!m->has_size || (size >= m->size_min && size <= m->size_max))
		return true;
	if (q->reason != NULL)
		buf_addf(q->reason, "a message of %lld bytes has not the size "
			 "asked for", (long long)size);
	return false;
}

/* --- the whole ------------------------------------------------------- */

/* A byte of facts.kept has two answers, at these bits; 0 is none yet. */
enum kept { KEPT_ORIGIN = 0, KEPT_END = 2 };
enum { KEPT_NO = 1, KEPT_YES = 2 };

/* The answer that was kept, or the function's, which is kept. */
static bool
once(const struct question *q, enum kept which,
     bool (*matches_it)(const struct question *q))
{
	unsigned char *kept = q->facts->kept;
	unsigned had;
	bool yes;

	if (kept == NULL || q->reason != NULL)	/* it has to say why */
		return matches_it(q);
	kept += q->route->index;
	had = *kept >> which & (KEPT_NO | KEPT_YES);
	if (had != 0)
		return had == KEPT_YES;
	yes = matches_it(q);
	*kept |= (unsigned char)((yes ? KEPT_YES : KEPT_NO) << which);
	return yes;
}

enum match_result
route_match(const struct route *r, const struct facts *f, struct buf *reason)
{
	struct question q = { .route = r, .facts = f, .reason = reason };
	const struct match *m = r->match;

	if (!address_matches(&q, &m->recipient, "recipient", f->recipient) ||
	    !once(&q, KEPT_ORIGIN, origin_matches))
		return MATCH_NO;
	if (m->header_count == 0 && !m->has_size)
		return MATCH_YES;
	if (f->at_end)
		return once(&q, KEPT_END, end_matches) ? MATCH_YES : MATCH_NO;
	if (reason != NULL)
		buf_add_str(reason, "its rules on header or size are decided "
			    "at the end of the message");
	return MATCH_MAYBE;
}

bool
route_may_take_reports(const struct route *r)
{
	struct facts f = { .own = true };
	struct question q = { .route = r, .facts = &f };

	return origin_matches(&q);
}

bool
route_takes_all_reports(const struct route *r)
{
	const struct match *m = r->match;

	return route_may_take_reports(r) && m->recipient.n == 0 &&
	       m->header_count == 0 && !m->has_size;
}

const struct route *
routes_pick(const struct routes *routes, const struct facts *f, bool *maybe)
{
	const struct route *found = NULL;

	if (maybe != NULL)
		*maybe = false;
	for (size_t i = 0; i < routes->n; i++) {
		enum match_result m = route_match(&routes->v[i], f, NULL);

		if (m == MATCH_MAYBE && maybe != NULL)
			*maybe = true;
		if (m != MATCH_YES)
			continue;
		found = &routes->v[i];
		break;
	}
	return found;
}

const struct route *
routes_pick_after(const struct routes *routes, const struct facts *f,
		  const struct route *after)
{
	size_t i = after == NULL ? 0 : (size_t)(after - routes->v) + 1;

	for (; i < routes->n; i++)
		if (route_match(&routes->v[i], f, NULL) == MATCH_YES)
			return &routes->v[i];
	return NULL;
}

void
routes_explain(const struct routes *routes, const struct facts *f,
	void (*row)(void *arg, const struct route *r, enum match_result m,
		    const char *reason), void *arg)
{
	for (size_t i = 0; i < routes->n; i++) {
		AUTO(buf_fini) struct buf reason = BUF_MAX(2000);
		enum match_result m = route_match(&routes->v[i], f, &reason);

		row(arg, &routes->v[i], m, buf_str(&reason));
	}
}
