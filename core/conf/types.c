/* types.c - the types of one value: parse, check the bounds, write it */
#include "conf/bind.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

static void *
target(const struct binding *b)
{
	return b->into + b->key->offset;
}

/* ", from 1 to 65535", ", at least 1", or "". */
static void
range_words(const struct schema_key *key, struct buf *out)
{
	if (key->min == 0 && key->max == 0)
		return;
	buf_add_str(out, key->max < key->min ? ", at least " : ", from ");
	value_format(key->type, key->min, out);
	if (key->max < key->min)
		return;
	buf_add_str(out, " to ");
	value_format(key->type, key->max, out);
}

static bool
in_range(const struct schema_key *key, int64_t value)
{
	if (key->min == 0 && key->max == 0)
		return true;
	return value >= key->min && (key->max < key->min || value <= key->max);
}

static bool
number_wrong(const struct binding *b, const struct node *n)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(400);

	buf_add_str(&words, type_words(b->key->type));
	range_words(b->key, &words);
	return binding_wrong(b, n, buf_str(&words));
}

/* A regular expression may well hold `${', and says something else by it. */
bool
variable_refuse(const struct binding *b, const struct node *n)
{
	struct span s = n ? n->scalar : SPAN_NONE, name = variable_find(s);

	if (name.n == 0 || (b->key->flags & KEY_EXPANDED)
	    || s.p[s.n - 1] == '/')
		return true;
	diag_error(b->d, &n->mark, "`%s' contains ${%.*s}, but only paths "
		   "and secrets can use variables", b->key->name,
		   SPAN_ARG(span_sub(name, 0, 80)));
	return diag_hint(b->d, "write the value itself");
}

static bool
string_set(const struct binding *b, const struct node *n, struct span text)
{
	if (span_find(text, '\0') < text.n)
		return binding_wrong(b, n, "text without NUL bytes");
	*(const char **)target(b) = arena_span(b->arena, text).p;
	return variable_refuse(b, n);
}

static bool
bool_set(const struct binding *b, const struct node *n, struct span text)
{
	static const char *const words[] = {
		"false", "true", "no", "yes", "off", "on",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!span_eq_nocase(text, span_of(words[i])))
			continue;
		*(bool *)target(b) = i % 2;
		return true;
	}
	return binding_wrong(b, n, "true or false (or yes, no, on, off)");
}

static bool
int_set(const struct binding *b, const struct node *n, struct span text)
{
	bool minus = text.n > 0 && text.p[0] == '-';
	uint64_t number;
	int64_t value;

	if (!span_u64(span_from(text, minus), INT64_MAX, &number))
		return number_wrong(b, n);
	value = minus ? -(int64_t)number : (int64_t)number;
	if (!in_range(b->key, value))
		return number_wrong(b, n);
	*(int64_t *)target(b) = value;
	return true;
}

/* `150 MB' and `5 days' have the right number, and the right first letter. */
static void
unit_hint(const struct binding *b, struct span text,
	  bool (*parse)(struct span s, int64_t *ret), const char *more)
{
	size_t digits = 0, letter;
	int64_t value;
	char *meant;

	while (digits < text.n && text.p[digits] >= '0'
	       && text.p[digits] <= '9')
		digits++;
	for (letter = digits; letter < text.n && text.p[letter] == ' '; )
		letter++;
	if (digits == 0 || letter == text.n)
		return;
	for (size_t i = letter; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			continue;
		/* 1h30m is not 1h */
		diag_hint(b->d, "write one number with one unit, such as 90m "
			  "for 1h30m");
		return;
	}
	meant = mem_printf("%.*s%c", (int)digits, text.p, text.p[letter]);
	if (parse(span_of(meant), &value) && in_range(b->key, value))
		diag_hint(b->d, "write %s%s", meant, more);
	mem_free(meant);
}

static bool
size_set(const struct binding *b, const struct node *n, struct span text)
{
	int64_t value;

	if (parse_size(text, &value) && in_range(b->key, value)) {
		*(int64_t *)target(b) = value;
		return true;
	}
	number_wrong(b, n);
	unit_hint(b, text, parse_size, " (K, M and G are 1024-based)");
	return false;
}

static bool
duration_set(const struct binding *b, const struct node *n, struct span text)
{
	uint64_t number;
	int64_t value;

	if (parse_duration(text, &value) && in_range(b->key, value)) {
		*(int64_t *)target(b) = value;
		return true;
	}
	number_wrong(b, n);
	if (span_u64(text, INT64_MAX, &number) && number > 0)
		diag_hint(b->d, "it needs a unit: ms, s, m, h or d");
	else
		unit_hint(b, text, parse_duration, "");
	return false;
}

/* Digits, perhaps a point and more digits: not strtod(), which would read
 * what the locale says, and "inf". */
static bool
parse_factor(struct span s, double *ret)
{
	size_t point = span_find(s, '.');
	struct span behind = span_from(s, point + 1);
	uint64_t whole, fraction = 0;
	double scale = 1;

	if (!span_u64(span_sub(s, 0, point), UINT32_MAX, &whole))
		return false;
	if (point < s.n && (behind.n > 9
			    || !span_u64(behind, UINT32_MAX, &fraction)))
		return false;
	for (size_t i = 0; point < s.n && i < behind.n; i++)
		scale *= 10;
	*ret = (double)whole + (double)fraction / scale;
	return true;
}

