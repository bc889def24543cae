/* cmd_status.c - how the running gateway is */
#include "cli/control.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

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

static void
print_reports(json_t *reports)
{
	if (number(reports, "no_route") > 0)
		printf("reports   %lld could not be sent: no route takes "
		       "them\n", (long long)number(reports, "no_route"));
}

/* What somebody must do something about. */
static void
print_pause(json_t *route)
{
	const char *why = string(route, "paused");
	char next[32];

	if (why[0] != '\0')
		printf("  %s is PAUSED, tried again in %s: %s\n",
		       string(route, "route"),
		       words_duration(number(route, "probe_ms"), next), why);
}

static void
print_destination(json_t *d)
{
	const char *name = string(d, "destination");
	char rest[32];

	if (name[0] == '\0') {
		print_pause(d);
		return;
	}
	printf("  %s to %s: %lld waiting, %lld active, %lld delivered, "
	       "%lld deferred, %lld bounced\n", string(d, "route"), name,
	       (long long)number(d, "waiting"), (long long)number(d, "active"),
	       (long long)number(d, "delivered"),
	       (long long)number(d, "deferred"),
	       (long long)number(d, "bounced"));
	if (number(d, "per_minute") > 0)
		printf("      at most %lld at once, %lld a minute\n",
		       (long long)number(d, "limit"),
		       (long long)number(d, "per_minute"));
	if (number(d, "rest_ms") > 0)
		printf("      rests for %s: %s\n", words_duration(
			number(d, "rest_ms"), rest), string(d, "last"));
}

static void
print_dns(json_t *dns)
{
	if (dns == NULL)
		return;
	if (!json_is_true(json_object_get(dns, "asked")))
		puts("dns       nothing has been asked yet");
	else if (json_is_true(json_object_get(dns, "validating")))
		puts("dns       answers are validated with DNSSEC");
	else
		printf("dns       answers are not validated with DNSSEC: %s\n",
		       string(dns, "why"));
}

static void
print_status(json_t *s)
{
	json_t *in = json_object_get(s, "intake"), *one;
	json_t *running = json_object_get(s, "running");
	json_t *rows = json_object_get(s, "destinations");
	json_int_t now = number(s, "now_ms");
	char up[32];
	size_t i;

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
	print_dns(json_object_get(running, "dns"));
	print_queue(json_object_get(s, "queue"), now);
	print_reports(json_object_get(s, "reports"));
	puts("deliveries");
	json_array_foreach(rows, i, one)
		print_destination(one);
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	struct control *c;
	json_t *answer;
	int rc = 0;

	if (argc > 0)
		return cli_usage(&cmd_status, "`%s' is too much", argv[0]);
	c = control_open(cli, &rc);
	if (c == NULL)
		return rc;
	rc = control_ask(c, "/v1/status", NULL, &answer);
	control_close(&c);
	if (rc != 0)
		return rc;
	if (cli->json) {
		print_json(answer);
		return 0;
	}
	print_status(answer);
	json_decref(answer);
	return 0;
}

const struct cli_command cmd_status = {
	.name = "status", .arguments = "[--json]", .run = run,
	.summary = "tell how the running gateway is",
	.help = "Listeners, routes, sessions, whether names are validated, the "
		"queue, and each\ndestination with what waits for it, what "
		"was delivered, and why it rests.\n",
};
