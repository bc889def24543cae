/* signer_ed25519.c - ed25519-sha256 (RFC 8463), by GnuTLS
 *
 * libopendkim can do this too, but it forgets half a KiB with each such
 * signature, the key among it, which a gateway cannot bear for long; and it
 * takes twelve times as long, since it reads the key anew for each message.
 *
 * Canonicalisation is relaxed, for both (RFC 6376 sections 3.4.2 and 3.4.4).
 * h= names the fields from the last to the first: so each name means the last
 * field of its name that is not taken yet, as a verifier will read it.
 */
#include "mail/signer_inside.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/header.h"

#include <gnutls/crypto.h>

enum {
	DIGEST = 32,			/* SHA-256 */
	PART = 60,			/* of b= on one line */
	VALUE_MAX = 16 * 1024,		/* h= twice over, and the rest */
};

struct signature {
	const struct signer_key *key;
	int64_t wall_s;
	struct buf fields;		/* canonical, a line each */
	gnutls_hash_hd_t body;
	uint64_t lines;			/* ended, and not hashed yet */
	bool blank;			/* behind them, or within a line */
	bool any;			/* something was hashed */
};

static struct signature *
ed_begin(const struct signer_key *k, int64_t wall_s)
{
	struct signature *g = NEW(struct signature);

	g->key = k;
	g->wall_s = wall_s;
	g->fields = BUF_MAX(LIMIT_HEADER);
	must(gnutls_hash_init(&g->body, GNUTLS_DIG_SHA256) == 0);
	return g;
}

static void
ed_free(struct signature *g)
{
	gnutls_hash_deinit(g->body, NULL);
	buf_fini(&g->fields);
	mem_free(g);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- header ---------------------------------------------------------- */

/* Never longer than what it was made of, which intake has measured. */
static bool
ed_field(struct signature *g, struct span field, struct error *err)
{
	size_t colon = span_find(field, ':');
	struct span value = span_trim(span_from(field, colon + 1));
	char *to = buf_room(&g->fields, field.n + 2);
	size_t n = 0;

	if (to == NULL)
		return error_set(err, ERROR_LIMIT, "the fields to be signed "
				 "are larger than %d KiB", LIMIT_HEADER / 1024);
	for (size_t i = 0; i < colon; i++)
		to[n++] = ascii_lower(field.p[i]);
	to[n++] = ':';
	for (size_t i = 0; i < value.n; i++) {
		if (!is_blank(value.p[i]))
			to[n++] = value.p[i];
		else if (!is_blank(value.p[i - 1]))
			to[n++] = ' ';
	}
	to[n++] = '\r';
	to[n++] = '\n';
	buf_added(&g->fields, n);
	return true;
}

static bool
ed_header_end(struct signature *g, struct error *err)
{
	(void)g;
	(void)err;
	return true;
}

/* Takes the last line of *s off it. */
static bool
line_last(struct span *s, struct span *ret)
{
	size_t lf;

	if (s->n == 0)
		return false;
	lf = span_rfind(span_sub(*s, 0, s->n - 1), '\n');
	lf = lf < s->n - 1 ? lf + 1 : 0;
	*ret = span_from(*s, lf);
	s->n = lf;
	return true;
}

/* --- body ------------------------------------------------------------ */

/* Bytes on their way into the hash. */
struct gather {
	gnutls_hash_hd_t hash;
	size_t n;
	char bytes[4096];
};

static void
gather_flush(struct gather *o)
{
	must(gnutls_hash(o->hash, o->bytes, o->n) == 0);
	o->n = 0;
}

static void
gather_add(struct gather *o, char c)
{
	if (o->n == sizeof(o->bytes))
		gather_flush(o);
	o->bytes[o->n++] = c;
}

static void
gather_lines(struct gather *o, uint64_t n)
{
	for (; n > 0; n--) {
		gather_add(o, '\r');
		gather_add(o, '\n');
	}
}

/* Line ends and blanks wait until it is known that something follows: empty
 * lines at the end of the body do not count, nor blanks at a line's. */
static bool
ed_body(struct signature *g, struct span bytes, struct error *err)
{
	struct gather o = { .hash = g->body };

	(void)err;
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		if (c == '\r')
			continue;
		if (c == '\n') {
			g->lines++;
			g->blank = false;
		} else if (is_blank(c)) {
			g->blank = true;
		} else {
			gather_lines(&o, g->lines);
			if (g->blank)
				gather_add(&o, ' ');
			gather_add(&o, c);
			g->lines = 0;
			g->blank = false;
			g->any = true;
		}
	}
	gather_flush(&o);
	return true;
}

