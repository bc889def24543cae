/* maildir.c - a backend that delivers into a Maildir
 *
 * A message is written to tmp/ and synced, renamed to new/, and the folder
 * synced: a reader of new/ sees whole messages, and what was answered with
 * 250 survives a crash.  It blocks, so it runs on a worker.
 */
#include <postern-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

struct maildir {
	const char *path;
	/* no options */
	postern_instance *me;
	unsigned count;			/* makes names unique */
};

static const struct postern_option maildir_options[] = {
	POSTERN_OPTION(struct maildir, path, POSTERN_PATH,
		       .flags = POSTERN_REQUIRED,
		       .help = "The folder of the Maildir; the backend makes it when it is "
		       "missing."),
	{ 0 },
};

static int
maildir_open(void *self, postern_instance *me)
{
	((struct maildir *)self)->me = me;
	return 0;
}

static void
maildir_describe(const void *self, const char *recipient,
		 struct postern_destination *ret)
{
	(void)recipient;
	snprintf(ret->name, sizeof(ret->name), "%s",
		 ((const struct maildir *)self)->path);
}

/* The folder of that name in the Maildir ("" : itself), made when missing.
 * Not what is above it: that may be a disk which is not there. */
static int
maildir_folder(const struct maildir *m, const char *name, char *ret,
	       size_t size)
{
	if ((size_t)snprintf(ret, size, "%s%s%s", m->path, *name ? "/" : "",
			     name) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return mkdir(ret, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/* As the others do it: seconds.MmicrosPpidQcount.host, with what a file name
 * cannot hold written as octal. */
static void
maildir_name(struct maildir *m, char *ret, size_t size)
{
	const char *host = postern_hostname(m->me);
	struct timespec now;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	n = (size_t)snprintf(ret, size, "%lld.M%06ldP%ldQ%u.",
			     (long long)now.tv_sec, now.tv_nsec / 1000,
			     (long)getpid(), ++m->count);
	for (; *host != '\0' && n + 5 < size; host++)
		n += (size_t)snprintf(ret + n, size - n,
				      strchr("/:,\\", *host) ? "\\%03o" : "%c",
				      (unsigned char)*host);
}

/* Lines end in LF in a Maildir: a CR before an LF is dropped.  A CR at the end
 * of one piece is kept back until the next is here. */
static int
maildir_write_body(FILE *f, postern_job *job)
{
	static _Thread_local char bytes[CHUNK];
	uint64_t at = 0;
	int64_t n;
	int held = 0;

	while ((n = postern_job_pread(job, at, bytes, sizeof(bytes))) > 0) {
		for (int64_t i = 0; i < n; i++) {
			if (held && bytes[i] != '\n')
				putc_unlocked('\r', f);
			held = bytes[i] == '\r';
			if (!held)
				putc_unlocked(bytes[i], f);
		}
		at += (uint64_t)n;
	}
	if (held)
		putc_unlocked('\r', f);
	if (n < 0)
		errno = EIO;
	return n < 0 ? -1 : 0;
}

static int
maildir_write(const char *path, postern_job *job)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	int rc;

	if (f == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	fprintf(f, "Return-Path: <%s>\n", postern_job_sender(job));
	for (size_t i = 0; i < postern_job_rcpt_count(job); i++)
		fprintf(f, "Delivered-To: %s\n", postern_job_rcpt(job, i));
	rc = maildir_write_body(f, job);
	if (rc == 0 && (ferror(f) || fflush(f) != 0 || fsync(fd) != 0))
		rc = -1;
	/* the first error is the one to tell */
	if (fclose(f) != 0 && rc == 0)
		rc = -1;
	return rc;
}

static int
maildir_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 ? fsync(fd) : -1;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* The file that the message is in now, or what failed, in path. */
static int
maildir_put(struct maildir *m, postern_job *job, char *path, size_t size)
{
	char from[4200], name[256];
	int saved;

	if (maildir_folder(m, "", path, size) != 0
	    || maildir_folder(m, "cur", path, size) != 0
	    || maildir_folder(m, "new", path, size) != 0
	    || maildir_folder(m, "tmp", path, size) != 0)
		return -1;
	maildir_name(m, name, sizeof(name));
	snprintf(from, sizeof(from), "%s/tmp/%s", m->path, name);
	snprintf(path, size, "%s", from);
	if (maildir_write(from, job) == 0) {
		snprintf(path, size, "%s/new/%s", m->path, name);
		if (rename(from, path) == 0) {
			snprintf(from, sizeof(from), "%s/new", m->path);
			return maildir_sync(from);
		}
	}
	saved = errno;
	unlink(from);
	errno = saved;
	return -1;
}

static void
maildir_deliver(void *self, postern_job *job)
{
	char path[4200], text[4400];
	struct postern_outcome o = { .text = text };

	if (maildir_put(self, job, path, sizeof(path)) == 0) {
		o.code = 250;
		o.phase = POSTERN_PHASE_DOT;
		o.enhanced = "2.0.0";
		snprintf(text, sizeof(text), "delivered to %s", path);
	} else {
		snprintf(text, sizeof(text), "%s: %s", path, strerror(errno));
	}
	postern_settle_rest(job, &o);
}

static const struct postern_backend maildir_backend = {
	.describe = maildir_describe,
	.deliver = maildir_deliver,
};

POSTERN_MODULE(
	.name = "maildir",
	.summary = "delivers into a Maildir, one file for each message",
	.flags = POSTERN_BLOCKING,
	.options = maildir_options,
	.self_size = sizeof(struct maildir),
	.open = maildir_open,
	.backend = &maildir_backend
);
