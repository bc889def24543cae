/* print.c - text and JSON without anything that drives a terminal */
#include "cli/print.h"

#include "base/buf.h"
#include "base/encode.h"
#include "base/macros.h"

#include <stdarg.h>

enum { PRINT_MAX = 1024 * 1024 };

static void
print_span(FILE *to, struct span s)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4 * PRINT_MAX);

	encode_printable(&b, s, PRINT_MAX);
	fwrite(buf_str(&b), 1, b.len, to);
}

void
print_text(FILE *to, const char *s)
{
	print_span(to, span_of(s));
}

void
print_lines(FILE *to, const char *s)
{
	struct span rest = span_of(s);

	while (rest.n > 0) {
		size_t n = span_find(rest, '\n');

		print_span(to, span_sub(rest, 0, n));
		if (n < rest.n)
			putc('\n', to);
		rest = span_from(rest, n + 1);
	}
}

static void __attribute__((format(printf, 2, 0)))
print_words(const char *before, const char *fmt, va_list ap)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(PRINT_MAX);

	buf_vaddf(&words, fmt, ap);
	fputs(before, stderr);
	print_span(stderr, buf_span(&words));
	putc('\n', stderr);
}

void
print_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_words("postern: ", fmt, ap);
	va_end(ap);
}

void
print_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_words("  hint: ", fmt, ap);
	va_end(ap);
}

void
print_failure(const struct error *err)
{
	print_error("%s", err->text);
	if (err->hint[0] != '\0')
		print_hint("%s", err->hint);
}

/* --- JSON ------------------------------------------------------------ */

void
print_json(json_t *value)
{
	/* C1 controls are valid in JSON as they are */
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(value);
}

static void
printable_string(json_t *value)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(4 * PRINT_MAX);
	struct span s = { json_string_value(value),
			  json_string_length(value) };

	if (encode_printable(&b, s, PRINT_MAX))
		json_string_setn(value, buf_str(&b), b.len);
}

void
printable_json(json_t *value)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_string(value))
		printable_string(value);
	json_object_foreach(value, key, one)
		printable_json(one);
	json_array_foreach(value, i, one)
		printable_json(one);
}
