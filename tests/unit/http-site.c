/* http-site.c - the web server of the HTTP tests */
#include "unit.h"

#include "http-site.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http-certs.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { CONNS_MAX = 400, REQUEST_MAX = 8 * 1024 * 1024 };

struct conn {
	struct site *site;
	pthread_t thread;
	_Atomic int fd;			/* -1: closed */
	gnutls_session_t tls;
	struct buf in;
};

struct site {
	int fd;
	uint16_t port;
	enum certificate kind;
	int proxy_status;		/* 0: not a proxy */
	const char *wants;
	pthread_t thread;
	_Atomic unsigned accepted, requests, open;
	_Atomic bool ends;
	struct conn conns[CONNS_MAX];
};

/* --- bytes ------------------------------------------------------------ */

static ssize_t
conn_read(struct conn *c, char *p, size_t n)
{
	return c->tls != NULL ? gnutls_record_recv(c->tls, p, n)
			      : recv(c->fd, p, n, 0);
}

static bool
conn_write(struct conn *c, struct span s)
{
	while (s.n > 0) {
		ssize_t n = c->tls != NULL
			? gnutls_record_send(c->tls, s.p, s.n)
			: send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s = span_from(s, (size_t)n);
	}
	return true;
}

static bool
conn_say(struct conn *c, const char *text)
{
	return conn_write(c, span_of(text));
}

static bool
conn_fill(struct conn *c)
{
	char bytes[16384];
	ssize_t n = conn_read(c, bytes, sizeof(bytes));

	return n > 0 && buf_add(&c->in, (struct span){ bytes, (size_t)n });
}

static void
pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Until the client or the test has had enough. */
static void
conn_wait(struct conn *c)
{
	char bytes[256];

	while (conn_read(c, bytes, sizeof(bytes)) > 0)
		;
}

/* --- requests --------------------------------------------------------- */

struct asked {
	struct span line, path, header, body;
};

/* The next request; false: there is none. */
static bool
conn_request(struct conn *c, struct asked *a)
{
	const char *end;
	struct span header, field, value;
	uint64_t length = 0;
	size_t n;

	while ((end = strstr(buf_str(&c->in), "\r\n\r\n")) == NULL)
		if (!conn_fill(c))
			return false;
		else if (buf_str(&c->in)[0] == 0x16)	/* TLS, to a plain one */
			return conn_say(c, "HTTP/1.1 400 No\r\n\r\n"), false;
	n = (size_t)(end - buf_str(&c->in)) + 4;
	header = span_sub(buf_span(&c->in), 0, n);
	while (span_split(&header, '\n', &field))
		if (span_starts_nocase(field, SPAN("Content-Length:"))) {
			value = span_trim(span_from(field, 15));
			value.n -= value.n && value.p[value.n - 1] == '\r';
			assert_true(span_u64(value, REQUEST_MAX, &length));
		}
	while (c->in.len < n + length)
		if (!conn_fill(c))
			return false;
	a->header = span_sub(buf_span(&c->in), 0, n);
	a->body = span_sub(buf_span(&c->in), n, length);
	a->line = span_sub(a->header, 0, span_find(a->header, '\r'));
	a->path = span_from(a->line, span_find(a->line, ' ') + 1);
	a->path = span_sub(a->path, 0, span_find(a->path, ' '));
	c->site->requests++;
	return true;
}

static struct span
asked_field(const struct asked *a, struct span name)
{
	struct span header = a->header, line, key;

	while (span_split(&header, '\n', &line))
		if (span_split(&line, ':', &key) && span_eq_nocase(key, name)) {
			line.n -= line.n && line.p[line.n - 1] == '\r';
			return span_trim(line);
		}
	return SPAN("(none)");
}

static bool
conn_answer(struct conn *c, const char *status, const char *fields,
	    struct span body)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(64 * 1024 * 1024);

	buf_addf(&b, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
		 body.n, fields);
	buf_add(&b, body);
	return conn_write(c, buf_span(&b));
}

/* --- what the paths do ------------------------------------------------ */

static bool
do_large(struct conn *c, struct span rest)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(REQUEST_MAX);
	uint64_t n = 0;

	assert_true(span_u64(rest, REQUEST_MAX, &n));
	memset(buf_room(&b, n), 'x', n);
	buf_added(&b, n);
	return conn_answer(c, "200 OK", "", buf_span(&b));
}

static bool
do_endless(struct conn *c, const char *head, const char *piece)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(256 * 1024);

	while (b.len < 128 * 1024)
		buf_add_str(&b, piece);
	if (!conn_say(c, head))
		return false;
	while (conn_write(c, buf_span(&b)))
		;
	return false;
}

