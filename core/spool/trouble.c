/* trouble.c - from the first refusal to the first acceptance */
#include "spool/trouble.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "spool/inside.h"
#include "spool/reserve.h"

#include <sys/statvfs.h>

enum { FULL_MS = 100 };		/* a batch found no room: not looked before */

static const struct log spool_log = { .room = "spool" };

static void
trouble_begin(struct spool *s, enum spool_status status,
	      const struct error *why)
{
	bool was_accepting;

	pthread_mutex_lock(&s->lock);
	was_accepting = atomic_exchange(&s->accepting, false);
	s->trouble_status = status;
	s->trouble = *why;
	pthread_mutex_unlock(&s->lock);
	if (was_accepting)
		log_error(&spool_log, "mail is refused for now: %s", why->text);
}

void
trouble_end(struct spool *s)
{
	if (!atomic_exchange(&s->accepting, true))
		log_info(&spool_log, "mail is accepted again");
}

static bool
disk_is_full(const struct spool *s)
{
	return s->store->folder != NULL && reserve_is_wanted(s->store->folder);
}

static void
reserve_use(struct spool *s)
{
	if (s->store->folder != NULL && reserve_give_up(s->store->folder))
		log_warning(&spool_log, "%s: the disk is full; the gateway uses "
			    "its reserve to free space", s->store->folder);
}

void
trouble_full(struct spool *s, bool makes_room, const struct error *err)
{
	if (makes_room)
		reserve_use(s);
	s->full = true;
	s->full_until_ms = clock_now_ms() + FULL_MS;
	s->space_ms = 0;
	trouble_begin(s, SPOOL_FULL, err);
}

void
trouble_store(struct spool *s, const struct error *err)
{
	if (disk_is_full(s))
		trouble_full(s, true, err);
	else
		trouble_begin(s, SPOOL_FAILED, err);
}

/* --- room ------------------------------------------------------------ */

/* The volume must keep room for settles. */
static void
look_at_space(struct spool *s)
{
	int64_t now = clock_now_ms(), wanted = atomic_load(&s->free_space);
	struct statvfs v;
	struct error err;

	if (s->store->folder == NULL ||
	    (s->space_ms != 0 && now - s->space_ms < ROOM_LOOK_MS &&
	     wanted == s->space_wanted))
		return;
	s->space_ms = now;
	s->space_wanted = wanted;
	s->space = wanted <= 0 || statvfs(s->store->folder, &v) < 0 ||
		   (uint64_t)v.f_bavail * v.f_frsize >= (uint64_t)wanted;
	if (s->space)
		return;
	error_set(&err, ERROR_LIMIT, "%s: less than %lld MiB are free",
		  s->store->folder, (long long)(wanted >> 20));
	error_hint(&err, "make room, or lower limits.free_space");
	trouble_begin(s, SPOOL_FULL, &err);
}

/* The reserve can be made, or it is not for want of room that it cannot. */
static bool
reserve_has_room(const struct spool *s)
{
	return s->store->folder == NULL || reserve_make(s->store->folder) ||
	       !disk_is_full(s);
}

/* A batch found no room: is there some again? */
static void
look_for_room(struct spool *s)
{
	int64_t now = clock_now_ms();

	if (!s->full || now < s->full_until_ms)
		return;
	s->full = !reserve_has_room(s);
	s->full_until_ms = now + ROOM_LOOK_MS;
}

void
room_find(struct spool *s)
{
	struct error err;

	if (reserve_has_room(s))
		return;
	error_set(&err, ERROR_LIMIT, "%s: the disk is full", s->store->folder);
	trouble_full(s, false, &err);
}

bool
room_is_there(struct spool *s)
{
	look_at_space(s);
	look_for_room(s);
	return s->space && !s->full;
}
