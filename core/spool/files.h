/* files.h - large bodies as files in the spool's folder
 *
 * bodies/xx/ID, where xx spreads them over folders that are made when the
 * spool is opened.  Counted by references, because drafts and bodies may
 * outlive the spool by a little; the workers outlive them all.  Any thread.
 */
#ifndef SPOOL_FILES_H
#define SPOOL_FILES_H

#include "base/error.h"
#include "base/span.h"
#include "base/worker.h"

#include <stdatomic.h>

struct files;

struct files *files_open(const char *folder, struct workers *w,
			 struct error *err);
struct files *files_ref(struct files *f);
void files_unref(struct files **f);
struct workers *files_workers(const struct files *f);

/* All of these block. */
bool files_create(struct files *f, uint64_t id, int *ret_fd,
		  struct error *err);
bool files_write(int fd, struct span bytes, uint64_t offset,
		 struct error *err);
/* The bytes, and the name in its folder, are on the disk after this. */
bool files_sync(struct files *f, uint64_t id, int fd, struct error *err);
/* *got is 0 at the end. */
bool files_read(struct files *f, uint64_t id, uint64_t offset, char *to,
		size_t max, size_t *got, struct error *err);
void files_unlink(struct files *f, uint64_t id);

/* Has a worker unlink them; one that fails is found by a later sweep. */
void files_remove(struct files *f, const uint64_t *ids, size_t n);

/* Unlinks every file whose id is at most `upto' and of which `known' says
 * no; an answer that cannot be had is a yes.  Ends early when *stop.
 * Returns how many went. */
size_t files_sweep(struct files *f, uint64_t upto,
		   bool (*known)(void *arg, uint64_t id), void *arg,
		   const _Atomic bool *stop);

#endif
