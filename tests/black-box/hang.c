/* hang.c - LD_PRELOAD: a disk that does not answer any more
 *
 * While the file that HANG names is there, no sync returns.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
hang(void)
{
	const char *path = getenv("HANG");

	while (path != NULL && access(path, F_OK) == 0)
		usleep(20 * 1000);
}

int
fdatasync(int fd)
{
	hang();
	return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	hang();
	return (int)syscall(SYS_fsync, fd);
}
