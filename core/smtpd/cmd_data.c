/* cmd_data.c - DATA and BDAT, and the octets that follow them
 *
 * RFC 5321 section 4.1.1.4, RFC 3030.  A message that is too large is read
 * to its end and refused then, because clients do not listen meanwhile; one
 * that goes on for another message's size loses its connection.
 */
#include "smtpd/session.h"

#include "base/macros.h"
#include "base/mem.h"

static uint64_t
size_limit(const struct session *s)
{
	return (uint64_t)session_config(s)->message_size;
}

struct reply
refuse_size(void)
{
	return reply(552, "5.3.4", "message size exceeds the limit "
		     "(limits.message_size)");
}

/* --- refusing what is still under way -------------------------------- */

static void
refuse_later(struct session *s, const struct reply *r, enum input input)
{
	mem_free(s->refusal);
	s->refusal = NEW(struct reply);
	*s->refusal = *r;
	s->input = input;
	s->moved = true;
}

/* The octets are through: now the client listens. */
static void
refuse_now(struct session *s, bool closes)
{
	struct reply r = *s->refusal;

	mem_free(s->refusal);
	s->refusal = NULL;
	r.closes |= closes;
	/* when it closes, the input is in the middle of something */
	if (!closes)
		s->input = INPUT_COMMAND;
	s->command = &command_end_of_message;
	session_answer(s, &r);
}

/* --- DATA ------------------------------------------------------------ */

struct reply
data_proceed(struct session *s)
{
	transaction_receive(s);
	s->input = INPUT_DATA;
	return reply(354, "", "End data with <CR><LF>.<CR><LF>");
}

static void
end_of_message(struct session *s)
{
	draft_more(s->tx.draft);	/* it looks at the last bytes, too */
	s->input = INPUT_COMMAND;
	command_start(s, &command_end_of_message, SPAN_NONE);
}

/* What was too large has ended, or goes on for too long. */
static void
data_refuse(struct session *s, bool ended)
{
	bool enough = s->tx.fixup.decoder.size / 2 > size_limit(s);

	if (ended || enough)
		refuse_now(s, enough);
}

bool
data_read(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	struct reply r;
	bool ended = false;
	size_t n;

	if (in->len == 0)
		return false;
	n = fixup_data(&s->tx.fixup, buf_span(in), draft_buffer(s->tx.draft),
		       &ended);
	buf_drop(in, n);
	if (s->tx.fixup.decoder.size > size_limit(s)) {
		r = refuse_size();
		draft_drop(&s->tx.draft);
		refuse_later(s, &r, INPUT_DATA_REFUSED);
		data_refuse(s, ended);
	} else if (ended) {
		end_of_message(s);
	} else if (!draft_more(s->tx.draft)) {
		session_sleep(s, WAIT_DRAFT);
	}
	return true;
}

bool
data_read_refused(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	bool ended = false;
	size_t n;

	if (in->len == 0)
		return false;
	n = dot_decode(&s->tx.fixup.decoder, buf_span(in),
		       &s->server->scratch, &ended);
	buf_clear(&s->server->scratch);
	buf_drop(in, n);
	data_refuse(s, ended);
	return true;
}

/* --- BDAT ------------------------------------------------------------ */

/* Without a size nobody knows where the octets end and the commands begin. */
bool
bdat_check(struct session *s, struct span args, struct reply *reterr)
{
	struct command_error e;

	if (command_bdat(args, &s->chunk_left, &s->chunk_last, &e))
		return true;
	*reterr = reply_error(e.code, e.enhanced, &e.why);
	reterr->closes = true;
	return false;
}

void
chunk_refuse(struct session *s, const struct reply *r)
{
	session_drop_line(s);
	refuse_later(s, r, INPUT_CHUNK_REFUSED);
}

static bool
chunk_is_too_large(const struct session *s)
{
	uint64_t limit = size_limit(s);
	uint64_t before = s->tx.draft != NULL ? s->tx.fixup.decoder.size : 0;

	return s->chunk_left > limit || before > limit - s->chunk_left;
}

struct reply
bdat_proceed(struct session *s)
{
	struct reply r;

	if (chunk_is_too_large(s)) {
		r = refuse_size();
		chunk_refuse(s, &r);
		return (struct reply){ .code = 0 };
	}
	if (s->tx.draft == NULL)
		transaction_receive(s);
	s->tx.chunked = true;
	s->chunk_size = s->chunk_left;
	session_drop_line(s);
	s->input = INPUT_CHUNK;
	return (struct reply){ .code = 0 };
}

/* All octets of this chunk are there; false: the draft has no room for the
 * line end that completes the message. */
static bool
chunk_end(struct session *s)
{
	struct reply r;

	if (s->chunk_last) {
		if (!fixup_chunk_finish(&s->tx.fixup,
					draft_buffer(s->tx.draft)))
			return false;
		end_of_message(s);
		return true;
	}
	r = reply(250, "2.0.0", "%llu octets received",
		  (unsigned long long)s->chunk_size);
	s->input = INPUT_COMMAND;
	session_answer(s, &r);
	return true;
}

bool
chunk_read(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	size_t n;

	if (s->chunk_left > 0) {
		n = (size_t)MIN(s->chunk_left, in->len);
		if (n == 0)
			return false;
		n = fixup_chunk(&s->tx.fixup, span_sub(buf_span(in), 0, n),
				draft_buffer(s->tx.draft));
		buf_drop(in, n);
		s->chunk_left -= n;
	}
	if (s->chunk_left == 0 && chunk_end(s))
		return true;
	if (!draft_more(s->tx.draft))
		session_sleep(s, WAIT_DRAFT);
	return true;
}

bool
chunk_read_refused(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	size_t n = (size_t)MIN(s->chunk_left, in->len);

	if (s->chunk_left > size_limit(s)) {
		refuse_now(s, true);
		return true;
	}
	buf_drop(in, n);
	s->chunk_left -= n;
	if (s->chunk_left > 0)
		return false;
	refuse_now(s, false);
	return true;
}
