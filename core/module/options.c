/* options.c - a module's rows are checked, copied, and become a schema */
#include "module/options.h"

#include "base/macros.h"

#include <string.h>

enum { OPTIONS_MAX = 200, BLOCKS_DEEP = 4 };


const struct option_type option_types[OPTION_TYPES] = {
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
	[POSTERN_SECRET]   = { T_SECRET, sizeof(char *), _Alignof(char *) },
	/* not in conf/: it stands for several keys */
	[POSTERN_SMTP]     = { T_NODE, sizeof(struct postern_smtp_plan),
			       _Alignof(struct postern_smtp_plan) },
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
in_bounds(const struct schema_key *k, int64_t value)
{
	return (k->min == 0 && k->max == 0)
	       || (value >= k->min && (k->max < k->min || value <= k->max));
}

/* conf/ takes a default that is none for a mistake of ours, and aborts. */
static bool
fallback_valid(const struct schema_key *k)
{
	struct span s = span_of(k->fallback);
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t u;
	int64_t n;

	switch (k->type) {
	case T_BOOL:
		return word_of("true|false|yes|no|on|off", s);
	case T_INT:
		return span_u64(span_from(s, minus), INT64_MAX, &u)
		       && in_bounds(k, minus ? -(int64_t)u : (int64_t)u);
	case T_SIZE:
		return parse_size(s, &n) && in_bounds(k, n);
	case T_DURATION:
		return parse_duration(s, &n) && in_bounds(k, n);
	case T_ENUM:
		return word_of(k->words, s);
	case T_PATH:
		return s.n > 0 && span_find(s, '$') == s.n;
	case T_BLOCK:
	case T_SECRET:
		return false;
	default:
		return true;
	}
}

/* A plan is as large as the module's header had it. */
uint32_t
option_size(const struct module *m, const struct postern_option *o)
{
	return o->type == POSTERN_SMTP
		? MIN(m->table.sizes[POSTERN_SIZEOF_PLAN],
		      (uint32_t)sizeof(struct postern_smtp_plan))
		: option_types[o->type].size;
}

static bool
flags_valid(const struct postern_option *o, struct error *err)
{
	if (o->flags & ~(uint32_t)(POSTERN_REQUIRED | POSTERN_READABLE |
				   POSTERN_NEXT_HOP))
		return error_set(err, ERROR_CONFIG, "option `%s': this Postern "
				 "does not know all of its flags", o->key);
	if ((o->flags & POSTERN_READABLE) && o->type != POSTERN_PATH)
		return error_set(err, ERROR_CONFIG, "option `%s': only a path "
				 "can be readable", o->key);
	if ((o->flags & POSTERN_NEXT_HOP) && o->type != POSTERN_STRING)
		return error_set(err, ERROR_CONFIG, "option `%s': only a text "
				 "can name the next hop", o->key);
	if ((o->flags & POSTERN_REQUIRED) && o->type == POSTERN_SMTP)
		return error_set(err, ERROR_CONFIG, "option `%s' stands for "
				 "several keys: none can be required", o->key);
	return true;
}

static bool
field_valid(const struct module *m, const struct postern_option *o,
	    struct error *err)
{
	const struct option_type *t = &option_types[o->type];
	uint32_t size = option_size(m, o);

	if (o->type == POSTERN_BLOCK)
		return true;
	if (o->size != 0 && o->size != size)
		return error_set(err, ERROR_CONFIG, "option `%s': the field has "
				 "%u octets, the type %u", o->key, o->size,
				 size);
	if (o->offset > m->table.self_size
	    || m->table.self_size - o->offset < size)
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
	if (o->type < 0 || (size_t)o->type >= OPTION_TYPES)
		return error_set(err, ERROR_CONFIG, "option `%s': this Postern "
				 "has no type %d", key, o->type);
	if (!flags_valid(o, err))
		return false;
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
		if (v[i].type == POSTERN_SMTP)
			m->option_count += SMTP_KEYS;
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

/* --- the schema ------------------------------------------------------ */

struct schema_maker {
	struct arena *arena;
	size_t slot;			/* the next that is free */
	struct error *err;
};

static bool rows_schema(struct schema_maker *mk,
			const struct postern_option *rows,
			struct schema_key **ret);

static size_t
keys_count(const struct schema_key *keys)
{
	size_t n = 0;

	while (keys[n].name != NULL)
		n++;
	return n;
}

static bool
row_schema(struct schema_maker *mk, const struct postern_option *o,
	   struct schema_key *key)
{
	struct schema_key *nested = NULL;

	*key = (struct schema_key){
		.name = o->key, .type = option_types[o->type].conf,
		.flags = o->flags & POSTERN_REQUIRED ? KEY_REQUIRED : 0,
		.fallback = o->fallback, .words = o->words,
		.min = o->min, .max = o->max, .help = o->help,
	};
	if (o->fallback != NULL && !fallback_valid(key))
		return error_set(mk->err, ERROR_CONFIG, "option `%s': the "
				 "fallback `%s' is not a value for it", o->key,
				 o->fallback);
	if (o->type != POSTERN_BLOCK) {
		key->offset = mk->slot++ * sizeof(union slot);
		return true;
	}
	if (!rows_schema(mk, o->block, &nested))
		return false;
	key->keys = nested;
	return true;
}

/* One row that stands for several keys. */
static bool
smtp_schema(struct schema_maker *mk, const struct postern_option *o,
	    struct schema_key **ret)
{
	size_t offset = mk->slot * sizeof(union slot);

	mk->slot += SMTP_SLOTS;
	if (!smtp_options_schema(o->fallback, offset, mk->arena, ret))
		return error_set(mk->err, ERROR_CONFIG, "option `%s': its "
				 "fallback names a key that no SMTP client has",
				 o->key);
	for (const struct schema_key *k = *ret; k->name != NULL; k++)
		if (k->fallback != NULL && !fallback_valid(k))
			return error_set(mk->err, ERROR_CONFIG, "option `%s': "
					 "the fallback `%s' is not a value for "
					 "`%s'", o->key, k->fallback, k->name);
	return true;
}

static bool
keys_differ(const struct schema_key *keys, struct error *err)
{
	for (size_t i = 0; keys[i].name != NULL; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(keys[i].name, keys[j].name) == 0)
				return error_set(err, ERROR_CONFIG, "option "
						 "`%s' is there twice",
						 keys[i].name);
	return true;
}

/* Slots are numbered as the rows come, blocks in their place. */
static bool
rows_schema(struct schema_maker *mk, const struct postern_option *rows,
	    struct schema_key **ret)
{
	struct schema_key *keys = arena_array(mk->arena, OPTIONS_MAX,
					      sizeof(*keys));
	size_t n = 0;

	for (const struct postern_option *o = rows; o->key != NULL; o++) {
		struct schema_key *more;

		if (o->type != POSTERN_SMTP) {
			if (!row_schema(mk, o, &keys[n++]))
				return false;
			continue;
		}
		if (!smtp_schema(mk, o, &more))
			return false;
		for (size_t i = keys_count(more); i > 0; i--)
			keys[n++] = *more++;
	}
	*ret = keys;
	return keys_differ(keys, mk->err);
}

bool
options_adopt(struct module *m, const struct postern_option *rows,
	      struct error *err)
{
	struct schema_maker mk = { .arena = m->arena, .err = err };

	if (!rows_adopt(m, rows, BLOCKS_DEEP, &m->options, err) ||
	    !rows_schema(&mk, m->options, &m->schema))
		return false;
	m->slots = mk.slot;
	return true;
}
