/* generation.c - a snapshot with its filters, opened for one loop */
#include "smtpd/server.h"

#include "base/mem.h"
#include "module/hooks.h"
#include "route/route.h"

static void
generation_close(struct generation *g)
{
	size_t n = g->routes == NULL ? 0 : g->routes->n;

	for (size_t i = 0; g->of_route != NULL && i < n; i++)
		if (g->of_route[i] != NULL)
			filters_close(&g->of_route[i]);
	mem_free(g->of_route);
	if (g->gateway != NULL)
		filters_close(&g->gateway);
	snapshot_unref(&g->snap);
	mem_free(g);
}

static bool
generation_filters(struct generation *g, struct loop *loop, struct error *err)
{
	struct instance_place place = {
		.route = "", .hostname = g->config->hostname, .loop = loop,
	};
	size_t n = g->routes == NULL ? 0 : g->routes->n;

	if (g->config->filters != NULL) {
		g->gateway = filters_open(g->config->filters, &place, err);
		if (g->gateway == NULL)
			return false;
		g->asks = !filters_empty(g->gateway);
	}
	g->of_route = mem_array(n + 1, sizeof(struct filters *));
	for (size_t i = 0; i < n; i++) {
		const struct route *r = &g->routes->v[i];

		if (r->filters == NULL)
			continue;
		place.route = r->name;
		g->of_route[i] = filters_open(r->filters, &place, err);
		if (g->of_route[i] == NULL)
			return error_prefix(err, "route `%s'", r->name);
		g->asks = g->asks_routes = true;
	}
	return true;
}

struct generation *
generation_open(struct loop *loop, struct snapshot *snap, struct error *err)
{
	struct generation *g = NEW(struct generation);

	g->refs = 1;
	g->snap = snapshot_ref(snap);
	g->config = snapshot_get(snap, SLOT_SMTPD);
	g->routes = snapshot_get(snap, SLOT_ROUTES);
	must(g->config != NULL);
	if (generation_filters(g, loop, err))
		return g;
	generation_close(g);
	return NULL;
}

struct generation *
generation_ref(struct generation *g)
{
	g->refs++;
	return g;
}

void
generation_unref(struct generation **ptr)
{
	struct generation *g = *ptr;

	*ptr = NULL;
	if (g != NULL && --g->refs == 0)
		generation_close(g);
}
