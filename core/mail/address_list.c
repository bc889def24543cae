/* address_list.c - tokens, then mailboxes made of them
 *
 * An element is tried as local-part "@" domain first.  If that does not reach
 * up to the comma, it is words with an <address> or with one that lacks its
 * brackets, words that begin a group, or words alone.
 */
#include "mail/address_list.h"

#include "base/buf.h"
#include "base/macros.h"

#include <string.h>

/* --- tokens: RFC 5322 section 3.2 ------------------------------------ */

/* A bracket that is not closed so near opens nothing: no address is longer, and
 * a field full of such brackets is not searched to its end for each of them. */
enum { LITERAL_MAX = LIMIT_PATH };

enum token_kind {
	TOKEN_END,
	TOKEN_ATOM,
	TOKEN_QUOTED,			/* text: what is between the quotes */
	TOKEN_LITERAL,			/* text: with its brackets */
	TOKEN_SPECIAL,			/* text: one byte */
	TOKEN_BAD,			/* a comment or quotes without an end */
};

struct token {
	enum token_kind kind;
	struct span text;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What cannot stand in an atom; controls neither. */
static bool
is_special(char c)
{
	return (unsigned char)c <= 32 || c == 127 ||
	       strchr("()<>[]:;@\\,.\"", c) != NULL;
}

/* The length of the comment at the front, with those in it; 0 when it does
 * not end. */
static size_t
comment_length(struct span s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* The length up to and with the closing byte; 0 when the opening one comes
 * again before it, or when there is none. */
static size_t
closed_length(struct span s, char closing)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == closing)
			return i + 1;
		else if (s.p[i] == s.p[0])
			return 0;
	}
	return 0;
}

static bool
skip_cfws(struct span *s)
{
	while (s->n > 0 && (is_space(s->p[0]) || s->p[0] == '(')) {
		size_t n = s->p[0] == '(' ? comment_length(*s) : 1;

		if (n == 0)
			return false;
		*s = span_from(*s, n);
	}
	return true;
}

static size_t
token_length(struct span s, enum token_kind *kind)
{
	size_t n = 0;

	*kind = TOKEN_SPECIAL;
	if (s.p[0] == '"') {
		n = closed_length(s, '"');
		*kind = n > 0 ? TOKEN_QUOTED : TOKEN_BAD;
	} else if (s.p[0] == '[') {
		n = closed_length(span_sub(s, 0, LITERAL_MAX), ']');
		*kind = n > 0 ? TOKEN_LITERAL : TOKEN_SPECIAL;
	} else if (!is_special(s.p[0])) {
		while (n < s.n && !is_special(s.p[n]))
			n++;
		*kind = TOKEN_ATOM;
	}
	return MAX(n, 1);
}

static struct token
token_next(struct span *s)
{
	struct token t = { .kind = TOKEN_BAD };
	size_t n;

	if (!skip_cfws(s))
		return t;
	t.kind = TOKEN_END;
	if (s->n == 0)
		return t;
	n = token_length(*s, &t.kind);
	t.text = t.kind == TOKEN_QUOTED ? span_sub(*s, 1, n - 2)
					: span_sub(*s, 0, n);
	*s = span_from(*s, n);
	return t;
}

static bool
token_is(struct token t, char special)
{
	return t.kind == TOKEN_SPECIAL && t.text.p[0] == special;
}

/* Takes the byte when it comes next. */
static bool
token_take(struct span *s, char special)
{
	struct span rest = *s;

	if (!token_is(token_next(&rest), special))
		return false;
	*s = rest;
	return true;
}

/* Where an element ends: a comma, the end of a group or of all.  Not taken. */
static bool
element_ends(struct span s)
{
	struct token t = token_next(&s);

	return t.kind == TOKEN_END || token_is(t, ',') || token_is(t, ';');
}

/* --- addresses: RFC 5322 sections 3.4.1 and 4.4 ----------------------- */

