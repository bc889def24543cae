/* match.h - the bound rules of one route */
#ifndef ROUTE_MATCH_H
#define ROUTE_MATCH_H

#include "route/pattern.h"
#include "route/route.h"

struct patterns {
	struct pattern *v;
	size_t n;
};

struct header_rule {
	struct span name;
	struct patterns values;
};

struct match {
	struct patterns sender, recipient, client, listener;
	struct header_rule *headers;
	size_t header_count;
	bool has_size;
	int64_t size_min, size_max;	/* both allowed */
};

/* Binds the map under `match:' (NULL: everything matches). */
bool match_bind(struct match *m, const struct node *map, const char *what,
		struct arena *arena, struct diags *d);
/* No rule at all: takes every message. */
bool match_is_open(const struct match *m);

extern const struct schema_key match_keys[];

#endif
