/* module.h - the modules that are loaded, and instances of them
 *
 * A registry of modules by name.  Modules come from a search path (the
 * installed folder, or POSTERN_MODULE_PATH, a list with colons) when a
 * configuration names them, or by path from `modules:'; they are never
 * unloaded.  Loading happens on the main thread at start, and on whichever
 * thread builds a snapshot at reload; a mutex keeps the registry.
 */
#ifndef MODULE_MODULE_H
#define MODULE_MODULE_H

#include "base/error.h"
#include "base/loop.h"
#include "base/worker.h"
#include "conf/schema.h"

struct backend_events;
struct host;
struct postern_module;
struct module;

/* The module called name, loaded when it has to be; NULL with err (all folders
 * that were searched, or what dlopen, the ABI number or the table lacked). */
struct module *module_find(const char *name, struct error *err);
/* The module that is nearest to a name that is none, loaded; NULL where none is
 * near, or it does not load. */
struct module *module_near(const char *name);
/* Loads the file at path; its module is found under its own name then.  A
 * second file with a module of the same name is an error. */
struct module *module_load(const char *path, struct error *err);

/* Our copy: what an older module's table does not have is zero. */
const struct postern_module *module_table(const struct module *m);
const char *module_path(const struct module *m);
bool module_is_backend(const struct module *m);
bool module_is_filter(const struct module *m);
bool module_blocks(const struct module *m);

/* Loads every module that can be found and calls row for each that is loaded,
 * by name; row must not load any.  What does not load is logged. */
void module_each(void (*row)(void *arg, const struct module *m), void *arg);
/* The options as a schema, for binding and for the manual. */
const struct schema_key *module_schema(const struct module *m);

/* A certificate that a configuration names, and where it does so. */
struct module_certificate {
	const char *file, *key;		/* key NULL: it is in the same file */
	const struct mark *mark, *key_mark;
};

/* Where a backend sends to, as it is written; borrowed from the tree and from
 * what is bound. */
struct module_hop {
	const char *host;
	uint16_t port;
	const struct mark *mark;	/* of the host */
};

struct module_access {
	/* Whether the gateway, as the user that it becomes, can read a file;
	 * words when not. */
	bool (*can_read)(void *arg, const char *path, struct error *err);
	/* And whether it can prove itself by these; what is wrong with them,
	 * or soon will be, goes to d. */
	bool (*can_show)(void *arg, const struct module_certificate *c,
			 struct diags *d);
	/* May be NULL.  Whether that is the gateway itself can be told when
	 * its listeners are known. */
	void (*next_hop)(void *arg, const struct module_hop *h);
	void *arg;
};

/* What a check finds out besides mistakes. */
struct module_found {
	/* another number for other options, secrets in files included */
	uint64_t print;
	/* of a backend, as it describes a destination */
	bool may_refuse_null_sender;
};

/* Binds block (NULL: defaults) as an instance's options and runs the
 * module's own check, without opening anything.  Messages go to d.  access
 * may be NULL: files are not looked at; so may found. */
bool module_check(struct module *m, const struct node *block,
		  const char *what, const struct module_access *access,
		  struct module_found *found, struct diags *d);

/* --- instances ------------------------------------------------------- */

/* postern_instance is the ABI's name for it. */
struct postern_instance;

struct instance_place {
	const char *route;		/* "" : gateway-wide */
	const char *hostname;
	struct loop *loop;		/* whose callbacks it gets */
	const struct host *host;	/* services; NULL: none, as for filters */
	/* A backend's: what its postern_pause() and postern_ready() become. */
	const struct backend_events *events;
	void *arg;
	bool blocking;			/* its jobs run on a worker: no timers */
	bool state_later;		/* see module/backend.h */
};

/* Opens one on the loop of place; NULL with err.  Copies what it needs; the
 * block has passed module_check(). */
struct postern_instance *instance_open(struct module *m,
	const struct node *block, const struct instance_place *place,
	struct error *err);
void instance_close(struct postern_instance **i);	/* on its loop */

struct module *instance_module(const struct postern_instance *i);
void *instance_self(struct postern_instance *i);

#endif