/* What is between quotes, without folds and backslashes. */
static bool
plain_add(struct buf *b, struct span quoted)
{
	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '\\' && i + 1 < quoted.n)
			i++;
		else if (quoted.p[i] == '\r' || quoted.p[i] == '\n')
			continue;
		if (!buf_add_char(b, quoted.p[i]))
			return false;
	}
	return true;
}

/* Words with dots between them, up to the @, which is taken. */
static bool
local_part_take(struct span *s, struct buf *local, bool *quoted)
{
	bool after_word = false;

	*quoted = false;
	for (;;) {
		struct token t = token_next(s);
		bool word = t.kind == TOKEN_ATOM || t.kind == TOKEN_QUOTED;

		if (token_is(t, '@'))
			return local->len > 0 || *quoted;
		if ((word && after_word) || (!word && !token_is(t, '.')))
			return false;
		*quoted = *quoted || t.kind == TOKEN_QUOTED;
		if (t.kind == TOKEN_QUOTED ? !plain_add(local, t.text)
					   : !buf_add(local, t.text))
			return false;
		after_word = word;
	}
}

/* A literal, or atoms with dots between them. */
static bool
domain_take(struct span *s, struct buf *domain)
{
	struct token t = token_next(s);
	struct span rest;

	if (t.kind == TOKEN_LITERAL) {
		for (size_t i = 0; i < t.text.n; i++)
			if (!is_space(t.text.p[i]) &&
			    !buf_add_char(domain, t.text.p[i]))
				return false;
		return true;
	}
	while (t.kind == TOKEN_ATOM && buf_add(domain, t.text)) {
		if (!token_take(s, '.'))
			return true;
		rest = *s;
		t = token_next(&rest);
		if (t.kind != TOKEN_ATOM || !buf_add_char(domain, '.'))
			return false;
		*s = rest;
	}
	return false;
}

static bool
quoted_add(struct buf *b, struct span plain)
{
	bool ok = buf_add_char(b, '"');

	for (size_t i = 0; ok && i < plain.n; i++)
		ok = (strchr("\"\\", plain.p[i]) == NULL ||
		      plain.p[i] == '\0' || buf_add_char(b, '\\')) &&
		     buf_add_char(b, plain.p[i]);
	return ok && buf_add_char(b, '"');
}

/* local-part "@" domain at the front of *s.  False, with *s anywhere, when it
 * is none. */
static bool
addr_spec_take(struct span *s, char *room, struct address *ret,
	       struct error *err)
{
	AUTO(buf_fini) struct buf local = BUF_MAX(LIMIT_PATH);
	AUTO(buf_fini) struct buf text = BUF_MAX(LIMIT_PATH);
	AUTO(buf_fini) struct buf domain = BUF_MAX(LIMIT_PATH);
	struct address a;
	bool quoted;

	if (!local_part_take(s, &local, &quoted) || !domain_take(s, &domain) ||
	    !(quoted ? quoted_add(&text, buf_span(&local))
		     : buf_add(&text, buf_span(&local))) ||
	    !buf_add_char(&text, '@') || !buf_add(&text, buf_span(&domain)))
		return error_set(err, ERROR_PROTOCOL, "an address is "
				 "malformed");
	if (!address_parse(buf_span(&text), ADDRESS_UTF8, &a, err))
		return false;
	a = address_plain(a, room);
	if (a.text.p != room) {
		memcpy(room, a.text.p, a.text.n);
		*ret = (struct address){
			.text = { room, a.text.n },
			.local = { room, a.local.n },
			.domain = { room + a.text.n - a.domain.n, a.domain.n },
		};
		return true;
	}
	*ret = a;
	return true;
}

/* "@a,,@b:" */
static bool
route_skip(struct span *s)
{
	AUTO(buf_fini) struct buf domain = BUF_MAX(LIMIT_PATH);
	bool any = false;

	for (;;) {
		while (token_take(s, ','))
			;
		if (any && token_take(s, ':'))
			return true;
		if (!token_take(s, '@'))
			return !any;
		any = true;
		buf_clear(&domain);
		if (!domain_take(s, &domain))
			return false;
	}
}

