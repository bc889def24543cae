/* login.h - what the two ways of signing in share */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "cli/cli.h"
#include "module/action.h"

bool login_interrupted(void);	/* by Ctrl-C */

int login_status(enum action_end how);	/* to exit with */
void login_show(const struct cli *cli, const char *line);
/* Without a gateway, as the service's user; an exit status. */
int login_alone(const struct cli *cli, const char *route);

#endif
