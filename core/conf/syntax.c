/* syntax.c - what libyaml says of bad YAML, in words that help
 *
 * Its messages tell what the scanner missed; the operator needs to know what
 * he wrote.  A problem that has no row here is told in libyaml's words.
 */
#include "conf/tree.h"

#include "base/macros.h"
#include "conf/diag.h"
#include "conf/lookalike.h"
#include "conf/utf8.h"

#include <string.h>
#include <yaml.h>

enum place { AT_PROBLEM, AT_CONTEXT };

static const struct row {
	const char *problem, *context;	/* parts of libyaml's words */
	const char *signs;		/* what stands there; NULL: anything */
	enum place place;
	const char *words, *hint;	/* %u: the line of the context */
} rows[] = {
	{ "cannot start any token", "", "\t", AT_PROBLEM,
	  "a tab cannot be used to indent", "indent with spaces" },
	{ "tab character", "", NULL, AT_PROBLEM,
	  "a tab cannot be used to indent", "indent with spaces" },
	{ "cannot start any token", "", "@", AT_PROBLEM,
	  "a value that begins with `@' needs quotes",
	  "write \"@...\", with the quotes" },
	{ "cannot start any token", "", ">|", AT_PROBLEM,
	  "a value that begins with `>' or `|' needs quotes",
	  "write \">10M\", with the quotes" },
	{ "", "scanning a block scalar", NULL, AT_CONTEXT,
	  "a value that begins with `>' or `|' needs quotes",
	  "write \">10M\", with the quotes; without them it is a block of "
	  "text" },
	{ "block sequence entries are not allowed", "", NULL, AT_PROBLEM,
	  "a value that begins with `-' and a blank, or is `-' alone, needs "
	  "quotes",
	  "without quotes it is an entry of a list, which begins on a line of "
	  "its own" },
	{ "mapping keys are not allowed", "", NULL, AT_PROBLEM,
	  "a value that begins with `?' and a blank, or is `?' alone, needs "
	  "quotes", "without quotes it is a key" },
	{ "cannot start any token", "", "`%", AT_PROBLEM,
	  "a value cannot begin with this sign outside quotes",
	  "put the value in quotes" },
	{ "", "scanning an alias", NULL, AT_CONTEXT,
	  "a value that begins with `*' needs quotes",
	  "without them it is the alias of an anchor; where everything is "
	  "meant, leave the key out" },
	{ "", "scanning an anchor", NULL, AT_CONTEXT,
	  "a value that begins with `&' needs quotes",
	  "without them it is an anchor" },
	{ "", "scanning a tag", NULL, AT_CONTEXT,
	  "a value that begins with `!' needs quotes",
	  "without them it is a YAML tag" },
	{ "", "parsing a tag", NULL, AT_CONTEXT,
	  "a value that begins with `!' needs quotes",
	  "without them it is a YAML tag" },
	{ "undefined tag handle", "", NULL, AT_PROBLEM,
	  "a value that begins with `!' needs quotes",
	  "without them it is a YAML tag" },
	{ "mapping values are not allowed", "", NULL, AT_PROBLEM,
	  "a key is not allowed here",
	  "indent it like its neighbours; put a value that holds `: ' or ends in `:' in quotes; "
	  "or a space is missing after `:' in the line before" },
	{ "expected '-' indicator", "", NULL, AT_PROBLEM,
	  "this does not belong to the list that begins in line %u",
	  "indent each `-' of a list alike, and keys like their neighbours" },
	{ "expected ',' or '}'", "", "{", AT_PROBLEM,
	  "a value that holds `{' needs quotes inside of braces",
	  "write \"${NAME}\", with the quotes" },
	{ "expected ',' or ']'", "", "{", AT_PROBLEM,
	  "a value that holds `{' needs quotes inside of brackets",
	  "write \"${NAME}\", with the quotes" },
	{ "expected ',' or ']'", "", NULL, AT_PROBLEM,
	  "the list that `[' begins in line %u is not closed before this",
	  "a comma or a `]' is missing" },
	{ "expected ',' or '}'", "", NULL, AT_PROBLEM,
	  "the block that `{' begins in line %u is not closed before this",
	  "a comma or a `}' is missing" },
	{ "unexpected end of stream", "quoted scalar", NULL, AT_CONTEXT,
	  "the quote that opens here is never closed", "close it" },
	{ "unexpected document indicator", "quoted scalar", NULL, AT_CONTEXT,
	  "the quote that opens here is not closed in this document", "close it" },
	{ "", "scanning a directive", NULL, AT_CONTEXT,
	  "a line cannot begin with `%' outside quotes", "put it in quotes" },
	{ "expected hexdecimal number", "", NULL, AT_PROBLEM,
	  "there is no such escape in double quotes",
	  "double the backslash, or use single quotes" },
	{ "invalid Unicode character escape", "", NULL, AT_PROBLEM,
	  "there is no such escape in double quotes",
	  "double the backslash, or use single quotes" },
	{ "unknown escape character", "", NULL, AT_PROBLEM,
	  "there is no such escape in double quotes",
	  "double the backslash, or use single quotes" },
	{ "could not find expected ':'", "", NULL, AT_CONTEXT,
	  "a key without its `:'",
	  "write `key: value' on one line, with a blank behind the colon" },
	{ "did not find expected key", "", NULL, AT_PROBLEM,
	  "this does not fit the block that begins in line %u",
	  "check its indentation, and that no quote closes before it" },
	{ "did not find expected node content", "", NULL, AT_PROBLEM,
	  "a value was expected here", "put it in quotes if it begins with a sign" },
};

