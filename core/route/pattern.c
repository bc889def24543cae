/* pattern.c - compiling an entry, and meeting it
 *
 * Known limit: a regular expression is given REGEX_STEPS steps, about 0.2 ms,
 * and one more for each byte of the text; what is not decided by then is
 * PATTERN_UNDECIDED.  One that goes over its text once never needs more,
 * however long that is; repetitions inside of repetitions may.
 */
#include "route/pattern.h"

#include "base/limits.h"
#include "base/macros.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	REGEX_STEPS = 10 * 1000,
	REGEX_HEAP_KIB = 4 * 1024,	/* where it keeps its way back */
};

/* Compiled code lives and dies with the arena of its snapshot. */
static void *
regex_alloc(size_t size, void *arena)
{
	return arena_alloc(arena, size);
}

static void
regex_keep(void *p, void *arena)
{
	(void)p, (void)arena;
}

static bool
regex_compile(struct pattern *p, struct arena *arena, struct error *err)
{
	struct span s = span_sub(p->text, 1, p->text.n - 2);
	pcre2_general_context *general = pcre2_general_context_create(
		regex_alloc, regex_keep, arena);
	pcre2_compile_context *compile = pcre2_compile_context_create(general);
	unsigned char words[120];
	PCRE2_SIZE at;
	int code;

	p->regex = pcre2_compile((PCRE2_SPTR)s.p, s.n, PCRE2_CASELESS |
				 PCRE2_NEVER_BACKSLASH_C, &code, &at, compile);
	if (p->regex != NULL)
		return true;
	pcre2_get_error_message(code, words, sizeof(words));
	return error_set(err, ERROR_CONFIG, "regular expression: %s, at "
			 "its character %zu", (const char *)words,
			 (size_t)at + 1);
}

static enum pattern_answer
regex_meets(const struct pattern *p, struct span text)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	uint32_t steps = REGEX_STEPS + (uint32_t)MIN(text.n, LIMIT_HEADER);
	int rc = PCRE2_ERROR_NOMEMORY;

	if (limits != NULL && data != NULL) {
		pcre2_set_match_limit(limits, steps);
		pcre2_set_depth_limit(limits, steps);
		pcre2_set_heap_limit(limits, REGEX_HEAP_KIB);
		rc = pcre2_match(p->regex, (PCRE2_SPTR)(text.n ? text.p : ""),
				 text.n, 0, 0, data, limits);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	if (rc == PCRE2_ERROR_NOMATCH)
		return PATTERN_MISSED;
	return rc >= 0 ? PATTERN_MET : PATTERN_UNDECIDED;
}

/* --- compiling ------------------------------------------------------- */

/* Others write the mailboxes of a domain so. */
static bool
star_refuse(const struct pattern *p, struct address a, struct error *err)
{
	error_set(err, ERROR_CONFIG, "`%.*s' would match only a mailbox called "
		  "`*'", SPAN_ARG(p->text));
	return error_hint(err, "did you mean \"%s@%.*s\" (the domain)?",
			  p->excludes ? "!" : "", SPAN_ARG(a.domain));
}

static bool
compile_address(struct pattern *p, struct arena *arena, struct error *err)
{
	struct span s = p->text;
	char room[LIMIT_PATH];
	struct address a;
	struct error inner;

	if (span_eq(s, SPAN("<>"))) {
		p->kind = PATTERN_NULL;
		return true;
	}
	if (s.p[0] == '@') {
		bool below = s.n > 1 && s.p[1] == '.';

		p->kind = below ? PATTERN_SUBDOMAINS : PATTERN_DOMAIN;
		if (domain_valid(span_from(s, below ? 2 : 1), true))
			return true;
		error_set(err, ERROR_CONFIG, "`%.*s' is not a domain",
			  SPAN_ARG(s));
		return error_hint(err, "write @example.org, or @.example.org for "
				  "all of its subdomains");
	}
	p->kind = PATTERN_TEXT;
	if (address_parse(s, ADDRESS_UTF8 | ADDRESS_POSTMASTER, &a, &inner)) {
		if (span_starts_nocase(s, SPAN("*@")))
			return star_refuse(p, a, err);
		p->plain = arena_span(arena, address_plain(a, room).text);
		return true;
	}
	error_set(err, ERROR_CONFIG, "`%.*s' is not an address", SPAN_ARG(s));
	return error_hint(err, "write user@example.org, @example.org, "
			  "@.example.org (its subdomains), <> or /regex/; "
			  "a ! in front excludes");
}

static bool
compile_client(struct pattern *p, struct error *err)
{
	p->kind = PATTERN_NETWORK;
	if (network_parse(p->text, &p->network))
		return true;
	error_set(err, ERROR_CONFIG, "`%.*s' is not an address or network",
		  SPAN_ARG(p->text));
	return error_hint(err, "write 192.168.1.40, 192.168.1.0/24 or "
			  "fd00::/8; a ! in front excludes");
}

bool
pattern_compile(struct pattern *p, enum pattern_family family,
		struct span written, struct arena *arena, struct error *err)
{
	*p = (struct pattern){ .kind = PATTERN_TEXT };
	if (written.n > LIMIT_PATTERN)
		return error_set(err, ERROR_CONFIG, "a pattern has at most %d "
				 "characters", LIMIT_PATTERN);
	if (written.n > 0 && written.p[0] == '!') {
		p->excludes = true;
		written = span_trim(span_from(written, 1));
	}
	p->text = arena_span(arena, written);
	if (written.n == 0)
		return error_set(err, ERROR_CONFIG, "an empty pattern");
	if (family == PATTERNS_OF_CLIENTS)
		return compile_client(p, err);
	if (written.n >= 2 && written.p[0] == '/' &&
	    written.p[written.n - 1] == '/') {
		p->kind = PATTERN_REGEX;
		p->told_ms = ARENA_NEW(arena, _Atomic int64_t);
		return regex_compile(p, arena, err);
	}
	return family == PATTERNS_OF_TEXT || compile_address(p, arena, err);
}

/* --- meeting --------------------------------------------------------- */

static enum pattern_answer
answer(bool met)
{
	return met ? PATTERN_MET : PATTERN_MISSED;
}

enum pattern_answer
pattern_meets_address(const struct pattern *p, struct address a)
{
	switch (p->kind) {
	case PATTERN_NULL:
		return answer(a.text.n == 0);
	case PATTERN_DOMAIN:
		return answer(span_eq_nocase(span_from(p->text, 1), a.domain));
	case PATTERN_SUBDOMAINS:
		return answer(a.domain.n > p->text.n - 1 &&
			      span_ends_nocase(a.domain,
					       span_from(p->text, 1)));
	case PATTERN_REGEX:
		return regex_meets(p, a.text);
	default:
		return answer(span_eq_nocase(p->plain, a.text));
	}
}

enum pattern_answer
pattern_meets_text(const struct pattern *p, struct span text)
{
	if (p->kind == PATTERN_REGEX)
		return regex_meets(p, text);
	return answer(span_eq_nocase(p->text, text));
}

enum pattern_answer
pattern_meets_client(const struct pattern *p, struct ip ip)
{
	return answer(network_contains(p->network, ip));
}
