/* smtpd-world.c - the surroundings of a server, and its doubles */
#include "unit.h"
#include "smtpd-world.h"

#include "base/macros.h"
#include "base/mem.h"
#include "route/route.h"
#include "smtpd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- filters ------------------------------ */

struct filters {
	struct fake_filters *fake;
	struct loop *loop;
	struct later later;
	postern_verdict answer;		/* what comes then */
};

struct fake_filters fake_gateway, fake_route;

static void
answer_later(struct later *l)
{
	struct filters *f = container_of(l, struct filters, later);
	struct postern_txn *txn = f->fake->pending;

	f->fake->pending = NULL;
	if (txn != NULL)
		txn->ops->answered(txn, f->answer);
}

struct filters *
filters_open(const struct node *list, const struct instance_place *place,
	     struct error *err)
{
	struct filters *f = NEW(struct filters);

	(void)list;
	(void)err;
	f->fake = *place->route ? &fake_route : &fake_gateway;
	f->loop = place->loop;
	f->later.run = answer_later;
	f->fake->open++;
	return f;
}

void
filters_close(struct filters **f)
{
	(*f)->fake->open--;
	mem_free(*f);
	*f = NULL;
}

bool
filters_empty(const struct filters *f)
{
	(void)f;
	return false;
}

void
txn_init(struct postern_txn *txn, const struct txn_ops *ops)
{
	*txn = (struct postern_txn){ .ops = ops };
}

void
txn_fini(struct postern_txn *txn)
{
	if (fake_gateway.pending == txn)
		fake_gateway.pending = NULL;
	if (fake_route.pending == txn)
		fake_route.pending = NULL;
}

postern_verdict
filters_ask(struct filters *f, enum hook hook, struct postern_txn *txn)
{
	struct fake_filters *fake = f->fake;
	postern_verdict v = fake->verdict[hook];

	fake->asked[hook]++;
	assert_non_null(txn->client);
	assert_non_null(txn->helo);
	if (hook == HOOK_RCPT)
		assert_non_null(txn->rcpt);
	if (hook >= HOOK_MAIL)
		assert_non_null(txn->env);
	if (hook == HOOK_MESSAGE && fake->field != NULL)
		buf_addf(txn->prefix, "X-Filter: %s\r\n", fake->field);
	if (fake->reply_code != 0)
		txn->reply = reply(fake->reply_code, "", "said the filter");
	if (fake->later) {
		f->answer = v;
		loop_later(f->loop, &f->later);
		v = POSTERN_PENDING;
	}
	if (v == POSTERN_PENDING)
		fake->pending = txn;
	return v;
}

void
filters_end(struct filters *f, struct postern_txn *txn)
{
	(void)txn;
	f->fake->ended++;
}

/* --- routes: alpha takes @alpha.test; beta takes @beta.test when the message
 * has a field "X-Beta:"; gamma takes @gamma.test and has filters */

static const struct node some_list = { .kind = NODE_LIST };
static struct route route_rows[] = {
	{ .name = "alpha", .index = 0 },
	{ .name = "beta", .index = 1 },
	{ .name = "gamma", .index = 2, .filters = &some_list },
};
static struct routes some_routes = { .v = route_rows, .n = ARRAY_SIZE(route_rows) };
static struct routes plain_routes = { .v = route_rows, .n = 2 };
static struct routes no_routes;

static enum match_result
fake_match(const struct route *r, const struct facts *f)
{
	char domain[32];

	snprintf(domain, sizeof(domain), "%s.test", r->name);
	if (!span_eq_nocase(f->recipient.domain, span_of(domain)))
		return MATCH_NO;
	if (r->index != 1)
		return MATCH_YES;
	if (!f->at_end)
		return MATCH_MAYBE;
	return span_starts_nocase(f->header, SPAN("X-Beta:")) ? MATCH_YES
							       : MATCH_NO;
}

const struct route *
routes_pick(const struct routes *routes, const struct facts *f, bool *maybe)
{
	bool ignored;

	maybe = maybe != NULL ? maybe : &ignored;
	*maybe = false;
	for (size_t i = 0; i < routes->n; i++) {
		enum match_result m = fake_match(&routes->v[i], f);

		if (m == MATCH_YES)
			return &routes->v[i];
		*maybe |= m == MATCH_MAYBE;
	}
	return NULL;
}

void
routes_explain(const struct routes *routes, const struct facts *f,
	       void (*row)(void *arg, const struct route *r,
			   enum match_result m, const char *reason), void *arg)
{
	for (size_t i = 0; i < routes->n; i++)
		row(arg, &routes->v[i], fake_match(&routes->v[i], f),
		    "the recipient is another one");
}

/* --- dispatch ------------------------------ */

