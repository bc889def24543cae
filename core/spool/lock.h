/* lock.h - one process at a time in a folder
 *
 * For the spool itself, and for tools that must not meet a running gateway.
 * The lock ends with the process, however that ends.
 */
#ifndef SPOOL_LOCK_H
#define SPOOL_LOCK_H

#include "base/error.h"

/* Takes FOLDER/lock and writes our pid into it.  When somebody has it:
 * ERROR_CONFIG that names his pid.  *ret is for lock_drop(). */
bool lock_take(const char *folder, int *ret, struct error *err);
void lock_drop(int *lock);		/* -1 is allowed */

#endif
