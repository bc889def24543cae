/* manual.c - a table as a page of mdoc(7) */
#include "base/macros.h"
#include "base/mem.h"
#include "conf/bind.h"
#include "conf/secret.h"

#include <string.h>

/* Text of ours, made safe for roff: backslashes, and signs that would make
 * a request of a line. */
static void
text_add(struct buf *out, struct span s)
{
	if (s.n > 0 && (s.p[0] == '.' || s.p[0] == '\''))
		buf_add_str(out, "\\&");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			buf_add_str(out, "\\e");
		else
			buf_add_char(out, s.p[i]);
	}
}

static void
words_add(struct buf *out, const char *words)
{
	struct span rest = span_of(words), word;

	for (bool first = true; span_split(&rest, '|', &word); first = false) {
		if (!first)
			buf_add_str(out, rest.p ? ", " : " or ");
		text_add(out, word);
	}
}

/* How a size or a duration is written, stands in the page once. */
static struct span
words_without_examples(const char *words)
{
	const char *end = strstr(words, " such as ");

	return end == NULL ? span_of(words)
		: (struct span){ words, (size_t)(end - words) };
}

static void
type_add(const struct schema_key *key, struct buf *out)
{
	if (key->type == T_ENUM)
		words_add(out, key->words);
	else
		text_add(out, words_without_examples(type_words(key->type)));
	if (key->min != 0 || key->max != 0) {
		buf_add_str(out, key->max < key->min ? ", at least "
			    : ", from ");
		value_format(key->type, key->min, out);
		if (key->max >= key->min) {
			buf_add_str(out, " to ");
			value_format(key->type, key->max, out);
		}
	}
}

static void
secret_add(const struct schema_key *key, const char *prefix, struct buf *out)
{
	if (key->type != T_SECRET)
		return;
	for (size_t i = 1; i < SECRET_FORMS; i++)
		buf_addf(out, ".It Cm %s%s%s\n", prefix, key->name,
			 secret_suffixes[i]);
}

/* A line for each sentence, whatever the table ends the last with. */
static void
help_add(const char *help, struct buf *out)
{
	const char *end;

	if (help == NULL || help[0] == '\0')
		return;
	while ((end = strstr(help, ". ")) != NULL) {
		text_add(out, (struct span){ help, (size_t)(end - help) });
		buf_add_str(out, ".\n");
		help = end + 2;
	}
	text_add(out, span_of(help));
	buf_add_str(out, help[strlen(help) - 1] == '.' ? "\n" : ".\n");
}

static void
key_add(const struct schema_key *key, const char *prefix, struct buf *out)
{
	buf_addf(out, ".It Cm %s%s\n", prefix, key->name);
	secret_add(key, prefix, out);
	help_add(key->help, out);
	if (key->type == T_NODE)	/* its help tells what it is */
		return;
	buf_add_str(out, "Type: ");
	type_add(key, out);
	if (key->type == T_SECRET)
		buf_add_str(out, ", the file or the systemd credential that "
			    "holds it");
	buf_add_str(out, key->flags & KEY_REQUIRED ? "; required.\n" : ".\n");
	if (key->fallback == NULL)
		return;
	buf_add_str(out, "Default: ");
	text_add(out, span_of(key->fallback));
	buf_add_str(out, ".\n");
}

void
schema_manual(const struct schema_key *keys, const char *prefix,
	      struct buf *out)
{
	char *nested;

	prefix = prefix ? prefix : "";
	for (; keys->name != NULL; keys++) {
		key_add(keys, prefix, out);
		if (keys->keys == NULL)
			continue;
		nested = mem_printf("%s%s.", prefix, keys->name);
		schema_manual(keys->keys, nested, out);
		mem_free(nested);
	}
}
