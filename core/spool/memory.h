/* memory.h - what the files of the store that forgets share */
#ifndef SPOOL_MEMORY_H
#define SPOOL_MEMORY_H

#include "spool/store.h"

#include "base/macros.h"

#include <pthread.h>

struct memory {
	struct store store;
	pthread_mutex_t lock;		/* from a batch's begin to its end */
	struct item **items;		/* in order of id; owned */
	size_t n, room;
};

static inline struct memory *
memory_of(struct store *st)
{
	return container_of(st, struct memory, store);
}

/* --- memory_items.c: all with the lock held -------------------------- */

/* The first place whose id is at least this one. */
size_t memory_place(const struct memory *m, uint64_t id);
struct item *memory_find(const struct memory *m, uint64_t id);	/* or NULL */
struct body *memory_find_body(const struct memory *m, uint64_t id); /* or NULL */
void memory_insert(struct memory *m, struct item *item);	/* takes it */
void memory_take_out(struct memory *m, struct item *item);	/* frees it */
/* Neither claimed nor held. */
bool memory_is_ready(const struct item *item);
/* Deep, but for the body, of which it has a reference. */
struct item *memory_copy(const struct item *from);

/* --- memory_read.c: store_ops, see store.h --------------------------- */

struct spool_reader *memory_reader_open(struct store *st, struct error *err);
void memory_reader_close(struct spool_reader **r);
bool memory_view(struct spool_reader *r, const struct spool_query *q,
		 void (*row)(void *arg, const struct item *item), void *arg,
		 struct error *err);
enum spool_status memory_view_item(struct spool_reader *r, uint64_t id,
				   struct item **ret, struct error *err);
bool memory_count(struct spool_reader *r, int64_t now_ms,
		  struct spool_counts *ret, struct error *err);
bool memory_backlogs(struct spool_reader *r, struct backlogs *all,
		     struct error *err);
bool memory_read_row(struct spool_reader *r, uint64_t id, uint64_t offset,
		     char *to, size_t max, size_t *got, struct error *err);
bool memory_has_body(struct spool_reader *r, uint64_t id, bool *ret,
		     struct error *err);

#endif
