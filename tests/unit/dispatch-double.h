/* dispatch-double.h - what is on the other side of dispatch/, in a test's hand
 *
 * Doubles of the spool, of modules and of routes, all on one thread: nothing
 * happens but in world_turn().  The spool keeps a list of what was settled;
 * the backend answers as `answer' says, at once or when it is told to.
 */
#ifndef TESTS_DISPATCH_DOUBLE_H
#define TESTS_DISPATCH_DOUBLE_H

#include "unit.h"

#include "base/worker.h"
#include "dispatch/inside.h"
#include "module/host.h"

#include <semaphore.h>

struct match {
	const char *domain;		/* NULL: takes everything */
};

/* One settlement, as it was posted. */
struct seen_settle {
	uint64_t id;
	enum item_fate fate;
	int64_t due_ms, warned_ms, paused_ms;
	unsigned attempts;
	char last[600], prefix[2000];
	uint64_t sealed_by;
	size_t n;
	struct { size_t index; enum rcpt_state state; } rcpts[300];
	size_t reports;
	struct {
		char route[40], to[100], text[8000];
	} report[2];
};

/* A mail of ours that goes into the queue by itself. */
struct seen_notice {
	char route[40], to[100], text[8000];
};

struct seen_job {
	struct job *job;		/* NULL: it is over */
	char destination[256], route[40];
	size_t n;
	unsigned attempt;
};

enum { SEC = 1000, MINUTE = 60 * SEC, HOUR = 60 * MINUTE };

enum { SEEN_MAX = 4000, ROUTES_MAX = 8, NOTICES_MAX = 20 };

struct world {
	struct loop *loop;
	struct host host;
	struct workers *workers;
	struct dispatch *d;
	struct snapshot *snap;

	/* what the backend says; NULL: "250 2.0.0 ok" after the dot */
	void (*answer)(struct world *w, const char *rcpt, struct outcome *o);
	bool held;			/* jobs wait for world_finish() */
	unsigned parallel;
	enum backend_manner manner;
	unsigned connections, per_minute;	/* that it says it allows */
	/* of the backend that was opened last */
	const struct backend_events *events;
	void *events_arg;
	bool open_fails;
	unsigned opened, closed, cancelled, retired;
	/* of the one that was opened last: it waits for an answer; and of all:
	 * how often the state was left, and taken after that */
	struct backend *backend;
	unsigned left, taken;
	bool looks_again;		/* it can be asked why it paused, */
	unsigned looks;			/* and was */
	struct seen_job *jobs;
	size_t job_count, active, most_active;

	/* the spool */
	struct seen_settle *settles;
	size_t settle_count;
	bool settles_gone, drafts_fail, claims_fail, reads_fail;
	sem_t *reads_wait;		/* for this, when it is not NULL */
	struct item *due[SEEN_MAX];	/* unclaimed */
	size_t due_count, claims;
	int64_t next_due_ms;
	struct seen_notice notice[NOTICES_MAX];
	size_t notices;
	bool accepts_fail;
	unsigned waiting;		/* in the queue for the route out */
	enum spool_verb acted;
	size_t acts;
	uint64_t next_id;
};

extern struct world *world;		/* the one there is */

struct world *world_new(const char *yaml);
/* Not NULL: backends pause their route as they are opened, with these words. */
extern const char *world_opens_paused;
/* The same, before it has a spool: for a test with a real one. */
struct world *world_bare(const char *yaml);
void world_free(struct world **w);
/* yaml: "ROUTE: {domain: D, connections: N, block: {...}}" for each route,
 * and retry:, dsn: as in postern.yaml.  False: it was refused. */
bool world_configure(struct world *w, const char *yaml);
void world_turn(struct world *w);
void world_finish(struct world *w, size_t job);
/* It asks a web server; and it is answered. */
void world_ask(struct backend *b);
void world_answer(struct backend *b);

/* An item on `route' from a@here.test to the addresses in to (one blank
 * between them); not yet anywhere. */
struct item *world_item(struct world *w, const char *route, const char *to);
void world_commit(struct world *w, struct item *item);
/* The same message as was settled last, attempts and warning kept. */
struct item *world_again(struct world *w, const char *route, const char *to);

const struct seen_settle *world_last(const struct world *w);

void say(struct outcome *o, enum phase p, int code, const char *enhanced,
	 const char *text);

/* All clocks go on; and somebody sets the wall clock, by so much. */
void later(int64_t ms);
void set_wall(int64_t ms);
/* Between nine and eleven tenths of ms from now. */
bool due_in(const struct seen_settle *s, int64_t ms);

/* The route, to be changed. */
struct route *world_route(struct world *w, const char *route);
/* The keys that sign a route's mail; n 0: none. */
void world_sign(struct world *w, const char *route,
		const struct signer_key *const *keys, size_t n);

/* Answers: the local part tells which; everybody is down. */
void by_name(struct world *w, const char *rcpt, struct outcome *o);
void all_down(struct world *w, const char *rcpt, struct outcome *o);

#define ONE_ROUTE "out: {}\n"
#define PLAY(f) cmocka_unit_test_teardown(f, world_teardown)
int world_teardown(void **state);

#endif
