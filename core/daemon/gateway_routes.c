/* gateway_routes.c - the files of conf.d, and routes against what they name */
#include "daemon/gateway_inside.h"

#include "daemon/certificate.h"
#include "module/hooks.h"
#include "module/module.h"
#include "route/match.h"
#include "smtpd/config.h"

#include <dirent.h>
#include <errno.h>
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
		diag_hint(l->d, "routes are called *.yaml: rename it");
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

static bool
route_file_load(struct load *l, const char *folder, const char *name)
{
	struct tree *t = tree_read(arena_printf(l->arena, "%s/%s", folder,
						name), l->d);

	if (t == NULL)
		return false;
	snapshot_keep_tree(l->snap, t);
	return route_bind(l->routes, t, l->arena, l->d);
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
	if (ok && l->routes->n == 0) {
		diag_warning(l->d, NULL, "%s: there is no route, so no "
			     "message will be accepted", folder);
		diag_hint(l->d, "put a file such as 50-default.yaml there; "
			  "see postern.yaml(5)");
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

	return certificate_can_show(&l->who, c, d);
}

bool
load_route_modules(struct load *l, struct route *r)
{
	const char *what = arena_printf(l->arena, "%s of route `%s'",
					r->backend, r->name);
	const struct module_access files = { can_read, can_show, l };
	struct error err;
	struct module *m = module_find(r->backend, &err);
	struct node nothing = { .kind = NODE_MAP };
	const struct node *block = r->backend_node;

	if (m == NULL || !module_is_backend(m)) {
		if (m == NULL)
			diag_error(l->d, schema_mark(r->node, "backend"), "%s",
				   err.text);
		else
			diag_error(l->d, schema_mark(r->node, "backend"),
				   "the module `%s' is a filter, not a "
				   "backend", r->backend);
		if (m == NULL && err.hint[0] != '\0')
			diag_hint(l->d, "%s", err.hint);
		return false;
	}
	/* a block that is absent is an empty one: what it lacks is told at
	 * the name of the backend */
	if (block == NULL) {
		nothing.mark = *schema_mark(r->node, "backend");
		block = &nothing;
	}
	return module_check(m, block, what, &files,
			    &r->options_print, l->d) &&
	       filters_check(r->filters, l->d);
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
			   "route `%s': `%.*s' is none of our listeners",
			   r->name, SPAN_ARG(ps->v[i].text));
		ok = diag_hint(l->d, "write it as it stands under `listen'");
	}
	return ok;
}
