/* secret.c - reading secrets from the three places they may stand in
 *
 * Buffers are made large enough at once: growing would leave copies behind.
 * Known limit: libyaml's own buffers, freed after parsing, are not wiped.
 */
#include "conf/secret.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const secret_suffixes[SECRET_FORMS] = {
	"", "_file", "_credential",
};

void
secret_wipe(struct secret *s)
{
	if (s->bytes != NULL)
		explicit_bzero(s->bytes, s->n);
	mem_free(s->bytes);
	*s = (struct secret){ .bytes = NULL };
}

static void
wipe_hook(void *arg)
{
	secret_wipe(arg);
}

static bool
secret_store(const struct binding *b, struct span value, const char *file)
{
	struct secret *owned = ARENA_NEW(b->arena, struct secret);

	*owned = (struct secret){
		.bytes = span_dup(value), .n = value.n,
		.file = file != NULL ? arena_strdup(b->arena, file) : NULL,
	};
	arena_on_free(b->arena, wipe_hook, owned);
	*(struct secret *)(void *)(b->into + b->key->offset) = *owned;
	return true;
}

static bool
from_text(const struct binding *b, const struct node *n)
{
	AUTO(buf_wipe) struct buf value = BUF_MAX(LIMIT_CONF_VALUE);
	struct span missing;

	buf_room(&value, LIMIT_CONF_VALUE);
	if (!expand_variables(&value, n->scalar, &missing))
		return variable_missing(b, n, missing);
	if (value.len == 0) {
		diag_error(b->d, &n->mark, "`%s' is empty", b->key->name);
		return diag_hint(b->d, "write the secret, or remove the key");
	}
	return secret_store(b, buf_span(&value), NULL);
}

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
	return diag_hint(b->d, "write the secret into that file, or mend the "
			 "path");
}

static bool
read_file(const struct binding *b, const struct node *n, const char *path)
{
	AUTO(buf_wipe) struct buf value = BUF_MAX(LIMIT_CONF_VALUE);
	struct error err;
	struct span s;

	buf_room(&value, LIMIT_CONF_VALUE);
	errno = 0;
	if (!file_read(&value, path, &err)) {
		int error = errno;

		if (err.kind == ERROR_LIMIT)
			return file_wrong(b, n, path,
					  "is too large for a secret");
		return file_unreadable(b, n, path, error);
	}
	/* an editor ends the line; the secret does not end in one */
	s = buf_span(&value);
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	if (s.n == 0) {
		file_wrong(b, n, path, "is empty");
		return diag_hint(b->d, "write the secret into that file");
	}
	return secret_store(b, s, path);
}

static bool
from_file(const struct binding *b, const struct node *n)
{
	AUTO(buf_fini) struct buf path = BUF_MAX(LIMIT_CONF_VALUE);

	return path_set(b, n, n->scalar, &path)
	       && read_file(b, n, buf_str(&path));
}

static bool
from_credential(const struct binding *b, const struct node *n)
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

static bool
form_bind(const struct binding *b, const struct node *n, size_t form)
{
	static bool (*const from[SECRET_FORMS])(const struct binding *b,
						const struct node *n) = {
		from_text, from_file, from_credential,
	};

	return binding_scalar(b, n) && from[form](b, n);
}

static const struct node *
form_node(const struct binding *b, size_t form)
{
	char *key = mem_printf("%s%s", b->key->name, secret_suffixes[form]);
	const struct node *n = node_get(b->map, key);

	mem_free(key);
	return n;
}

bool
secret_bind(const struct binding *b)
{
	const struct node *given = NULL;
	size_t form = 0;

	for (size_t i = 0; i < SECRET_FORMS; i++) {
		const struct node *n = form_node(b, i);

		if (n == NULL)
			continue;
		if (i == 0)
			tree_conceal(n->mark.tree, n);
		if (given != NULL) {
			diag_error(b->d, &n->key_mark, "`%.*s' and `%.*s' "
				   "exclude each other", SPAN_ARG(given->key),
				   SPAN_ARG(n->key));
			return diag_hint(b->d, "keep one of them");
		}
		given = n;
		form = i;
	}
	return given ? form_bind(b, given, form) : binding_missing(b);
}
