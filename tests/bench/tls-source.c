/* tls-source.c - smtp-source with STARTTLS, which Postfix's has not
 *
 *	tls-source SESSIONS MESSAGES BYTES PORT [keep]
 *
 * So many sessions at once send so many messages of so many bytes to
 * 127.0.0.1:PORT.  Each message has a connection and a full handshake of its
 * own; with "keep", each session has one connection.  Commands wait for their
 * replies, as devices do.  Any surprise ends the program with status 1.
 */
#include <gnutls/gnutls.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS_MAX = 1000, MESSAGES_MAX = 10000000, LINE = 78,
       BYTES_MAX = 64 << 20, PATIENCE_S = 60 };

struct connection {
	int fd;
	gnutls_session_t tls;		/* NULL: still in the clear */
	char in[4096];			/* a reply, to its last line */
};

static struct {
	struct sockaddr_in to;
	atomic_int left;		/* messages nobody has taken yet */
	bool keep;
	char *message;			/* header, body and final dot */
	size_t n;
	gnutls_certificate_credentials_t cred;
} job;

/* In this order; the last before DATA. */
static const char *const envelope[] = {
	"MAIL FROM:<a@src.test>\r\n", "RCPT TO:<b@dst.test>\r\n", "DATA\r\n",
};

static void
must(bool so, const char *what, const char *seen)
{
	if (so)
		return;
	fprintf(stderr, "tls-source: %s: %s\n", what, seen);
	exit(1);
}

/* --- a connection ---------------------------------------------------- */

static void
put(struct connection *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = c->tls != NULL
			       ? gnutls_record_send(c->tls, p, n)
			       : send(c->fd, p, n, MSG_NOSIGNAL);

		must(done > 0, "cannot send", c->in);
		p += done;
		n -= (size_t)done;
	}
}

static bool
is_whole(const char *in, size_t n)
{
	const char *line;

	if (n < 5 || in[n - 1] != '\n')
		return false;
	for (line = in + n - 1; line > in && line[-1] != '\n'; line--)
		;
	return in + n - line > 4 && line[3] == ' ';
}

static time_t
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void
expect(struct connection *c, char digit)
{
	time_t until = now_s() + PATIENCE_S;
	size_t n = 0;

	do {
		size_t room = sizeof(c->in) - 1 - n;
		ssize_t got = c->tls != NULL
			      ? gnutls_record_recv(c->tls, c->in + n, room)
			      : recv(c->fd, c->in + n, room, 0);

		/* a session ticket of TLS 1.3 came instead, or nothing */
		if (got == GNUTLS_E_AGAIN && c->tls != NULL &&
		    now_s() < until)
			continue;
		must(got > 0, "no reply after", c->in);
		n += (size_t)got;
		c->in[n] = '\0';
	} while (!is_whole(c->in, n));
	must(c->in[0] == digit, "refused", c->in);
}

static void
say(struct connection *c, const char *command, char digit)
{
	put(c, command, strlen(command));
	expect(c, digit);
}

static void
start_tls(struct connection *c)
{
	int r;

	say(c, "STARTTLS\r\n", '2');
	gnutls_init(&c->tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(c->tls);
	gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, job.cred);
	gnutls_transport_set_int(c->tls, c->fd);
	gnutls_handshake_set_timeout(c->tls, PATIENCE_S * 1000);
	do
		r = gnutls_handshake(c->tls);
	while (r < 0 && gnutls_error_is_fatal(r) == 0);
	must(r == 0, "handshake", gnutls_strerror(r));
}

static void
open_up(struct connection *c)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	static const int on = 1;

	*c = (struct connection){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(connect(c->fd, (struct sockaddr *)&job.to, sizeof(job.to)) == 0,
	     "cannot connect", "");
	expect(c, '2');
	say(c, "EHLO client.test\r\n", '2');
	start_tls(c);
	say(c, "EHLO client.test\r\n", '2');
}

static void
shut(struct connection *c)
{
	say(c, "QUIT\r\n", '2');
	gnutls_deinit(c->tls);
	close(c->fd);
}

/* --- the job --------------------------------------------------------- */

static void *
session(void *none)
{
	struct connection c;
	bool open = false;

	while (atomic_fetch_sub(&job.left, 1) > 0) {
		if (!open)
			open_up(&c);
		for (size_t i = 0; i < 3; i++)
			say(&c, envelope[i], i < 2 ? '2' : '3');
		put(&c, job.message, job.n);
		expect(&c, '2');
		open = job.keep;
		if (!open)
			shut(&c);
	}
	if (open)
		shut(&c);
	return none;
}

static long
number(const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	must(n > 0 && n <= max && *end == '\0', "not a number in its range",
	     text);
	return n;
}

static void
write_message(size_t bytes)
{
	static const char header[] = "From: a@src.test\r\nTo: b@dst.test\r\n"
				     "Subject: from tls-source\r\n\r\n";
	size_t n = sizeof(header) - 1;
	char *p = malloc(n + bytes + LINE + 8);

	must(p != NULL, "no memory for", header);
	memcpy(p, header, n);
	while (n < bytes) {
		memset(p + n, 'X', LINE);
		memcpy(p + n + LINE, "\r\n", 2);
		n += LINE + 2;
	}
	memcpy(p + n, ".\r\n", 3);
	job.message = p;
	job.n = n + 3;
}

int
main(int argc, char **argv)
{
	pthread_t threads[SESSIONS_MAX];
	long sessions;

	must(argc == 5 || (argc == 6 && strcmp(argv[5], "keep") == 0), "usage",
	     "tls-source SESSIONS MESSAGES BYTES PORT [keep]");
	sessions = number(argv[1], SESSIONS_MAX);
	job.left = (int)number(argv[2], MESSAGES_MAX);
	write_message((size_t)number(argv[3], BYTES_MAX));
	job.to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)number(argv[4], 65535)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	job.keep = argc == 6;
	gnutls_certificate_allocate_credentials(&job.cred);
	for (long i = 0; i < sessions; i++)
		must(pthread_create(&threads[i], NULL, session, NULL) == 0,
		     "cannot start", "a thread");
	for (long i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	free(job.message);
	gnutls_certificate_free_credentials(job.cred);
	return 0;
}
