/* reserve.c - a file that is there for its size alone */
#include "spool/reserve.h"

#include "base/macros.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { RESERVE = 1024 * 1024 };

static void
string_free(char **s)
{
	mem_free(*s);
}

bool
reserve_make(const char *folder)
{
	AUTO(string_free) char *path = mem_printf("%s/reserve", folder);
	AUTO(string_free) char *made = mem_printf("%s/reserve.new", folder);
	int fd = open(made, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = posix_fallocate(fd, 0, RESERVE) == 0;
	close(fd);
	ok = ok && rename(made, path) == 0;
	if (!ok)
		unlink(made);
	return ok;
}

bool
reserve_give_up(const char *folder)
{
	AUTO(string_free) char *path = mem_printf("%s/reserve", folder);

	return unlink(path) == 0;
}

bool
reserve_is_wanted(const char *folder)
{
	struct statvfs v;

	return statvfs(folder, &v) == 0 &&
	       (uint64_t)v.f_bavail * v.f_frsize < RESERVE;
}
