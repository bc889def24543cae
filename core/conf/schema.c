/* schema.c - filling a struct from a map, by its table
 *
 * All that is wrong in a map is said before the function returns.
 */
#include "conf/schema.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/bind.h"
#include "conf/mask.h"
#include "conf/secret.h"

#include <string.h>

static bool bind_map(const struct binding *at, const struct schema_key *keys);

static void
string_free(char **s)
{
	mem_free(*s);
}

const char *
binding_in(const struct binding *b)
{
	return b->what && *b->what
	       ? arena_printf(b->arena, " in %s", b->what) : "";
}

const struct mark *
block_mark(const struct node *map)
{
	if (map == NULL)
		return NULL;
	return map->key.n > 0 ? &map->key_mark : &map->mark;
}

bool
node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && !n->quoted && n->scalar.n == 0;
}

/* Mistyped, which is said already. */
static bool
was_meant(const struct binding *b)
{
	for (size_t i = 0; i < b->n_meant; i++)
		if (key_is_called(b->key, span_of(b->meant[i])))
			return true;
	return false;
}

bool
binding_missing(const struct binding *b)
{
	if (!(b->key->flags & KEY_REQUIRED) || b->absent)
		return true;
	if (was_meant(b))
		return false;
	diag_error(b->d, block_mark(b->map), "`%s' is missing%s",
		   b->key->name, binding_in(b));
	if (b->key->type == T_SECRET)
		diag_hint(b->d, "set it, or `%s_file', or `%s_credential'",
			  b->key->name, b->key->name);
	else if (b->key->help != NULL)
		diag_hint(b->d, "add `%s: VALUE'. %s", b->key->name,
			  b->key->help);
	return false;
}

bool
binding_wrong(const struct binding *b, const struct node *n,
	      const char *words)
{
	static const char *const kinds[] = {
		[NODE_LIST] = "a list", [NODE_MAP] = "a block of keys",
	};

	if (n == NULL)
		return false;
	if (n->kind != NODE_SCALAR)
		return diag_error(b->d, &n->mark, "`%s' must be %s, not %s",
				  b->key->name, words, kinds[n->kind]);
	return diag_error(b->d, &n->mark, "`%s' must be %s, not `%.*s'",
			  b->key->name, words,
			  SPAN_ARG(span_sub(n->scalar, 0, 80)));
}

bool
binding_scalar(const struct binding *b, const struct node *n)
{
	if (n->flawed)
		return false;
	if (node_is_null(n)) {
		diag_error(b->d, n->key.n ? &n->key_mark : &n->mark,
			   n->key.n ? "`%s' has no value"
			   : "an element of `%s' has no value", b->key->name);
		return diag_hint(b->d, "give it one, or remove it");
	}
	if (n->kind == NODE_SCALAR)
		return true;
	binding_wrong(b, n, "one value");
	if (n->kind == NODE_LIST && n->count == 1)
		diag_hint(b->d, "write it without the brackets or the dash");
	return false;
}

static bool
bind_scalar(const struct binding *b, const struct node *n)
{
	if (n != NULL)
		return binding_scalar(b, n) && value_set(b, n, n->scalar);
	if (b->key->fallback != NULL)
		value_set(b, NULL, span_of(b->key->fallback));
	return binding_missing(b);
}

/* A default is written as in YAML: "[a, b]", or "a". */
static void
strings_default(const struct binding *b, struct strings *to)
{
	struct span rest = span_trim(span_of(b->key->fallback)), part;
	size_t n = 1;

	if (rest.n >= 2 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']')
		rest = span_trim(span_sub(rest, 1, rest.n - 2));
	if (rest.n == 0)
		return;
	for (size_t i = 0; i < rest.n; i++)
		n += rest.p[i] == ',';
	to->v = arena_array(b->arena, n, sizeof(*to->v));
	while (span_split(&rest, ',', &part))
		to->v[to->n++] = (char *)arena_span(b->arena,
						     span_trim(part)).p;
}

static bool
bind_strings(const struct binding *b, const struct node *n)
{
	struct strings *to = (void *)(b->into + b->key->offset);
	const struct node *child;
	bool ok = true;

	if (n == NULL || (node_is_null(n) && !n->flawed)) {
		if (b->key->fallback != NULL)
			strings_default(b, to);
		return binding_missing(b);
	}
	if (n->kind == NODE_MAP)
		return binding_wrong(b, n, "a list");
	child = n->kind == NODE_LIST ? n->first : n;
	to->v = arena_array(b->arena, n->count + 1, sizeof(*to->v));
	to->nodes = arena_array(b->arena, n->count + 1, sizeof(*to->nodes));
	for (size_t i = MAX(n->count, n->kind == NODE_SCALAR); i > 0;
	     i--, child = child->next) {
		if (!binding_scalar(b, child)) {
			ok = false;
		} else if (span_find(child->scalar, '\0') < child->scalar.n) {
			ok = binding_wrong(b, child, "text without NUL bytes");
		} else {
			ok = variable_refuse(b, child) && ok;
			to->nodes[to->n] = child;
			to->v[to->n++] = (char *)arena_span(b->arena,
							    child->scalar).p;
		}
	}
	return ok;
}

