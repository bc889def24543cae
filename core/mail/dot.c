/* dot.c - the data of a message on the wire
 *
 * Works on runs: whole lines that go through as they are found by memchr
 * and copied at once; only what stands at the edges (dots, bare line ends,
 * the end of a read) goes through the table of states below.  No byte is
 * searched twice for the same thing, so that no input is slow.
 */
#include "mail/dot.h"

#include <string.h>

/* What was seen last and not yet put out. */
enum state {
	ST_START,	/* CRLF came (or nothing yet): a dot has a meaning */
	ST_TEXT,	/* in a line */
	ST_BARE,	/* a bare line end was mended: a line begins here, but
			 * nothing that ends the data */
	ST_BARE_DOT,	/* ... and a dot, which waits */
	ST_CR,		/* a CR waits */
	ST_CR_CR,	/* two CRs wait (only with repair) */
	ST_DOT,		/* a dot at the start of a line waits */
	ST_DOT_CR,	/* ... and a CR */
	ST_END,		/* CRLF.CRLF came */
};

enum { STEP_ROOM = 4 };		/* the most that one step puts out */

/* --- receiving ------------------------------------------------------- */

void
dot_decoder_init(struct dot_decoder *d, enum bare_lf policy)
{
	*d = (struct dot_decoder){
		.state = ST_START, .repair = policy == BARE_LF_REPAIR,
	};
}

static void
put(struct dot_decoder *d, struct buf *out, const char *p, size_t n)
{
	buf_add(out, (struct span){ p, n });
	d->size += n;
}

/* The places of the next CR and LF, remembered from line to line. */
struct ends {
	const char *cr, *lf;
};

static const char *
find(const char *p, const char *end, char c)
{
	const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;

	return at != NULL ? at : end;
}

/* How far the bytes from p (p < end) go through as they are: over whole
 * CRLF lines, up to a CR or LF that is bare or at the end of the input, and
 * up to a dot at the start of a line when dots count.  *start: a line begins
 * at p; becomes whether one begins where the run ends. */
static const char *
run_end(const char *p, const char *end, bool dots, bool *start,
	struct ends *next)
{
	for (const char *from = p; ; from = p, *start = true) {
		if (p == end || (*start && dots && *p == '.'))
			return p;
		if (next->lf < p)
			next->lf = find(p, end, '\n');
		if (next->cr < p)
			next->cr = find(p, end, '\r');
		p = next->cr < next->lf ? next->cr : next->lf;
		if (next->cr + 1 != next->lf || next->lf == end) {
			*start = *start && p == from;
			return p;
		}
		p = next->lf + 1;
	}
}

/* Copies a run, or as much of it as fits; returns where it ended, which is p
 * when none begins there.  A CR is not parted from its LF. */
static const char *
take_run(struct dot_decoder *d, const char *p, const char *end, bool dots,
	 struct buf *out, struct ends *next)
{
	bool start = d->state == ST_START;
	size_t room = out->max - out->len;
	size_t n = (size_t)(run_end(p, end, dots, &start, next) - p);

	if (n > room) {
		n = room - (p[room - 1] == '\r');
		start = p[n - 1] == '\n';
	}
	if (n == 0)
		return p;
	put(d, out, p, n);
	if (!d->saw_8bit)
		d->saw_8bit = span_has_8bit((struct span){ p, n });
	d->state = start ? ST_START : ST_TEXT;
	return p + n;
}

/* Puts out a mended line end. */
static void
put_crlf(struct dot_decoder *d, struct buf *out)
{
	put(d, out, "\r\n", 2);
}

/* A bare CR waited and something else than LF came: it was a line end. */
static void
bare_cr(struct dot_decoder *d, struct buf *out)
{
	bool repair = d->repair && !d->keep_cr;

	d->saw_bare = true;
	if (repair)
		put_crlf(d, out);
	else
		put(d, out, "\r", 1);
	d->state = repair ? ST_BARE : ST_TEXT;
}

static void
bare_lf(struct dot_decoder *d, struct buf *out)
{
	d->saw_bare = true;
	if (d->repair)
		put_crlf(d, out);
	else
		put(d, out, "\n", 1);
	d->state = d->repair ? ST_BARE : ST_TEXT;
}

/* The byte behind one or two CRs.  CR CR LF is a line end that was mended
 * twice, and becomes one; two CRs before anything else are two. */
static bool
step_cr(struct dot_decoder *d, char c, struct buf *out)
{
	if (c == '\n') {
		put_crlf(d, out);
		d->state = ST_START;
		return true;
	}
	if (d->state == ST_CR_CR) {
		bare_cr(d, out);
		d->state = ST_CR;
		return false;
	}
	if (c == '\r' && d->repair) {
		d->saw_bare = true;
		d->state = ST_CR_CR;
		return true;
	}
	bare_cr(d, out);
	return false;
}

/* One byte of the waiting states.  Returns whether it was used up; else the
 * state has changed and the byte is looked at again. */