static bool
take_window(void *arg, struct item *const *items, size_t n)
{
	struct world *w = arg;

	(void)items;
	if (w->reserved + n > w->window)
		return false;
	w->reserved += n;
	return true;
}

static void
give_window(void *arg, struct item *const *items, size_t n)
{
	struct world *w = arg;

	(void)items;
	w->reserved -= n;
}

static struct world *committed_to;	/* the spool's hook has no world */

static void
on_item(struct letter *l)
{
	struct item *item = container_of(l, struct item, letter);

	assert_true(committed_to->count < WORLD_ITEMS);
	committed_to->items[committed_to->count++] = item;
}

static void
on_committed(void *arg, struct item *item)
{
	struct world *w = arg;

	item->letter.deliver = on_item;
	mailbox_post(loop_mailbox(w->loop), &item->letter);
}

static void
on_work(void *arg, int64_t next_due_ms)
{
	(void)arg;
	(void)next_due_ms;
}

/* --- the world ------------------------------ */

void
world_configure(struct world *w, bool gateway_filters)
{
	struct smtpd_config *c;
	struct error err;

	snapshot_unref(&w->snap);
	w->snap = snapshot_new();
	c = arena_alloc(snapshot_arena(w->snap), sizeof(*c));
	*c = w->config;
	c->filters = gateway_filters ? &some_list : NULL;
	snapshot_set(w->snap, SLOT_SMTPD, c);
	snapshot_set(w->snap, SLOT_ROUTES, w->no_routes ? &no_routes
		     : w->plain ? &plain_routes : &some_routes);
	assert_true(smtpd_configure(w->smtpd, w->snap, &err));
}

struct world *
world_new(void)
{
	return world_new_with(&(struct world_options){ .url = "memory:" });
}

struct world *
world_new_with(const struct world_options *o)
{
	static struct network relay[] = { { { 4, { 10 } }, 8 } };
	struct world *w = NEW(struct world);
	struct spool_hooks hooks = { w, on_committed, on_work };
	struct spool_config sc = { .url = o->url, .budget = &w->budget,
				   .free_space = o->free_space };
	struct error err;

	committed_to = w;
	fake_gateway = fake_route = (struct fake_filters){ .open = 0 };
	w->fd = -1;
	w->window = WORLD_ITEMS;
	w->heard = BUF_MAX(1024 * 1024);
	w->budget.limit = o->memory > 0 ? o->memory : 64 * 1024 * 1024;
	w->plain = o->plain;
	w->loop = loop_new("intake");
	w->workers = workers_new("worker", 1);
	sc.workers = w->workers;
	w->spool = spool_open(&sc, &hooks, &err);
	assert_non_null(w->spool);
	w->guard = guard_new();
	w->smtpd = smtpd_new(&(struct smtpd_deps){
		.loop = w->loop, .spool = w->spool, .memory = &w->budget,
		.guard = w->guard, .window = take_window,
		.window_give = give_window, .window_arg = w,
	});
	w->config = (struct smtpd_config){
		.hostname = "gw.test", .full_name = "gw.test", .message_size = 100 * 1024,
		.recipients = 5, .sessions = 10, .sessions_per_client = 3,
		.relay = relay, .relay_count = 1,
	};
	world_configure(w, false);
	return w;
}

static void
on_stopped(void *arg)
{
	struct world *w = arg;

	w->stopped = true;
}

void
world_free(struct world **ptr)
{
	struct world *w = *ptr;

	world_hang_up(w);
	if (!w->stopped)
		smtpd_stop(w->smtpd, 1000, on_stopped, w);
	for (int i = 0; i < 2000 && !w->stopped; i++) {
		world_turn(w);
		poll(NULL, 0, w->stopped ? 0 : 1);
	}
	assert_true(w->stopped);
	smtpd_free(&w->smtpd);
	world_turn(w);
	assert_int_equal(guard_sessions(w->guard), 0);
	assert_int_equal(fake_gateway.open, 0);
	assert_int_equal(fake_route.open, 0);
	for (size_t i = 0; i < w->count; i++)
		item_free(&w->items[i]);
	/* a draft that was dropped may still be at its file */
	workers_drain(w->workers);
	world_turn(w);
	spool_close(&w->spool);
	workers_free(&w->workers);
	snapshot_unref(&w->snap);
	guard_free(&w->guard);
	loop_free(&w->loop);
	assert_int_equal(w->budget.used, 0);
	buf_fini(&w->heard);
	mem_free(w);
	*ptr = NULL;
}

void
world_connect(struct world *w, const char *address)
{
	const struct listener_config where = { .address = "test:25",
					       .tls = w->tls };
	struct endpoint peer = { .port = 1234 };
	int fds[2];

	world_hang_up(w);
	assert_true(ip_parse(span_of(address), &peer.ip));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	w->fd = fds[0];
	w->gone = false;
	buf_clear(&w->heard);
	smtpd_accept(w->smtpd, fds[1], peer, &where);
}