static bool
do_slow(struct conn *c)
{
	if (!conn_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
		return false;
	while (!c->site->ends && conn_say(c, "."))
		pause_ms(20);
	return false;
}

static bool
do_odd(struct conn *c, struct span path)
{
	if (span_eq(path, SPAN("/never")))
		conn_wait(c);
	else if (span_eq(path, SPAN("/part")))
		conn_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten");
	else if (span_eq(path, SPAN("/noise")))
		conn_say(c, "SSH-2.0-OpenSSH_9.2p1 Debian\r\n");
	else if (span_eq(path, SPAN("/once")))
		conn_answer(c, "200 OK", "", SPAN("hello"));
	else
		assert_true(span_eq(path, SPAN("/hangup")));
	return false;
}

static bool
do_field(struct conn *c, const struct asked *a, struct span name)
{
	return conn_answer(c, "200 OK", "", asked_field(a, name));
}

static bool
do_wait(struct conn *c, struct span value)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(200);

	buf_add_str(&b, "retry-AFTER: ");
	for (size_t i = 0; i < value.n; i++)
		buf_add_char(&b, value.p[i] == '_' ? ' ' : value.p[i]);
	buf_add_str(&b, "\r\n");
	return conn_answer(c, "503 Busy", buf_str(&b), SPAN("later"));
}

static bool
do_status(struct conn *c, struct span number)
{
	char line[32];

	snprintf(line, sizeof(line), "%.*s Said", SPAN_ARG(number));
	return conn_answer(c, line, "Content-Type: text/plain\r\n",
			   SPAN("said"));
}

/* False: the connection ends. */
static bool
conn_serve(struct conn *c, const struct asked *a)
{
	struct span path = span_sub(a->path, 0, span_find(a->path, '?'));
	struct span rest = span_from(path, span_rfind(path, '/') + 1);

	if (span_eq(path, SPAN("/ok")))
		return conn_answer(c, "200 OK", "Content-Type: text/plain; "
				   "charset=utf-8\r\n", SPAN("hello"));
	if (span_eq(path, SPAN("/echo")))
		return conn_answer(c, "200 OK", "", a->body);
	if (span_eq(path, SPAN("/line")))
		return conn_answer(c, "200 OK", "", a->line);
	if (span_starts_nocase(path, SPAN("/field/")))
		return do_field(c, a, rest);
	if (span_starts_nocase(path, SPAN("/status/")))
		return do_status(c, rest);
	if (span_starts_nocase(path, SPAN("/wait/")))
		return do_wait(c, rest);
	if (span_starts_nocase(path, SPAN("/large/")))
		return do_large(c, rest);
	if (span_eq(path, SPAN("/chunked")))
		return conn_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
				"chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n"
				"0002\r\nef\r\n0\r\n\r\n");
	if (span_eq(path, SPAN("/endless")))
		return do_endless(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
				  "chunked\r\n\r\n", "4\r\nabcd\r\n");
	if (span_eq(path, SPAN("/fields")))
		return do_endless(c, "HTTP/1.1 200 OK\r\n", "X-More: more\r\n");
	if (span_eq(path, SPAN("/redirect")))
		return conn_answer(c, "302 Found", "Location: /ok\r\n",
				   SPAN("there"));
	if (span_eq(path, SPAN("/early")))
		return conn_say(c, "HTTP/1.1 103 Early Hints\r\nRetry-After: 9"
				"\r\n\r\n") &&
		       conn_answer(c, "200 OK", "", SPAN("hello"));
	if (span_eq(path, SPAN("/slow")))
		return do_slow(c);
	return do_odd(c, path);
}

/* --- the proxy -------------------------------------------------------- */

