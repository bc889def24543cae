/* spool-fault.h - failing the n-th call that reaches the disk
 *
 * Covers SQLite (by a VFS named "fault" around the default one) and the
 * bodies' files (by wrapped system calls, see spool.inc).  Counted over all
 * threads.
 */
#ifndef TESTS_SPOOL_FAULT_H
#define TESTS_SPOOL_FAULT_H

#include <stdbool.h>

enum fault_mode {
	FAULT_IO_ONCE,		/* the n-th call fails */
	FAULT_IO_ON,		/* it and all after it */
	FAULT_DB_ON,		/* the same, but bodies' files are well */
	FAULT_FULL_ONCE,	/* no space, for calls that may say so */
	FAULT_FULL_ON,
	FAULT_MODES,
};

void fault_register(void);		/* the VFS; once */
void fault_arm(enum fault_mode mode, unsigned nth);
void fault_disarm(void);
bool fault_fired(void);
/* A write-ahead log finds no space beyond so many bytes; 0: it does. */
void fault_log_room(long long bytes);
/* Bytes that SQLite has read, so far. */
unsigned long long fault_db_read(void);
/* Syncs of the database, of bodies' files, and of folders, so far. */
unsigned fault_db_syncs(void);
unsigned fault_file_syncs(void);
unsigned fault_folder_syncs(void);

#endif
