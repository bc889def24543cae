/* intake_inside.h - what the files behind intake.h share; for no others */
#ifndef DAEMON_INTAKE_INSIDE_H
#define DAEMON_INTAKE_INSIDE_H

#include "daemon/intake.h"

struct door;

struct intake_loop {
	struct intake *intake;
	size_t index;
	struct loop *loop;
	struct smtpd *smtpd;
	struct snapshot *snap;		/* its doors' configs are in it */
	struct door *doors;
	pthread_t thread;
	bool started;
	char name[32];
};

/* --- intake_doors.c -------------------------------------------------- */

/* Doors for sockets that are bound for this loop and not yet at work. */
void doors_open(struct intake_loop *on);
/* Points every door at its place in the snapshot; closes those that have
 * none there. */
void doors_refresh(struct intake_loop *on);
/* In place of the one before; doors_refresh() is to follow. */
void doors_take_snapshot(struct intake_loop *on, struct snapshot *snap);

#endif
