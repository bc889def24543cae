/* file.h - small files, read and written whole; all of these block */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/* Appends the file's bytes to b; fails when it is larger than b's maximum. */
bool file_read(struct buf *b, const char *path, struct error *err);
/* The same for a file that the configuration names: what is no regular file
 * is refused (ERROR_CONFIG), for a pipe could be waited for without end. */
bool file_read_regular(struct buf *b, const char *path, struct error *err);

/* Writes a new file beside path, syncs it, renames it over path and syncs the
 * folder: path holds either the old bytes or the new ones, whatever happens. */
bool file_replace(const char *path, struct span bytes, unsigned mode,
		  struct error *err);

/* Writes a new file and syncs it and the folder; fails, with errno EEXIST,
 * when there is one.  What could not be finished is taken away. */
bool file_create(const char *path, struct span bytes, unsigned mode,
		 struct error *err);

/* Whether every user of the host can read it: its own permissions say so, and
 * those of all folders above it let everybody pass. */
bool file_is_public(const char *path);

/* Makes the folder unless it is there; not what is above it, which is a
 * mistake in the path, or a disk that is not mounted: ERROR_CONFIG. */
bool file_make_folder(const char *path, unsigned mode, struct error *err);
/* Whether that could do its work, without doing it: the folder is there, or
 * the one above it is.  err has a hint. */
bool file_folder_check(const char *path, struct error *err);
bool file_sync_folder(const char *path, struct error *err);

#endif