/* "`tls' of route `partners'" */
static char *
nested_name(const struct binding *b)
{
	bool named = b->what && *b->what;

	return mem_printf("`%s'%s%s", b->key->name, named ? " of " : "",
			  named ? b->what : "");
}

static bool
bind_block(const struct binding *b, const struct node *n)
{
	AUTO(string_free) char *what = nested_name(b);
	struct binding nested = *b;
	bool ok = n != NULL || binding_missing(b);

	nested.map = n;
	nested.what = what;
	nested.absent = n == NULL;
	nested.into = b->into + b->key->offset;
	return bind_map(&nested, b->key->keys) && ok;
}

/* `listen: 0.0.0.0:25' is meant where one key of a block must be given. */
static bool
lone_hint(const struct binding *b, const struct node *n)
{
	const struct schema_key *lone = NULL;

	for (const struct schema_key *k = b->key->keys; k->name != NULL; k++) {
		if (!(k->flags & KEY_REQUIRED))
			continue;
		if (lone != NULL)
			return false;
		lone = k;
	}
	if (lone == NULL || lone->type == T_SECRET)
		return false;
	return diag_hint(b->d, "write `- %s: %.*s'", lone->name,
			 SPAN_ARG(span_sub(n->scalar, 0, 80)));
}

static bool
bind_blocks(const struct binding *b, const struct node *n)
{
	AUTO(string_free) char *what = nested_name(b);
	struct blocks *to = (void *)(b->into + b->key->offset);
	const struct node *child;
	struct binding nested = *b;
	bool ok = true;

	if (n == NULL || node_is_null(n))
		return binding_missing(b);
	if (n->kind == NODE_SCALAR) {
		binding_wrong(b, n, type_words(T_BLOCKS));
		return lone_hint(b, n);
	}
	to->n = n->kind == NODE_LIST ? n->count : 1;
	to->v = arena_array(b->arena, to->n, b->key->block_size);
	to->nodes = arena_array(b->arena, to->n, sizeof(*to->nodes));
	child = n->kind == NODE_LIST ? n->first : n;
	nested.what = what;
	nested.absent = false;
	for (size_t i = 0; i < to->n; i++, child = child->next) {
		to->nodes[i] = nested.map = child;
		nested.into = (char *)to->v + i * b->key->block_size;
		ok &= bind_map(&nested, b->key->keys);
		if (child->kind == NODE_SCALAR && !node_is_null(child))
			lone_hint(b, child);
	}
	return ok;
}

/* A block whose key is mistyped, which is told: what is in it is checked with
 * the key that was meant. */
static const struct node *
meant_block(const struct binding *b)
{
	bool block = b->key->type == T_BLOCK || b->key->type == T_BLOCKS
		     || b->key->type == T_NODE;

	for (size_t i = 0; block && i < b->n_meant; i++)
		if (strcmp(b->meant[i], b->key->name) == 0
		    && b->meant_nodes[i]->kind != NODE_SCALAR)
			return b->meant_nodes[i];
	return NULL;
}

static bool
bind_key(const struct binding *b)
{
	const struct node *n = node_get(b->map, b->key->name);

	if (n == NULL)
		n = meant_block(b);
	switch (b->key->type) {
	case T_SECRET:
		return secret_bind(b);
	case T_STRINGS:
		return bind_strings(b, n);
	case T_BLOCK:
		return bind_block(b, n);
	case T_BLOCKS:
		return bind_blocks(b, n);
	case T_NODE:
		*(const struct node **)(b->into + b->key->offset) = n;
		return n != NULL || binding_missing(b);
	default:
		return bind_scalar(b, n);
	}
}

static void
names_hint(const char **names, size_t n, struct diags *d)
{
	AUTO(buf_fini) struct buf list = BUF_MAX(4096);

	for (size_t i = 0; i < n; i++)
		buf_addf(&list, "%s`%s'", i == 0 ? "" : i + 1 < n ? ", "
			 : " and ", names[i]);
	if (n == 0)
		diag_hint(d, "this block has no keys");
	else
		diag_hint(d, "the key%s here %s %s", n == 1 ? "" : "s",
			  n == 1 ? "is" : "are", buf_str(&list));
}

/* A mistyped `client_secret' holds a secret all the same. */
static void
conceal_if_meant(const struct schema_key *keys, const struct node *n,
		 const char *meant)
{
	for (; keys->name != NULL; keys++)
		if (keys->type == T_SECRET && strcmp(keys->name, meant) == 0)
			tree_conceal(n->mark.tree, n);
}

