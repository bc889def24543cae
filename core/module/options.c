/* options.c - a module's rows become a schema, and values its self
 *
 * conf/ fills structures of our own types; a module's fields have those of
 * the ABI.  So binding goes to a row of slots first, one for each option,
 * and from there into self.
 */
#include "module/loaded.h"

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

enum { OPTIONS_MAX = 200, BLOCKS_DEEP = 4 };

union slot {
	bool truth;
	int word;
	int64_t number;
	char *text;
	struct strings list;
};

/* By POSTERN_STRING and so on: what conf/ calls it, and the field in self. */
static const struct type {
	enum key_type conf;
	uint32_t size, align;
} types[] = {
	[POSTERN_STRING]   = { T_STRING, sizeof(char *), _Alignof(char *) },
	[POSTERN_BOOL]     = { T_BOOL, 4, 4 },
	[POSTERN_INT]      = { T_INT, 8, _Alignof(int64_t) },
	[POSTERN_SIZE]     = { T_SIZE, 8, _Alignof(int64_t) },
	[POSTERN_DURATION] = { T_DURATION, 8, _Alignof(int64_t) },
	[POSTERN_ENUM]     = { T_ENUM, 4, 4 },
	[POSTERN_PATH]     = { T_PATH, sizeof(char *), _Alignof(char *) },
	[POSTERN_STRINGS]  = { T_STRINGS, sizeof(struct postern_strings),
			       _Alignof(struct postern_strings) },
	[POSTERN_BLOCK]    = { T_BLOCK, 0, 1 },
};

static bool
word_of(const char *words, struct span word)
{
	struct span rest = span_of(words), w;

	while (span_split(&rest, '|', &w))
		if (span_eq(w, word))
			return true;
	return false;
}

static bool
in_bounds(const struct postern_option *o, int64_t value)
{
	return (o->min == 0 && o->max == 0)
	       || (value >= o->min && (o->max < o->min || value <= o->max));
}

/* conf/ takes a default that is none for a mistake of ours, and aborts. */
static bool
fallback_valid(const struct postern_option *o)
{
	struct span s = span_of(o->fallback);
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t u;
	int64_t n;

	switch (o->type) {
	case POSTERN_BOOL:
		return word_of("true|false|yes|no|on|off", s);
	case POSTERN_INT:
		return span_u64(span_from(s, minus), INT64_MAX, &u)
		       && in_bounds(o, minus ? -(int64_t)u : (int64_t)u);
	case POSTERN_SIZE:
		return parse_size(s, &n) && in_bounds(o, n);
	case POSTERN_DURATION:
		return parse_duration(s, &n) && in_bounds(o, n);
	case POSTERN_ENUM:
		return word_of(o->words, s);
	case POSTERN_PATH:
		return s.n > 0 && span_find(s, '$') == s.n;
	case POSTERN_BLOCK:
		return false;
	default:
		return true;
	}
}

static bool
field_valid(const struct module *m, const struct postern_option *o,
	    struct error *err)
{
	const struct type *t = &types[o->type];

	if (o->type == POSTERN_BLOCK)
		return true;
	if (o->size != 0 && o->size != t->size)
		return error_set(err, ERROR_CONFIG, "option `%s': the field has "
				 "%u octets, the type %u", o->key, o->size,
				 t->size);
	if (o->offset > m->table.self_size
	    || m->table.self_size - o->offset < t->size)
		return error_set(err, ERROR_CONFIG, "option `%s': the field is "
				 "outside of self, which has %zu octets",
				 o->key, m->table.self_size);
	if (o->offset % t->align != 0)
		return error_set(err, ERROR_CONFIG, "option `%s': the field is "
				 "not aligned", o->key);
	return true;
}

static bool
row_valid(const struct module *m, const struct postern_option *o,
	  struct error *err)
{
	const char *key = o->key;
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (n == 0 || key[n] != '\0')
		return error_set(err, ERROR_CONFIG, "option `%s': a key consists "
				 "of a-z, 0-9 and _", key);
	if (o->type < 0 || (size_t)o->type >= ARRAY_SIZE(types))
		return error_set(err, ERROR_CONFIG, "option `%s': this Postern "
				 "has no type %d", key, o->type);
	if (o->flags & ~(uint32_t)POSTERN_REQUIRED)
		return error_set(err, ERROR_CONFIG, "option `%s': this Postern "
				 "does not know all of its flags", key);
	if (o->help == NULL || o->help[0] == '\0')
		return error_set(err, ERROR_CONFIG, "option `%s' has no help", key);
	if (o->type == POSTERN_ENUM && (!o->words || !o->words[0]))
		return error_set(err, ERROR_CONFIG, "option `%s' has no words", key);
	if ((o->type == POSTERN_BLOCK) != (o->block != NULL))
		return error_set(err, ERROR_CONFIG, "option `%s': a block has "
				 "rows, and nothing else has", key);
	if ((o->flags & POSTERN_REQUIRED) && o->fallback != NULL)
		return error_set(err, ERROR_CONFIG, "option `%s' is required and "
				 "has a fallback", key);
	if (o->fallback != NULL && !fallback_valid(o))
		return error_set(err, ERROR_CONFIG, "option `%s': the fallback "
				 "`%s' is no value for it", key, o->fallback);
	return field_valid(m, o, err);
}

