/* test-module.h - what the tests of core/module have in common */
#ifndef TESTS_UNIT_TEST_MODULE_H
#define TESTS_UNIT_TEST_MODULE_H

#include "unit.h"

#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/node.h"
#include "module/backend.h"
#include "module/hooks.h"
#include "module/module.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Run in the top of the build tree, as `make check' does. */
#define MODULE_PATH "backends:plugins:tests/unit/modules/.libs"

struct yaml {
	struct diags *d;
	struct tree *tree;
	const struct node *root;
};

static inline struct yaml
yaml(const char *text)
{
	struct yaml y = { .d = diags_new() };

	y.tree = tree_parse("test.yaml", span_of(text), y.d);
	assert_non_null(y.tree);
	y.root = tree_root(y.tree);
	return y;
}

static inline void
yaml_free(struct yaml *y)
{
	diags_free(&y->d);
	tree_free(&y->tree);
}

/* What was said of it, in a buffer that lives until the next call. */
static inline const char *
yaml_said(const struct yaml *y)
{
	static char text[4096];
	AUTO(buf_fini) struct buf b = BUF_MAX(sizeof(text) - 1);

	diags_show(y->d, &b);
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	return text;
}

#define CHECK_HAS(text, part)						\
	do {								\
		if (strstr((text), (part)) == NULL)			\
			fail_msg("`%s' is not in: %s", (part), (text));	\
	} while (0)

/* Runs the loop until *flag has the value, or fails after 20 s.  Who changes
 * the flag calls loop_stop(). */
static inline void
watch_barks(struct timer *t)
{
	(void)t;
	fail_msg("the test took too long");
}

static inline void
run_until(struct loop *loop, const int *flag, int value)
{
	struct timer watch;

	timer_init(&watch, loop, watch_barks);
	timer_start(&watch, 20000);
	while (*flag < value)
		loop_run(loop);
	timer_stop(&watch);
}

#endif
