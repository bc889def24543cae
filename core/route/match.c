/* match.c - does a message meet a route's rules? */
#include "route/match.h"

#include "base/limits.h"
#include "base/macros.h"
#include "mail/header.h"

/* What is being compared with the patterns of a list. */
struct subject {
	const char *name;		/* "sender" */
	struct span words;		/* for the reason */
	struct address address;
	struct ip ip;
	enum pattern_family family;
};

static bool
meets(const struct pattern *p, const struct subject *s)
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
reason_list(struct buf *reason, const struct patterns *ps)
{
	for (size_t i = 0; i < ps->n && i < 4; i++)
		buf_addf(reason, "%s%s%.*s", i ? ", " : "",
			 ps->v[i].excludes ? "!" : "", SPAN_ARG(ps->v[i].text));
	if (ps->n > 4)
		buf_addf(reason, " and %zu more", ps->n - 4);
}

/* A list matches if no ! entry does and, where there are positive entries,
 * one of them does. */
static bool
list_matches(const struct patterns *ps, const struct subject *s,
	     struct buf *reason)
{
	bool positive = false, met = false;

	for (size_t i = 0; i < ps->n; i++) {
		const struct pattern *p = &ps->v[i];

		if (!p->excludes)
			positive = true;
		if ((met && !p->excludes) || !meets(p, s))
			continue;
		if (p->excludes) {
			if (reason != NULL)
				buf_addf(reason, "%s %.*s is excluded by !%.*s",
					 s->name, SPAN_ARG(s->words),
					 SPAN_ARG(p->text));
			return false;
		}
		met = true;
	}
	if (met || !positive)
		return true;
	if (reason != NULL) {
		buf_addf(reason, "%s %.*s is not among ", s->name,
			 SPAN_ARG(s->words));
		reason_list(reason, ps);
	}
	return false;
}

static bool
address_matches(const struct patterns *ps, const char *name,
		struct address a, struct buf *reason)
{
	struct subject s = { .name = name, .address = a,
			     .words = a.text.n ? a.text : SPAN("<>"),
			     .family = PATTERNS_OF_ADDRESSES };

	return ps->n == 0 || list_matches(ps, &s, reason);
}

static bool
client_matches(const struct patterns *ps, struct ip ip, struct buf *reason)
{
	char text[IP_TEXT];
	struct subject s = { .name = "client", .ip = ip,
			     .family = PATTERNS_OF_CLIENTS };

	if (ps->n == 0)
		return true;
	s.words = span_of(ip_text(ip, text));
	return list_matches(ps, &s, reason);
}

static bool
text_matches(const struct patterns *ps, const char *name, struct span text,
	     struct buf *reason)
{
	struct subject s = { .name = name, .words = text,
			     .family = PATTERNS_OF_TEXT };

	return ps->n == 0 || list_matches(ps, &s, reason);
}

/* A rule on a header is met when one of its fields meets the list; a header
 * that is missing counts as an empty one. */
static bool
header_matches(const struct header_rule *rule, struct span header,
	       struct buf *reason)
{
	AUTO(buf_fini) struct buf name = BUF_MAX(200);
	struct header_field f;
	size_t nth = 0;

	while (header_find(header, rule->name, nth++, &f)) {
		AUTO(buf_fini) struct buf value = BUF_MAX(LIMIT_HEADER);

		if (header_unfold(&value, f.value) &&
		    text_matches(&rule->values, "", buf_span(&value), NULL))
			return true;
	}
	buf_addf(&name, "header %.*s", SPAN_ARG(span_sub(rule->name, 0, 100)));
	if (nth == 1)
		return text_matches(&rule->values, buf_str(&name), SPAN(""),
				    reason);
	if (reason != NULL) {
		buf_addf(reason, "no %s is among ", buf_str(&name));
		reason_list(reason, &rule->values);
	}
	return false;
}

static enum match_result
match_at_end(const struct match *m, const struct facts *f, struct buf *reason)
{
	if (m->header_count == 0 && !m->has_size)
		return MATCH_YES;
	if (!f->at_end) {
		if (reason != NULL)
			buf_add_str(reason, "its rules on header or size are "
				    "decided at the end of the message");
		return MATCH_MAYBE;
	}
	for (size_t i = 0; i < m->header_count; i++)
		if (!header_matches(&m->headers[i], f->header, reason))
			return MATCH_NO;
	if (!m->has_size || ((int64_t)f->size >= m->size_min &&
			     (int64_t)f->size <= m->size_max))
		return MATCH_YES;
	if (reason != NULL)
		buf_addf(reason, "a message of %llu bytes has not the size "
			 "asked for", (unsigned long long)f->size);
	return MATCH_NO;
}

enum match_result
route_match(const struct route *r, const struct facts *f, struct buf *reason)
{
	const struct match *m = r->match;

	if (!address_matches(&m->recipient, "recipient", f->recipient, reason) ||
	    !address_matches(&m->sender, "sender", f->sender, reason))
		return MATCH_NO;
	if (!f->own && (!client_matches(&m->client, f->client, reason) ||
			!text_matches(&m->listener, "listener", f->listener,
				      reason)))
		return MATCH_NO;
	return match_at_end(m, f, reason);
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
