/* adopt.c - is this a module that we can work with?
 *
 * Everything that a stranger's table can get wrong is found here, when the
 * file is loaded, and said in words that its author can use.
 */
#include "module/loaded.h"

#include "base/macros.h"

#include <string.h>

enum { ACTIONS_MAX = 16 };

/* The name is part of file names, log lines and YAML keys. */
bool
module_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return n > 0 && n <= 64 && name[n] == '\0';
}

static const struct {
	const char *name;
	size_t ours;
} structures[POSTERN_SIZES] = {
	[POSTERN_SIZEOF_OPTION] =
		{ "postern_option", sizeof(struct postern_option) },
	[POSTERN_SIZEOF_BACKEND] =
		{ "postern_backend", sizeof(struct postern_backend) },
	[POSTERN_SIZEOF_FILTER] =
		{ "postern_filter", sizeof(struct postern_filter) },
	[POSTERN_SIZEOF_DESTINATION] =
		{ "postern_destination", sizeof(struct postern_destination) },
	[POSTERN_SIZEOF_OUTCOME] =
		{ "postern_outcome", sizeof(struct postern_outcome) },
	[POSTERN_SIZEOF_PLAN] =
		{ "postern_smtp_plan", sizeof(struct postern_smtp_plan) },
	[POSTERN_SIZEOF_DNS_RECORD] =
		{ "postern_dns_record", sizeof(struct postern_dns_record) },
	[POSTERN_SIZEOF_DNS_ANSWER] =
		{ "postern_dns_answer", sizeof(struct postern_dns_answer) },
	[POSTERN_SIZEOF_HTTP_REQUEST] = { "postern_http_request",
		sizeof(struct postern_http_request) },
	[POSTERN_SIZEOF_HTTP_ANSWER] =
		{ "postern_http_answer", sizeof(struct postern_http_answer) },
	[POSTERN_SIZEOF_ACTION] =
		{ "postern_action", sizeof(struct postern_action) },
	[POSTERN_SIZEOF_PROBE] =
		{ "postern_probe", sizeof(struct postern_probe) },
	[POSTERN_SIZEOF_PROBE_ANSWER] = { "postern_probe_answer",
		sizeof(struct postern_probe_answer) },
};

static bool
wrong_header(struct error *err)
{
	return error_hint(err, "build the module with the postern-plugin.h "
			  "of this Postern");
}

/* While the ABI is 0, sizes must be the same: they are what tells one state
 * of the header from another.  From 1 on an older one is smaller. */
static bool
size_fits(const char *name, uint32_t theirs, size_t ours, struct error *err)
{
	if (POSTERN_ABI == 0 ? theirs == ours : theirs <= ours)
		return true;
	error_set(err, ERROR_CONFIG, "was built with a struct %s of %u octets, "
		  "this Postern has %zu", name, theirs, ours);
	return wrong_header(err);
}

static bool
header_fits(const struct postern_module *t, struct error *err)
{
	/* nothing behind the first two words means anything before this */
	if (POSTERN_ABI == 0 ? t->abi != 0 : t->abi < 1 || t->abi > POSTERN_ABI) {
		error_set(err, ERROR_CONFIG, "was built for ABI %u, this Postern "
			  "has %u", t->abi, POSTERN_ABI);
		return wrong_header(err);
	}
	if (t->size < offsetof(struct postern_module, name)) {
		error_set(err, ERROR_CONFIG, "has a table of %u octets: it was "
			  "not made by POSTERN_MODULE", t->size);
		return wrong_header(err);
	}
	if (!size_fits("postern_module", t->size, sizeof(*t), err))
		return false;
	for (size_t i = 0; i < POSTERN_SIZES; i++)
		if (!size_fits(structures[i].name ? structures[i].name : "?",
			       t->sizes[i], structures[i].ours, err))
			return false;
	return true;
}

static bool
wrong(struct error *err, const char *words)
{
	return error_set(err, ERROR_CONFIG, "%s", words);
}

static bool
table_sane(const struct module *m, struct error *err)
{
	const struct postern_module *t = &m->table;

	if (t->name == NULL || !module_name_valid(t->name))
		return wrong(err, "its name must be one of a-z, 0-9, - and _");
	if (t->summary == NULL || t->summary[0] == '\0')
		return wrong(err, "it has no summary");
	if (t->backend == NULL && t->filter == NULL)
		return wrong(err, "it is neither a backend nor a filter");
	if (t->backend != NULL && m->backend.describe == NULL)
		return wrong(err, "it is a backend without describe()");
	if (t->backend != NULL && m->backend.deliver == NULL)
		return wrong(err, "it is a backend without deliver()");
	if (t->flags & ~(uint32_t)(POSTERN_BLOCKING | POSTERN_RELAY |
				    POSTERN_RECEIVERS | POSTERN_CHECKS_PARTS))
		return error_set(err, ERROR_CONFIG, "its flags are %#x, of which "
				 "this Postern does not know all", t->flags);
	if ((t->flags & POSTERN_BLOCKING) && t->backend == NULL)
		return wrong(err, "POSTERN_BLOCKING is for backends: a filter "
			     "answers later with a ticket");
	if ((t->flags & POSTERN_RELAY) && (t->flags & POSTERN_RECEIVERS))
		return wrong(err, "it is either POSTERN_RELAY or "
			     "POSTERN_RECEIVERS");
	if (t->actions != NULL && t->backend == NULL)
		return wrong(err, "actions are for backends");
	return true;
}

/* The rows of actions lie as the module's header had them. */
static bool
actions_adopt(struct module *m, const struct postern_action *rows,
	      struct error *err)
{
	size_t stride = m->table.sizes[POSTERN_SIZEOF_ACTION], n = 0;
	struct postern_action *v = arena_array(m->arena, ACTIONS_MAX + 1,
					       sizeof(*v));
	const char *at = (const char *)rows;

	m->table.actions = v;
	while (rows != NULL && n < ACTIONS_MAX) {
		memcpy(&v[n], at + n * stride, stride);
		if (v[n].name == NULL)
			return true;
		if (!module_name_valid(v[n].name) || v[n].summary == NULL ||
		    v[n].begin == NULL)
			return wrong(err, "an action lacks its name, its "
				     "summary or begin()");
		n++;
	}
	return rows == NULL || wrong(err, "it has too many actions, or a table "
				     "of them does not end");
}

void
module_drop(struct module **m)
{
	struct arena *a = *m ? (*m)->arena : NULL;	/* the module is in it */

	arena_free(&a);
	*m = NULL;
}

struct module *
module_adopt(const struct postern_module *table, const char *path,
	     struct error *err)
{
	AUTO(module_drop) struct module *m = NULL;
	struct module *ret;
	struct arena *a;

	if (!header_fits(table, err))
		return NULL;
	a = arena_new();
	m = ARENA_NEW(a, struct module);
	m->arena = a;
	m->path = arena_strdup(a, path);
	memcpy(&m->table, table, MIN(table->size, sizeof(m->table)));
	if (table->backend != NULL) {
		memcpy(&m->backend, table->backend,
		       table->sizes[POSTERN_SIZEOF_BACKEND]);
		m->table.backend = &m->backend;
	}
	if (table->filter != NULL) {
		memcpy(&m->filter, table->filter,
		       table->sizes[POSTERN_SIZEOF_FILTER]);
		m->table.filter = &m->filter;
	}
	if (!table_sane(m, err) || !options_adopt(m, table->options, err) ||
	    !actions_adopt(m, m->table.actions, err))
		return NULL;
	m->table.options = m->options;
	ret = m;
	m = NULL;		/* handed over */
	return ret;
}
