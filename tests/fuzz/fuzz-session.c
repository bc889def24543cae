/* fuzz-session.c - a whole SMTP session, from the first byte to the commit
 *
 * The first byte chooses the pieces; the rest is what a client says before it
 * stops talking.  Said at once and in pieces it must be answered with the same
 * words, in the form of RFC 5321, and every message that was promised must be
 * in the spool, and no other.  Routes and filters are doubles.
 */
#include "fuzz.h"

#include "base/budget.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "module/hooks.h"
#include "route/route.h"
#include "smtpd/guard.h"
#include "smtpd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- doubles ------------------------------ */

struct filters *
filters_open(const struct node *list, const struct instance_place *place,
	     struct error *err)
{
	(void)list;
	(void)place;
	(void)err;
	bug("nobody has filters here");
}

void
filters_close(struct filters **f)
{
	*f = NULL;
}

bool
filters_empty(const struct filters *f)
{
	return f == NULL;
}

void
txn_init(struct postern_txn *txn, const struct txn_ops *ops)
{
	*txn = (struct postern_txn){ .ops = ops };
}

void
txn_fini(struct postern_txn *txn)
{
	txn->env = NULL;
}

postern_verdict
filters_ask(struct filters *f, enum hook hook, struct postern_txn *txn)
{
	(void)f;
	(void)hook;
	(void)txn;
	return POSTERN_CONTINUE;
}

void
filters_end(struct filters *f, struct postern_txn *txn)
{
	(void)f;
	(void)txn;
}

/* a takes what begins with a, b what begins with b and has a header */
static struct route rows[] = { { .name = "a" }, { .name = "b", .index = 1 } };
static struct routes routes = { .v = rows, .n = ARRAY_SIZE(rows) };

static bool
begins(struct span s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

const struct route *
routes_pick(const struct routes *all, const struct facts *f, bool *maybe)
{
	if (maybe != NULL)
		*maybe = begins(f->recipient.text, 'b');
	if (begins(f->recipient.text, 'a'))
		return &all->v[0];
	return begins(f->recipient.text, 'b') && f->header.n > 0 ? &all->v[1]
								  : NULL;
}

void
routes_explain(const struct routes *all, const struct facts *f,
	       void (*row)(void *arg, const struct route *r,
			   enum match_result m, const char *reason), void *arg)
{
	(void)f;
	row(arg, &all->v[0], MATCH_NO, "it does not begin with a");
}

/* --- a server ------------------------------ */

static struct {
	struct loop *loop;
	struct spool *spool;
	struct smtpd *smtpd;
	struct budget budget;
	size_t stored;			/* messages; their first items */
} world;

static bool
window(void *arg, struct item *const *items, size_t n)
{
	(void)arg;
	(void)items;
	return n < 3;
}

static void
window_give(void *arg, struct item *const *items, size_t n)
{
	(void)arg;
	(void)items;
	(void)n;
}

static void
on_item(struct letter *l)
{
	struct item *item = container_of(l, struct item, letter);

	must(item->env->rcpt_count > 0);
	must(item->prefix.len > 0);
	world.stored += item->id % ITEM_ORDINALS == 0;
	item_free(&item);
}

static void
committed(void *arg, struct item *item)
{
	(void)arg;
	item->letter.deliver = on_item;
	mailbox_post(loop_mailbox(world.loop), &item->letter);
}

static void
work(void *arg, int64_t next_due_ms)
{
	(void)arg;
	(void)next_due_ms;
}

static void
world_begin(void)
{
	static struct network relay[] = { { { 4, { 10 } }, 8 } };
	static struct smtpd_config config = {
		.hostname = "gw.test", .message_size = 1000, .recipients = 3,
		.sessions = 10, .sessions_per_client = 10, .relay = relay,
		.relay_count = 1,
	};
	struct spool_hooks hooks = { NULL, committed, work };
	struct spool_config sc = { .url = "memory:", .budget = &world.budget };
	struct snapshot *snap = snapshot_new();
	struct error err;

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	world.budget.limit = INT64_MAX / 2;
	world.loop = loop_new("intake");
	sc.workers = workers_new("worker", 1);
	world.spool = spool_open(&sc, &hooks, &err);
	must(world.spool != NULL);
	world.smtpd = smtpd_new(&(struct smtpd_deps){
		.loop = world.loop, .spool = world.spool,
		.memory = &world.budget, .guard = guard_new(),
		.window = window, .window_give = window_give,
	});
	snapshot_set(snap, SLOT_SMTPD, &config);
	snapshot_set(snap, SLOT_ROUTES, &routes);
	must(smtpd_configure(world.smtpd, snap, &err));
	snapshot_unref(&snap);
}

/* --- a client ------------------------------ */

static void
turn(int fd, struct buf *heard)
{
	char *to = buf_room(heard, 4096);
	ssize_t n;

	ev_run(loop_ev(world.loop), EVRUN_NOWAIT);
	while (world.smtpd->commits > 0)
		ev_run(loop_ev(world.loop), EVRUN_ONCE);
	n = read(fd, to, 4096);
	if (n > 0)
		buf_added(heard, (size_t)n);
}

static void
converse(struct span said, size_t piece, struct buf *heard)
{
	static const struct listener_config where = { .address = "x:25" };
	struct endpoint peer = { { 4, { 10, 0, 0, 1 } }, 1234 };
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	smtpd_accept(world.smtpd, fds[1], peer, &where);
	while (said.n > 0) {
		ssize_t n = send(fds[0], said.p, MIN(said.n, piece),
				 MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		said = span_from(said, n > 0 ? (size_t)n : 0);
		turn(fds[0], heard);
	}
	shutdown(fds[0], SHUT_WR);
	while (world.smtpd->open > 0)
		turn(fds[0], heard);
	turn(fds[0], heard);
	close(fds[0]);
}

/* --- what always holds ------------------------------ */

static size_t
check_replies(struct span heard)
{
	static const char queued[] = "250 2.0.0 Ok: queued as ";
	size_t promised = 0;
	struct span line;

	must(heard.n > 0 && heard.p[heard.n - 1] == '\n');
	heard.n--;
	while (span_split(&heard, '\n', &line)) {
		must(line.n >= 4 && line.n <= 511);
		must(line.p[0] >= '2' && line.p[0] <= '5');
		must(line.p[3] == ' ' || line.p[3] == '-');
		must(line.p[line.n - 1] == '\r');
		promised += span_starts_nocase(line, span_of(queued));
	}
	return promised;
}

/* Ids differ: they are masked. */
static void
mask_ids(struct buf *b)
{
	static const char before[] = "queued as ";
	char *at = b->data + b->head, *end = at + b->len;

	while ((at = memmem(at, (size_t)(end - at), before,
			    sizeof(before) - 1)) != NULL) {
		at += sizeof(before) - 1;
		memset(at, 'X', MIN((size_t)(end - at), (size_t)10));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf once = BUF_MAX(8 * 1024 * 1024);
	AUTO(buf_fini) struct buf apart = BUF_MAX(8 * 1024 * 1024);
	struct span said = span_from(fuzz_span(data, size), 1);
	size_t piece = size > 0 ? data[0] % 64u + 1 : 1, promised;

	if (world.loop == NULL)
		world_begin();
	world.stored = 0;
	converse(said, SIZE_MAX, &once);
	converse(said, piece, &apart);
	promised = check_replies(buf_span(&once));
	must(promised == check_replies(buf_span(&apart)));
	must(2 * promised == world.stored);
	mask_ids(&once);
	mask_ids(&apart);
	must(span_eq(buf_span(&once), buf_span(&apart)));
	return 0;
}
