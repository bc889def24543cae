/* print.h - what a command says
 *
 * Most of what is printed came from strangers: addresses, greetings, replies,
 * file names.  Nothing that a terminal would obey gets through these
 * functions: controls, C1 among them, and bytes that are no UTF-8 come out as
 * \x1b (in JSON as \u001b).
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>

/* s, made printable; print_lines keeps its line ends, and adds none. */
void print_text(FILE *to, const char *s);
void print_lines(FILE *to, const char *s);

/* "postern: WORDS" on standard error. */
void print_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "  hint: WORDS" below it. */
void print_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Both, as far as err has them. */
void print_failure(const struct error *err);

void print_json(json_t *value);		/* takes it */
/* Makes every string in it printable, in place: for an answer of the gateway
 * that is going to be shown to people. */
void printable_json(json_t *value);

#endif
