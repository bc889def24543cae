/* notice_kept.c - what was told of a pause, kept over a restart
 *
 * STATE/routes/ROUTE/.paused: since when the route was paused, and when that
 * was told, by the steady clock.  The name begins with a dot, which no key of
 * a module does.  Written and read by the one thread that the host has for
 * the state folder.  Without that folder nothing is kept, and a restart tells
 * of the pause again; so it is when the file cannot be read or written.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/worker.h"
#include "module/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_MAX = 100,
	DAY_MS = 24 * 60 * 60 * 1000,
	OLD_DAYS = 60,			/* then it is another trouble */
};

enum kept_verb { KEPT_READ, KEPT_WRITE, KEPT_DELETE };

struct kept {
	struct task task;
	struct dispatch *dispatch;
	enum kept_verb verb;
	char *route, *root, *routes, *folder, *path;
	int64_t since_ms, told_ms;
	bool found;
};

/* --- on the worker --------------------------------------------------- */

static void
kept_read(struct kept *k)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(FILE_MAX);
	long long since_ms, told_ms;
	struct error err;

	if (access(k->path, F_OK) < 0 || !file_read(&b, k->path, &err))
		return;
	k->found = sscanf(buf_str(&b), "%lld %lld", &since_ms, &told_ms) == 2;
	k->since_ms = k->found ? since_ms : 0;
	k->told_ms = k->found ? told_ms : 0;
}

static void
kept_write(struct kept *k)
{
	char text[FILE_MAX];
	struct error err;

	snprintf(text, sizeof(text), "%lld %lld\n", (long long)k->since_ms,
		 (long long)k->told_ms);
	if (!file_make_folder(k->routes, 0700, &err) ||
	    !file_make_folder(k->folder, 0700, &err) ||
	    !file_replace(k->path, span_of(text), 0600, &err))
		log_warning(&dispatch_log, "route `%s': after a restart the "
			    "mail about its pause is sent again: %s", k->route,
			    err.text);
}

static void
kept_work(struct task *t)
{
	struct kept *k = container_of(t, struct kept, task);

	if (k->verb == KEPT_READ)
		kept_read(k);
	else if (k->verb == KEPT_WRITE)
		kept_write(k);
	else
		unlink(k->path);
}

/* --- on the loop ----------------------------------------------------- */

static void
kept_done(struct task *t)
{
	struct kept *k = container_of(t, struct kept, task);
	struct dispatch *d = k->dispatch;
	struct outlet *o = outlet_find(d, k->route);
	int64_t age_ms = clock_steady_ms() - k->told_ms;
	bool recent = k->found && age_ms < (int64_t)OLD_DAYS * DAY_MS;

	if (k->verb == KEPT_READ && o != NULL)
		notice_recalled(o, k->since_ms, recent ? k->told_ms : 0);
	mem_free(k->route);
	mem_free(k->root);
	mem_free(k->routes);
	mem_free(k->folder);
	mem_free(k->path);
	mem_free(k);
	d->notices--;
	dispatch_check_stopped(d);
}

/* False: there is no place for it. */
static bool
kept_submit(struct outlet *o, enum kept_verb verb)
{
	struct dispatch *d = o->dispatch;
	struct kept *k;

	if (d->host->files == NULL || d->host->state == NULL)
		return false;
	k = NEW(struct kept);
	k->dispatch = d;
	k->verb = verb;
	k->route = mem_strdup(o->name);
	k->root = mem_strdup(d->host->state);
	k->routes = mem_printf("%s/routes", k->root);
	k->folder = mem_printf("%s/%s", k->routes, k->route);
	k->path = mem_printf("%s/.paused", k->folder);
	k->since_ms = o->notice.since_ms;
	k->told_ms = o->notice.told_ms;
	k->task = (struct task){ .work = kept_work, .done = kept_done,
				 .home = loop_mailbox(d->loop) };
	d->notices++;
	workers_submit(d->host->files, &k->task);
	return true;
}

void
notice_keep(struct outlet *o)
{
	kept_submit(o, KEPT_WRITE);
}

void
notice_forget(struct outlet *o)
{
	kept_submit(o, KEPT_DELETE);
}

void
notice_recall(struct outlet *o)
{
	o->notice.asked = kept_submit(o, KEPT_READ);
}
