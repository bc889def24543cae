/* control.h - speaking to the running gateway over its control socket */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/cli.h"
#include "cli/print.h"

struct control;

/* Finds the socket by the configuration and makes ready to ask; NULL after
 * saying what is wrong, with the status to exit with in *rc. */
struct control *control_open(const struct cli *cli, int *rc);
/* The same, but says nothing when no gateway answers there (69). */
struct control *control_open_quietly(const struct cli *cli, int *rc);
void control_close(struct control **c);

/* One request; body may be NULL (GET) or an object (POST), which is given
 * away.  0 and *ret (the caller's), or the status to exit with after saying
 * what went wrong.  The strings in it are printable, unless --json was
 * said. */
int control_ask(struct control *c, const char *path, json_t *body,
		json_t **ret);

/* folder and name, name escaped; returns a string for mem_free. */
char *control_path(struct control *c, const char *folder, const char *name);

/* path?name=value appended, value escaped; returns a string for mem_free. */
char *control_query(struct control *c, const char *path, const char *name,
		    const char *value);

/* For people: "3m", "2h 5m"; "1.4 MiB".  Into buf of 32; returns it. */
const char *words_duration(json_int_t ms, char *buf);
const char *words_size(json_int_t bytes, char *buf);

#endif
