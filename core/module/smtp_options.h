/* smtp_options.h - the keys that every SMTP client has, and a plan of them
 *
 * Private to this room.  An option of type POSTERN_SMTP stands for all of
 * them; they are parsed into a struct smtp_options, from which the plan in
 * the module's self is made.
 */
#ifndef MODULE_SMTP_OPTIONS_H
#define MODULE_SMTP_OPTIONS_H

#include "base/arena.h"
#include "conf/schema.h"
#include "postern-plugin.h"
#include "smtpc/smtpc.h"

struct smtp_options {
	char *server_name, *certificate, *key, *trust_file, *helo, *source;
	int64_t port, idle, reuse;
	int64_t timeouts[SMTPC_TIMEOUTS];
	int tls;
};

/* The rows, with offsets from `offset' on, in the arena; fallback is that of
 * the option ("port=587 tls=verify"): false when it names no key. */
bool smtp_options_schema(const char *fallback, size_t offset,
			 struct arena *a, struct schema_key **ret);
/* What no table can say: each key that is wrong, with words behind it; how
 * many. */
struct smtp_fault {
	const char *key, *words;
};
enum { SMTP_FAULTS_MAX = 8 };
size_t smtp_options_faults(const struct smtp_options *o,
			   struct smtp_fault ret[SMTP_FAULTS_MAX]);
/* What is filled in lives as long as o's arena. */
void smtp_options_plan(const struct smtp_options *o,
		       struct postern_smtp_plan *plan);

#endif
