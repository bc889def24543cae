/* module.c - the registry of what is loaded */
#include "module/loaded.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *registry;		/* sorted by name; never shrinks */

static void
unlock(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

static pthread_mutex_t *
registry_locked(void)
{
	pthread_mutex_lock(&registry_lock);
	return &registry_lock;
}

static struct module *
registry_get(const char *name)
{
	struct module *m = registry;

	while (m != NULL && strcmp(m->table.name, name) != 0)
		m = m->next;
	return m;
}

static void
registry_put(struct module *m)
{
	struct module **at = &registry;

	while (*at != NULL && strcmp((*at)->table.name, m->table.name) < 0)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
}

/* dlerror() begins with the path in most of its messages, but not in all. */
static bool
loading_failed(const char *path, struct error *err)
{
	const char *why = dlerror();

	if (why == NULL)
		why = "it cannot be loaded";
	if (strncmp(why, path, strlen(path)) == 0)
		return error_set(err, ERROR_CONFIG, "%s", why);
	return error_set(err, ERROR_CONFIG, "%s: %s", path, why);
}

static void
handle_close(void **handle)
{
	if (*handle != NULL)
		dlclose(*handle);
}

static void
path_free(char **path)
{
	mem_free(*path);
}

/* The table in the file, adopted; *handle is its. */
static struct module *
file_read_module(const char *path, void **handle, struct error *err)
{
	const struct postern_module *table;
	struct module *m;

	*handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (*handle == NULL) {
		loading_failed(path, err);
		return NULL;
	}
	table = dlsym(*handle, "postern_module_entry");
	if (table == NULL) {
		error_set(err, ERROR_CONFIG, "%s: has no postern_module_entry",
			  path);
		error_hint(err, "a module is made with POSTERN_MODULE");
		return NULL;
	}
	m = module_adopt(table, path, err);
	if (m == NULL)
		error_prefix(err, "%s", path);
	return m;
}

/* The registry is locked.  name is what the module must be called, or NULL. */
static struct module *
load_file(const char *given, const char *name, struct error *err)
{
	AUTO(path_free) char *path = realpath(given, NULL);
	AUTO(handle_close) void *handle = NULL;
	struct module *m, *other;
	const char *own;

	if (path == NULL) {
		error_errno(err, "%s", given);
		err->kind = ERROR_CONFIG;
		return NULL;
	}
	m = file_read_module(path, &handle, err);
	if (m == NULL)
		return NULL;
	own = m->table.name;
	if (name != NULL && strcmp(own, name) != 0) {
		error_set(err, ERROR_CONFIG, "%s: the module in it is called "
			  "`%s', not `%s'", path, own, name);
		module_drop(&m);
		return NULL;
	}
	other = registry_get(own);
	if (other == NULL) {
		registry_put(m);
		handle = NULL;		/* never unloaded */
		return m;
	}
	if (strcmp(other->path, path) != 0) {
		error_set(err, ERROR_CONFIG, "%s: a module called `%s' is loaded "
			  "from %s already", path, own, other->path);
		other = NULL;
	}
	module_drop(&m);
	return other;
}

static const char *
names_text(struct search *s, const char **names, size_t n)
{
	const char *text = n > 0 ? "there are" : "there are none here";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(s->arena, "%s%s %s", text, i ? "," : "",
				    names[i]);
	return text;
}

/* What others call it. */
static const struct {
	const char *word, *module;
} other_names[] = {
	{ "smtp", "connector" }, { "smtps", "connector" },
	{ "relay", "connector" }, { "relayhost", "connector" },
	{ "smarthost", "connector" }, { "microsoft", "oauth" },
	{ "microsoft365", "oauth" }, { "office365", "oauth" },
	{ "o365", "oauth" }, { "outlook", "oauth" }, { "google", "oauth" },
	{ "gmail", "oauth" }, { "mx", "direct" }, { "discard", "null" },
};

/* One of the names, or NULL. */
static const char *
name_meant(const char *written, const char *const *names, size_t n)
{
	const char *word = written;

	for (size_t i = 0; i < ARRAY_SIZE(other_names); i++)
		if (span_eq_nocase(span_of(written),
				   span_of(other_names[i].word)))
			word = other_names[i].module;
	return nearest_name(span_of(word), names, n);
}

static void
not_found(struct search *s, const char *name, struct error *err)
{
	const char **names, *near;
	size_t n = search_names(s, &names);

	error_set(err, ERROR_CONFIG, "there is no module `%.64s' in %s", name,
		  search_folders_text(s));
	near = name_meant(name, names, n);
	if (near != NULL)
		error_hint(err, "did you mean `%s'?", near);
	else
		error_hint(err, "%s; list a module elsewhere with its file "
			   "under `modules:'", names_text(s, names, n));
}

struct module *
module_find(const char *name, struct error *err)
{
	AUTO(unlock) pthread_mutex_t *lock = registry_locked();
	AUTO(search_fini) struct search s;
	struct module *m = registry_get(name);
	const char *file;

	(void)lock;
	search_init(&s);
	if (m != NULL)
		return m;
	file = search_file(&s, name);
	if (file == NULL) {
		not_found(&s, name, err);
		return NULL;
	}
	m = load_file(file, name, err);
	if (m == NULL)
		error_prefix(err, "module `%s'", name);
	return m;
}

struct module *
module_near(const char *name)
{
	AUTO(search_fini) struct search s;
	const char **names, *near;
	struct error err;
	size_t n;

	search_init(&s);
	n = search_names(&s, &names);
	near = name_meant(name, names, n);
	return near != NULL ? module_find(near, &err) : NULL;
}

struct module *
module_load(const char *path, struct error *err)
{
	AUTO(unlock) pthread_mutex_t *lock = registry_locked();
	struct module *m = load_file(path, NULL, err);

	(void)lock;
	if (m == NULL)
		error_prefix(err, "module");
	return m;
}

void
module_each(void (*row)(void *arg, const struct module *m), void *arg)
{
	AUTO(search_fini) struct search s;
	const char **names;
	struct error err;
	size_t n;

	search_init(&s);
	n = search_names(&s, &names);
	for (size_t i = 0; i < n; i++)
		if (module_find(names[i], &err) == NULL)
			log_warning(NULL, "%s", err.text);
	pthread_mutex_lock(&registry_lock);
	for (const struct module *m = registry; m != NULL; m = m->next)
		row(arg, m);
	pthread_mutex_unlock(&registry_lock);
}

const struct postern_module *
module_table(const struct module *m)
{
	return &m->table;
}

const char *
module_path(const struct module *m)
{
	return m->path;
}

bool
module_is_backend(const struct module *m)
{
	return m->table.backend != NULL;
}

bool
module_is_filter(const struct module *m)
{
	return m->table.filter != NULL;
}

bool
module_blocks(const struct module *m)
{
	return m->table.flags & POSTERN_BLOCKING;
}

const struct schema_key *
module_schema(const struct module *m)
{
	return m->schema;
}
