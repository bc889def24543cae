/* privileges.c - becoming nobody special */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
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
		return error_hint(err, "make it with `useradd --system %s', "
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
		return error_errno(err, "becoming user %s", id->name);
	/* a container may hold even this capability back: then low ports
	 * need a restart, which the error at reload says */
	keep_only_low_ports();
	prctl(PR_SET_KEEPCAPS, 0);
	if (setuid(0) == 0)
		return error_set(err, ERROR_SYSTEM, "root's rights could not "
				 "be given up");
	return true;
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
