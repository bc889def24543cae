/* config.c - the blocks retry and dsn of postern.yaml */
#include "dispatch/config.h"

#include "base/mem.h"
#include "mail/hostname.h"
#include "route/route.h"

#define SECOND ((int64_t)1000)
#define DAY (86400 * SECOND)

#define DURATION(field, def, least, most, text) \
	{ .name = #field, .type = T_DURATION, .fallback = (def), \
	  .offset = offsetof(struct retry_policy, field), \
	  .min = (least), .max = (most), .help = (text) }

const struct schema_key retry_keys[] = {
	DURATION(first, "1m", 1, 30 * DAY,
		 "The interval between the first and the second attempt. Each "
		 "interval varies at random by up to 10 percent."),
	KEY(retry_policy, factor, T_FACTOR, "2",
	    "The factor by which each interval is longer than the one before; "
	    "at least 1."),
	DURATION(longest, "1h", 1, 30 * DAY,
		 "The longest interval between two attempts."),
	DURATION(give_up, "2d", 1, 365 * DAY,
		 "The age at which the gateway stops retrying a message and returns "
		 "it to the sender, but not before the second attempt."),
	DURATION(warn_after, "1h", 0, 365 * DAY,
		 "The age of a waiting message at which the sender gets one report "
		 "of the delay. 0: never."),
	DURATION(paused_longest, "14d", 0, 365 * DAY,
		 "While its route is paused, a message does not age, for at most "
		 "this time. After that it ages again, until `give_up'."),
	{ 0 },
};

const struct schema_key dsn_keys[] = {
	{ .name = "to", .type = T_STRING,
	  .offset = offsetof(struct dispatch_config, dsn_to),
	  .help = "The administrator's address: it gets a report of each "
		  "failure, and a mail about each paused route." },
	{ .name = "pause_after", .type = T_DURATION, .fallback = "2m",
	  .offset = offsetof(struct dispatch_config, dsn_pause_after),
	  .min = 0, .max = 7 * DAY,
	  .help = "How long a route must be paused before the address in "
		  "`to' gets a mail about it." },
	{ .name = "route", .type = T_STRING,
	  .offset = offsetof(struct dispatch_config, dsn_route),
	  .help = "The route that delivery reports take. Default: the route "
		  "that the rules find." },
	{ 0 },
};

static bool
retry_check(const struct retry_policy *p, const struct node *map,
	    struct diags *d)
{
	bool ok = true;

	if (!(p->factor >= 1)) {
		diag_error(d, schema_mark(map, "factor"),
			   "`factor' must be at least 1");
		ok = diag_hint(d, "2 doubles the interval after each attempt");
	}
	if (p->first > p->longest) {
		diag_error(d, schema_mark(map, "first"),
			   "`first' is longer than `longest'");
		ok = diag_hint(d, "lower `first' or raise `longest'");
	}
	if (p->first > p->give_up) {
		diag_error(d, schema_mark(map, "give_up"),
			   "`give_up' comes before the second attempt");
		ok = diag_hint(d, "raise `give_up' above `first'");
	}
	if (p->warn_after >= p->give_up)
		diag_warning(d, schema_mark(map, "warn_after"),
			     "no delay is ever reported: `give_up' comes first");
	return ok;
}

static bool
dsn_to_check(const struct dispatch_config *c, const struct node *map,
	     struct diags *d)
{
	struct address a;
	struct error err;

	if (c->dsn_to == NULL ||
	    address_parse(span_of(c->dsn_to), ADDRESS_UTF8, &a, &err))
		return true;
	diag_error(d, schema_mark(map, "to"), "`%s' is not an address: %s",
		   c->dsn_to, err.text);
	return diag_hint(d, "write local@domain, without angle brackets");
}

static bool
dsn_route_check(const struct dispatch_config *c, const struct node *map,
		const struct routes *routes, struct diags *d)
{
	const char **names, *near;

	if (c->dsn_route == NULL || routes_find(routes, c->dsn_route) != NULL)
		return true;
	if (routes->incomplete)		/* it may be one that has no name yet */
		return true;
	names = mem_array(routes->n + 1, sizeof(*names));
	for (size_t i = 0; i < routes->n; i++)
		names[i] = routes->v[i].name;
	near = nearest_name(span_of(c->dsn_route), names, routes->n);
	diag_error(d, schema_mark(map, "route"), "there is no route `%s'",
		   c->dsn_route);
	if (near != NULL)
		diag_hint(d, "did you mean `%s'?", near);
	else
		diag_hint(d, "name one of the routes in conf.d, or leave it "
			  "out");
	mem_free(names);
	return false;
}

static void
reports_warn_no_route(const struct node *dsn, const struct routes *routes,
		      struct diags *d)
{
	if (dsn == NULL)
		dsn = node_get(routes->v[0].node, "match");
	diag_warning(d, dsn ? &dsn->mark : NULL, "no route takes delivery "
		     "reports (sender <>), so nobody gets a report when mail "
		     "fails");
	diag_hint(d, "name one, dsn: {route: %s}, or add \"<>\" to a route's "
		  "match.sender", routes->v[0].name);
}

/* r logs in as a mailbox, and reports have no other way out. */
static void
reports_warn_mailbox(const struct node *dsn, const struct route *r,
		     struct diags *d)
{
	const struct node *at = dsn ? dsn : node_get(r->node, "backend");

	diag_warning(d, at ? &at->mark : NULL, "delivery reports can only leave "
		     "by route `%s', which logs in as a mailbox: its server may "
		     "refuse their sender <>, and then nobody gets a report "
		     "when mail fails", r->name);
	diag_hint(d, "add a route whose backend is direct, or connector "
		  "without a user, and name it: dsn: {route: NAME}; "
		  "`postern status' counts the reports that were refused");
}

/* Said only where it is sure; where there is no route at all, that has been
 * told. */
static void
reports_check(const struct dispatch_config *c, const struct node *dsn,
	      const struct routes *routes, struct diags *d)
{
	const struct route *mailbox = NULL;

	if (routes->n == 0)
		return;
	if (c->dsn_route != NULL) {
		const struct route *r = routes_find(routes, c->dsn_route);

		if (r->may_refuse_reports)
			reports_warn_mailbox(dsn, r, d);
		return;
	}
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *r = &routes->v[i];

		if (!route_may_take_reports(r))
			continue;
		if (!r->may_refuse_reports)
			return;
		mailbox = mailbox != NULL ? mailbox : r;
		if (route_takes_all_reports(r))
			break;		/* those behind it get none */
	}
	if (mailbox != NULL)
		reports_warn_mailbox(dsn, mailbox, d);
	else
		reports_warn_no_route(dsn, routes, d);
}

bool
dispatch_config_bind(struct dispatch_config *c, const struct node *root,
		     const char *hostname, const struct routes *routes,
		     struct arena *arena, struct diags *d)
{
	const struct node *retry = root ? node_get(root, "retry") : NULL;
	const struct node *dsn = root ? node_get(root, "dsn") : NULL;
	bool ok;

	c->hostname = hostname;
	c->full_name = hostname_full(hostname, arena);
	ok = schema_bind(retry_keys, retry, "`retry'", &c->retry, arena, d) &&
	     retry_check(&c->retry, retry, d);
	ok = schema_bind(dsn_keys, dsn, "`dsn'", c, arena, d) && ok;
	ok = dsn_to_check(c, dsn, d) && ok;
	ok = dsn_route_check(c, dsn, routes, d) && ok;
	if (ok && diags_errors(d) == 0)
		reports_check(c, dsn, routes, d);
	return ok;
}