static size_t
rows_count(const struct postern_option *rows, size_t stride)
{
	const char *at = (const char *)rows;
	size_t n = 0;

	while (rows != NULL && n < OPTIONS_MAX
	       && ((const struct postern_option *)(at + n * stride))->key)
		n++;
	return n;
}

static bool
key_taken(const struct postern_option *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].key, key) == 0)
			return true;
	return false;
}

/* Copies one table and those below it; its rows lie as the module's header
 * had them.  depth_left keeps one that contains itself from going on. */
static bool
rows_adopt(struct module *m, const struct postern_option *rows,
	   unsigned depth_left, struct postern_option **ret,
	   struct error *err)
{
	size_t stride = m->table.sizes[POSTERN_SIZEOF_OPTION];
	size_t n = rows_count(rows, stride);
	struct postern_option *v;

	m->option_count += n;
	if (m->option_count >= OPTIONS_MAX || depth_left == 0)
		return error_set(err, ERROR_CONFIG, "it has too many options, "
				 "or a table of them does not end");
	v = arena_array(m->arena, n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		struct postern_option *nested = NULL;

		memcpy(&v[i], (const char *)rows + i * stride,
		       MIN(stride, sizeof(*v)));
		if (!row_valid(m, &v[i], err))
			return false;
		if (key_taken(v, i, v[i].key))
			return error_set(err, ERROR_CONFIG, "option `%s' is "
					 "there twice", v[i].key);
		if (v[i].block != NULL
		    && !rows_adopt(m, v[i].block, depth_left - 1, &nested, err))
			return false;
		v[i].block = nested;
	}
	*ret = v;
	return true;
}

/* Slots are numbered as the rows come, blocks in their place. */
static struct schema_key *
rows_schema(struct arena *a, const struct postern_option *rows, size_t *slot)
{
	size_t n = 0;
	struct schema_key *keys;

	while (rows[n].key != NULL)
		n++;
	keys = arena_array(a, n + 1, sizeof(*keys));
	for (size_t i = 0; i < n; i++) {
		const struct postern_option *o = &rows[i];

		keys[i] = (struct schema_key){
			.name = o->key, .type = types[o->type].conf,
			.flags = o->flags & POSTERN_REQUIRED ? KEY_REQUIRED : 0,
			.fallback = o->fallback, .words = o->words,
			.min = o->min, .max = o->max, .help = o->help,
		};
		if (o->type == POSTERN_BLOCK)
			keys[i].keys = rows_schema(a, o->block, slot);
		else
			keys[i].offset = (*slot)++ * sizeof(union slot);
	}
	return keys;
}

bool
options_adopt(struct module *m, const struct postern_option *rows,
	      struct error *err)
{
	size_t slots = 0;

	if (!rows_adopt(m, rows, BLOCKS_DEEP, &m->options, err))
		return false;
	m->schema = rows_schema(m->arena, m->options, &slots);
	return true;
}

/* The list and its texts are copied: an instance outlives its file's tree. */
static struct postern_strings
strings_copy(const struct strings *from, struct arena *arena)
{
	const char **v = arena_array(arena, from->n + 1, sizeof(*v));

	for (size_t i = 0; i < from->n; i++)
		v[i] = arena_strdup(arena, from->v[i]);
	return (struct postern_strings){ v, from->n };
}

static void
field_fill(const struct postern_option *o, const union slot *from,
	   char *self, struct arena *arena)
{
	void *field = self + o->offset;

	switch (types[o->type].conf) {
	case T_BOOL:
		*(int32_t *)field = from->truth;
		break;
	case T_ENUM:
		*(int32_t *)field = from->word;
		break;
	case T_STRINGS:
		*(struct postern_strings *)field
			= strings_copy(&from->list, arena);
		break;
	case T_STRING:
	case T_PATH:
		*(const char **)field = from->text;
		break;
	default:
		*(int64_t *)field = from->number;
		break;
	}
}

static const union slot *
fields_fill(const struct postern_option *rows, const union slot *from,
	    void *self, struct arena *arena)
{
	for (; rows->key != NULL; rows++) {
		if (rows->type == POSTERN_BLOCK)
			from = fields_fill(rows->block, from, self, arena);
		else
			field_fill(rows, from++, self, arena);
	}
	return from;
}

bool
options_bind(const struct module *m, const struct node *block,
	     const char *what, void *self, struct arena *arena,
	     struct diags *d)
{
	union slot *slots = arena_array(arena, m->option_count + 1,
					sizeof(*slots));

	if (!schema_bind(m->schema, block, what, slots, arena, d))
		return false;
	fields_fill(m->options, slots, self, arena);
	return true;
}