/* Behind the "<"; takes all that is left of the element. */
static bool
angle_take(struct span *s, char *room, struct address *ret, struct error *err)
{
	struct token t;

	if (!route_skip(s))
		return error_set(err, ERROR_PROTOCOL, "a source route is "
				 "malformed");
	if (!addr_spec_take(s, room, ret, err))
		return false;
	if (!token_take(s, '>') && token_next(s).kind != TOKEN_END)
		return error_set(err, ERROR_PROTOCOL, "an address lacks its "
				 "closing `>'");
	while (!element_ends(*s)) {
		t = token_next(s);
		if (t.kind == TOKEN_BAD || token_is(t, '<') ||
		    token_is(t, '>') || token_is(t, '@'))
			return error_set(err, ERROR_PROTOCOL, "there is more "
					 "than words behind an address");
	}
	return true;
}

/* --- elements --------------------------------------------------------- */

enum words_end { WORDS_ANGLE, WORDS_GROUP, WORDS_BARE, WORDS_ALONE, WORDS_BAD };

/* Words in front of an address, of a group, or of nothing.  With WORDS_BARE
 * the one @ among them is of an address without brackets, and *s is where
 * that begins: at the words with dots between them in front of the @. */
static enum words_end
words_take(struct span *s, bool in_group)
{
	struct span run = *s, bare = *s;
	bool any = false, dot = false;
	size_t ats = 0;

	while (!element_ends(*s)) {
		struct span before = *s;
		struct token t = token_next(s);

		if (token_is(t, '<'))
			return WORDS_ANGLE;
		if (token_is(t, ':') && any && ats == 0 && !in_group)
			return WORDS_GROUP;
		if (t.kind == TOKEN_BAD || token_is(t, '>'))
			return WORDS_BAD;
		if (token_is(t, '@') && ats++ == 0)
			bare = run;
		if (t.kind != TOKEN_SPECIAL && !dot)
			run = before;
		dot = token_is(t, '.');
		any = true;
	}
	if (ats == 1)
		*s = bare;
	return ats == 0 ? WORDS_ALONE : ats == 1 ? WORDS_BARE : WORDS_BAD;
}

/* Commas, and the ends of groups. */
static void
separators_skip(struct address_list_reader *r)
{
	for (;;) {
		if (token_take(&r->rest, ';'))
			r->in_group = false;
		else if (!token_take(&r->rest, ','))
			return;
	}
}

enum address_list
address_list_next(struct address_list_reader *r, char *room,
		  struct address *ret, struct error *err)
{
	for (;;) {
		struct span start;
		struct error why;	/* perhaps it is something else */

		separators_skip(r);
		start = r->rest;
		if (token_next(&start).kind == TOKEN_END)
			return ADDRESS_LIST_END;
		start = r->rest;
		if (addr_spec_take(&r->rest, room, ret, &why) &&
		    element_ends(r->rest))
			return ADDRESS_LIST_ONE;
		r->rest = start;
		switch (words_take(&r->rest, r->in_group)) {
		case WORDS_ANGLE:
			return angle_take(&r->rest, room, ret, err)
				? ADDRESS_LIST_ONE : ADDRESS_LIST_BAD;
		case WORDS_GROUP:
			r->in_group = true;
			break;
		case WORDS_BARE:
			if (addr_spec_take(&r->rest, room, ret, &why) &&
			    element_ends(r->rest))
				return ADDRESS_LIST_ONE;
			/* fall through */
		case WORDS_BAD:
			error_set(err, ERROR_PROTOCOL, "an address is "
				  "malformed");
			return ADDRESS_LIST_BAD;
		case WORDS_ALONE:
			break;
		}
	}
}
