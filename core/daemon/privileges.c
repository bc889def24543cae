/* privileges.c - becoming nobody special */
#include "daemon/privileges.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
identity_find(const char *user, struct identity *ret, struct error *err)
{
	struct passwd *pw;

	*ret = (struct identity){ .uid = geteuid(), .gid = getegid(),
				  .name = "" };
	if (geteuid() != 0)
		return true;
	errno = 0;
	pw = getpwnam(user ? user : "postern");
	if (pw == NULL && user == NULL)
		return true;	/* no such user is made by hand: stay root */
	if (pw == NULL) {
		error_set(err, ERROR_CONFIG, "user: there is no user `%s'",
			  user);
		return error_hint(err, "create it with `useradd --system %s', "
				  "or name another under `user'", user);
	}
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	ret->name = user ? user : "postern";
	ret->change = pw->pw_uid != 0;
	return true;
}

/* libcap would be one more library for one call. */
static bool
keep_only_low_ports(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	unsigned bit = 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_data_struct data[2] = {
		{ .effective = bit, .permitted = bit },
	};

	return syscall(SYS_capset, &head, data) == 0;
}

bool
identity_take(const struct identity *id, struct error *err)
{
	if (!id->change)
		return true;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 ||
	    initgroups(id->name, id->gid) < 0 ||
	    setresgid(id->gid, id->gid, id->gid) < 0 ||
	    setresuid(id->uid, id->uid, id->uid) < 0)
		return error_errno(err, "cannot change to the user %s", id->name);
	/* a container may hold even this capability back: then low ports
	 * need a restart, which the error at reload says */
	keep_only_low_ports();
	prctl(PR_SET_KEEPCAPS, 0);
	if (setuid(0) == 0)
		return error_set(err, ERROR_SYSTEM, "could not give up root's "
				 "rights");
	return true;
}

/* Groups are a property of the thread to the kernel; the C library would change
 * them for all.  Its names are the administrator's, so few. */
enum { GROUPS_MAX = 1024 };

struct groups {
	gid_t v[GROUPS_MAX];
	int n;
};

static bool
groups_take(const struct groups *g)
{
	return syscall(SYS_setgroups, (size_t)g->n, g->v) == 0;
}

/* Opens as somebody else.  The rights of root to pass over permissions go and
 * come with the user id for files (capabilities(7)). */
static int
open_as(const struct identity *id, const char *path, int *number)
{
	struct groups own, theirs = { .n = GROUPS_MAX };
	int fd;

	own.n = getgroups(GROUPS_MAX, own.v);
	if (own.n < 0 ||
	    getgrouplist(id->name, id->gid, theirs.v, &theirs.n) < 0 ||
	    !groups_take(&theirs)) {
		*number = errno;
		return -1;
	}
	setfsgid(id->gid);
	setfsuid(id->uid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*number = errno;
	setfsuid(geteuid());
	setfsgid(getegid());
	must(groups_take(&own));
	return fd;
}

/* Debian's nobody is in nogroup. */
static bool
group_hint(const struct identity *id, struct error *err)
{
	char room[4096], number[16];
	struct group one, *found = NULL;

	snprintf(number, sizeof(number), "%u", (unsigned)id->gid);
	if (getgrgid_r(id->gid, &one, room, sizeof(room), &found) != 0)
		found = NULL;
	return error_hint(err, "`chgrp %s FILE; chmod 640 FILE'; that user must "
			  "also be able to enter the folder",
			  found != NULL ? found->gr_name : number);
}

bool
identity_can_read(const struct identity *id, const char *path,
		  struct error *err)
{
	int number, fd;

	if (id->change) {
		fd = open_as(id, path, &number);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		number = errno;
	}
	if (fd >= 0) {
		close(fd);
		return true;
	}
	errno = number;
	if (!id->change || number != EACCES) {
		error_errno(err, "%s cannot be read", path);
		return error_hint(err, "%s", number == EACCES
				  ? "make it readable by the user that the "
				    "gateway runs as"
				  : "put the file there, or correct the path");
	}
	error_errno(err, "%s: the gateway runs as the user `%s', which cannot "
		    "read it", path, id->name);
	return group_hint(id, err);
}

void
process_limits(void)
{
	struct rlimit files, none = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

bool
identity_folder(const struct identity *id, const char *path,
		struct error *err)
{
	if (path == NULL || !id->change)
		return true;
	if (access(path, F_OK) == 0)
		return true;
	if (!file_make_folder(path, 0750, err))
		return false;
	return chown(path, id->uid, id->gid) == 0 ? true
		: error_errno(err, "%s", path);
}
