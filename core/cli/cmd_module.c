/* cmd_module.c - which modules there are, and what they take */
#include "cli/cli.h"

#include "base/buf.h"
#include "base/macros.h"
#include "cli/print.h"
#include "module/module.h"
#include "postern-plugin.h"

#include <stdio.h>
#include <string.h>

static const char *
kind(const struct module *m)
{
	if (module_is_backend(m))
		return module_is_filter(m) ? "backend, filter" : "backend";
	return "filter";
}

static void
on_module(void *arg, const struct module *m)
{
	const struct postern_module *t = module_table(m);

	if (arg != NULL)
		json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:s}",
			"name", t->name, "kind", kind(m), "summary", t->summary,
			"path", module_path(m)));
	else
		printf("%-12s %-8s %s\n", t->name, kind(m), t->summary);
}

static int
list(const struct cli *cli)
{
	json_t *all = cli->json ? json_array() : NULL;

	module_each(on_module, all);
	if (all != NULL)
		print_json(all);
	return 0;
}

static void
print_keys(const struct schema_key *keys, const char *prefix)
{
	for (; keys != NULL && keys->name != NULL; keys++) {
		char path[200];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
			 prefix[0] ? "." : "", keys->name);
		if (keys->type == T_BLOCK) {
			print_keys(keys->keys, path);
			continue;
		}
		printf("  %-20s %s", path, keys->help ? keys->help : "");
		if (keys->words != NULL)
			printf(" (%s)", keys->words);
		if (keys->fallback != NULL)
			printf(" [default: %s]", keys->fallback);
		puts(keys->flags & KEY_REQUIRED ? " [required]" : "");
	}
}

static void
add_keys(json_t *all, const struct schema_key *keys, const char *prefix)
{
	for (; keys != NULL && keys->name != NULL; keys++) {
		char path[200];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
			 prefix[0] ? "." : "", keys->name);
		if (keys->type == T_BLOCK)
			add_keys(all, keys->keys, path);
		else
			json_array_append_new(all, json_pack(
				"{s:s, s:s?, s:s?, s:s?, s:b}", "name", path,
				"help", keys->help, "words", keys->words,
				"default", keys->fallback, "required",
				(keys->flags & KEY_REQUIRED) != 0));
	}
}

static void
print_actions(const struct postern_action *a)
{
	if (a != NULL && a->name != NULL)
		puts("actions:");
	for (; a != NULL && a->name != NULL; a++)
		printf("  %-20s %s\n", a->name, a->summary);
}

static json_t *
actions_json(const struct postern_action *a)
{
	json_t *all = json_array();

	for (; a != NULL && a->name != NULL; a++)
		json_array_append_new(all, json_pack("{s:s, s:s}", "name",
			a->name, "summary", a->summary));
	return all;
}

static void
show_json(const struct module *m)
{
	const struct postern_module *t = module_table(m);
	json_t *options = json_array(), *all;

	add_keys(options, module_schema(m), "");
	all = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "name", t->name,
			"kind", kind(m), "summary", t->summary, "path",
			module_path(m), "blocking", module_blocks(m),
			"options", options, "actions",
			actions_json(t->actions));
	print_json(all);
}

static int
show(const struct cli *cli, const char *name)
{
	struct error err;
	struct module *m = module_find(name, &err);
	const struct postern_module *t;

	if (m == NULL) {
		print_failure(&err);
		return 65;
	}
	if (cli->json) {
		show_json(m);
		return 0;
	}
	t = module_table(m);
	printf("%s: %s\n%s%s, %s\n", t->name, t->summary, kind(m),
	       module_blocks(m) ? " on a thread of its own" : "",
	       module_path(m));
	if (module_schema(m)->name != NULL)
		puts("options:");
	print_keys(module_schema(m), "");
	print_actions(t->actions);
	return 0;
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	if (argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0))
		return list(cli);
	if (argc == 2 && strcmp(argv[0], "show") == 0)
		return show(cli, argv[1]);
	return cli_usage(&cmd_module, "write list, or show NAME");
}

const struct cli_command cmd_module = {
	.name = "module", .arguments = "[list | show NAME]", .run = run,
	.summary = "list the modules, or show the options of a module",
	.help = "POSTERN_MODULE_PATH names folders that are searched "
		"before the installed folder.\n",
};