void
world_hang_up(struct world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* True when something was heard, or the end. */
static bool
world_hear(struct world *w)
{
	char *to = buf_room(&w->heard, 4096);
	ssize_t n;

	if (w->fd < 0 || w->gone)
		return false;
	n = read(w->fd, to, 4096);
	if (n > 0)
		buf_added(&w->heard, (size_t)n);
	w->gone = n == 0 || (n < 0 && errno == ECONNRESET);
	return n >= 0;
}

void
world_turn(struct world *w)
{
	int patience = 5000;

	for (int quiet = 0; quiet < 4; quiet++) {
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
		if (world_hear(w))
			quiet = 0;
		while (w->smtpd != NULL && w->smtpd->commits > 0 &&
		       patience-- > 0) {
			/* the spool's thread needs its time too */
			poll(NULL, 0, 1);
			ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
			quiet = 0;
		}
	}
}

void
world_say(struct world *w, struct span bytes)
{
	for (int i = 0; bytes.n > 0 && i < 1000 && !w->gone; i++) {
		ssize_t n = send(w->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0)
			bytes = span_from(bytes, (size_t)n);
		if (bytes.n > 0)
			world_turn(w);
	}
}

void
world_answer(struct world *w, postern_verdict v)
{
	struct fake_filters *f = fake_gateway.pending != NULL ? &fake_gateway
							       : &fake_route;
	struct postern_txn *txn = f->pending;

	assert_non_null(txn);
	f->pending = NULL;
	txn->ops->answered(txn, v);
	world_turn(w);
}

struct buf
world_message(const struct world *w, size_t i)
{
	struct buf b = BUF_MAX(1024 * 1024);

	assert_true(i < w->count);
	assert_true(body_in_memory(w->items[i]->body));
	buf_add(&b, buf_span(&w->items[i]->prefix));
	buf_add(&b, buf_span(&w->items[i]->body->bytes));
	buf_str(&b);
	return b;
}

/* --- plays ------------------------------ */

static void
decode_escapes(struct buf *to, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n) {
			i++;
			buf_add_char(to, s.p[i] == 'r' ? '\r'
				     : s.p[i] == 'n' ? '\n' : s.p[i]);
		} else {
			buf_add_char(to, s.p[i]);
		}
	}
}

static void
say(struct world *w, struct span line, enum way way)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(64 * 1024);

	if (line.p[0] == '>') {
		buf_add(&b, span_from(line, 1));
		buf_add_str(&b, "\r\n");
	} else {
		decode_escapes(&b, span_from(line, 1));
	}
	if (way != WAY_BYTES) {
		world_say(w, buf_span(&b));
		return;
	}
	for (size_t i = 0; i < b.len; i++) {
		world_say(w, span_sub(buf_span(&b), i, 1));
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
	}
}

static void
expect(struct world *w, struct span pattern)
{
	char want[512], line[1024];
	size_t end = span_find(buf_span(&w->heard), '\n');

	snprintf(want, sizeof(want), "%.*s", SPAN_ARG(pattern));
	if (end == w->heard.len)
		fail_msg("expected `%s', heard nothing more", want);
	snprintf(line, sizeof(line), "%.*s",
		 SPAN_ARG(span_sub(buf_span(&w->heard), 0, end)));
	assert_true(end > 0 && line[end - 1] == '\r');
	line[end - 1] = '\0';
	buf_drop(&w->heard, end + 1);
	if (fnmatch(want, line, 0) != 0)
		fail_msg("expected `%s', heard `%s'", want, line);
}

static void
play_line(struct world *w, struct span line, enum way way)
{
	switch (line.p[0]) {
	case '>':
	case '=':
		say(w, line, way);
		break;
	case '<':
		expect(w, span_from(line, 1));
		break;
	case 'X':
		assert_true(w->gone);
		break;
	default:
		fail_msg("no such line in a play: %.*s", SPAN_ARG(line));
	}
}

static bool
is_said(struct span line)
{
	return line.p[0] == '>' || line.p[0] == '=';
}

void
world_play(struct world *w, const char *script, enum way way)
{
	struct span rest = span_of(script), line;
	bool said = false;

	while (way == WAY_AT_ONCE && span_split(&rest, '\n', &line))
		if (line.n > 0 && is_said(line))
			say(w, line, way);
	world_turn(w);
	rest = span_of(script);
	while (span_split(&rest, '\n', &line)) {
		if (line.n == 0 || (way == WAY_AT_ONCE && is_said(line)))
			continue;
		if (said && !is_said(line))
			world_turn(w);
		said = is_said(line);
		play_line(w, line, way);
	}
	world_turn(w);
	if (w->heard.len > 0)
		fail_msg("heard too much: `%s'", buf_str(&w->heard));
}
