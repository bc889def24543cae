/* gateway_routes.c - the files of conf.d, and routes against what they name */
#include "daemon/gateway_inside.h"

#include "daemon/certificate.h"
#include "module/hooks.h"
#include "module/module.h"
#include "route/match.h"
#include "smtpd/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- files ----------------------------------------------------------- */

static int
is_route_file(const struct dirent *e)
{
	return e->d_name[0] != '.' &&
	       span_ends_nocase(span_of(e->d_name), SPAN(".yaml"));
}

/* What looks like a route to people, and is none to us. */
static int
is_misnamed(const struct dirent *e)
{
	return e->d_name[0] != '.' &&
	       span_ends_nocase(span_of(e->d_name), SPAN(".yml"));
}

static void
misnamed_warn(struct load *l, const char *folder)
{
	struct dirent **files;
	int n = scandir(folder, &files, is_misnamed, NULL);

	for (int i = 0; i < n; i++) {
		diag_warning(l->d, NULL, "%s/%s: this file is not read", folder,
			     files[i]->d_name);
		diag_hint(l->d, "the file name of a route must end in .yaml: "
				"rename the file");
		free(files[i]);
	}
	if (n >= 0)
		free(files);
}

/* C-locale order whatever the locale says. */
static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A backend that can be loaded, or the nearest to what was written; NULL:
 * none. */
static struct module *
backend_meant(const char *written)
{
	struct error err;
	struct module *m = module_find(written, &err);

	if (m == NULL)
		m = module_near(written);
	return m != NULL && module_is_backend(m) ? m : NULL;
}

/* Where none is named, a block tells which: one with a backend's own name. */
static struct module *
backend_by_block(const struct node *root)
{
	const struct node *n = root->kind == NODE_MAP ? root->first : NULL;
	struct error err;

	for (; n != NULL; n = n->next) {
		char name[72];
		struct module *m;

		if (n->kind == NODE_LIST || n->key.n >= sizeof(name) ||
		    span_eq(n->key, SPAN("backend")))
			continue;
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(n->key));
		m = module_find(name, &err);
		if (m != NULL && module_is_backend(m))
			return m;
	}
	return NULL;
}

/* So that a mistake in the name does not hide those in its block. */
static struct module *
backend_of(const struct node *root)
{
	const struct node *n = node_get(root, "backend");
	struct module *m = NULL;

	if (n != NULL && n->kind == NODE_SCALAR && n->scalar.n < 72) {
		char name[72];

		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(n->scalar));
		m = backend_meant(name);
	}
	return m != NULL ? m : backend_by_block(root);
}

static bool
route_file_load(struct load *l, const char *folder, const char *name)
{
	struct tree *t = tree_read(arena_printf(l->arena, "%s/%s", folder,
						name), l->d);
	struct route_backend meant;
	struct module *m;

	if (t == NULL) {
		l->routes->incomplete = true;
		return false;
	}
	snapshot_keep_tree(l->snap, t);
	m = backend_of(tree_root(t));
	if (m != NULL)
		meant = (struct route_backend){ module_table(m)->name,
						module_schema(m) };
	return route_bind(l->routes, t, m ? &meant : NULL, l->arena, l->d);
}

bool
load_routes(struct load *l)
{
	const char *slash = strrchr(l->path, '/');
	const char *folder = arena_printf(l->arena, "%.*sconf.d",
		slash ? (int)(slash - l->path + 1) : 0, l->path);
	struct dirent **files;
	int n = scandir(folder, &files, is_route_file, by_bytes);
	bool ok = true;

	if (n < 0 && errno != ENOENT) {
		diag_file_error(l->d, folder, "cannot be read: %s",
				strerrordesc_np(errno));
		return diag_hint(l->d, "make it a folder that the user that "
				 "runs this can read");
	}
	for (int i = 0; i < n; i++) {
		ok = route_file_load(l, folder, files[i]->d_name) && ok;
		free(files[i]);
	}
	if (n >= 0)
		free(files);
	misnamed_warn(l, folder);
	if (ok && l->root != NULL && l->routes->n == 0) {
		diag_warning(l->d, NULL, "%s: there is no route, so no "
			     "message will be accepted", folder);
		diag_hint(l->d, "put a file such as 50-default.yaml there; "
			  "samples are in " POSTERN_DOC_DIR "/conf.d");
	}
	return ok;
}

