/* route.c - binding route files, and what only all of them can tell */
#include "route/route.h"

#include "base/limits.h"
#include "base/macros.h"
#include "route/dkim.h"
#include "route/match.h"

#include <stddef.h>
#include <string.h>

/* The keys of a route file as they are written. */
struct route_block {
	char *route, *backend;
	const struct node *match, *filters, *own, *meant;
	struct blocks dkim;
	bool dkim_required;
	int64_t connections, messages_per_minute;
};

static const struct schema_key limits_keys[] = {
	{ .name = "connections", .type = T_INT,
	  .offset = offsetof(struct route_block, connections),
	  .min = 1, .max = 1000,
	  .help = "The number of connections to one destination at the same "
		  "time. Default: the limit that the backend knows, else 20." },
	{ .name = "messages_per_minute", .type = T_INT,
	  .offset = offsetof(struct route_block, messages_per_minute),
	  .min = 1, .max = 10000,
	  .help = "The number of messages to one destination within any "
		  "minute. Default: the limit that the backend knows, else no "
		  "limit." },
	{ 0 },
};

const struct schema_key route_keys[] = {
	{ .name = "route", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct route_block, route),
	  .help = "The name of the route in the log and in the queue: letters, "
		  "digits, dot, dash and underscore." },
	{ .name = "match", .type = T_NODE,
	  .offset = offsetof(struct route_block, match), .keys = match_keys,
	  .help = "Which messages take the route: a block. All keys that are present "
		  "must match; an empty block, {}, matches every message." },
	{ .name = "backend", .type = T_STRING, .flags = KEY_REQUIRED,
	  .offset = offsetof(struct route_block, backend),
	  .help = "The module that delivers the mail. The options of the module "
		  "are in the block of the same name." },
	{ .name = "filters", .type = T_NODE,
	  .offset = offsetof(struct route_block, filters),
	  .help = "The filters for each message of the route: a list, such as "
		  "[{tag: {header: X-Relayed-By, value: postern}}]." },
	{ .name = "dkim", .type = T_BLOCKS,
	  .offset = offsetof(struct route_block, dkim),
	  .keys = dkim_keys, .block_size = sizeof(struct dkim_entry),
	  .help = "The DKIM keys that sign the mail of the route: a list of "
		  "{domain, selector, key}. At most one RSA key and one "
		  "ed25519 key sign a message." },
	{ .name = "dkim_required", .type = T_BOOL, .fallback = "false",
	  .offset = offsetof(struct route_block, dkim_required),
	  .help = "With true, a message that cannot be signed waits until "
		  "retry.give_up and is then returned to the sender. With "
		  "false, the message goes out without a signature." },
	{ .name = "limits", .type = T_BLOCK, .keys = limits_keys,
	  .help = "The limits of each destination of the route." },
	{ 0 },
};

/* The keys of a file: the block of its backend is one, by the backend's name
 * as it is written, and as it is meant. */
static const struct schema_key *
keys_with_backend(const char *backend, const struct route_backend *meant,
		  struct arena *arena)
{
	size_t n = ARRAY_SIZE(route_keys) - 1;
	struct schema_key *keys = arena_array(arena, n + 3, sizeof(*keys));

	memcpy(keys, route_keys, sizeof(route_keys));
	if (backend != NULL)
		keys[n++] = (struct schema_key){
			.name = backend, .type = T_NODE,
			.offset = offsetof(struct route_block, own),
			.keys = meant ? meant->keys : NULL,
		};
	if (meant != NULL && (backend == NULL ||
			      strcmp(backend, meant->name) != 0))
		keys[n++] = (struct schema_key){
			.name = meant->name, .type = T_NODE,
			.offset = offsetof(struct route_block, meant),
			.keys = meant->keys,
		};
	keys[n] = (struct schema_key){ .name = NULL };
	return keys;
}