static struct mark
mark_of(const struct tree *t, const yaml_mark_t *m)
{
	struct mark mark = {
		.tree = t, .line = (unsigned)m->line + 1,
		.column = (unsigned)m->column + 1, .width = 1,
	};
	struct span line;

	/* behind the last byte: there is nothing to show, so step back */
	while (mark.line > 1 && tree_line(t, mark.line).n == 0) {
		mark.line--;
		line = tree_line(t, mark.line);
		mark.column = (unsigned)utf8_count(line) + (line.n == 0);
	}
	return mark;
}

static bool
sign_matches(const struct mark *mark, const char *signs)
{
	struct span line = tree_line(mark->tree, mark->line);
	size_t at = utf8_bytes(line, mark->column - 1);

	if (signs == NULL)
		return true;
	return at < line.n && strchr(signs, line.p[at]) != NULL;
}

static const struct row *
row_find(const char *problem, const char *context, const struct mark *mark)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strstr(problem, rows[i].problem) != NULL
		    && strstr(context, rows[i].context) != NULL
		    && sign_matches(mark, rows[i].signs))
			return &rows[i];
	return NULL;
}

/* A blank that is none is why a key or an indentation is not seen: in the line
 * itself, or in the one above. */
static bool
blank_hint(const struct mark *at, struct diags *d)
{
	for (unsigned up = 0; up < 2 && up < at->line; up++) {
		const char *name = lookalike_blank(tree_line(at->tree,
							     at->line - up));

		if (name == NULL)
			continue;
		diag_hint(d, "in line %u there is %s, which is a letter to "
			  "YAML: type an ordinary blank", at->line - up, name);
		return true;
	}
	return false;
}

void
syntax_error(const struct tree *t, const struct yaml_parser_s *parser,
	     struct diags *d)
{
	const char *problem = parser->problem ? parser->problem : "bad YAML";
	const char *context = parser->context ? parser->context : "";
	struct mark at = mark_of(t, &parser->problem_mark);
	struct mark from = mark_of(t, &parser->context_mark);
	const struct row *row = row_find(problem, context, &at);
	const char *number;

	if (row == NULL) {
		diag_error(d, &at, "%s%s%s", context, *context ? ": " : "",
			   problem);
		if (!blank_hint(&at, d))
			diag_hint(d, "put values with signs in quotes, and "
				  "indent with blanks");
		return;
	}
	number = strstr(row->words, "%u");
	if (number == NULL)
		diag_error(d, row->place == AT_CONTEXT ? &from : &at, "%s",
			   row->words);
	else
		diag_error(d, &at, "%.*s%u%s", (int)(number - row->words),
			   row->words, from.line, number + 2);
	if (!blank_hint(&at, d))
		diag_hint(d, "%s", row->hint);
}
