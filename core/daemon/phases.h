/* phases.h - the order of the program, as data */
#ifndef DAEMON_PHASES_H
#define DAEMON_PHASES_H

#include "base/error.h"

struct app;

/* Starts downwards; what fails is named, and what had started is stopped
 * upwards before it returns. */
bool phases_start(struct app *app, struct error *err);
void phases_stop(struct app *app);

#endif
