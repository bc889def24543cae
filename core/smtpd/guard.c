/* guard.c - a table of counters in shards
 *
 * Known limit: when all places of a shard are taken, the place with the
 * fewest sessions is given to the newcomer, and what it counted is forgotten;
 * the sum of all sessions is kept apart and stays right.
 */
#include "smtpd/guard.h"

#include "base/macros.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { SHARDS = 64, PLACES = 64, WARN_EVERY_MS = 60 * 1000 };

/* Lines about sessions that failed, in TELL_MS. */
enum { TELL_MS = 60 * 1000, TELL_CLIENT = 6, TELL_STRANGERS = 30,
       TELL_KNOWN = 300 };

/* Counts what happens in a stretch of time. */
struct stretch {
	int64_t since_ms;		/* 0: nothing yet */
	unsigned n;
};

struct place {
	struct ip client;		/* family 0: free */
	uint32_t sessions;
	uint64_t touched;		/* the shard's count of entries then */
	int64_t warned_ms;		/* 0: never */
	struct stretch told;
};

struct shard {
	pthread_mutex_t lock;
	uint64_t turn;
	struct place places[PLACES];
};

struct guard {
	_Atomic int64_t sessions;
	pthread_mutex_t lock;
	struct stretch strangers, known;	/* guarded by lock */
	struct shard shards[SHARDS];
};

struct guard *
guard_new(void)
{
	struct guard *g = NEW(struct guard);

	pthread_mutex_init(&g->lock, NULL);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&g->shards[i].lock, NULL);
	return g;
}

void
guard_free(struct guard **g)
{
	if (*g == NULL)
		return;
	pthread_mutex_destroy(&(*g)->lock);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&(*g)->shards[i].lock);
	mem_free(*g);
	*g = NULL;
}

static struct shard *
shard_of(struct guard *g, struct ip client)
{
	struct span bytes = { (const char *)client.bytes,
			      client.family == 4 ? 4 : 16 };

	return &g->shards[span_hash_nocase(bytes) % SHARDS];
}

static struct place *
place_find(struct shard *shard, struct ip client)
{
	for (size_t i = 0; i < PLACES; i++) {
		struct place *p = &shard->places[i];

		if (p->client.family != 0 && ip_eq(p->client, client))
			return p;
	}
	return NULL;
}

static bool
place_is_idler(const struct place *a, const struct place *b)
{
	if (a->sessions != b->sessions)
		return a->sessions < b->sessions;
	return a->touched < b->touched;
}

/* The client's place; the idlest one becomes it when it has none. */
static struct place *
place_take(struct shard *shard, struct ip client)
{
	struct place *idlest = &shard->places[0];
	struct place *p = place_find(shard, client);

	if (p != NULL)
		return p;
	for (size_t i = 1; i < PLACES; i++)
		if (place_is_idler(&shard->places[i], idlest))
			idlest = &shard->places[i];
	*idlest = (struct place){ .client = client };
	return idlest;
}

static bool
count_of_client(struct guard *g, struct ip client, int64_t most)
{
	struct shard *shard = shard_of(g, client);
	struct place *p;
	bool room;

	pthread_mutex_lock(&shard->lock);
	p = place_take(shard, client);
	p->touched = ++shard->turn;
	room = p->sessions < most;
	if (room)
		p->sessions++;
	pthread_mutex_unlock(&shard->lock);
	return room;
}

enum guard_answer
guard_enter(struct guard *g, struct ip client, int64_t sessions,
	    int64_t per_client)
{
	if (atomic_fetch_add(&g->sessions, 1) >= sessions) {
		atomic_fetch_sub(&g->sessions, 1);
		return GUARD_TOO_MANY;
	}
	if (count_of_client(g, client, per_client))
		return GUARD_OK;
	atomic_fetch_sub(&g->sessions, 1);
	return GUARD_TOO_MANY_OF_CLIENT;
}

void
guard_leave(struct guard *g, struct ip client)
{
	struct shard *shard = shard_of(g, client);
	struct place *p;

	atomic_fetch_sub(&g->sessions, 1);
	pthread_mutex_lock(&shard->lock);
	p = place_find(shard, client);
	if (p != NULL && p->sessions > 0)
		p->sessions--;
	pthread_mutex_unlock(&shard->lock);
}

bool
guard_may_warn(struct guard *g, struct ip client, int64_t now_ms)
{
	struct shard *shard = shard_of(g, client);
	struct place *p;
	bool may;

	pthread_mutex_lock(&shard->lock);
	p = place_take(shard, client);
	may = p->warned_ms == 0 || now_ms - p->warned_ms >= WARN_EVERY_MS;
	if (may)
		p->warned_ms = MAX(now_ms, 1);
	pthread_mutex_unlock(&shard->lock);
	return may;
}

static bool
stretch_admits(struct stretch *s, int64_t now_ms, unsigned most)
{
	if (s->since_ms == 0 || now_ms - s->since_ms >= TELL_MS)
		*s = (struct stretch){ .since_ms = MAX(now_ms, 1) };
	if (s->n >= most)
		return false;
	s->n++;
	return true;
}

bool
guard_may_tell(struct guard *g, struct ip client, bool known, int64_t now_ms)
{
	struct shard *shard = shard_of(g, client);
	bool may;

	pthread_mutex_lock(&shard->lock);
	may = stretch_admits(&place_take(shard, client)->told, now_ms,
			     TELL_CLIENT);
	pthread_mutex_unlock(&shard->lock);
	if (!may)
		return false;
	pthread_mutex_lock(&g->lock);
	may = known ? stretch_admits(&g->known, now_ms, TELL_KNOWN)
		    : stretch_admits(&g->strangers, now_ms, TELL_STRANGERS);
	pthread_mutex_unlock(&g->lock);
	return may;
}

int64_t
guard_sessions(const struct guard *g)
{
	return atomic_load(&g->sessions);
}
