/* spool-world.h - a spool with all that it needs, and its operations made
 * blocking
 *
 * One thread (the test's) owns the loop; a blocking call runs it until the
 * answer is there.
 */
#ifndef TESTS_SPOOL_WORLD_H
#define TESTS_SPOOL_WORLD_H

#include "base/loop.h"
#include "spool/draft.h"

struct body_source;

enum { WORLD_ITEMS = 64 };

struct world {
	char dir[64];			/* removed at the end */
	char url[128];
	int64_t free_space;
	struct loop *loop;
	struct workers *workers;
	struct budget budget;
	struct spool *spool;
	struct item *got[WORLD_ITEMS];	/* by hooks.committed */
	size_t got_count;
	_Atomic int64_t due_ms;		/* by hooks.work; -1: not called */
	int64_t (*weigh)(const struct item *item);	/* for claims */
	int64_t room, latest_ms;	/* for claims, too */
	size_t tell;			/* of what acts meet */
	char met[16384];			/* "ID from>to\n" of each */
};

/* scheme: "memory:", or "sqlite:" for a new folder; query: "" or "?vfs=..." */
struct world *world_new(const char *scheme, const char *query);
void world_free(struct world **w);
bool world_open(struct world *w, struct error *err);
/* Closes, delivers what came home, lets workers finish. */
void world_close(struct world *w);
void world_drain(struct world *w);

/* A body of that many bytes through a draft; NULL and *status when not. */
struct body *world_body(struct world *w, size_t size,
			enum spool_status *status);
/* What the body of this id consists of at an offset. */
char world_byte(uint64_t id, uint64_t offset);

/* An item with one recipient; takes over the reference to the body. */
struct item *world_item(struct body *b, unsigned ordinal, const char *route);
void world_rcpt(struct item *item, const char *address);

enum spool_status world_accept(struct world *w, struct item **items, size_t n);
/* Closed and opened again, as by another gateway. */
void world_restart(struct world *w);
/* Body, item, accept in one; the id, or 0 when it was refused. */
uint64_t world_put(struct world *w, size_t size, bool claimed, int64_t due_ms);
enum spool_status world_settle(struct world *w, struct spool_settle *t);
enum spool_status world_end(struct world *w, uint64_t id, enum item_fate fate,
			    int64_t due_ms);
enum spool_status world_claim(struct world *w, size_t max, int64_t now_ms,
			      struct spool_claim *c);
size_t world_act(struct world *w, enum spool_verb verb, uint64_t id);

/* A new reference-free copy of what is stored, or NULL. */
struct item *world_look(struct world *w, uint64_t id);
void world_count(struct world *w, int64_t now_ms, struct spool_counts *ret);
/* Reads prefix and body through a source, and compares. */
bool world_whole(struct world *w, const struct item *item);
/* The files of bodies; and those of them that no row names. */
size_t world_files(struct world *w, size_t *orphans);

/* --- the contract ----------------------------------------------------
 * Tests that each store passes: *state is a world that is open, and whatever
 * a test did, all memory comes back to its budget. */
extern const char *contract_scheme;
int contract_on_sqlite(void **state);
int contract_on_memory(void **state);
int contract_setup(void **state);
int contract_teardown(void **state);
#define CONTRACT_TEST(f) \
	cmocka_unit_test_setup_teardown(f, contract_setup, contract_teardown)
/* The number of failures, of both stores. */
#define CONTRACT_RUN(tests)						\
	(cmocka_run_group_tests_name("sqlite", tests,			\
				     contract_on_sqlite, NULL) +	\
	 cmocka_run_group_tests_name("memory", tests,			\
				     contract_on_memory, NULL))

#endif
