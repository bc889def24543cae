/* secret.c - a secret in the configuration itself, and which form is given
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

bool
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

/* A variable's value does not stand in the file, and a proxy is a secret only
 * where its URL has a user and a password. */
static bool
text_is_secret(struct span s)
{
	return variable_find(s).n == 0
	       && (!span_starts_nocase(s, SPAN("http://"))
		   || span_find(s, '@') < s.n);
}

/* What is only unwise. */
static void
text_warn(const struct binding *b, const struct node *n)
{
	const struct tree *t = n->mark.tree;
	const struct mark top = { .tree = t, .line = 1, .column = 1,
				  .width = 1 };

	if (tree_comment_follows(t, n)) {
		diag_warning(b->d, &n->mark, "the value of `%s' ends before "
			     "the blank and the `#' behind it, where a comment "
			     "begins", b->key->name);
		diag_hint(b->d, "if the # belongs to the secret, put all of it "
			  "between single quotes");
	}
	if (text_is_secret(n->scalar) && file_is_public(tree_path(t))) {
		diag_warning(b->d, &top, "this file holds a secret, and every "
			     "user of this host can read it");
		diag_hint(b->d, "chmod o-rwx %s", tree_path(t));
	}
}

static bool
from_text(const struct binding *b, const struct node *n)
{
	AUTO(buf_wipe) struct buf value = BUF_MAX(LIMIT_CONF_VALUE);
	struct span missing;

	buf_room(&value, LIMIT_CONF_VALUE);
	if (!expand_variables(&value, n->scalar, &missing))
		return variable_missing(b, n, missing);
	if (span_find(n->scalar, '\0') < n->scalar.n) {
		diag_error(b->d, &n->mark, "`%s' holds a NUL byte",
			   b->key->name);
		return diag_hint(b->d, "write \\\\ where a backslash is meant, "
				 "or use single quotes");
	}
	text_warn(b, n);
	if (value.len == 0) {
		diag_error(b->d, &n->mark, "`%s' is empty", b->key->name);
		return diag_hint(b->d, "write the secret, or remove the key");
	}
	return secret_store(b, buf_span(&value), NULL);
}

static bool
form_bind(const struct binding *b, const struct node *n, size_t form)
{
	static bool (*const from[SECRET_FORMS])(const struct binding *b,
						const struct node *n) = {
		from_text, secret_from_file, secret_from_credential,
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
				   "cannot be used together", SPAN_ARG(given->key),
				   SPAN_ARG(n->key));
			return diag_hint(b->d, "keep one of them");
		}
		given = n;
		form = i;
	}
	return given ? form_bind(b, given, form) : binding_missing(b);
}