static bool
factor_set(const struct binding *b, const struct node *n, struct span text)
{
	const struct schema_key *key = b->key;
	double value;

	if (!parse_factor(text, &value))
		return number_wrong(b, n);
	if ((key->min != 0 || key->max != 0)
	    && (value < (double)key->min
		|| (key->max >= key->min && value > (double)key->max)))
		return number_wrong(b, n);
	*(double *)target(b) = value;
	return true;
}

/* "none, starttls or required"; the words themselves are spans of the table. */
static size_t
enum_words(const struct schema_key *key, struct buf *out)
{
	struct span rest = span_of(key->words), word;
	size_t n = 0;

	while (span_split(&rest, '|', &word)) {
		if (n++ > 0)
			buf_add_str(out, rest.p ? ", " : " or ");
		buf_add(out, word);
	}
	return n;
}

static void
enum_hint(const struct binding *b, struct span text)
{
	const char *names[64], *near;
	struct span rest = span_of(b->key->words), word;
	size_t n = 0;

	while (n < ARRAY_SIZE(names) && span_split(&rest, '|', &word))
		names[n++] = arena_span(b->arena, word).p;
	near = nearest_name(text, names, n);
	if (near != NULL)
		diag_hint(b->d, "did you mean `%s'?", near);
	else if (b->key->help != NULL)	/* as for `tls: yes' */
		diag_hint(b->d, "%s", b->key->help);
}

static bool
enum_set(const struct binding *b, const struct node *n, struct span text)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(4096);
	struct span rest = span_of(b->key->words), word;

	for (int value = 0; span_split(&rest, '|', &word); value++) {
		if (!span_eq(word, text))
			continue;
		*(int *)target(b) = value;
		return true;
	}
	enum_words(b->key, &words);
	binding_wrong(b, n, buf_str(&words));
	enum_hint(b, text);
	return false;
}

bool
variable_missing(const struct binding *b, const struct node *n,
		 struct span missing)
{
	const struct mark *mark = n ? &n->mark : block_mark(b->map);

	if (missing.p == NULL)
		return diag_error(b->d, mark, "`%s' is longer than %d KiB",
				  b->key->name, LIMIT_CONF_VALUE / 1024);
	if (missing.n == 0) {
		diag_error(b->d, mark, "`%s' holds a `${' without NAME}",
			   b->key->name);
		return diag_hint(b->d, "write ${NAME} for a variable, and $${ "
				 "for the two characters ${");
	}
	diag_error(b->d, mark, "the environment variable `%.*s' in `%s' is not "
		   "set", SPAN_ARG(missing), b->key->name);
	return diag_hint(b->d, "set it where the gateway is started; for the "
			 "two characters ${ write $${");
}

bool
path_set(const struct binding *b, const struct node *n, struct span text,
	 struct buf *out)
{
	struct span missing, folder;
	const char *file = n != NULL ? tree_path(n->mark.tree)
		: b->map != NULL ? tree_path(b->map->mark.tree) : "";
	size_t start = out->len, at;

	if (!expand_variables(out, text, &missing))
		return variable_missing(b, n, missing);
	text = span_from(buf_span(out), start);
	if (text.n == 0 || span_find(text, '\0') < text.n)
		return binding_wrong(b, n, "a path");
	if (text.p[0] == '/')
		return true;

	/* relative to the file that says so, not to where we were started */
	folder = span_of(file);
	at = span_rfind(folder, '/');
	if (at < folder.n) {
		char *path = arena_printf(b->arena, "%.*s/%.*s", (int)at,
					  folder.p, SPAN_ARG(text));

		buf_cut(out, start);
		return buf_add_str(out, path);
	}
	return true;
}

static bool
path_value_set(const struct binding *b, const struct node *n,
	       struct span text)
{
	AUTO(buf_fini) struct buf path = BUF_MAX(LIMIT_CONF_VALUE);

	if (!path_set(b, n, text, &path))
		return false;
	*(const char **)target(b) = arena_span(b->arena, buf_span(&path)).p;
	return true;
}

static const struct type {
	const char *words;
	bool (*set)(const struct binding *b, const struct node *n,
		    struct span text);
} types[] = {
	[T_STRING]   = { "text", string_set },
	[T_BOOL]     = { "true or false", bool_set },
	[T_INT]      = { "a whole number", int_set },
	[T_SIZE]     = { "a size such as 512K, 25M or 1G", size_set },
	[T_DURATION] = { "a duration such as 30s, 5m, 2h or 3d", duration_set },
	[T_FACTOR]   = { "a number such as 2 or 1.5", factor_set },
	[T_ENUM]     = { "one of some words", enum_set },
	[T_PATH]     = { "a path", path_value_set },
	[T_SECRET]   = { "a secret", NULL },
	[T_STRINGS]  = { "a list", NULL },
	[T_BLOCK]    = { "a block of keys", NULL },
	[T_BLOCKS]   = { "a list of blocks", NULL },
	[T_NODE]     = { "a value or a block", NULL },
};

const char *
type_words(enum key_type type)
{
	return types[type].words;
}

bool
value_set(const struct binding *b, const struct node *n, struct span text)
{
	if (!types[b->key->type].set(b, n, text)) {
		if (n == NULL)
			bug("the default of `%s' is not one", b->key->name);
		return false;
	}
	return true;
}
