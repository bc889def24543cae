/* cmd_status.c - how the running gateway is
 *
 * The exit status is for monitoring: see enum health.
 */
#include "cli/control.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static json_int_t
number(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
string(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void
print_list(const char *label, json_t *list)
{
	size_t i;
	json_t *one;

	printf("%-10s", label);
	json_array_foreach(list, i, one)
		printf("%s%s", i ? ", " : "", json_string_value(one));
	puts(json_array_size(list) ? "" : "none");
}

static void
print_queue(json_t *q, json_int_t now)
{
	char age[32];

	printf("queue     %lld message%s", (long long)number(q, "items"),
	       number(q, "items") == 1 ? "" : "s");
	if (number(q, "held") > 0)
		printf(", %lld held", (long long)number(q, "held"));
	if (number(q, "oldest_ms") > 0)
		printf(", the oldest from %s ago",
		       words_duration(now - number(q, "oldest_ms"), age));
	putchar('\n');
	if (string(q, "error")[0] != '\0')
		printf("          CANNOT BE READ: %s\n", string(q, "error"));
	if (!json_is_true(json_object_get(q, "accepting")))
		printf("          NOT ACCEPTING: %s\n", string(q, "trouble"));
}

/* Sessions that ended without a message; nothing where there are none. */
static void
print_failed(json_t *failed)
{
	const char *kind;
	json_t *n;
	json_int_t sum = 0;
	bool first = true;

	json_object_foreach(failed, kind, n)
		sum += json_integer_value(n);
	if (sum == 0)
		return;
	printf("failed    %lld session%s ended without a message (",
	       (long long)sum, sum == 1 ? "" : "s");
	json_object_foreach(failed, kind, n)
		if (json_integer_value(n) > 0) {
			printf("%s%s %lld", first ? "" : ", ", kind,
			       (long long)json_integer_value(n));
			first = false;
		}
	puts("); the log says why");
}

/* Nobody was told, so it is told here. */
static void
print_reports(json_t *reports)
{
	json_int_t lost = number(reports, "undelivered");

	if (number(reports, "no_route") > 0)
		printf("reports   %lld could not be sent: no route takes "
		       "them\n", (long long)number(reports, "no_route"));
	if (lost > 0)
		printf("reports   %lld could not be delivered; the latest %s\n",
		       (long long)lost, string(reports, "last"));
}

static void
print_log(json_t *log)
{
	if (number(log, "lost") > 0)
		printf("log       %lld lines were lost: the reader of the log "
		       "was too slow\n", (long long)number(log, "lost"));
}

/* --- deliveries ------------------------------------------------------- */

struct deliveries {
	json_t *routes, *destinations;
	json_t *backlogs;		/* what the queue has for each route */
	json_int_t now;
};

static bool
is_of_route(json_t *o, const char *route)
{
	return strcmp(string(o, "route"), route) == 0;
}

/* Nothing waits: NULL. */
static json_t *
backlog_of(const struct deliveries *d, const char *route)
{
	json_t *one;
	size_t i;

	json_array_foreach(d->backlogs, i, one)
		if (is_of_route(one, route))
			return one;
	return NULL;
}

/* The queue knows what waits for a route: that is its only destination's,
 * too.  NULL: it has none, or several. */
static json_t *
only_destination(const struct deliveries *d, const char *route)
{
	json_t *one, *found = NULL;
	size_t i, n = 0;

	json_array_foreach(d->destinations, i, one)
		if (is_of_route(one, route)) {
			found = one;
			n++;
		}
	return n == 1 ? found : NULL;
}

static bool
is_paused(json_t *row)
{
	return string(row, "paused")[0] != '\0';
}

static json_t *
route_of(const struct deliveries *d, const char *route)
{
	json_t *one;
	size_t i;

	json_array_foreach(d->routes, i, one)
		if (is_of_route(one, route))
			return one;
	return NULL;
}

static void
print_backlog(const struct deliveries *d, json_t *b)
{
	json_int_t due = number(b, "next_due_ms");
	char in[32];

	printf("%lld in the queue", (long long)number(b, "items"));
	if (number(b, "held") > 0)
		printf(", %lld held", (long long)number(b, "held"));
	if (due > d->now)
		printf(", next try in %s", words_duration(due - d->now, in));
	else if (due > 0)
		printf(", next try now");
}

static void
print_last(json_t *b)
{
	if (string(b, "last")[0] != '\0')
		printf("; last: %s", string(b, "last"));
	putchar('\n');
}

/* "00:14", or with its day where that is another; local time. */
static const char *
clock_words(json_int_t ms, json_int_t now_ms, char buf[32])
{
	time_t at = (time_t)(ms / 1000), now = (time_t)(now_ms / 1000);
	struct tm then, today;
	bool same;

	localtime_r(&at, &then);
	localtime_r(&now, &today);
	same = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
	strftime(buf, 32, same ? "%H:%M" : "%e %b %H:%M", &then);
	return buf[0] == ' ' ? buf + 1 : buf;
}

/* Whether dsn.to knows of the pause. */
static void
print_told(const struct deliveries *d, json_t *row)
{
	const char *by = string(row, "told_by");
	char text[32];

	if (number(row, "told_ms") == 0)
		return;
	clock_words(number(row, "told_ms"), d->now, text);
	if (strcmp(by, string(row, "route")) == 0)
		printf("      the mail to dsn.to about the pause waits in this "
		       "route since %s: no other\n      route takes it; set "
		       "dsn.route to a route that works\n", text);
	else
		printf("      dsn.to got a mail at %s%s%s\n", text,
		       by[0] != '\0' ? " by route " : "", by);
}

/* What somebody must do something about. */
static void
print_pause(const struct deliveries *d, json_t *row, json_t *b)
{
	const char *route = string(row, "route");
	char text[32];

	printf("  %s is PAUSED, tried again in %s: %s\n", route,
	       words_duration(number(row, "probe_ms"), text),
	       string(row, "paused"));
	printf("      paused since %s", clock_words(
		number(row, "paused_since_ms"), d->now, text));
	if (b != NULL)
		printf("; mail is kept until %s", clock_words(
			number(b, "oldest_ms") + number(row, "keeps_ms"),
			d->now, text));
	putchar('\n');
	print_told(d, row);
	printf("      hint: when the cause is removed, `postern queue retry "
	       "--route %s' tries at once\n", route);
}

static json_int_t
counts_of(json_t *row)
{
	return number(row, "delivered") + number(row, "deferred") +
	       number(row, "bounced");
}

static void
print_counts(json_t *row)
{
	printf("%lld delivered, %lld deferred, %lld bounced",
	       (long long)number(row, "delivered"),
	       (long long)number(row, "deferred"),
	       (long long)number(row, "bounced"));
}

/* The route's own line, where its only destination's does not say the same. */
static void
print_route(const struct deliveries *d, json_t *row)
{
	const char *route = string(row, "route");
	json_t *b = backlog_of(d, route), *only = only_destination(d, route);
	bool counts;

	if (is_paused(row))
		print_pause(d, row, b);
	if (only != NULL)
		b = NULL;
	counts = counts_of(row) > 0 &&
		 (only == NULL || counts_of(only) != counts_of(row));
	if (b == NULL && !counts)
		return;
	printf("  %s: ", route);
	if (b != NULL)
		print_backlog(d, b);
	if (counts) {
		printf("%s", b != NULL ? ", " : "");
		print_counts(row);
	}
	print_last(b);
}

static void
print_destination(const struct deliveries *d, json_t *row)
{
	const char *route = string(row, "route");
	json_t *b = only_destination(d, route) != NULL
		? backlog_of(d, route) : NULL;
	char rest[32];

	printf("  %s to %s: ", route, string(row, "destination"));
	if (b != NULL)
		print_backlog(d, b);
	else
		printf("%lld in line", (long long)number(row, "waiting"));
	printf(", %lld active, ", (long long)number(row, "active"));
	print_counts(row);
	print_last(b);
	if (number(row, "per_minute") > 0)
		printf("      at most %lld at once, %lld a minute\n",
		       (long long)number(row, "limit"),
		       (long long)number(row, "per_minute"));
	/* while the route is paused, nothing depends on it */
	if (number(row, "rest_ms") >= 1000 && !is_paused(route_of(d, route)))
		printf("      in backoff for %s: %s\n", words_duration(
			number(row, "rest_ms"), rest), string(row, "last"));
}

/* Of a route that the configuration had. */
static void
print_orphan(const struct deliveries *d, json_t *b)
{
	if (route_of(d, string(b, "route")) != NULL)
		return;
	printf("  %s (the route no longer exists): ", string(b, "route"));
	print_backlog(d, b);
	print_last(b);
	puts("      at the next attempt the rules choose another route");
}

static void
print_deliveries(const struct deliveries *d)
{
	json_t *one, *to;
	size_t i, k;

	puts("deliveries");
	json_array_foreach(d->routes, i, one) {
		print_route(d, one);
		json_array_foreach(d->destinations, k, to)
			if (is_of_route(to, string(one, "route")))
				print_destination(d, to);
	}
	json_array_foreach(d->backlogs, i, one)
		print_orphan(d, one);
}

/* --- the whole ---------------------------------------------------------- */

static void
print_validated(json_t *exceptions)
{
	json_t *one;
	size_t i;

	puts("dns       answers are validated with DNSSEC");
	if (json_array_size(exceptions) == 0)
		return;
	fputs("          except for these names, which only your resolver "
	      "knows:", stdout);
	json_array_foreach(exceptions, i, one)
		printf("%s %s", i ? "," : "", json_string_value(one));
	putchar('\n');
}

static void
print_dns(json_t *dns)
{
	if (dns == NULL)
		return;
	if (!json_is_true(json_object_get(dns, "asked")))
		puts("dns       no name has been looked up yet");
	else if (json_is_true(json_object_get(dns, "validating")))
		print_validated(json_object_get(dns, "unvalidated"));
	else
		printf("dns       answers are not validated with DNSSEC: %s\n",
		       string(dns, "why"));
}

static void
print_status(json_t *s)
{
	json_t *in = json_object_get(s, "intake");
	json_t *running = json_object_get(s, "running");
	json_t *queue = json_object_get(s, "queue");
	json_int_t now = number(s, "now_ms");
	struct deliveries d = {
		.routes = json_object_get(s, "routes"),
		.destinations = json_object_get(s, "destinations"),
		.backlogs = json_object_get(queue, "routes"), .now = now,
	};
	char up[32];

	printf("postern %s on %s, up %s, configuration %s\n",
	       string(s, "version"), string(running, "hostname"),
	       words_duration(now - number(s, "started_ms"), up),
	       string(s, "config"));
	print_list("listening", json_object_get(running, "listen"));
	print_list("routes", json_object_get(running, "routes"));
	printf("intake    %lld session%s open, %lld message%s accepted, %lld "
	       "refused\n", (long long)number(in, "open"),
	       number(in, "open") == 1 ? "" : "s",
	       (long long)number(in, "accepted"),
	       number(in, "accepted") == 1 ? "" : "s",
	       (long long)number(in, "refused"));
	print_failed(json_object_get(in, "failed"));
	print_dns(json_object_get(running, "dns"));
	print_queue(queue, now);
	print_reports(json_object_get(s, "reports"));
	print_log(json_object_get(s, "log"));
	print_deliveries(&d);
}

/* As monitoring plugins have it: a warning, an alarm. */
enum health {
	HEALTH_WELL = 0,
	HEALTH_PAUSED = 1,		/* a route is paused: its mail waits */
	HEALTH_REFUSING = 2,		/* no mail is accepted */
};

static enum health
status_health(json_t *s)
{
	json_t *queue = json_object_get(s, "queue"), *one;
	json_t *routes = json_object_get(s, "routes");
	size_t i;

	if (!json_is_true(json_object_get(queue, "accepting")) ||
	    string(queue, "error")[0] != '\0' || json_array_size(routes) == 0)
		return HEALTH_REFUSING;
	json_array_foreach(routes, i, one)
		if (is_paused(one))
			return HEALTH_PAUSED;
	return HEALTH_WELL;
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	struct control *c;
	json_t *answer;
	int rc = 0;

	if (argc > 0)
		return cli_usage(&cmd_status, "unexpected argument `%s'", argv[0]);
	c = control_open(cli, &rc);
	if (c == NULL)
		return rc;
	rc = control_ask(c, "/v1/status", NULL, &answer);
	control_close(&c);
	if (rc != 0)
		return rc;
	rc = status_health(answer);
	if (cli->json) {
		print_json(answer);
		return rc;
	}
	print_status(answer);
	json_decref(answer);
	return rc;
}

const struct cli_command cmd_status = {
	.name = "status", .arguments = "[--json]", .run = run,
	.summary = "show the state of the running gateway",
	.help = "Shows the listeners, the routes, the sessions, DNSSEC, "
		"the queue, and each\n"
		"destination: what waits, when it is tried next, what was "
		"delivered, and why the\n"
		"destination is in backoff.\n"
		"\n"
		"Exit status, for monitoring: 0 when all is well, 1 when a "
		"route is paused,\n"
		"2 when the gateway accepts no mail, 69 when no gateway runs.\n",
};
