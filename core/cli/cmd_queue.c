/* cmd_queue.c - the queue of the running gateway */
#include "cli/control.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"

#include <stdio.h>
#include <string.h>

static const char *opt_route, *opt_address;
static bool opt_all, opt_held;

static const struct cli_option options[] = {
	{ .name = "route", .value = &opt_route, .argument = "a name" },
	{ .name = "address", .value = &opt_address, .argument = "a text" },
	{ .name = "all", .given = &opt_all },
	{ .name = "held", .given = &opt_held },
	{ 0 },
};

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

/* --route names one that is in force?  0, or the status to exit with after
 * telling which was meant. */
static int
check_route(struct control *c)
{
	json_t *answer, *routes;
	const char *names[LIMIT_ROUTES], *near;
	size_t n;
	int rc = control_ask(c, "/v1/status", NULL, &answer);

	if (rc != 0)
		return rc;
	routes = json_object_get(json_object_get(answer, "running"), "routes");
	n = MIN(json_array_size(routes), ARRAY_SIZE(names));
	for (size_t i = 0; i < n; i++) {
		names[i] = json_string_value(json_array_get(routes, i));
		if (strcmp(names[i], opt_route) == 0) {
			json_decref(answer);
			return 0;
		}
	}
	print_error("there is no route `%s', and no message of it in the "
		    "queue", opt_route);
	near = nearest_name(span_of(opt_route), names, n);
	if (near != NULL)
		print_hint("did you mean `%s'?", near);
	else
		print_hint("`postern status' lists the routes");
	json_decref(answer);
	return 65;
}

/* --- looking --------------------------------------------------------- */

static void
print_origin(json_t *item)
{
	json_int_t attempts = number(item, "attempts");
	const char *id = string(item, "message_id");

	printf("\n    client %s, helo %s%s%s\n    %lld attempt%s%s",
	       string(item, "client"), string(item, "helo"),
	       id[0] ? ", Message-ID " : "", id, (long long)attempts,
	       attempts == 1 ? "" : "s",
	       json_is_true(json_object_get(item, "uncertain"))
	       ? ", possibly delivered already" : "");
}

/* The words of the last attempt, unless each recipient has said them. */
static void
print_last(json_t *item)
{
	const char *last = string(item, "last");
	json_t *rcpt;
	size_t i;

	json_array_foreach(json_object_get(item, "recipients"), i, rcpt)
		if (strcmp(string(rcpt, "last"), last) == 0)
			return;
	if (last[0] != '\0')
		printf("    %s\n", last);
}

static void
print_item(json_t *item, bool full)
{
	char age[32], size[32], due[32];
	int64_t now = clock_wall_ms();
	json_t *rcpt, *all = json_object_get(item, "recipients");
	size_t i;

	printf("%-13s %-8s %-14s %9s  %s old", string(item, "id"),
	       string(item, "state"), string(item, "route"),
	       words_size(number(item, "size"), size),
	       words_duration(now - number(item, "created_ms"), age));
	if (strcmp(string(item, "state"), "waiting") == 0)
		printf(number(item, "due_ms") <= now ? ", due now"
		       : ", next try in %s",
		       words_duration(number(item, "due_ms") - now, due));
	printf("\n    from <%s>", string(item, "sender"));
	if (full)
		print_origin(item);
	putchar('\n');
	json_array_foreach(all, i, rcpt) {
		const char *last = string(rcpt, "last");

		if (!full && strcmp(string(rcpt, "state"), "queued") != 0)
			continue;
		printf("    to   <%s> %s%s%s\n", string(rcpt, "address"),
		       full ? string(rcpt, "state") : "",
		       last[0] ? full ? ": " : "" : "", last);
	}
	print_last(item);
}

static char *
list_path(struct control *c, const char *after)
{
	const struct { const char *name, *value; } parts[] = {
		{ "route", opt_route }, { "address", opt_address },
		{ "held", opt_held ? "1" : NULL }, { "after", after },
		{ "max", "500" },
	};
	char *path = mem_strdup("/v1/queue");

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *longer;

		if (parts[i].value == NULL)
			continue;
		longer = control_query(c, path, parts[i].name, parts[i].value);
		mem_free(path);
		path = longer;
	}
	return path;
}

static bool
list_is_whole(void)
{
	return opt_route == NULL && opt_address == NULL && !opt_held;
}

/* One page after the other, so that a queue of any length can be listed. */
static int
list(const struct cli *cli, struct control *c)
{
	json_t *answer = NULL, *everything = json_array(), *item;
	char after[32] = "";
	size_t i, count = 0;
	bool more = true;
	int rc = 0;

	while (more) {
		char *path = list_path(c, after[0] ? after : NULL);

		rc = control_ask(c, path, NULL, &answer);
		mem_free(path);
		if (rc != 0)
			break;
		json_array_foreach(json_object_get(answer, "items"), i, item) {
			if (cli->json)
				json_array_append(everything, item);
			else
				print_item(item, false);
			snprintf(after, sizeof(after), "%s", string(item, "id"));
			count++;
		}
		more = json_is_true(json_object_get(answer, "more"));
		json_decref(answer);
	}
	if (cli->json && rc == 0)
		print_json(json_incref(everything));
	else if (rc == 0 && count == 0)
		puts(list_is_whole() ? "the queue is empty"
		     : "no message in the queue matches");
	json_decref(everything);
	return rc == 0 && count == 0 && opt_route != NULL ? check_route(c) : rc;
}

