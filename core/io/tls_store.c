/* tls_store.c - who asked for which files, and who watches one */
#include "io/tls_store.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/tls_file.h"

enum {
	LOOK_AFTER_MS = 5 * 1000,	/* what was not looked at for so long */
	FORGET_AFTER_MS = 60 * 60 * 1000, /* what nobody asked for */
};

/* Waits for files that are being read for the first time. */
struct request {
	struct request *next;
	uint64_t ticket;
	struct tls_file *identity, *trust;	/* NULL: not wanted */
	tls_store_fn *done;
	void *arg;
};

struct tls_store {
	struct loop *loop;
	struct workers *workers;
	char *trust_file;
	struct tls_file *files;
	struct request *requests;
	uint64_t last_ticket;
	struct {
		struct tls_file *file;	/* NULL: nothing is watched */
		struct timer timer;
		int64_t every_ms;
		uint64_t told;		/* the identity's number */
		void (*changed)(void *arg, struct tls_identity *i);
		void *arg;
	} watch;
};

/* --- files ----------------------------------------------------------- */

static void on_looked(void *arg, struct tls_file *f);

static void
store_look(struct tls_store *s, struct tls_file *f)
{
	tls_file_look(f, s->workers, loop_mailbox(s->loop), on_looked, s);
}

static bool
file_is_wanted(const struct tls_store *s, const struct tls_file *f)
{
	if (f == s->watch.file || f->look != NULL)
		return true;
	/* it may wait for its other file alone, for as long as that hangs */
	for (const struct request *r = s->requests; r != NULL; r = r->next)
		if (f == r->identity || f == r->trust)
			return true;
	return false;
}

/* What a configuration named that is not in force any more. */
static void
store_sweep(struct tls_store *s, int64_t now_ms)
{
	for (struct tls_file **at = &s->files; *at != NULL;) {
		struct tls_file *f = *at;

		if (file_is_wanted(s, f) ||
		    now_ms - f->used_ms < FORGET_AFTER_MS) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		tls_file_free(&f);
	}
}

static struct tls_file *
store_find(const struct tls_store *s, bool authorities, const char *a,
	   const char *b)
{
	struct tls_file *f = s->files;

	while (f != NULL && !tls_file_is(f, authorities, a, b))
		f = f->next;
	return f;
}

static struct tls_file *
store_file(struct tls_store *s, bool authorities, const char *a,
	   const char *b)
{
	int64_t now_ms = clock_now_ms();
	struct tls_file *f = store_find(s, authorities, a, b);

	if (f == NULL) {
		store_sweep(s, now_ms);
		f = tls_file_new(authorities, a, b);
		f->next = s->files;
		s->files = f;
	}
	f->used_ms = now_ms;
	if (now_ms - f->looked_ms > LOOK_AFTER_MS && f->look == NULL)
		tls_file_doubt(f);
	if (!tls_file_is_good(f) || f->doubted)
		store_look(s, f);
	return f;
}

/* --- requests -------------------------------------------------------- */

/* One that is bad or doubted is waited for while a worker reads it. */
static bool
file_is_settled(const struct tls_file *f)
{
	return f == NULL || f->look == NULL ||
	       (tls_file_is_good(f) && !f->doubted);
}

static bool
is_settled(const struct request *r)
{
	return file_is_settled(r->identity) && file_is_settled(r->trust);
}

static const struct error *
file_trouble(const struct tls_file *f)
{
	return f == NULL || tls_file_is_good(f) ? NULL : &f->err;
}

static void
request_answer(const struct request *r)
{
	const struct error *trouble = file_trouble(r->identity);
	struct tls_made made = {
		r->identity ? r->identity->identity : NULL,
		r->trust ? r->trust->trust : NULL,
	};
	struct error err;

	if (trouble == NULL)
		trouble = file_trouble(r->trust);
	if (trouble == NULL) {
		r->done(r->arg, &made, NULL);
		return;
	}
	err = *trouble;			/* whoever is told may ask again */
	r->done(r->arg, NULL, &err);
}

/* Each may ask for more, or forget another: so from the start every time. */
static bool
answer_one(struct tls_store *s)
{
	for (struct request **at = &s->requests; *at != NULL;
	     at = &(*at)->next) {
		struct request *r = *at;

		if (!is_settled(r))
			continue;
		*at = r->next;
		request_answer(r);
		mem_free(r);
		return true;
	}
	return false;
}

