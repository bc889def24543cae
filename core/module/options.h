/* options.h - how the options of modules are kept; private to this room
 *
 * conf/ fills structures of our own types; a module's fields have those of
 * the ABI.  So binding goes to a row of slots first, one for each option, and
 * from there into self.
 */
#ifndef MODULE_OPTIONS_H
#define MODULE_OPTIONS_H

#include "conf/secret.h"
#include "module/loaded.h"
#include "module/smtp_options.h"

union slot {
	bool truth;
	int word;
	int64_t number;
	char *text;
	struct strings list;
	struct secret secret;
};

enum {
	OPTION_TYPES = POSTERN_SMTP + 1,
	SMTP_KEYS = 16,			/* at most, with those of its block */
	/* what a POSTERN_SMTP takes up */
	SMTP_SLOTS = (sizeof(struct smtp_options) + sizeof(union slot) - 1) /
		     sizeof(union slot),
};

/* By POSTERN_STRING and so on: what conf/ calls it, and the field in self. */
struct option_type {
	enum key_type conf;
	uint32_t size, align;
};
extern const struct option_type option_types[OPTION_TYPES];

uint32_t option_size(const struct module *m, const struct postern_option *o);

#endif
