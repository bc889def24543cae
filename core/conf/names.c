/* names.c - the names of a table's keys, and which of them was meant */
#include "conf/bind.h"

#include "base/macros.h"
#include "conf/secret.h"

#include <string.h>

/* Calls it a name of the table if it is one, in any form of a secret. */
bool
key_is_called(const struct schema_key *key, struct span name)
{
	struct span own = span_of(key->name);

	if (key->type != T_SECRET)
		return span_eq(own, name);
	for (size_t i = 0; i < SECRET_FORMS; i++)
		if (name.n >= own.n && span_eq(span_sub(name, 0, own.n), own)
		    && span_eq(span_from(name, own.n),
			       span_of(secret_suffixes[i])))
			return true;
	return false;
}

const struct schema_key *
keys_find(const struct schema_key *keys, struct span name)
{
	while (keys->name != NULL && !key_is_called(keys, name))
		keys++;
	return keys->name != NULL ? keys : NULL;
}

static size_t
names_of(const struct schema_key *keys, struct arena *a, const char **ret)
{
	size_t n = 0;

	for (; keys->name != NULL; keys++) {
		size_t forms = keys->type == T_SECRET ? SECRET_FORMS : 1;

		ret[n++] = keys->name;
		for (size_t i = 1; i < forms; i++)
			ret[n++] = arena_printf(a, "%s%s", keys->name,
						secret_suffixes[i]);
	}
	return n;
}

const char **
keys_names(const struct schema_key *keys, struct arena *a, size_t *n)
{
	const char **names;
	size_t count = 0;

	while (keys[count].name != NULL)
		count++;
	names = arena_array(a, count * SECRET_FORMS + 1, sizeof(*names));
	*n = names_of(keys, a, names);
	return names;
}

/* By an unknown key; or NULL. */
static const char *
name_meant(const struct schema_key *keys, const struct node *n,
	   struct arena *a)
{
	size_t count;
	const char **names;

	if (keys_find(keys, n->key) != NULL)
		return NULL;
	names = keys_names(keys, a, &count);
	return nearest_name(n->key, names, count);
}

bool
schema_was_meant(const struct schema_key *keys, const struct node *map,
		 const char *name)
{
	struct arena *a = arena_new();
	const struct node *n = map->kind == NODE_MAP ? map->first : NULL;
	bool meant = false;

	for (; n != NULL && !meant; n = n->next) {
		const char *near = name_meant(keys, n, a);

		meant = near != NULL && strcmp(near, name) == 0;
	}
	arena_free(&a);
	return meant;
}

const struct node *
schema_corrected(const struct schema_key *keys, const struct node *map,
		 struct arena *arena)
{
	struct node *copy = ARENA_NEW(arena, struct node), **link;

	if (map->kind != NODE_MAP)
		return map;
	*copy = *map;
	link = &copy->first;
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		const char *near = name_meant(keys, n, arena);

		*link = ARENA_NEW(arena, struct node);
		**link = *n;
		if (near != NULL && node_get(map, near) == NULL &&
		    n->kind != NODE_SCALAR)
			(*link)->key = span_of(near);
		link = &(*link)->next;
	}
	return copy;
}