static int
show(const struct cli *cli, struct control *c, int argc, char **argv)
{
	int worst = 0;

	for (int i = 0; i < argc; i++) {
		char *path = control_path(c, "/v1/queue/", argv[i]);
		json_t *item;
		int rc = control_ask(c, path, NULL, &item);

		mem_free(path);
		if (rc != 0) {
			worst = rc;
		} else if (cli->json) {
			print_json(item);
		} else {
			print_item(item, true);
			json_decref(item);
		}
	}
	return worst;
}

/* --- acting ---------------------------------------------------------- */

/* The status to exit with: nothing was met, which is an error for what was
 * named. */
static int
act_on_nothing(struct control *c, const char *verb, json_t *answer, int ids)
{
	bool retry = strcmp(verb, "retry") == 0;

	if (number(answer, "changed") > 0)
		return 0;
	if (number(answer, "busy") > 0)
		return ids > 0 ? 65 : 0;
	if (opt_route != NULL)
		return check_route(c);
	if (ids == 0)
		return 0;
	print_error("no message with %s is in the queue%s",
		    ids == 1 ? "this id" : "these ids", !retry ? ""
		    : ids == 1 ? ", or it is held" : ", or all are held");
	print_hint("`postern queue' lists the messages%s", retry
		   ? "; `postern queue release ID...' releases held ones" : "");
	return 65;
}

static int
act(const struct cli *cli, struct control *c, const char *verb, int argc,
    char **argv)
{
	char *path = mem_printf("/v1/queue/%s", verb);
	json_t *body = json_object(), *answer, *ids;
	int rc;

	if (argc > 0) {
		ids = json_array();
		for (int i = 0; i < argc; i++)
			json_array_append_new(ids, json_string(argv[i]));
		json_object_set_new(body, "ids", ids);
	} else if (opt_route != NULL) {
		json_object_set_new(body, "route", json_string(opt_route));
	} else {
		json_object_set_new(body, "all", json_true());
	}
	rc = control_ask(c, path, body, &answer);
	mem_free(path);
	if (rc != 0)
		return rc;
	rc = act_on_nothing(c, verb, answer, argc);
	if (cli->json) {
		print_json(answer);
		return rc;
	}
	printf("%s: %lld message%s\n", verb, (long long)number(answer, "changed"),
	       number(answer, "changed") == 1 ? "" : "s");
	if (number(answer, "busy") > 0)
		printf("%lld being delivered right now; try again\n",
		       (long long)number(answer, "busy"));
	json_decref(answer);
	return rc;
}

static bool
is_action(const char *verb)
{
	static const char *const verbs[] = { "retry", "hold", "release",
					     "remove" };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	return false;
}

/* An option that a verb would pass over is refused: `remove --all --held' must
 * not remove what is not held. */
static bool
options_suit(const char *verb)
{
	const bool lists = strcmp(verb, "list") == 0, acts = is_action(verb);
	const struct {
		const char *name;
		bool given, taken;
	} rows[] = {
		{ "route", opt_route != NULL, lists || acts },
		{ "address", opt_address != NULL, lists },
		{ "held", opt_held, lists },
		{ "all", opt_all, acts },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].given && !rows[i].taken)
			return cli_usage(&cmd_queue, "%s takes no `--%s'", verb,
					 rows[i].name) == 0;
	return true;
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	const char *verb;
	struct control *c;
	int rc = cli_options(&cmd_queue, options, &argc, argv);

	if (rc != 0)
		return rc;
	verb = argc > 0 ? argv[0] : "list";
	if (!is_action(verb) && strcmp(verb, "list") != 0 &&
	    strcmp(verb, "show") != 0)
		return cli_usage(&cmd_queue, "there is no `queue %s'", verb);
	if (argc < 2 && strcmp(verb, "show") == 0)
		return cli_usage(&cmd_queue, "show needs an id");
	if (is_action(verb) && argc < 2 && !opt_all && opt_route == NULL)
		return cli_usage(&cmd_queue, "%s needs ids, --route NAME or "
				 "--all", verb);
	if (is_action(verb) &&
	    (argc > 1) + opt_all + (opt_route != NULL) > 1)
		return cli_usage(&cmd_queue, "%s needs exactly one of: ids, "
				 "--route NAME, --all", verb);
	if (argc > 1 && strcmp(verb, "list") == 0)
		return cli_usage(&cmd_queue, "unexpected argument `%s'", argv[1]);
	if (!options_suit(verb))
		return 64;
	c = control_open(cli, &rc);
	if (c == NULL)
		return rc;
	if (is_action(verb))
		rc = act(cli, c, verb, argc - 1, argv + 1);
	else if (strcmp(verb, "show") == 0)
		rc = show(cli, c, argc - 1, argv + 1);
	else
		rc = list(cli, c);
	control_close(&c);
	return rc;
}

const struct cli_command cmd_queue = {
	.name = "queue", .run = run,
	.arguments = "[list|show|retry|hold|release|remove] [OPTIONS] [ID...]",
	.summary = "list and change the queue of the running gateway",
	.help = "  list           list the messages (this is the default)\n"
		"    --route NAME     only the messages of this route\n"
		"    --address TEXT   only messages with TEXT in an address\n"
		"    --held           only held messages\n"
		"  show ID...     show everything about these messages\n"
		"  retry ID...    try these messages now; held messages "
		"stay held\n"
		"  hold ID...     do not try these messages until they are "
		"released\n"
		"  release ID...  release held messages\n"
		"  remove ID...   delete these messages; nobody gets a report\n"
		"\n"
		"Instead of ids, retry, hold, release and remove take "
		"--route NAME or --all.\n"
		"--json prints JSON.\n",
};
