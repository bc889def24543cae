/* conf-refusal.h - what is shown of a text that has a mistake */
#ifndef TESTS_CONF_REFUSAL_H
#define TESTS_CONF_REFUSAL_H

#include "base/macros.h"
#include "conf/diag.h"
#include "conf/node.h"

enum { SHOWN_MAX = 1024 * 1024 };

/* Borrowed: in out, of SHOWN_MAX; "(accepted)" when there is none. */
static inline const char *
refusal(struct span text, struct buf *out)
{
	AUTO(diags_free) struct diags *d = diags_new();
	AUTO(tree_free) struct tree *t = tree_parse("a.yaml", text, d);

	(void)t;			/* the diagnostics show lines of it */
	buf_clear(out);
	if (diags_errors(d) == 0)
		return "(accepted)";
	diags_show(d, out);
	return buf_str(out);
}

#endif
