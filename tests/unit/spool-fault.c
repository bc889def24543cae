/* spool-fault.c - see spool-fault.h */
#include "spool-fault.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic int armed = -1;		/* the mode */
static _Atomic unsigned left;
static _Atomic bool fired;
static _Atomic long long log_room;
static _Atomic unsigned db_syncs, file_syncs, folder_syncs;
static _Atomic unsigned long long db_read;

void
fault_arm(enum fault_mode mode, unsigned nth)
{
	left = nth;
	fired = false;
	armed = (int)mode;
}

void
fault_disarm(void)
{
	armed = -1;
}

bool
fault_fired(void)
{
	return fired;
}

void
fault_log_room(long long bytes)
{
	log_room = bytes;
}

unsigned long long
fault_db_read(void)
{
	return db_read;
}

unsigned
fault_db_syncs(void)
{
	return db_syncs;
}

unsigned
fault_file_syncs(void)
{
	return file_syncs;
}

unsigned
fault_folder_syncs(void)
{
	return folder_syncs;
}

/* Whether this call is to fail; grows: it is one that may need space. */
static bool
fault_now(bool grows, bool *full)
{
	int mode = armed;
	unsigned now;

	*full = mode == FAULT_FULL_ONCE || mode == FAULT_FULL_ON;
	if (mode < 0 || (*full && !grows))
		return false;
	if (fired)
		return mode == FAULT_IO_ON || mode == FAULT_DB_ON ||
		       mode == FAULT_FULL_ON;
	now = left;
	while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
		;
	if (now != 1)
		return false;
	fired = true;
	return true;
}

/* --- the VFS ------------------------------------------------------------ */

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
	bool is_log;
};

static sqlite3_vfs fault_vfs;

static sqlite3_file *
real_of(sqlite3_file *f)
{
	return ((struct fault_file *)f)->real;
}

static sqlite3_vfs *
below(void)
{
	return fault_vfs.pAppData;
}

#define REAL(f, call, ...) real_of(f)->pMethods->call(real_of(f), ##__VA_ARGS__)

static int
fault_close(sqlite3_file *f)
{
	return real_of(f)->pMethods ? REAL(f, xClose) : SQLITE_OK;
}

static int
fault_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	db_read += (unsigned)n;
	return REAL(f, xRead, to, n, at);
}

static int
fault_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	bool full;

	if (((struct fault_file *)f)->is_log && log_room > 0 &&
	    at + n > log_room)
		return SQLITE_FULL;
	if (!fault_now(true, &full))
		return REAL(f, xWrite, from, n, at);
	if (full)
		return SQLITE_FULL;
	/* half of it arrives */
	REAL(f, xWrite, from, n / 2, at);
	return SQLITE_IOERR_WRITE;
}

static int
fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	bool full;

	return fault_now(false, &full) ? SQLITE_IOERR_TRUNCATE
				       : REAL(f, xTruncate, size);
}

static int
fault_sync(sqlite3_file *f, int flags)
{
	bool full;

	db_syncs++;
	return fault_now(false, &full) ? SQLITE_IOERR_FSYNC
				       : REAL(f, xSync, flags);
}

static int
fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return REAL(f, xFileSize, size);
}

static int
fault_lock(sqlite3_file *f, int level)
{
	return REAL(f, xLock, level);
}

static int
fault_unlock(sqlite3_file *f, int level)
{
	return REAL(f, xUnlock, level);
}

static int
fault_reserved(sqlite3_file *f, int *ret)
{
	return REAL(f, xCheckReservedLock, ret);
}

static int
fault_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f, xFileControl, op, arg);
}

static int
fault_sector(sqlite3_file *f)
{
	return REAL(f, xSectorSize);
}

static int
fault_traits(sqlite3_file *f)
{
	return REAL(f, xDeviceCharacteristics);
}

static int
fault_shm_map(sqlite3_file *f, int page, int size, int extend,
	      void volatile **ret)
{
	return REAL(f, xShmMap, page, size, extend, ret);
}

static int
fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f, xShmLock, offset, n, flags);
}

static void
fault_shm_barrier(sqlite3_file *f)
{
	REAL(f, xShmBarrier);
}

static int
fault_shm_unmap(sqlite3_file *f, int remove)
{
	return REAL(f, xShmUnmap, remove);
}

static const sqlite3_io_methods fault_methods = {
	.iVersion = 2,
	.xClose = fault_close, .xRead = fault_read, .xWrite = fault_write,
	.xTruncate = fault_truncate, .xSync = fault_sync,
	.xFileSize = fault_size, .xLock = fault_lock,
	.xUnlock = fault_unlock, .xCheckReservedLock = fault_reserved,
	.xFileControl = fault_control, .xSectorSize = fault_sector,
	.xDeviceCharacteristics = fault_traits, .xShmMap = fault_shm_map,
	.xShmLock = fault_shm_lock, .xShmBarrier = fault_shm_barrier,
	.xShmUnmap = fault_shm_unmap,
};

static int
fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
	   int *out)
{
	struct fault_file *file = (struct fault_file *)f;
	bool full;
	int rc;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	file->is_log = flags & SQLITE_OPEN_WAL;
	f->pMethods = NULL;
	if (fault_now(false, &full))
		return SQLITE_CANTOPEN;
	rc = below()->xOpen(below(), name, file->real, flags, out);
	if (rc == SQLITE_OK)
		f->pMethods = &fault_methods;
	return rc;
}

static int
fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	bool full;

	(void)vfs;
	return fault_now(false, &full) ? SQLITE_IOERR_DELETE
				       : below()->xDelete(below(), name, sync);
}

void
fault_register(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	fault_vfs = *real;
	fault_vfs.zName = "fault";
	fault_vfs.pAppData = real;
	fault_vfs.szOsFile = real->szOsFile + (int)sizeof(struct fault_file);
	fault_vfs.xOpen = fault_open;
	fault_vfs.xDelete = fault_delete;
	sqlite3_vfs_register(&fault_vfs, 0);
}

/* --- the bodies' files -------------------------------------------------- */

ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);

static bool
fails(bool grows)
{
	bool full;

	if (armed == FAULT_DB_ON || !fault_now(grows, &full))
		return false;
	errno = full ? ENOSPC : EIO;
	return true;
}

ssize_t
__wrap_pwrite(int fd, const void *from, size_t n, off_t at)
{
	return fails(true) ? -1 : __real_pwrite(fd, from, n, at);
}

int
__wrap_fdatasync(int fd)
{
	file_syncs++;
	return fails(false) ? -1 : __real_fdatasync(fd);
}

int
__wrap_fsync(int fd)
{
	folder_syncs++;
	return fails(false) ? -1 : __real_fsync(fd);
}

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return fails(flags & O_CREAT) ? -1
	       : __real_openat(dir, name, flags, mode);
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	return fails(false) ? -1 : __real_unlinkat(dir, name, flags);
}
