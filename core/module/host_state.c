/* host_state.c - a module's small things that outlive the gateway
 *
 * STATE/routes/ROUTE/KEY, read and written by the one thread that the host
 * has for it: what was put first is there first.  The bytes are wiped: they
 * are mostly tokens.  After a reload the new instance of a route waits for its
 * turn, lest it reads what the old one is about to replace.
 */
#include "module/question.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/worker.h"
#include "module/host.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct state_question {
	struct question question;
	struct task task;
	bool forgotten;			/* the module has lost interest */
	bool held;			/* not on its way yet */
	struct state_question *next_held;
	char *root, *routes, *folder, *path;	/* each in the one before */
	struct buf bytes;
	bool put, absent, ok;
	struct error err;
	void (*got)(void *arg, const void *bytes, int64_t n);
	void (*kept)(void *arg, int32_t ok, const char *why);
	void *arg;
};

static void
state_free(struct state_question *q)
{
	buf_wipe(&q->bytes);
	mem_free(q->root);
	mem_free(q->routes);
	mem_free(q->folder);
	mem_free(q->path);
	mem_free(q);
}

static void
state_submit(struct state_question *q)
{
	q->held = false;
	workers_submit(q->question.me->host->files, &q->task);
}

static void
held_add(struct state_question *q)
{
	struct state_question **p = &q->question.me->held;

	while (*p != NULL)
		p = &(*p)->next_held;
	*p = q;
	q->held = true;
}

static void
held_take(struct state_question *q)
{
	struct state_question **p = &q->question.me->held;

	while (*p != q)
		p = &(*p)->next_held;
	*p = q->next_held;
}

/* What was to be written is written to its end. */
static void
state_forgotten(struct question *question)
{
	struct state_question *q = container_of(question, struct state_question,
						question);

	q->forgotten = true;
	if (!q->held)
		return;
	held_take(q);
	if (q->put)
		state_submit(q);
	else
		state_free(q);
}

void
instance_state_begin(struct postern_instance *me)
{
	struct state_question *next, *q = me->held;

	me->turn = STATE_OURS;
	me->held = NULL;
	for (; q != NULL; q = next) {
		next = q->next_held;
		state_submit(q);
	}
}

/* --- on the worker --------------------------------------------------- */

static void
state_read(struct state_question *q)
{
	q->absent = access(q->path, F_OK) < 0 &&
		    (errno == ENOENT || errno == ENOTDIR);
	q->ok = q->absent || file_read(&q->bytes, q->path, &q->err);
}

/* What is durable in a folder that is not would be gone with it. */
static bool
state_folder(const char *path, const char *parent, struct error *err)
{
	return file_make_folder(path, 0700, err) &&
	       file_sync_folder(parent, err);
}

static void
state_write(struct state_question *q)
{
	if (q->absent)
		q->ok = unlink(q->path) == 0 || errno == ENOENT
			|| error_errno(&q->err, "%s", q->path);
	else
		q->ok = state_folder(q->routes, q->root, &q->err) &&
			state_folder(q->folder, q->routes, &q->err) &&
			file_replace(q->path, buf_span(&q->bytes), 0600,
				     &q->err);
}

static void
state_work(struct task *t)
{
	struct state_question *q = container_of(t, struct state_question, task);

	if (q->put)
		state_write(q);
	else
		state_read(q);
}

/* --- back on the loop ------------------------------------------------ */

static void
state_answer(struct state_question *q)
{
	struct span got = buf_span(&q->bytes);

	if (q->put)
		q->kept(q->arg, q->ok, q->ok ? "" : q->err.text);
	else if (q->ok)
		q->got(q->arg, got.p ? got.p : "",
		       q->absent ? -1 : (int64_t)got.n);
	else
		q->got(q->arg, q->err.text, -2);
}

static void
state_back(struct task *t)
{
	struct state_question *q = container_of(t, struct state_question, task);

	if (!q->forgotten) {
		question_end(&q->question);
		state_answer(q);
	}
	state_free(q);
}

/* --- asking ---------------------------------------------------------- */

static bool
key_valid(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n <= 64 && key[n] == '\0';
}

static bool
state_allowed(struct postern_instance *me, const char *key,
	      struct error *err)
{
	if (!question_allowed(me, "postern_state_get() or _put()"))
		return error_set(err, ERROR_CONFIG, "not available here");
	if (!key_valid(key)) {
		instance_mistake(me, "`%.64s' is not a key for the state", key);
		return error_set(err, ERROR_CONFIG, "not a valid key");
	}
	if (me->turn == STATE_OVER)
		return error_set(err, ERROR_CONFIG, "the route has a newer "
				 "instance, which owns the state now");
	if (me->host->state != NULL)
		return true;
	return error_set(err, ERROR_CONFIG, "there is no folder to store it in: "
			 "set `state' in postern.yaml");
}

static uint64_t
state_ask(struct postern_instance *me, struct state_question *q,
	  const char *key)
{
	q->root = mem_strdup(me->host->state);
	q->routes = mem_printf("%s/routes", q->root);
	q->folder = mem_printf("%s/%s", q->routes, me->route);
	q->path = mem_printf("%s/%s", q->folder, key);
	q->question.forget = state_forgotten;
	q->question.awaited = true;
	q->task = (struct task){ .work = state_work, .done = state_back,
				 .home = loop_mailbox(me->loop) };
	question_begin(&q->question, me);
	if (me->turn == STATE_LATER)
		held_add(q);
	else
		state_submit(q);
	return q->question.ticket;
}

uint64_t
postern_state_get(postern_instance *me, const char *key,
		  void (*done)(void *arg, const void *bytes, int64_t n),
		  void *arg)
{
	struct state_question *q;
	struct error err;

	if (!state_allowed(me, key, &err)) {
		done(arg, err.text, -2);
		return 0;
	}
	q = NEW(struct state_question);
	q->bytes = BUF_MAX(LIMIT_STATE);
	q->got = done;
	q->arg = arg;
	return state_ask(me, q, key);
}

uint64_t
postern_state_put(postern_instance *me, const char *key, const void *bytes,
		  size_t n,
		  void (*done)(void *arg, int32_t ok, const char *why),
		  void *arg)
{
	struct state_question *q;
	struct error err;

	if (!state_allowed(me, key, &err)) {
		done(arg, 0, err.text);
		return 0;
	}
	if (n > LIMIT_STATE) {
		instance_mistake(me, "%zu octets are too many to keep under "
				 "`%s'", n, key);
		done(arg, 0, "it is too large to store");
		return 0;
	}
	q = NEW(struct state_question);
	q->bytes = BUF_MAX(LIMIT_STATE);
	buf_add(&q->bytes, (struct span){ bytes, bytes ? n : 0 });
	q->put = true;
	q->absent = bytes == NULL;
	q->kept = done;
	q->arg = arg;
	return state_ask(me, q, key);
}
