/* file.c - reading and replacing small files */
#include "base/file.h"

#include "base/macros.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
string_free(char **s)
{
	mem_free(*s);
}

/* From fd, which is the open file of that path. */
static bool
file_read_fd(int fd, struct buf *b, const char *path, struct error *err)
{
	for (;;) {
		size_t want = MIN((size_t)4096, b->max - b->len);
		char spare, *to = want ? buf_room(b, want) : &spare;
		ssize_t n = read(fd, to, want ? want : 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "%s", path);
		if (n == 0)
			return true;
		if (want == 0)
			return error_set(err, ERROR_LIMIT, "%s: larger than "
					 "%zu bytes", path, b->max);
		buf_added(b, (size_t)n);
	}
}

bool
file_read(struct buf *b, const char *path, struct error *err)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "%s", path);
	return file_read_fd(fd, b, path, err);
}

bool
file_read_regular(struct buf *b, const char *path, struct error *err)
{
	/* opening a pipe would wait for a writer */
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s: not a regular file",
				 path);
	return file_read_fd(fd, b, path, err);
}

static bool
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		s = span_from(s, (size_t)n);
	}
	return true;
}

bool
file_sync_folder(const char *path, struct error *err)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, "%s", path);
	return true;
}

bool
file_replace(const char *path, struct span bytes, unsigned mode,
	     struct error *err)
{
	AUTO(string_free) char *tmp = mem_printf("%s.new", path);
	AUTO(string_free) char *copy = mem_strdup(path);
	AUTO(fd_close) int fd = -1;

	unlink(tmp);	/* left by one that was cut off */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, "%s", tmp);
	if (!write_all(fd, bytes) || fsync(fd) < 0 || rename(tmp, path) < 0) {
		error_errno(err, "%s", path);
		unlink(tmp);
		return false;
	}
	return file_sync_folder(dirname(copy), err);
}

static bool
path_has_mode(const char *path, mode_t mode)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & mode) == mode;
}

bool
file_is_public(const char *path)
{
	AUTO(string_free) char *real = realpath(path, NULL);
	char *slash;

	if (real == NULL || !path_has_mode(real, S_IROTH))
		return false;
	while ((slash = strrchr(real, '/')) != NULL && slash != real) {
		*slash = '\0';
		if (!path_has_mode(real, S_IXOTH))
			return false;
	}
	return true;
}

static bool
parent_missing(const char *path, struct error *err)
{
	AUTO(string_free) char *copy = mem_strdup(path);
	const char *parent = dirname(copy);

	error_set(err, ERROR_CONFIG, "%s: there is no folder %s to make it in",
		  path, parent);
	return error_hint(err, "correct the path, or make that folder: mkdir "
			  "-p %s", parent);
}

bool
file_create(const char *path, struct span bytes, unsigned mode,
	    struct error *err)
{
	AUTO(string_free) char *copy = mem_strdup(path);
	AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL |
				     O_CLOEXEC, mode);

	if (fd < 0)
		return error_errno(err, "%s", path);
	if (!write_all(fd, bytes) || fsync(fd) < 0) {
		error_errno(err, "%s", path);
		unlink(path);
		return false;
	}
	return file_sync_folder(dirname(copy), err);
}

static bool
not_a_folder(const char *path, struct error *err)
{
	error_set(err, ERROR_CONFIG, "%s is a file, not a folder", path);
	return error_hint(err, "name a folder, or move that file away");
}

bool
file_folder_check(const char *path, struct error *err)
{
	AUTO(string_free) char *copy = mem_strdup(path);
	struct stat st;
	const char *parent;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) || not_a_folder(path, err);
	if (errno != ENOENT && errno != ENOTDIR)
		return true;		/* who starts may see more */
	parent = dirname(copy);
	if (stat(parent, &st) == 0)
		return S_ISDIR(st.st_mode) || not_a_folder(parent, err);
	return (errno != ENOENT && errno != ENOTDIR) ||
	       parent_missing(path, err);
}

bool
file_make_folder(const char *path, unsigned mode, struct error *err)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return true;
	return errno == ENOENT ? parent_missing(path, err)
			       : error_errno(err, "%s", path);
}
