/* fuzz-yaml.c - a configuration file, from its bytes to a bound struct
 *
 * Whatever it holds: a refusal says why, marks stand inside the text, and a
 * tree can be walked to its end.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "conf/schema.h"
#include "conf/secret.h"

struct inner {
	char *address;
	int tls;
};

struct sample {
	char *name, *path;
	bool fast;
	int64_t port, size, first;
	double factor;
	int tls;
	struct strings nets;
	struct secret password;
	struct blocks listen;
	const struct node *match;
};

#define AT(field) offsetof(struct sample, field)

static const struct schema_key inner_keys[] = {
	KEY(inner, address, T_STRING, NULL, "where"),
	{ .name = "tls", .type = T_ENUM, .words = "none|starttls|required",
	  .offset = offsetof(struct inner, tls), .help = "how" },
	{ 0 },
};

static const struct schema_key retry_keys[] = {
	KEY(sample, first, T_DURATION, "5m", "the first pause"),
	KEY(sample, factor, T_FACTOR, "2.5", "growth of the pause"),
	{ 0 },
};

static const struct schema_key keys[] = {
	KEY(sample, name, T_STRING, NULL, "a name"),
	KEY(sample, path, T_PATH, "/var/x", "a path"),
	KEY(sample, fast, T_BOOL, "yes", "whether it is fast"),
	{ .name = "port", .type = T_INT, .offset = AT(port), .min = 1,
	  .max = 65535, .help = "the port" },
	KEY(sample, size, T_SIZE, "2M", "the size"),
	{ .name = "tls", .type = T_ENUM, .words = "none|starttls|required",
	  .offset = AT(tls), .help = "encryption" },
	KEY(sample, nets, T_STRINGS, "[loopback]", "networks"),
	KEY(sample, password, T_SECRET, NULL, "the password"),
	KEY(sample, match, T_NODE, NULL, "a rule"),
	{ .name = "retry", .type = T_BLOCK, .keys = retry_keys,
	  .help = "pauses" },
	{ .name = "listen", .type = T_BLOCKS, .offset = AT(listen),
	  .keys = inner_keys, .block_size = sizeof(struct inner),
	  .help = "all of them" },
	{ 0 },
};

/* Whoever walks a tree must come to an end. */
static size_t
walk(const struct node *n, unsigned depth)
{
	size_t all = 1, children = 0;

	must(depth <= LIMIT_CONF_DEPTH && n->from <= n->to);
	must(n->mark.line > 0 && n->mark.column > 0 && n->mark.width > 0);
	for (const struct node *c = n->first; c != NULL; c = c->next) {
		all += walk(c, depth + 1);
		children++;
	}
	must(children == n->count);
	return all;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf out = BUF_MAX(16 * 1024 * 1024);
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(tree_free) struct tree *t =
		tree_parse("fuzz.yaml", fuzz_span(data, size), d);
	struct sample v = { 0 };

	/* a part of a tree may be wrong, and the rest is checked */
	must(t != NULL || diags_errors(d) > 0);
	if (t != NULL) {
		size_t before = diags_errors(d);
		bool ok;

		must(walk(tree_root(t), 0) <= LIMIT_CONF_NODES + 1);
		ok = schema_bind(keys, tree_root(t), "the file", &v, a, d);
		must(ok ? diags_errors(d) == before : diags_errors(d) > 0);
	}
	diags_show(d, &out);
	diags_json(d, &out);
	return 0;
}