static bool
step_waiting(struct dot_decoder *d, char c, struct buf *out)
{
	switch ((enum state)d->state) {
	case ST_CR:
	case ST_CR_CR:
		return step_cr(d, c, out);
	case ST_DOT:
		if (c == '\r') {
			d->state = ST_DOT_CR;
			return true;
		}
		/* a dot alone in a line with a bare end was never doubled */
		if (c == '\n')
			put(d, out, ".", 1);
		d->state = ST_TEXT;
		return false;
	case ST_DOT_CR:
		if (c == '\n') {
			d->state = ST_END;
			return true;
		}
		put(d, out, ".", 1);
		d->state = ST_CR;
		return false;
	case ST_BARE_DOT:
		/* ".." was doubled by the device, "." was not */
		put(d, out, ".", 1);
		d->state = ST_TEXT;
		return c == '.';
	case ST_START:
	case ST_TEXT:
	case ST_BARE:
	case ST_END:
		break;
	}
	return false;
}

static bool
waits(const struct dot_decoder *d)
{
	return d->state != ST_START && d->state != ST_TEXT &&
	       d->state != ST_BARE;
}

/* One byte that no run takes: a CR, an LF, or a dot that counts. */
static void
step_edge(struct dot_decoder *d, char c, struct buf *out)
{
	if (c == '\r')
		d->state = ST_CR;
	else if (c == '\n')
		bare_lf(d, out);
	else
		d->state = d->state == ST_BARE ? ST_BARE_DOT : ST_DOT;
}

static size_t
decode(struct dot_decoder *d, struct span in, struct buf *out, bool dots)
{
	const char *p = in.n ? in.p : "", *start = p, *end = p + in.n;
	struct ends next = { NULL, NULL };

	while (p < end && d->state != ST_END &&
	       out->max - out->len >= STEP_ROOM) {
		const char *from = p;

		if (waits(d)) {
			p += step_waiting(d, *p, out);
			continue;
		}
		if (!(dots && *p == '.' && d->state == ST_BARE))
			p = take_run(d, p, end, dots, out, &next);
		if (p == from)
			step_edge(d, *p++, out);
	}
	return (size_t)(p - start);
}

size_t
dot_decode(struct dot_decoder *d, struct span in, struct buf *out, bool *ended)
{
	size_t used = decode(d, in, out, true);

	*ended = d->state == ST_END;
	return used;
}

size_t
chunk_decode(struct dot_decoder *d, struct span in, struct buf *out)
{
	return decode(d, in, out, false);
}

bool
chunk_finish(struct dot_decoder *d, struct buf *out)
{
	if (d->state == ST_START || d->state == ST_BARE)
		return true;
	if (out->max - out->len < STEP_ROOM)
		return false;
	if (d->state == ST_CR || d->state == ST_CR_CR)
		d->saw_bare = true;
	if (d->state == ST_CR_CR)
		bare_cr(d, out);
	put_crlf(d, out);
	d->state = ST_START;
	return true;
}

/* --- sending --------------------------------------------------------- */

enum encoder_state {
	ENC_START,	/* at the start of a line */
	ENC_TEXT,
	ENC_CR,		/* behind a CR */
	ENC_BARE,	/* behind an LF without CR */
};

/* Copies p to end and doubles the dots that stand behind a line end.  A dot
 * behind a bare CR or LF is doubled too: some receivers take those for line
 * ends, and none of them shall see an end of data that is none. */
static bool
encode_run(const char *p, const char *end, bool start, struct buf *out)
{
	const char *from = p;
	bool ok = true;

	while (ok && p < end) {
		const char *dot = find(p, end, '.');

		if (dot == end)
			break;
		if (dot > p)
			start = dot[-1] == '\n' || dot[-1] == '\r';
		if (start) {		/* up to the dot, which comes again */
			size_t n = (size_t)(dot + 1 - from);

			ok = buf_add(out, (struct span){ from, n });
			from = dot;
		}
		start = false;
		p = dot;
		while (p < end && *p == '.')
			p++;
	}
	return ok && buf_add(out, (struct span){ from, (size_t)(end - from) });
}

static unsigned char
state_after(unsigned char before, struct span in)
{
	char last = in.p[in.n - 1];
	bool cr = in.n > 1 ? in.p[in.n - 2] == '\r' : before == ENC_CR;

	if (last == '\r')
		return ENC_CR;
	if (last != '\n')
		return ENC_TEXT;
	return cr ? ENC_START : ENC_BARE;
}

bool
dot_encode(struct dot_encoder *e, struct span in, struct buf *out)
{
	if (in.n == 0)
		return true;
	if ((out->max - out->len) / 2 < in.n)
		return false;
	if (buf_room(out, in.n + in.n / 64) == NULL ||
	    !encode_run(in.p, in.p + in.n, e->state != ENC_TEXT, out))
		return false;
	e->state = state_after(e->state, in);
	return true;
}

bool
dot_finish(struct dot_encoder *e, struct buf *out)
{
	static const char *const endings[] = {
		[ENC_START] = ".\r\n", [ENC_TEXT] = "\r\n.\r\n",
		[ENC_CR] = "\n.\r\n", [ENC_BARE] = "\r\n.\r\n",
	};

	if (!buf_add_str(out, endings[e->state]))
		return false;
	e->state = ENC_START;
	return true;
}
