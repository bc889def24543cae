/* signer.c - a message goes in, its DKIM-Signature fields come out
 *
 * Here it is cut into lines and fields, and what cannot be signed so that all
 * verifiers agree is an error: a signature that fails is worse than none.
 * That is in part what libopendkim does not treat as RFC 6376 says:
 *
 *   - fields go to it unfolded: it leaves a blank in front of a value that
 *     begins on the second line;
 *   - it stops at a NUL in a field, and takes other control characters for
 *     blanks;
 *   - it drops a bare CR in the body, and wants a CRLF at its end;
 *   - a field larger than its buffer, or names in h= that are together longer
 *     than another one, it cuts without a word.
 */
#include "mail/signer_inside.h"

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/header.h"

struct under_way {
	const struct signature_kind *kind;
	struct signature *g;
};

struct signing {
	struct under_way *v;		/* one for each key */
	size_t n;
	struct buf header;		/* until the empty line has come */
	size_t line;			/* where its last line begins */
	size_t names;			/* bytes of what h= will hold */
	bool in_body, has_body;
	char last;			/* byte that was fed; 0: none */
	bool failed;
	struct error err;		/* then */
};

/* --- what is signed -------------------------------------------------- */

/* RFC 6376 section 5.4.1, and what later ones ask for (RFC 8058: List-*). */
static const char *const signed_fields[] = {
	"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To",
	"Cc", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Content-ID", "Content-Description", "In-Reply-To", "References",
};

const char *const signer_oversigned[OVERSIGNED + 1] = {
	"From", "Subject", "Date", "To", "Cc", "Reply-To", "Message-ID",
	"Content-Type", "MIME-Version",
};

static bool
is_signed(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(signed_fields); i++)
		if (span_eq_nocase(name, span_of(signed_fields[i])))
			return true;
	return span_starts_nocase(name, SPAN("List-"));
}

/* --- life ------------------------------------------------------------ */

struct signing *
signing_new(const struct signer_key *const *keys, size_t n, int64_t wall_s)
{
	struct signing *s = NEW(struct signing);

	must(wall_s > 0);		/* libopendkim takes 0 for now */
	s->header = BUF_MAX(LIMIT_HEADER);
	s->v = mem_array(MAX(n, 1), sizeof(*s->v));
	for (s->n = 0; s->n < n; s->n++) {
		struct under_way *u = &s->v[s->n];

		u->kind = keys[s->n]->algorithm == SIGNER_RSA
			? &signature_rsa : &signature_ed25519;
		u->g = u->kind->begin(keys[s->n], wall_s);
	}
	return s;
}

void
signing_free(struct signing **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->n; i++)
		(*s)->v[i].kind->free((*s)->v[i].g);
	buf_fini(&(*s)->header);
	mem_free((*s)->v);
	mem_free(*s);
	*s = NULL;
}

/* --- header ---------------------------------------------------------- */

static bool
value_check(struct signing *s, const struct header_field *f)
{
	for (size_t i = 0; i < f->value.n; i++) {
		unsigned char c = (unsigned char)f->value.p[i];

		/* line ends have been looked at: they are whole */
		if (c < 32 && c != '\t' && c != '\r' && c != '\n')
			return error_set(&s->err, ERROR_PROTOCOL, "the field "
					 "%.*s holds a control character",
					 SPAN_ARG(f->name));
	}
	return true;
}

static bool
field_sign(struct signing *s, const struct header_field *f)
{
	AUTO(buf_fini) struct buf line = BUF_MAX(SIGNER_FIELD_MAX);

	if (!value_check(s, f))
		return false;
	s->names += f->name.n + 1;
	if (s->names > SIGNER_NAMES_MAX)
		return error_set(&s->err, ERROR_LIMIT, "the header section "
				 "has more fields than a signature can name");
	if (!buf_add(&line, f->name) || !buf_add(&line, SPAN(": ")) ||
	    !header_unfold(&line, f->value))
		return error_set(&s->err, ERROR_LIMIT, "the field %.*s is "
				 "larger than the %d KiB that can be signed",
				 SPAN_ARG(f->name), SIGNER_FIELD_MAX / 1024);
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].kind->field(s->v[i].g, buf_span(&line), &s->err))
			return false;
	return true;
}