/* --- what they name -------------------------------------------------- */

static bool
can_read(void *arg, const char *path, struct error *err)
{
	const struct load *l = arg;

	return identity_can_read(&l->who, path, err);
}

static bool
can_show(void *arg, const struct module_certificate *c, struct diags *d)
{
	const struct load *l = arg;

	return certificate_can_show(&l->who, l->gateway->trust_file, c, d);
}

static bool
backend_unknown(struct load *l, const struct route *r, const struct error *err)
{
	/* a `modules:' that could not be read may have named it */
	if (l->root == NULL && module_near(r->backend) == NULL)
		return false;
	diag_error(l->d, schema_mark(r->node, "backend"), "%s", err->text);
	if (err->hint[0] != '\0')
		diag_hint(l->d, "%s", err->hint);
	return false;
}

static bool
backend_is_filter(struct load *l, const struct route *r)
{
	diag_error(l->d, schema_mark(r->node, "backend"), "the module `%s' is "
		   "a filter, not a backend", r->backend);
	return diag_hint(l->d, "name it under `filters', and a backend here, "
			 "as in backend: connector");
}

static bool
route_backend_check(struct load *l, const struct route *r)
{
	struct error err;
	struct module *m;

	if (r->backend[0] == '\0')
		return false;		/* told as missing */
	m = module_find(r->backend, &err);
	if (m == NULL)
		return backend_unknown(l, r, &err);
	return module_is_backend(m) || backend_is_filter(l, r);
}

/* A block that is absent is an empty one: what it lacks is told at the name of
 * the backend. */
static const struct node *
route_block(struct load *l, const struct route *r)
{
	struct node *nothing;

	if (r->backend_node != NULL)
		return r->backend_node;
	nothing = ARENA_NEW(l->arena, struct node);
	nothing->kind = NODE_MAP;
	nothing->mark = *schema_mark(r->node, "backend");
	return nothing;
}

bool
load_route_modules(struct load *l, struct route *r)
{
	const struct module_access files = { can_read, can_show, load_hop, l };
	struct module_found found = { .print = 0 };
	struct module *m = backend_of(r->node);
	bool ok = route_backend_check(l, r);

	/* where the name is wrong, a block that is there is checked, but what
	 * is missing in one that is not may belong to another backend */
	if (m != NULL && (ok || r->backend_node != NULL)) {
		const char *name = module_table(m)->name;
		const char *what = r->name[0] == '\0'
			? arena_printf(l->arena, "%s of the route", name)
			: arena_printf(l->arena, "%s of route `%s'", name,
				       r->name);

		r->backend_node = route_block(l, r);
		ok = module_check(m, r->backend_node, what, &files, &found,
				  l->d) && ok;
		r->options_print = found.print;
		r->may_refuse_reports = found.may_refuse_null_sender;
	}
	return filters_check(r->filters, l->root != NULL, l->d) && ok;
}

bool
load_route_listeners(struct load *l, const struct route *r)
{
	const struct smtpd_config *c = snapshot_get(l->snap, SLOT_SMTPD);
	const struct listener_config *listen = c->listen.v;
	const struct patterns *ps = &r->match->listener;
	bool ok = true;

	for (size_t i = 0; i < ps->n; i++) {
		bool met = ps->v[i].kind != PATTERN_TEXT;

		for (size_t j = 0; !met && j < c->listen.n; j++)
			met = pattern_meets_text(&ps->v[i],
				span_of(listen[j].address)) == PATTERN_MET;
		if (met)
			continue;
		diag_error(l->d, schema_mark(node_get(r->node, "match"),
					     "listener"),
			   "route `%s': `%.*s' is not one of the listeners",
			   r->name, SPAN_ARG(ps->v[i].text));
		ok = diag_hint(l->d, "write it exactly as under `listen'");
	}
	return ok;
}
