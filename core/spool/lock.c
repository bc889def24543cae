/* lock.c - a record lock of the open file description, so that a second
 * opening in the same process is refused too */
#include "spool/lock.h"

#include "base/macros.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void
string_free(char **s)
{
	mem_free(*s);
}

void
lock_drop(int *lock)
{
	if (*lock >= 0)
		close(*lock);
	*lock = -1;
}

static bool
lock_refused(int fd, const char *folder, struct error *err)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	for (ssize_t i = 0; i < n; i++)
		if (pid[i] < '0' || pid[i] > '9')
			pid[i] = '\0';
	error_set(err, ERROR_CONFIG, "%s is in use by process %s", folder,
		  pid[0] ? pid : "(unknown)");
	return error_hint(err, "stop that gateway, or give this one a folder "
			  "of its own");
}

bool
lock_take(const char *folder, int *ret, struct error *err)
{
	AUTO(string_free) char *path = mem_printf("%s/lock", folder);
	AUTO(lock_drop) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fd < 0)
		return error_errno(err, "%s", path);
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return lock_refused(fd, folder, err);
		return error_errno(err, "%s", path);
	}
	/* for people only: that it cannot be written harms nothing */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	*ret = fd;
	fd = -1;
	return true;
}
