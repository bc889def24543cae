/* smtpd.c - the server of one loop: accepting, reconfiguring, stopping */
#include "smtpd/smtpd.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/tls.h"
#include "smtpd/guard.h"
#include "smtpd/session.h"

#include <sys/socket.h>
#include <unistd.h>

enum { SPARE_COMMITS = 32, SCRATCH = 64 * 1024 };

/* RFC 5321 section 4.5.3.2.7, and the block of 4.5.3.2.5 */
enum { COMMAND_MS = 5 * 60 * 1000, BLOCK_MS = 3 * 60 * 1000 };

static void
patience_over(struct timer *t)
{
	struct smtpd *s = container_of(t, struct smtpd, patience);

	if (s->sessions != NULL)
		log_warning(&s->log, "%zu sessions were closed: the stop "
			    "timeout has ended", s->open);
	smtpd_cut(s);
}

static void
untold_over(struct timer *t)
{
	trace_flush(container_of(t, struct smtpd, untold_timer));
}

static void
tell_stopped(struct later *l)
{
	struct smtpd *s = container_of(l, struct smtpd, stopped);
	void (*done)(void *arg) = s->done;

	s->done = NULL;
	timer_stop(&s->patience);
	if (done != NULL)
		done(s->done_arg);	/* which may free s */
}

struct smtpd *
smtpd_new(const struct smtpd_deps *deps)
{
	struct smtpd *s = NEW(struct smtpd);

	s->deps = *deps;
	s->log = (struct log){ .room = "smtpd" };
	s->tickets = tickets_new();
	s->scratch = BUF_MAX(SCRATCH);
	s->command_ms = COMMAND_MS;
	s->block_ms = BLOCK_MS;
	s->stopped.run = tell_stopped;
	timer_init(&s->patience, deps->loop, patience_over);
	timer_init(&s->untold_timer, deps->loop, untold_over);
	return s;
}

bool
smtpd_configure(struct smtpd *s, struct snapshot *snap, struct error *err)
{
	struct generation *g = generation_open(s->deps.loop, snap, err);

	if (g == NULL)
		return false;
	generation_unref(&s->now);
	s->now = g;
	return true;
}

void
smtpd_certificate(struct smtpd *s, struct tls_identity *identity)
{
	tls_identity_unref(&s->identity);
	if (identity != NULL)
		s->identity = tls_identity_ref(identity);
}

/* Without a session: the client hears why, if it can at once; one that waits
 * for a handshake would understand nothing. */
static void
turn_away(struct smtpd *s, int fd, struct endpoint peer,
	  const struct listener_config *where, const char *why)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(LIMIT_REPLY_LINE);
	struct reply r = reply(421, "4.7.0", "%s", why);
	struct log_field client = LOG_STR("client", NULL);
	char text[IP_TEXT];

	client.text = span_of(ip_text(peer.ip, text));
	atomic_fetch_add(&s->count_refused, 1);
	if (where->tls != LISTENER_IMPLICIT && reply_format(&r, &out) &&
	    send(fd, out.data + out.head, out.len,
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug(&s->log, "a client that was turned away is gone");
	close(fd);
	if (guard_may_warn(s->deps.guard, peer.ip, clock_now_ms()))
		log_event(&s->log, LOG_LEVEL_WARNING, &client, 1, "%s", why);
}

void
smtpd_accept(struct smtpd *s, int fd, struct endpoint peer,
	     const struct listener_config *where)
{
	static const char *const words[] = {
		[GUARD_TOO_MANY] = "too many sessions (limits.sessions), "
			"try again later",
		[GUARD_TOO_MANY_OF_CLIENT] = "too many sessions from your "
			"address (limits.sessions_per_client), try again later",
	};
	const struct smtpd_config *c;
	enum guard_answer answer;

	if (s->now == NULL || s->stopping) {
		turn_away(s, fd, peer, where, "the service is not running");
		return;
	}
	c = s->now->config;
	answer = guard_enter(s->deps.guard, peer.ip, c->sessions,
			     c->sessions_per_client);
	if (answer == GUARD_OK)
		session_start(s, fd, peer, where);
	else
		turn_away(s, fd, peer, where, words[answer]);
}

/* --- commits --------------------------------------------------------- */

struct commit *
commit_new(struct smtpd *s)
{
	struct commit *c = s->spare;

	if (c == NULL) {
		c = NEW(struct commit);
		c->server = s;
		c->prefix = BUF_MAX(LIMIT_PREFIX);
		c->facts.text = BUF_MAX(LIMIT_LOG_LINE);
		return c;
	}
	s->spare = c->next;
	s->spares--;
	return c;
}

static void
commit_destroy(struct commit *c)
{
	buf_fini(&c->prefix);
	buf_fini(&c->facts.text);
	mem_free(c);
}

void
commit_free(struct commit **ptr)
{
	struct commit *c = *ptr;
	struct smtpd *s;

	*ptr = NULL;
	if (c == NULL)
		return;
	s = c->server;
	if (c->reserved)
		s->deps.window_give(s->deps.window_arg, c->accept.items,
				    c->accept.n);
	for (size_t i = 0; i < c->accept.n; i++)
		item_free(&c->accept.items[i]);
	c->accept.n = 0;
	c->reserved = c->prefixed = false;
	c->drop = 0;
	buf_clear(&c->prefix);
	buf_clear(&c->facts.text);
	if (s->spares == SPARE_COMMITS) {
		commit_destroy(c);
		return;
	}
	c->next = s->spare;
	s->spare = c;
	s->spares++;
}

/* --- the end --------------------------------------------------------- */

void
smtpd_check_stopped(struct smtpd *s)
{
	if (s->stopping && s->open == 0 && s->commits == 0)
		loop_later(s->deps.loop, &s->stopped);
}

void
smtpd_stop(struct smtpd *s, int64_t patience_ms, void (*done)(void *arg),
	   void *arg)
{
	struct session *next;

	s->stopping = true;
	s->done = done;
	s->done_arg = arg;
	timer_start(&s->patience, MAX(patience_ms, 0));
	for (struct session *x = s->sessions; x != NULL; x = next) {
		next = x->next;
		session_stop(x);
	}
	smtpd_check_stopped(s);
}

void
smtpd_cut(struct smtpd *s)
{
	while (s->sessions != NULL)
		session_close(s->sessions);
}

void
smtpd_free(struct smtpd **ptr)
{
	struct smtpd *s = *ptr;
	struct commit *c;

	if (s == NULL)
		return;
	smtpd_cut(s);
	trace_flush(s);
	must(s->commits == 0);		/* they come home to this loop */
	timer_stop(&s->patience);
	while ((c = s->spare) != NULL) {
		s->spare = c->next;
		commit_destroy(c);
	}
	generation_unref(&s->now);
	tls_identity_unref(&s->identity);
	tickets_free(&s->tickets);
	buf_fini(&s->scratch);
	mem_free(s);
	*ptr = NULL;
}

void
smtpd_stats(const struct smtpd *s, struct smtpd_stats *ret)
{
	*ret = (struct smtpd_stats){
		.sessions = atomic_load(&s->count_sessions),
		.accepted = atomic_load(&s->count_accepted),
		.refused = atomic_load(&s->count_refused),
		.open = atomic_load(&s->count_open),
		.greeted = atomic_load(&s->count_greeted),
	};
	for (size_t i = 0; i < FAILURE_KINDS; i++)
		ret->failed[i] = atomic_load(&s->count_failed[i]);
}
