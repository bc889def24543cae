/* capture.h - what is written to standard error meanwhile: log lines, mostly
 *
 *	capture_begin(&c);
 *	...
 *	text = capture_end(&c);
 *
 * A test that fails between the two says why to nobody: no checks there.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include "unit.h"

#include <stdio.h>

struct capture {
	FILE *file;
	int was;			/* standard error */
	char text[256 * 1024];
};

static inline void
capture_begin(struct capture *c)
{
	c->was = dup(STDERR_FILENO);
	c->file = tmpfile();
	assert_non_null(c->file);
	dup2(fileno(c->file), STDERR_FILENO);
}

/* All of it, until the next call. */
static inline const char *
capture_end(struct capture *c)
{
	size_t n;

	dup2(c->was, STDERR_FILENO);
	close(c->was);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = '\0';
	fclose(c->file);
	return c->text;
}

#endif