/* --- the field ------------------------------------------------------- */

/* All but the value of b=, with blanks where it may be folded. */
static bool
value_make(struct signature *g, struct buf *value)
{
	const struct signer_key *k = g->key;
	struct span rest = buf_span(&g->fields), line;
	unsigned char digest[DIGEST];

	if (g->any)
		must(gnutls_hash(g->body, "\r\n", 2) == 0);
	gnutls_hash_output(g->body, digest);
	if (!buf_addf(value, "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%s; "
		      "s=%s; t=%lld; bh=", k->domain, k->selector,
		      (long long)g->wall_s) ||
	    !encode_base64(value, (struct span){ (char *)digest, DIGEST }) ||
	    !buf_add(value, SPAN("; h=")))
		return false;
	while (line_last(&rest, &line))
		if (!buf_add(value, span_sub(line, 0, span_find(line, ':'))) ||
		    !buf_add(value, SPAN(": ")))
			return false;
	for (size_t i = 0; i < OVERSIGNED; i++)
		if (!buf_addf(value, "%s%s", signer_oversigned[i],
			      i + 1 < OVERSIGNED ? ": " : "; b="))
			return false;
	return true;
}

/* What is signed: the digest of the fields in the order of h=, then of this
 * one without the value of b= and its CRLF. */
static void
header_digest(struct signature *g, struct span value, unsigned char *ret)
{
	struct span rest = buf_span(&g->fields), line;
	gnutls_hash_hd_t hash;

	must(gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) == 0);
	while (line_last(&rest, &line))
		must(gnutls_hash(hash, line.p, line.n) == 0);
	must(gnutls_hash(hash, "dkim-signature:", 15) == 0 &&
	     gnutls_hash(hash, value.p, value.n) == 0);
	gnutls_hash_deinit(hash, ret);
}

static bool
signature_add(struct signature *g, struct buf *value, struct error *err)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(200);
	unsigned char digest[DIGEST];
	const gnutls_datum_t in = { digest, DIGEST };
	gnutls_datum_t out;
	struct span rest;
	int rc;

	header_digest(g, buf_span(value), digest);
	rc = gnutls_privkey_sign_data2(g->key->private,
				       GNUTLS_SIGN_EDDSA_ED25519, 0, &in, &out);
	if (rc < 0)
		return error_set(err, ERROR_SYSTEM, "GnuTLS: %s",
				 gnutls_strerror(rc));
	encode_base64(&text, (struct span){ (char *)out.data, out.size });
	gnutls_free(out.data);
	for (rest = buf_span(&text); rest.n > 0; rest = span_from(rest, PART)) {
		buf_add(value, span_sub(rest, 0, PART));
		buf_add(value, SPAN(" "));
	}
	return true;
}

static bool
ed_finish(struct signature *g, struct buf *out, struct error *err)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(VALUE_MAX);

	must(value_make(g, &value));
	if (!signature_add(g, &value, err))
		return false;
	return header_add(out, SPAN("DKIM-Signature"), buf_span(&value)) ||
	       error_set(err, ERROR_LIMIT, "there is no room for the signature");
}

const struct signature_kind signature_ed25519 = {
	.begin = ed_begin, .field = ed_field, .header_end = ed_header_end,
	.body = ed_body, .finish = ed_finish, .free = ed_free,
};
