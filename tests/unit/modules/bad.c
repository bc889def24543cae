/* bad.c - files that are no modules, or not ours: BAD_ABI, BAD_NAME,
 * BAD_ENTRY or BAD_SYMBOL says how */
#include <postern-plugin.h>

static postern_verdict
bad_message(void *self, postern_txn *txn)
{
	(void)self, (void)txn;
	return POSTERN_CONTINUE;
}

static const struct postern_filter bad_filter = { .on_message = bad_message };

#ifdef BAD_SYMBOL
void nobody_has_this(void);

void *bad_uses(void);

void *
bad_uses(void)
{
	nobody_has_this();
	return NULL;
}
#endif

#ifdef BAD_ENTRY
#define postern_module_entry some_other_name
#endif

POSTERN_EXTERN_C POSTERN_EXPORT
const struct postern_module postern_module_entry;
const struct postern_module postern_module_entry = {
#ifdef BAD_ABI
	.abi = 4711,
#else
	.abi = POSTERN_ABI,
#endif
	.size = sizeof(struct postern_module),
	.sizes = POSTERN_SIZES_HERE,
	.name = BAD_OWN_NAME,
	.summary = "not a good one",
	.filter = &bad_filter,
};
