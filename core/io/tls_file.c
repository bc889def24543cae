/* tls_file.c - reading an identity or a trust, and noticing new files
 *
 * A certificate and its key are replaced one after the other: in between they
 * do not fit, which is an attempt that fails, and the next one is made when
 * the files have changed once more.
 */
#include "io/tls_file.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>
#include <sys/stat.h>

static const struct log tls_log = { .room = "tls" };

/* On its way to a worker and back; file is NULL when nobody waits for it. */
struct look {
	struct task task;
	struct tls_file *file;
	void (*looked)(void *arg, struct tls_file *f);
	void *arg;
	char *names[2];
	bool authorities;
	bool always;			/* read also what has not changed */
	bool too_early;			/* there were doubts after it began */
	struct stamp stamps[2];
	/* what came of it */
	bool unchanged;
	struct tls_identity *identity;
	struct tls_trust *trust;
	struct error err;
};

/* --- on a worker ----------------------------------------------------- */

static struct stamp
stamp_of(const char *name)
{
	struct stat st;

	if (name == NULL || stat(name, &st) < 0)
		return (struct stamp){ .size = 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim,
			       st.st_ctim };
}

static bool
time_eq(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->number == b->number &&
	       a->size == b->size && time_eq(a->modified, b->modified) &&
	       time_eq(a->changed, b->changed);
}

/* Stamps first: what changes while it is read is noticed the next time. */
static void
look_work(struct task *t)
{
	struct look *l = container_of(t, struct look, task);
	struct stamp now[2] = { stamp_of(l->names[0]), stamp_of(l->names[1]) };

	l->unchanged = !l->always && stamp_eq(&now[0], &l->stamps[0]) &&
		       stamp_eq(&now[1], &l->stamps[1]);
	if (l->unchanged)
		return;
	memcpy(l->stamps, now, sizeof(now));
	if (l->authorities)
		l->trust = tls_trust_read(l->names[0], &l->err);
	else
		l->identity = tls_identity_read(l->names[0], l->names[1],
						&l->err);
}

/* --- at home --------------------------------------------------------- */

static void
look_free(struct look *l)
{
	tls_identity_unref(&l->identity);
	tls_trust_unref(&l->trust);
	mem_free(l->names[0]);
	mem_free(l->names[1]);
	mem_free(l);
}

bool
tls_file_is_good(const struct tls_file *f)
{
	return f->identity != NULL || f->trust != NULL;
}

void
tls_file_doubt(struct tls_file *f)
{
	f->doubted = true;
	if (f->look != NULL)
		f->look->too_early = true;
}

static void
tell_failure(struct tls_file *f)
{
	if (f->told)
		return;
	f->told = true;
	log_error(&tls_log, "%s%s", f->err.text, tls_file_is_good(f)
		  ? "; the gateway still uses what it read before" : "");
}

static void
file_take(struct tls_file *f, struct look *l)
{
	bool again = tls_file_is_good(f);

	memcpy(f->seen, l->stamps, sizeof(f->seen));
	f->failed = l->identity == NULL && l->trust == NULL;
	if (f->failed) {
		f->err = l->err;
		tell_failure(f);
		return;
	}
	f->told = false;
	tls_identity_unref(&f->identity);
	tls_trust_unref(&f->trust);
	f->identity = l->identity;
	f->trust = l->trust;
	l->identity = NULL;
	l->trust = NULL;
	if (again)
		log_info(&tls_log, "%s has changed; the gateway uses the new contents",
			 f->names[0]);
}

static void
look_done(struct task *t)
{
	struct look *l = container_of(t, struct look, task);
	struct tls_file *f = l->file;

	if (f == NULL) {
		look_free(l);
		return;
	}
	f->look = NULL;
	f->looked_ms = clock_now_ms();
	f->doubted = f->doubted && l->too_early;
	if (!l->unchanged)
		file_take(f, l);
	l->looked(l->arg, f);
	look_free(l);
}

void
tls_file_look(struct tls_file *f, struct workers *workers,
	      struct mailbox *home,
	      void (*looked)(void *arg, struct tls_file *f), void *arg)
{
	struct look *l;

	if (f->look != NULL)
		return;
	l = f->look = NEW(struct look);
	l->task = (struct task){ .work = look_work, .done = look_done,
				 .home = home };
	l->file = f;
	l->looked = looked;
	l->arg = arg;
	l->authorities = f->authorities;
	l->always = !tls_file_is_good(f);
	for (size_t i = 0; i < ARRAY_SIZE(f->names); i++)
		if (f->names[i] != NULL)
			l->names[i] = mem_strdup(f->names[i]);
	memcpy(l->stamps, f->seen, sizeof(l->stamps));
	workers_submit(workers, &l->task);
}

/* --- life ------------------------------------------------------------ */

struct tls_file *
tls_file_new(bool authorities, const char *a, const char *b)
{
	struct tls_file *f = NEW(struct tls_file);

	f->authorities = authorities;
	f->names[0] = mem_strdup(a);
	f->names[1] = b != NULL ? mem_strdup(b) : NULL;
	return f;
}

void
tls_file_free(struct tls_file **ptr)
{
	struct tls_file *f = *ptr;

	*ptr = NULL;
	if (f == NULL)
		return;
	if (f->look != NULL)
		f->look->file = NULL;
	tls_identity_unref(&f->identity);
	tls_trust_unref(&f->trust);
	mem_free(f->names[0]);
	mem_free(f->names[1]);
	mem_free(f);
}

bool
tls_file_is(const struct tls_file *f, bool authorities, const char *a,
	    const char *b)
{
	if (f->authorities != authorities || strcmp(f->names[0], a) != 0)
		return false;
	if (f->names[1] == NULL || b == NULL)
		return f->names[1] == b;
	return strcmp(f->names[1], b) == 0;
}