/* `auth: login' and `starttls: yes' are not the timeouts of that name. */
static bool
key_may_have(const struct schema_key *key, const struct node *n)
{
	int64_t ms;

	return key->type != T_DURATION || parse_duration(n->scalar, &ms);
}

/* The block whose key it is, as `host' beside `connector:'; or NULL. */
static const char *
block_with(const struct schema_key *keys, const struct node *n)
{
	for (; keys->name != NULL; keys++) {
		const struct schema_key *key = keys->keys != NULL
			? keys_find(keys->keys, n->key) : NULL;

		if (key != NULL && key_may_have(key, n))
			return keys->name;
	}
	return NULL;
}

static void
key_unknown(struct binding *at, const struct schema_key *keys,
	    const struct node *n)
{
	struct arena *a;
	const char **names, *near, *block;
	size_t count;

	if (diags_full(at->d)) {
		diag_error(at->d, &n->key_mark, "an unknown key");
		return;
	}
	a = arena_new();
	names = keys_names(keys, a, &count);
	near = nearest_name(n->key, names, count);
	diag_error(at->d, &n->key_mark, "unknown key `%.*s'%s",
		   SPAN_ARG(span_sub(n->key, 0, 80)), binding_in(at));
	block = block_with(keys, n);
	if (block != NULL) {
		diag_hint(at->d, "it belongs to the block `%s': write it "
			  "there, indented", block);
	} else if (near != NULL) {
		diag_hint(at->d, "did you mean `%s'?", near);
		conceal_if_meant(keys, n, near);
		at->meant_nodes[at->n_meant] = n;
		at->meant[at->n_meant++] = arena_strdup(at->arena, near);
	} else {
		names_hint(names, count, at->d);
	}
	arena_free(&a);
}

/* `{password: a,b}': the comma ends the secret, and its rest becomes a key,
 * which must not be shown. */
static bool
is_rest_of_secret(const struct schema_key *keys, const struct node *before,
		  const struct node *n)
{
	const struct schema_key *key = before ? keys_find(keys, before->key)
					      : NULL;

	return before != NULL
	       && (key != NULL ? key->type == T_SECRET
		   : mask_wants(before->key))
	       && before->kind == NODE_SCALAR && !before->quoted
	       && node_is_null(n) && !n->flawed;
}

static void
secret_cut(struct binding *at, const struct node *before,
	   const struct node *n)
{
	tree_conceal_key(n->mark.tree, n);
	diag_error(at->d, &before->mark, "a comma ends the value of `%.*s'",
		   SPAN_ARG(before->key));
	diag_hint(at->d, "put the secret between single quotes");
}

static bool
names_check(struct binding *at, const struct schema_key *keys)
{
	const struct node *before = NULL;
	bool ok = true;

	at->meant = arena_array(at->arena, at->map->count + 1,
				sizeof(*at->meant));
	at->meant_nodes = arena_array(at->arena, at->map->count + 1,
				      sizeof(*at->meant_nodes));
	for (const struct node *n = at->map->first; n != NULL;
	     before = n, n = n->next) {
		if (keys_find(keys, n->key) != NULL)
			continue;
		ok = false;
		if (is_rest_of_secret(keys, before, n))
			secret_cut(at, before, n);
		else
			key_unknown(at, keys, n);
	}
	return ok;
}

static void
block_hint(const struct schema_key *keys, struct diags *d)
{
	struct arena *a = arena_new();
	size_t count;
	const char **names = keys_names(keys, a, &count);

	if (count == 1)
		diag_hint(d, "write `%s: VALUE' in it", names[0]);
	else
		names_hint(names, count, d);
	arena_free(&a);
}

/* at->key is not looked at. */
static bool
bind_map(const struct binding *at, const struct schema_key *keys)
{
	struct binding b = *at;
	bool ok = true;

	if (b.map != NULL && b.map->flawed)
		return false;
	if (b.map != NULL && b.map->kind != NODE_MAP
	    && !node_is_null(b.map)) {
		diag_error(b.d, &b.map->mark, "%s must be a block of keys, "
			   "not %s", b.what && *b.what ? b.what : "this",
			   b.map->kind == NODE_LIST ? "a list" : "one value");
		block_hint(keys, b.d);
		return false;
	}
	b.n_meant = 0;
	if (b.map != NULL)
		ok = names_check(&b, keys);
	for (b.key = keys; b.key->name != NULL; b.key++)
		ok &= bind_key(&b);
	return ok;
}

bool
schema_bind(const struct schema_key *keys, const struct node *map,
	    const char *what, void *into, struct arena *arena,
	    struct diags *d)
{
	struct binding at = {
		.map = map, .what = what, .into = into, .arena = arena, .d = d,
	};

	return bind_map(&at, keys);
}

const struct mark *
schema_mark(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return n != NULL ? &n->mark : block_mark(map);
}