static bool
name_valid(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

static bool
name_check(const struct routes *routes, const struct node *root,
	   const char *name, struct diags *d)
{
	const struct mark *mark = schema_mark(root, "route");
	const struct route *other = routes_find(routes, name);

	if (!name_valid(span_of(name))) {
		diag_error(d, mark, "`%s' cannot be a route's name", name);
		return diag_hint(d, "use at most 64 letters, digits, dots, "
				 "dashes and underscores");
	}
	if (other == NULL)
		return true;
	diag_error(d, mark, "a route `%s' is there already", name);
	return diag_hint(d, "it is in %s; give one of them another name",
			 other->path);
}

static bool
dkim_check(const struct route_block *b, const struct node *root,
	   struct diags *d)
{
	if (!b->dkim_required || b->dkim.n > 0)
		return dkim_entries_check(&b->dkim, d);
	diag_error(d, schema_mark(root, "dkim_required"),
		   "`dkim_required' needs keys under `dkim', and there is none");
	return diag_hint(d, "without a key no mail would ever leave");
}

static struct route *
routes_grow(struct routes *routes, struct arena *arena)
{
	size_t n = routes->n;

	/* doubled at powers of two, so that many files cost little */
	if ((n & (n - 1)) == 0) {
		struct route *v = arena_array(arena, n ? n * 2 : 1, sizeof(*v));

		if (n > 0)
			memcpy(v, routes->v, n * sizeof(*v));
		routes->v = v;
	}
	return &routes->v[routes->n++];
}

/* "match of route `x'" */
static const char *
part_name(const char *part, const struct route *r, struct arena *arena)
{
	if (r->name[0] == '\0')
		return arena_printf(arena, "%s of the route", part);
	return arena_printf(arena, "%s of route `%s'", part, r->name);
}

bool
route_bind(struct routes *routes, const struct tree *tree,
	   const struct route_backend *meant, struct arena *arena,
	   struct diags *d)
{
	const struct node *root = tree_root(tree);
	const struct node *backend = node_get(root, "backend");
	const char *written = NULL;
	struct route_block b = { 0 };
	struct route *r;
	bool ok;

	if (routes->n >= LIMIT_ROUTES)
		return diag_file_error(d, tree_path(tree), "there are more "
				       "than %d routes", LIMIT_ROUTES);
	if (backend != NULL && backend->kind == NODE_SCALAR &&
	    backend->scalar.n > 0)
		written = arena_span(arena, backend->scalar).p;
	ok = schema_bind(keys_with_backend(written, meant, arena), root,
			 "the route", &b, arena, d);
	ok = (b.route == NULL || name_check(routes, root, b.route, d)) && ok;
	ok = dkim_check(&b, root, d) && ok;

	r = routes_grow(routes, arena);
	*r = (struct route){
		.name = b.route ? b.route : "", .path = tree_path(tree),
		.backend = b.backend ? b.backend : "", .node = root,
		.backend_node = b.own ? b.own : b.meant,
		.filters = b.filters, .dkim = b.dkim,
		.dkim_required = b.dkim_required,
		.connections = b.connections,
		.messages_per_minute = b.messages_per_minute,
		.index = (unsigned)routes->n - 1,
		.match = ARENA_NEW(arena, struct match),
	};
	routes->incomplete |= b.route == NULL;
	return match_bind(r->match, b.match, part_name("match", r, arena),
			  arena, d) && ok;
}

void
routes_check(const struct routes *routes, struct diags *d)
{
	for (size_t i = 0; i + 1 < routes->n; i++) {
		const struct route *r = &routes->v[i];

		if (!match_is_open(r->match) || r->name[0] == '\0')
			continue;
		diag_warning(d, schema_mark(r->node, "route"), "route `%s' "
			     "takes every message, so %s after it is never "
			     "tried", r->name, routes->n - i == 2
			     ? "the route" : "every route");
		diag_hint(d, "give it a rule under `match', or rename its file "
			  "so that it comes last (99-%s.yaml)", r->name);
		return;
	}
}

const struct route *
routes_find(const struct routes *routes, const char *name)
{
	for (size_t i = 0; i < routes->n; i++)
		if (strcmp(routes->v[i].name, name) == 0)
			return &routes->v[i];
	return NULL;
}
