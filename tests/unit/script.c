/* script.c - a server that does what a script says */
#include "script.h"

#include "unit.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/thread.h"
#include "io/listen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* At most 3 seconds for whatever it is, or more where all is slow. */
static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, (int)unit_slowly(3000)) > 0;
}

static ssize_t
server_read(struct server *s, char *to, size_t max)
{
	gnutls_session_t tls = s->tls.session;
	ssize_t n;

	if ((tls == NULL || gnutls_record_check_pending(tls) == 0) &&
	    !readable(s->fd))
		return -1;
	n = tls != NULL ? gnutls_record_recv(tls, to, max)
			: read(s->fd, to, max);
	s->ended = n <= 0 && n != GNUTLS_E_TIMEDOUT;
	return n;
}

static bool
server_write(struct server *s, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t n = s->tls.session != NULL
			? gnutls_record_send(s->tls.session, bytes.p, bytes.n)
			: send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		bytes = span_from(bytes, (size_t)n);
	}
	return true;
}

static bool
server_more(struct server *s)
{
	char *to = buf_room(&s->in, 65536);
	ssize_t n = to ? server_read(s, to, 65536) : -1;

	if (n <= 0)
		return false;
	buf_added(&s->in, (size_t)n);
	return true;
}

static bool
server_line(struct server *s, struct span *line)
{
	size_t end;

	while ((end = span_find(buf_span(&s->in), '\n')) == s->in.len)
		if (!server_more(s))
			return false;
	*line = span_sub(buf_span(&s->in), 0, end);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	else
		return false;
	return true;
}

static bool
server_take_line(struct server *s, const char *want, char *got, size_t size)
{
	struct span line;
	bool ok;

	snprintf(got, size, "nothing");
	if (!server_line(s, &line))
		return false;
	snprintf(got, size, "%.*s", SPAN_ARG(line));
	ok = want == NULL || span_eq(line, span_of(want));
	buf_clear(&s->last);
	buf_add(&s->last, line);
	buf_drop(&s->in, line.n + 2);
	return ok;
}

static bool
server_take_message(struct server *s)
{
	struct span line;

	buf_clear(&s->message);
	s->shown = 0;
	while (server_line(s, &line)) {
		bool end = span_eq(line, SPAN("."));

		if (!end) {
			buf_add(&s->message, line.n && line.p[0] == '.'
				? span_from(line, 1) : line);
			buf_add_str(&s->message, "\r\n");
		}
		buf_drop(&s->in, line.n + 2);
		if (end)
			return true;
	}
	return false;
}

static bool
server_shown(struct server *s, const char *want)
{
	struct span rest = span_from(buf_span(&s->message), s->shown);
	size_t end = span_find(rest, '\r');

	s->shown += end + 2;
	return span_eq(span_sub(rest, 0, end), span_of(want));
}

static bool
server_say(struct server *s, const char *text, bool bytewise)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 20);

	buf_add_str(&b, text);
	buf_add_str(&b, "\r\n");
	for (size_t i = 0; bytewise && i < b.len; i++) {
		if (!server_write(s, span_sub(buf_span(&b), i, 1)))
			return false;
		usleep(300);
	}
	return bytewise || server_write(s, buf_span(&b));
}

/* The text with its escapes undone. */
static void
unescape(const struct server *s, struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text != '\\') {
			buf_add_char(b, *text);
			continue;
		}
		switch (*++text) {
		case '0': buf_add_char(b, '\0'); break;
		case '1': buf_add_char(b, '\1'); break;
		case 'r': buf_add_char(b, '\r'); break;
		case 'n': buf_add_char(b, '\n'); break;
		case 'P': buf_addf(b, "%u", s->port); break;
		default: buf_add_char(b, *text); break;
		}
	}
}

static bool
server_say_raw(struct server *s, const char *text)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 20);

	unescape(s, &b, text);
	return server_write(s, buf_span(&b));
}

/* "600 text": the line once with so many letters, or so many times. */
static bool
server_say_much(struct server *s, const char *arg, bool letters)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 20);
	char *text;
	unsigned long n = strtoul(arg, &text, 10);

	must(*text == ' ');
	for (unsigned long i = 0; i < (letters ? 1 : n); i++)
		buf_addf(&b, "%s%s", text + 1, letters ? "" : "\r\n");
	for (unsigned long i = 0; letters && i < n; i++)
		buf_add_char(&b, 'x');
	if (letters)
		buf_add_str(&b, "\r\n");
	return server_write(s, buf_span(&b));
}

