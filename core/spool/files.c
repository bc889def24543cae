/* files.c - writing, reading and sweeping the bodies' files */
#include "spool/files.h"

#include "base/encode.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS = 32, NAME = 32 };

struct files {
	_Atomic unsigned refs;
	char *folder;			/* .../bodies */
	int fd;				/* of that folder */
	struct workers *workers;
};

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- the folders ----------------------------------------------------- */

/* The low bits count within a millisecond; the ones above spread well. */
static unsigned
folder_of(uint64_t id)
{
	return (unsigned)(id >> 8) % FOLDERS;
}

static const char *
folder_name(unsigned n, char *buf)
{
	snprintf(buf, NAME, "%02u", n);
	return buf;
}

static const char *
file_name(uint64_t id, char *buf)
{
	char text[ID_TEXT + 1];

	snprintf(buf, NAME, "%02u/%s", folder_of(id), encode_id(id, text));
	return buf;
}

static bool
make_folders(struct files *f, struct error *err)
{
	bool made = false;
	char name[NAME];

	for (unsigned i = 0; i < FOLDERS; i++) {
		if (mkdirat(f->fd, folder_name(i, name), 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			return error_errno(err, "%s/%s", f->folder, name);
	}
	if (made && fsync(f->fd) < 0)
		return error_errno(err, "%s", f->folder);
	return true;
}

struct files *
files_open(const char *folder, struct workers *w, struct error *err)
{
	AUTO(files_unref) struct files *f = NEW(struct files);
	struct files *made;

	f->refs = 1;
	f->workers = w;
	f->folder = mem_printf("%s/bodies", folder);
	f->fd = -1;
	if (!file_make_folder(f->folder, 0700, err))
		return NULL;
	f->fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0) {
		error_errno(err, "%s", f->folder);
		return NULL;
	}
	if (!make_folders(f, err) || !file_sync_folder(folder, err))
		return NULL;
	made = f;
	f = NULL;
	return made;
}

struct files *
files_ref(struct files *f)
{
	atomic_fetch_add(&f->refs, 1);
	return f;
}

void
files_unref(struct files **ptr)
{
	struct files *f = *ptr;

	*ptr = NULL;
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	fd_close(&f->fd);
	mem_free(f->folder);
	mem_free(f);
}

struct workers *
files_workers(const struct files *f)
{
	return f->workers;
}

/* --- one file -------------------------------------------------------- */

bool
files_create(struct files *f, uint64_t id, int *ret_fd, struct error *err)
{
	char name[NAME];
	/* an id is used once: a name that is taken may be a message's */
	int fd = openat(f->fd, file_name(id, name),
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "%s/%s", f->folder, name);
	*ret_fd = fd;
	return true;
}

bool
files_write(int fd, struct span bytes, uint64_t offset, struct error *err)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "writing a body");
		bytes = span_from(bytes, (size_t)n);
		offset += (uint64_t)n;
	}
	return true;
}

bool
files_sync(struct files *f, uint64_t id, int fd, struct error *err)
{
	AUTO(fd_close) int dir = -1;
	char name[NAME];

	if (fdatasync(fd) < 0)
		return error_errno(err, "syncing a body");
	folder_name(folder_of(id), name);
	dir = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		return error_errno(err, "syncing %s/%s", f->folder, name);
	return true;
}

bool
files_read(struct files *f, uint64_t id, uint64_t offset, char *to,
	   size_t max, size_t *got, struct error *err)
{
	char name[NAME];
	AUTO(fd_close) int fd = openat(f->fd, file_name(id, name),
				       O_RDONLY | O_CLOEXEC);
	size_t have = 0;

	if (fd < 0)
		return error_errno(err, "%s/%s", f->folder, name);
	while (have < max) {
		ssize_t n = pread(fd, to + have, max - have,
				  (off_t)(offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "%s/%s", f->folder, name);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*got = have;
	return true;
}

void
files_unlink(struct files *f, uint64_t id)
{
	char name[NAME];

	unlinkat(f->fd, file_name(id, name), 0);
}

/* --- removing on a worker -------------------------------------------- */

struct removal {
	struct task task;
	struct files *files;
	size_t n;
	uint64_t ids[];
};

static void
removal_work(struct task *t)
{
	struct removal *r = container_of(t, struct removal, task);

	for (size_t i = 0; i < r->n; i++)
		files_unlink(r->files, r->ids[i]);
}

static void
removal_done(struct task *t)
{
	struct removal *r = container_of(t, struct removal, task);

	files_unref(&r->files);
	mem_free(r);
}

void
files_remove(struct files *f, const uint64_t *ids, size_t n)
{
	struct removal *r;

	if (n == 0)
		return;
	r = mem_new(sizeof(*r) + n * sizeof(*ids));
	r->files = files_ref(f);
	r->n = n;
	memcpy(r->ids, ids, n * sizeof(*ids));
	r->task.work = removal_work;
	r->task.done = removal_done;
	workers_submit(f->workers, &r->task);
}

/* --- the sweep ------------------------------------------------------- */

static void
dir_close(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static DIR *
open_folder(struct files *f, unsigned n)
{
	char name[NAME];
	int fd = openat(f->fd, folder_name(n, name),
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

size_t
files_sweep(struct files *f, uint64_t upto,
	    bool (*known)(void *arg, uint64_t id), void *arg,
	    const _Atomic bool *stop)
{
	size_t gone = 0;

	for (unsigned i = 0; i < FOLDERS; i++) {
		AUTO(dir_close) DIR *d = open_folder(f, i);
		struct dirent *e;
		uint64_t id;

		while (d != NULL && !atomic_load(stop) &&
		       (e = readdir(d)) != NULL) {
			if (!decode_id(span_of(e->d_name), &id) || id > upto ||
			    folder_of(id) != i || known(arg, id))
				continue;
			files_unlink(f, id);
			gone++;
		}
	}
	return gone;
}
