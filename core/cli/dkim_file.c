/* dkim_file.c - the file of a new key: its name, and whose it is
 *
 * It is never one that exists.  Where root makes it, it belongs to the user
 * that the gateway becomes, whom the configuration names: only that key is
 * looked for, since a key is made before the route that signs with it is
 * right.  Without such a user the group `postern' may read the file.
 */
#include "cli/dkim.h"

#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diags.h"
#include "conf/node.h"
#include "daemon/privileges.h"
#include "mail/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct owner {
	uid_t uid;
	gid_t gid;
	bool by_group;			/* root's, and the group reads it */
};

char *
dkim_file_name(const char *config, const struct signer_key *k)
{
	char *copy = mem_strdup(config);
	char *path = mem_printf("%s/dkim/%s.%s.pem", dirname(copy),
				signer_key_domain(k), signer_key_selector(k));

	mem_free(copy);
	return path;
}

/* --- whose it is ----------------------------------------------------- */

/* The caller's; NULL: none is named, or the file is no YAML. */
static char *
user_configured(const char *config)
{
	struct diags *d = diags_new();
	struct tree *t = tree_read(config, d);
	const struct node *root = t != NULL ? tree_root(t) : NULL;
	const struct node *user = root != NULL && root->kind == NODE_MAP
				? node_get(root, "user") : NULL;
	char *ret = user != NULL && user->kind == NODE_SCALAR &&
		    user->scalar.n > 0 ? span_dup(user->scalar) : NULL;

	tree_free(&t);
	diags_free(&d);
	return ret;
}

static void
dkim_file_warn(const struct error *err)
{
	fprintf(stderr, "postern dkim: warning: %s\n", err->text);
	if (err->hint[0] != '\0')
		fprintf(stderr, "  hint: %s\n", err->hint);
}

/* False: whoever runs this keeps it. */
static bool
owner_find(const struct identity *id, struct owner *ret)
{
	struct group *g = geteuid() == 0 ? getgrnam("postern") : NULL;

	if (id->change)
		*ret = (struct owner){ id->uid, id->gid, false };
	else if (g != NULL)
		*ret = (struct owner){ 0, g->gr_gid, true };
	return id->change || g != NULL;
}

/* What we have made, and nothing that its new owner may have put in its place:
 * the folder may be his already. */
static void
hand_over(const char *path, const struct owner *o, unsigned mode)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct error err;
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 &&
		  (S_ISDIR(st.st_mode) || st.st_nlink == 1) &&
		  fchown(fd, o->uid, o->gid) == 0 && fchmod(fd, mode) == 0;

	if (!ok)
		error_errno(&err, "%s cannot be given to the gateway's user",
			    path);
	if (fd >= 0)
		close(fd);
	if (!ok)
		dkim_file_warn(&err);
}

/* --- making it ------------------------------------------------------- */

static bool
folder_make(const char *path, const struct owner *o, struct error *err)
{
	char *copy = mem_strdup(path);
	const char *folder = dirname(copy);
	struct stat st;
	bool ok = stat(folder, &st) == 0;

	if (!ok) {
		ok = file_make_folder(folder, 0750, err);
		if (ok && o != NULL)
			hand_over(folder, o, 0750);
	}
	mem_free(copy);
	return ok;
}

bool
dkim_file_make(const char *config, const char *path, struct span pem,
	       struct error *err)
{
	char *user = user_configured(config);
	struct identity id = { .change = false };
	struct owner owner;
	struct error why;
	bool shared, ok, exists;

	if (!identity_find(user, &id, &why))
		dkim_file_warn(&why);
	shared = owner_find(&id, &owner);
	ok = folder_make(path, shared ? &owner : NULL, err) &&
	     file_create(path, pem, 0600, err);
	exists = !ok && errno == EEXIST;
	if (ok && shared)
		hand_over(path, &owner, owner.by_group ? 0640 : 0600);
	if (ok && id.change && !identity_can_read(&id, path, &why))
		dkim_file_warn(&why);
	mem_free(user);
	if (exists) {
		error_set(err, ERROR_CONFIG, "%s exists already and was not "
			  "changed", path);
		error_hint(err, "give the new key another selector, `postern "
			   "dkim new DOMAIN SELECTOR', or another file, "
			   "`--out FILE'");
	}
	return ok;
}
