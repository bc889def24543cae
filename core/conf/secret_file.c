/* secret_file.c - secrets in files, and in the credentials of systemd
 *
 * What a file holds is used as it is, but for a byte-order mark in front and
 * the end of its line.  Buffers are made large enough at once: growing would
 * leave copies behind.
 */
#include "conf/bind.h"

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
file_wrong(const struct binding *b, const struct node *n, const char *path,
	   const char *why)
{
	diag_error(b->d, &n->mark, "`%.*s': %s %s", SPAN_ARG(n->key), path,
		   why);
	return false;
}

static bool
file_unreadable(const struct binding *b, const struct node *n,
		const char *path, int error)
{
	diag_error(b->d, &n->mark, "`%.*s': %s cannot be read: %s",
		   SPAN_ARG(n->key), path, strerror(error));
	if (error == EACCES)
		return diag_hint(b->d, "make it readable by the user that the "
				 "gateway runs as");
	if (error == EISDIR)
		return diag_hint(b->d, "name the file in this folder");
	return diag_hint(b->d, "write the secret into that file, or correct the "
			 "path");
}

/* What an editor of Windows makes of it, and what no provider takes. */
static const char *
file_is_no_text(struct span s)
{
	if (span_starts_nocase(s, SPAN("\xff\xfe"))
	    || span_starts_nocase(s, SPAN("\xfe\xff"))
	    || (s.n > 1 && (s.p[0] == '\0') != (s.p[1] == '\0')))
		return "is in UTF-16";
	return span_find(s, '\0') < s.n ? "holds a NUL byte" : NULL;
}

static bool
read_file(const struct binding *b, const struct node *n, const char *path)
{
	AUTO(buf_wipe) struct buf value = BUF_MAX(LIMIT_CONF_VALUE);
	struct error err;
	struct span s;
	const char *why;

	buf_room(&value, LIMIT_CONF_VALUE);
	errno = 0;
	if (!file_read_regular(&value, path, &err)) {
		int error = errno;

		if (err.kind == ERROR_CONFIG)
			return file_wrong(b, n, path, "is not a regular file");
		if (err.kind == ERROR_LIMIT)
			return file_wrong(b, n, path,
					  "is too large for a secret");
		return file_unreadable(b, n, path, error);
	}
	s = buf_span(&value);
	if (span_starts_nocase(s, SPAN("\xef\xbb\xbf")))
		s = span_from(s, 3);
	why = file_is_no_text(s);
	if (why != NULL) {
		file_wrong(b, n, path, why);
		return diag_hint(b->d, "write the secret into it as plain "
				 "text, in UTF-8");
	}
	/* an editor ends the line; the secret does not end in one */
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	if (s.n == 0) {
		file_wrong(b, n, path, "is empty");
		return diag_hint(b->d, "write the secret into that file");
	}
	if (file_is_public(path)) {
		diag_warning(b->d, &n->mark, "every user of this host can read "
			     "%s", path);
		diag_hint(b->d, "chmod o-rwx %s", path);
	}
	return secret_store(b, s, path);
}

bool
secret_from_file(const struct binding *b, const struct node *n)
{
	AUTO(buf_fini) struct buf path = BUF_MAX(LIMIT_CONF_VALUE);

	return path_set(b, n, n->scalar, &path)
	       && read_file(b, n, buf_str(&path));
}

bool
secret_from_credential(const struct binding *b, const struct node *n)
{
	AUTO(buf_fini) struct buf path = BUF_MAX(LIMIT_CONF_VALUE);
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct span name = n->scalar;

	if (name.n == 0 || name.p[0] == '.' || span_find(name, '/') < name.n
	    || span_find(name, '\0') < name.n) {
		diag_error(b->d, &n->mark, "`%.*s' must be the name of a "
			   "systemd credential", SPAN_ARG(n->key));
		return diag_hint(b->d, "a file is named with `%s_file'",
				 b->key->name);
	}
	if (folder == NULL || *folder == '\0') {
		diag_error(b->d, &n->mark, "no credentials were passed: "
			   "$CREDENTIALS_DIRECTORY is not set");
		return diag_hint(b->d, "add LoadCredential=%.*s:PATH to the "
				 "systemd unit, and start it by systemctl",
				 SPAN_ARG(name));
	}
	if (!buf_addf(&path, "%s/%.*s", folder, SPAN_ARG(name)))
		return variable_missing(b, n, SPAN_NONE);
	return read_file(b, n, buf_str(&path));
}