static bool
server_challenge(struct server *s, const char *text)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 16);

	buf_add_str(&b, "334 ");
	encode_base64(&b, span_of(text));
	return server_say(s, buf_str(&b), false);
}

static bool
server_echo(struct server *s, const char *text)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 16);

	buf_addf(&b, "%s%s", text, buf_str(&s->last));
	return server_say(s, buf_str(&b), false);
}

static bool
server_take_response(struct server *s, const char *want, char *got,
		     size_t size)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(1 << 16), line = BUF_MAX(1 << 16);

	unescape(s, &b, want);
	encode_base64(&line, buf_span(&b));
	return server_take_line(s, buf_str(&line), got, size);
}

static bool
server_shake(struct server *s)
{
	s->tls.fd = s->fd;
	s->tls.server = true;
	s->tls.patience_ms = (unsigned)unit_slowly(3000);
	return s->in.len == 0 && s->tls.session == NULL &&
	       raw_shake(&s->tls) >= 0;
}

static void
server_close(struct server *s, bool hard)
{
	struct linger l = { 1, 0 };

	if (s->tls.session != NULL && !hard)
		gnutls_bye(s->tls.session, GNUTLS_SHUT_WR);
	if (s->tls.session != NULL)
		raw_end(&s->tls);
	if (s->fd >= 0 && hard)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->ended = false;
	buf_clear(&s->in);
}

static bool
server_accept(struct server *s)
{
	server_close(s, false);
	if (readable(s->listener))
		s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	return s->fd >= 0;
}

static bool
server_sees_close(struct server *s, bool anyhow)
{
	while (anyhow && server_more(s))
		buf_clear(&s->in);
	return (anyhow || (s->in.len == 0 && !server_more(s))) && s->ended;
}

static void
server_waits(int64_t ms)
{
	usleep((useconds_t)ms * 1000);
}

static bool
server_step(struct server *s, const char *line, char *got, size_t size)
{
	const char *arg = line[1] == ' ' ? line + 2 : line + 1;

	got[0] = '\0';
	switch (line[0]) {
	case '@': return server_accept(s);
	case '>': return line[1] == '>' ? server_say_raw(s, line + 3)
					: server_say(s, arg, false);
	case 'b': return server_say(s, arg, true);
	case '~': return server_say_much(s, arg, true);
	case '*': return server_say_much(s, arg, false);
	case 'c': return server_challenge(s, arg);
	case 'e': return server_echo(s, arg);
	case 'd': return server_take_response(s, arg, got, size);
	case 'T': return server_shake(s);
	case 't': return !server_shake(s);
	case '<': return server_take_line(s, line[1] == '*' ? NULL : arg, got,
					  size);
	case 'r': return server_more(s);
	case '.': return server_take_message(s);
	case '=': return server_shown(s, arg);
	case 'n': return s->message.len == strtoul(arg, NULL, 10);
	case 'z': server_waits(strtol(arg, NULL, 10)); return true;
	case 'Z': server_waits(unit_slowly(strtol(arg, NULL, 10))); return true;
	case '!': server_close(s, false); return true;
	case 'x': server_close(s, true); return true;
	case '?': return server_sees_close(s, line[1] == '?');
	}
	return false;
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	char got[300];

	for (const char *const *l = s->script; *l; l++) {
		if (server_step(s, *l, got, sizeof(got)))
			continue;
		snprintf(s->wrong, sizeof(s->wrong), "line %zu \"%s\", but: %s",
			 (size_t)(l - s->script) + 1, *l, got);
		break;
	}
	server_close(s, false);
	return NULL;
}

void
server_start(struct server *s, const char *const *script, struct endpoint *at)
{
	server_start_tls(s, script, at, &(struct raw){ .fd = -1 });
}

void
server_start_tls(struct server *s, const char *const *script,
		 struct endpoint *at, const struct raw *tls)
{
	struct error err;
	/* so that a large message does not fit in; less than half a segment
	 * would be sent by timers */
	int small = 256 * 1024;

	*s = (struct server){ .fd = -1, .script = script, .tls = *tls,
			      .in = BUF_MAX(1 << 20),
			      .message = BUF_MAX(16 << 20),
			      .last = BUF_MAX(1 << 20) };
	must(endpoint_parse(SPAN("127.0.0.1:0"), at));
	s->listener = listen_open(at, true, &err);
	must(s->listener >= 0 && listen(s->listener, 16) == 0);
	setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	s->port = at->port;
	s->thread = thread_start("server", server_main, s);
}

void
server_join(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	buf_fini(&s->in);
	buf_fini(&s->message);
	buf_fini(&s->last);
}