static const char *
store_trust_file(const struct tls_store *s, const struct tls_files *files)
{
	return files->trust_file ? files->trust_file : s->trust_file;
}

uint64_t
tls_store_get(struct tls_store *s, const struct tls_files *files,
	      tls_store_fn *done, void *arg)
{
	struct request r = { .done = done, .arg = arg }, *kept;

	if (files->certificate != NULL)
		r.identity = store_file(s, false, files->certificate,
					files->key);
	if (files->trust)
		r.trust = store_file(s, true, store_trust_file(s, files), NULL);
	if (is_settled(&r)) {
		request_answer(&r);
		return 0;
	}
	kept = NEW(struct request);
	*kept = r;
	kept->ticket = ++s->last_ticket;
	kept->next = s->requests;
	s->requests = kept;
	return kept->ticket;
}

void
tls_store_forget(struct tls_store *s, uint64_t ticket)
{
	for (struct request **at = &s->requests; *at != NULL;
	     at = &(*at)->next) {
		struct request *r = *at;

		if (r->ticket != ticket)
			continue;
		*at = r->next;
		mem_free(r);
		return;
	}
}

void
tls_store_doubt(struct tls_store *s, const struct tls_files *files)
{
	struct tls_file *identity = NULL, *trust = NULL;

	if (files->certificate != NULL)
		identity = store_find(s, false, files->certificate, files->key);
	if (files->trust)
		trust = store_find(s, true, store_trust_file(s, files), NULL);
	if (identity != NULL)
		tls_file_doubt(identity);
	if (trust != NULL)
		tls_file_doubt(trust);
}

/* --- watching -------------------------------------------------------- */

static void
watch_tell(struct tls_store *s)
{
	struct tls_identity *i = s->watch.file->identity;

	if (i == NULL || tls_identity_number(i) == s->watch.told)
		return;
	s->watch.told = tls_identity_number(i);
	s->watch.changed(s->watch.arg, i);
}

static void
on_watch_timer(struct timer *t)
{
	struct tls_store *s = container_of(t, struct tls_store, watch.timer);

	timer_start(t, s->watch.every_ms);
	store_look(s, s->watch.file);
}

void
tls_store_watch(struct tls_store *s, const char *certificate,
		const char *key, int64_t every_ms,
		void (*changed)(void *arg, struct tls_identity *i), void *arg)
{
	timer_stop(&s->watch.timer);
	s->watch.file = NULL;
	if (certificate == NULL)
		return;
	s->watch.file = store_file(s, false, certificate, key);
	s->watch.every_ms = every_ms;
	s->watch.told = 0;
	s->watch.changed = changed;
	s->watch.arg = arg;
	timer_start(&s->watch.timer, every_ms);
	watch_tell(s);
}

static void
on_looked(void *arg, struct tls_file *f)
{
	struct tls_store *s = arg;

	if (f == s->watch.file)
		watch_tell(s);
	if (f->doubted)
		store_look(s, f);
	while (answer_one(s))
		;
}

/* --- life ------------------------------------------------------------ */

struct tls_store *
tls_store_new(struct loop *loop, struct workers *workers,
	      const char *trust_file)
{
	struct tls_store *s = NEW(struct tls_store);

	s->loop = loop;
	s->workers = workers;
	s->trust_file = mem_strdup(trust_file);
	timer_init(&s->watch.timer, loop, on_watch_timer);
	return s;
}

void
tls_store_free(struct tls_store **ptr)
{
	struct tls_store *s = *ptr;

	if (s == NULL)
		return;
	timer_stop(&s->watch.timer);
	while (s->requests != NULL)
		tls_store_forget(s, s->requests->ticket);
	while (s->files != NULL) {
		struct tls_file *f = s->files;

		s->files = f->next;
		tls_file_free(&f);
	}
	mem_free(s->trust_file);
	mem_free(s);
	*ptr = NULL;
}

void
tls_store_trust_file(struct tls_store *s, const char *trust_file)
{
	mem_free(s->trust_file);
	s->trust_file = mem_strdup(trust_file);
}