static int
connect_to(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
pass_on(int from, int to)
{
	char bytes[16384];
	ssize_t n = recv(from, bytes, sizeof(bytes), 0);

	return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void
conn_splice(struct conn *c, int fd)
{
	struct pollfd both[] = { { c->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };

	while (poll(both, 2, -1) > 0)
		if ((both[0].revents && !pass_on(both[0].fd, fd)) ||
		    (both[1].revents && !pass_on(fd, both[0].fd)))
			return;
}

static void
conn_proxy(struct conn *c, const struct asked *a)
{
	struct span who = asked_field(a, SPAN("Proxy-Authorization"));
	struct span host = a->path;
	uint64_t port = 0;
	char line[64];
	int fd;

	if (!span_starts_nocase(a->line, SPAN("CONNECT ")) ||
	    !span_u64(span_from(host, span_rfind(host, ':') + 1), 65535, &port)) {
		conn_answer(c, "405 Only CONNECT", "", SPAN(""));
		return;
	}
	if (c->site->proxy_status != 200 ||
	    (c->site->wants && !span_eq(who, span_of(c->site->wants)))) {
		snprintf(line, sizeof(line), "%d No", c->site->proxy_status != 200
			 ? c->site->proxy_status : 407);
		conn_answer(c, line, "", SPAN("no"));
		return;
	}
	fd = connect_to((uint16_t)port);
	if (fd < 0) {
		conn_answer(c, "502 Bad Gateway", "", SPAN("no"));
		return;
	}
	if (conn_say(c, "HTTP/1.1 200 Connected\r\n\r\n"))
		conn_splice(c, fd);
	close(fd);
}

/* --- life ------------------------------------------------------------- */

static bool
conn_shake(struct conn *c)
{
	int rc;

	if (c->site->kind == CERT_MUTE) {
		conn_wait(c);
		return false;
	}
	if (c->site->kind == CERT_NONE)
		return true;
	gnutls_init(&c->tls, GNUTLS_SERVER);
	assert_int_equal(gnutls_priority_set_direct(
		c->tls, c->site->kind != CERT_OLD_TLS ? "NORMAL"
		: "NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL), 0);
	gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE,
			       certs_of(c->site->kind));
	gnutls_transport_set_int(c->tls, c->fd);
	do
		rc = gnutls_handshake(c->tls);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	return rc == 0;
}

static void *
conn_main(void *arg)
{
	struct conn *c = arg;
	struct asked a;

	c->in = BUF_MAX(REQUEST_MAX + 64 * 1024);
	if (conn_shake(c))
		while (conn_request(c, &a)) {
			if (c->site->proxy_status != 0) {
				conn_proxy(c, &a);
				break;
			}
			if (!conn_serve(c, &a))
				break;
			buf_clear(&c->in);
		}
	buf_fini(&c->in);
	c->site->open--;
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *
site_main(void *arg)
{
	struct site *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		struct conn *c = &s->conns[s->accepted];

		if (fd < 0)
			return NULL;
		assert_true(s->accepted < CONNS_MAX);
		c->site = s;
		c->fd = fd;
		s->open++;
		s->accepted++;
		c->thread = thread_start("conn", conn_main, c);
	}
}

struct site *
site_new(enum certificate kind)
{
	struct site *s = NEW(struct site);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	s->kind = kind;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(s->fd, 1000), 0);
	getsockname(s->fd, (struct sockaddr *)&at, &n);
	s->port = ntohs(at.sin_port);
	s->thread = thread_start("site", site_main, s);
	return s;
}

struct site *
site_new_proxy(int status, const char *wants)
{
	struct site *s = site_new(CERT_NONE);

	s->proxy_status = status;
	s->wants = wants;
	return s;
}

void
site_free(struct site **ptr)
{
	struct site *s = *ptr;

	if (s == NULL)
		return;
	s->ends = true;
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (unsigned i = 0; i < s->accepted; i++)
		shutdown(s->conns[i].fd, SHUT_RDWR);
	for (unsigned i = 0; i < s->accepted; i++) {
		pthread_join(s->conns[i].thread, NULL);
		if (s->conns[i].tls != NULL)
			gnutls_deinit(s->conns[i].tls);
		close(s->conns[i].fd);
	}
	mem_free(s);
	*ptr = NULL;
}

uint16_t
site_port(const struct site *s)
{
	return s->port;
}

unsigned
site_connections(struct site *s)
{
	return s->accepted;
}

unsigned
site_requests(struct site *s)
{
	return s->requests;
}

unsigned
site_open(struct site *s)
{
	return s->open;
}

void
full_port_open(struct full_port *p)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	p->fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(p->fds[0], (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(p->fds[0], 0), 0);
	getsockname(p->fds[0], (struct sockaddr *)&at, &n);
	p->port = ntohs(at.sin_port);
	for (int i = 1; i < 4; i++) {
		p->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(p->fds[i], (struct sockaddr *)&at, n);
	}
}

void
full_port_close(struct full_port *p)
{
	for (int i = 0; i < 4; i++)
		close(p->fds[i]);
}

uint16_t
nobody_port(void)
{
	struct site *s = site_new(CERT_NONE);
	uint16_t port = s->port;

	site_free(&s);
	return port;
}
