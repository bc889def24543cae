/* filters.c - the list under `filters:' becomes a chain of instances
 *
 * An element is the name of a module, or a map of one key: the name, and the
 * block of its options.
 */
#include "module/chain.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>

struct entry {
	char name[72];
	const struct node *block;	/* NULL: no options are given */
	const struct mark *mark;	/* of the name */
};

static bool
entry_parse(const struct node *n, struct entry *ret, struct diags *d)
{
	struct span name;

	if (n->kind == NODE_SCALAR) {
		name = n->scalar;
		ret->block = NULL;
		ret->mark = &n->mark;
	} else if (n->kind == NODE_MAP && n->count == 1) {
		name = n->first->key;
		ret->block = n->first;
		ret->mark = &n->first->key_mark;
	} else {
		diag_error(d, &n->mark, "a filter is the name of a module, or "
			   "its name with a block of options");
		return diag_hint(d, "write `- tag: {header: X-Tag, value: x}'");
	}
	snprintf(ret->name, sizeof(ret->name), "%.*s", SPAN_ARG(name));
	return true;
}

static struct module *
entry_module(const struct entry *e, bool complete, struct diags *d)
{
	struct error err;
	struct module *m = module_find(e->name, &err);

	if (m == NULL && !complete && module_near(e->name) == NULL)
		return NULL;
	if (m == NULL) {
		diag_error(d, e->mark, "%s", err.text);
		if (err.hint[0] != '\0')
			diag_hint(d, "%s", err.hint);
		return NULL;
	}
	if (module_is_filter(m))
		return m;
	diag_error(d, e->mark, "module `%s' is a backend, not a filter",
		   e->name);
	diag_hint(d, "name it as `backend' of a route, and filters here");
	return NULL;
}

/* So that a mistake in the name does not hide those in its block. */
static struct module *
filter_near(const char *name)
{
	struct module *m = module_near(name);

	return m != NULL && module_is_filter(m) ? m : NULL;
}

static bool
list_valid(const struct node *list, struct diags *d)
{
	if (list == NULL || list->kind == NODE_LIST
	    || (list->kind == NODE_SCALAR && list->scalar.n == 0))
		return true;
	diag_error(d, &list->mark, "`filters' must be a list");
	return diag_hint(d, "write `filters: [tag]', or one `- tag' a line");
}

bool
filters_check(const struct node *list, bool complete, struct diags *d)
{
	bool ok = list_valid(list, d);
	const struct node *n = ok && list != NULL ? list->first : NULL;

	for (; n != NULL; n = n->next) {
		struct node nothing = { .kind = NODE_MAP };
		struct entry e;
		struct module *m;
		char what[100];

		if (!entry_parse(n, &e, d)) {
			ok = false;
			continue;
		}
		m = entry_module(&e, complete, d);
		ok &= m != NULL;
		if (m == NULL && e.block != NULL)
			m = filter_near(e.name);
		if (m == NULL)
			continue;
		snprintf(what, sizeof(what), "filter `%s'", e.name);
		if (e.block == NULL) {	/* a name alone: told at the name */
			nothing.mark = *e.mark;
			e.block = &nothing;
		}
		ok &= module_check(m, e.block, what, NULL, NULL, d);
	}
	return ok;
}

static bool
chain_open(struct filters *f, const struct node *n,
	   const struct instance_place *place, struct error *err)
{
	AUTO(diags_free) struct diags *d = diags_new();
	struct postern_instance *me;
	struct module *m;
	struct entry e;

	if (!entry_parse(n, &e, d))
		return error_set(err, ERROR_CONFIG, "an element of `filters' is "
				 "not a filter");
	m = module_find(e.name, err);
	if (m == NULL)
		return false;
	if (!module_is_filter(m))
		return error_set(err, ERROR_CONFIG, "module `%s' is a backend, "
				 "not a filter", e.name);
	me = instance_open(m, e.block, place, err);
	if (me == NULL)
		return false;
	f->v[f->n++] = me;
	return true;
}

struct filters *
filters_open(const struct node *list, const struct instance_place *place,
	     struct error *err)
{
	struct filters *f = NEW(struct filters);
	const struct node *n = NULL;

	f->loop = place->loop;
	f->patience_ms = FILTER_PATIENCE_MS;
	if (list != NULL && list->kind == NODE_LIST) {
		f->v = mem_array(list->count + 1, sizeof(struct postern_instance *));
		n = list->first;
	}
	for (; n != NULL; n = n->next) {
		if (!chain_open(f, n, place, err)) {
			filters_close(&f);
			return NULL;
		}
	}
	return f;
}

void
filters_close(struct filters **ptr)
{
	struct filters *f = *ptr;

	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++)
		instance_close(&f->v[i]);
	mem_free(f->v);
	mem_free(f);
	*ptr = NULL;
}

bool
filters_empty(const struct filters *f)
{
	return f->n == 0;
}

void
filters_set_patience(struct filters *f, int64_t ms)
{
	f->patience_ms = ms;
}