/* The whole section has come. */
static bool
header_end(struct signing *s)
{
	struct span rest = buf_span(&s->header);
	struct header_field f;
	unsigned from = 0;

	s->in_body = true;
	while (header_next(&rest, &f)) {
		from += span_eq_nocase(f.name, SPAN("From"));
		if (is_signed(f.name) && !field_sign(s, &f))
			return false;
	}
	if (rest.n > 0 && !span_eq(rest, SPAN("\r\n")))
		return error_set(&s->err, ERROR_PROTOCOL, "a line of the header "
				 "section is not a field");
	if (from != 1)
		return error_set(&s->err, ERROR_PROTOCOL, "there is %s From "
				 "field", from == 0 ? "no" : "more than one");
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].kind->header_end(s->v[i].g, &s->err))
			return false;
	buf_fini(&s->header);
	return true;
}

/* Takes its lines off the front of *bytes, up to and with the empty one. */
static bool
header_take(struct signing *s, struct span *bytes)
{
	while (bytes->n > 0 && !s->in_body) {
		size_t lf = span_find(*bytes, '\n');
		size_t n = MIN(lf + 1, bytes->n);
		bool empty;

		if (!buf_add(&s->header, span_sub(*bytes, 0, n)))
			return error_set(&s->err, ERROR_LIMIT, "the header "
					 "section is larger than %d KiB",
					 LIMIT_HEADER / 1024);
		empty = lf < bytes->n && s->header.len - s->line == 2;
		*bytes = span_from(*bytes, n);
		if (empty && !header_end(s))
			return false;
		if (lf < n)
			s->line = s->header.len;
	}
	return true;
}

/* --- body ------------------------------------------------------------ */

static bool
body_take(struct signing *s, struct span bytes)
{
	if (bytes.n == 0)
		return true;
	s->has_body = true;
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].kind->body(s->v[i].g, bytes, &s->err))
			return false;
	return true;
}

static bool
line_bare(struct signing *s)
{
	return error_set(&s->err, ERROR_PROTOCOL, "it has a CR or LF that "
			 "stands alone");
}

/* Every CR has its LF, and every LF its CR, across pieces too. */
static bool
lines_check(struct signing *s, struct span bytes)
{
	char last = s->last;

	for (size_t i = 0; i < bytes.n; i++) {
		if ((last == '\r') != (bytes.p[i] == '\n'))
			return line_bare(s);
		last = bytes.p[i];
	}
	s->last = last;
	return true;
}

/* --- all of it ------------------------------------------------------- */

static bool
settle(struct signing *s, bool ok, struct error *err)
{
	if (ok)
		return true;
	s->failed = true;
	*err = s->err;
	return false;
}

bool
signing_feed(struct signing *s, struct span bytes, struct error *err)
{
	return settle(s, !s->failed && lines_check(s, bytes) &&
		      header_take(s, &bytes) && body_take(s, bytes), err);
}

static bool
message_end(struct signing *s)
{
	if (s->last == '\r')
		return line_bare(s);
	if (!s->in_body && !header_end(s))
		return false;
	return !s->has_body || s->last == '\n' || body_take(s, SPAN("\r\n"));
}

bool
signing_finish(struct signing *s, struct buf *out, struct error *err)
{
	size_t before = out->len;
	bool ok = !s->failed && message_end(s);

	for (size_t i = 0; ok && i < s->n; i++)
		ok = s->v[i].kind->finish(s->v[i].g, out, &s->err);
	if (!ok)
		buf_cut(out, before);
	return settle(s, ok, err);
}

/* Tags stand between semicolons, perhaps on lines of their own. */
static struct span
tag_trim(struct span s)
{
	while (s.n > 0 && (unsigned char)s.p[0] <= ' ')
		s = span_from(s, 1);
	while (s.n > 0 && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	return s;
}

int64_t
signature_time(struct span fields)
{
	struct span tag;
	uint64_t seconds;

	while (span_split(&fields, ';', &tag)) {
		tag = tag_trim(tag);
		if (span_starts_nocase(tag, SPAN("t=")) &&
		    span_u64(span_from(tag, 2), INT64_MAX / 1000, &seconds))
			return (int64_t)seconds;
	}
	return 0;
}
