/* instance.c - opening, checking and closing what a block asks for */
#include "module/instance.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct postern_instance *
instance_new(struct module *m, const struct instance_place *place)
{
	struct arena *a = arena_new();
	struct postern_instance *me = ARENA_NEW(a, struct postern_instance);

	me->arena = a;
	me->module = m;
	me->self = arena_alloc(a, MAX(m->table.self_size, 1));
	me->loop = place->loop;
	me->blocking = place->blocking;
	me->host = place->host;
	me->events = place->events;
	me->arg = place->arg;
	me->turn = place->state_later ? STATE_LATER : STATE_OURS;
	me->route = arena_strdup(a, place->route ? place->route : "");
	me->hostname = arena_strdup(a, place->hostname ? place->hostname : "");
	me->log.room = m->table.name;
	if (me->route[0] != '\0')
		me->log.fields[0] = LOG_STR("route", me->route);
	return me;
}

static void
instance_free(struct postern_instance **me)
{
	struct arena *a = *me ? (*me)->arena : NULL;

	arena_free(&a);
	*me = NULL;
}

/* Calls check or open; its -1 becomes *err. */
static bool
ask(struct postern_instance *me, int answer, struct error *err)
{
	me->failing = NULL;
	if (answer == 0 && !me->failed)
		return true;
	if (!me->failed)
		error_set(err, ERROR_CONFIG, "it failed and did not say why");
	return error_prefix(err, "module `%s'", me->module->table.name);
}

static bool
instance_check(struct postern_instance *me, struct error *err)
{
	const struct postern_module *t = &me->module->table;

	if (t->check == NULL)
		return true;
	me->failing = err;
	return ask(me, t->check(me->self, me), err);
}

/* The key that a module's words begin with, as in "`host' must be ..."; else
 * the whole block. */
static const struct mark *
blamed(const struct module *m, const struct node *block, const char *text)
{
	struct span s = span_from(span_of(text), strlen("module `': ") +
				  strlen(m->table.name));
	const struct node *n = block->kind == NODE_MAP ? block->first : NULL;

	if (s.n > 0 && s.p[0] == '`')
		s = span_sub(s, 1, span_find(s, '\'') - 1);
	else
		n = NULL;
	while (n != NULL && !span_eq(n->key, s))
		n = n->next;
	if (n != NULL)
		return &n->mark;
	return block->key.n > 0 ? &block->key_mark : &block->mark;
}

/* The options alone answer it: nothing is open. */
static bool
may_refuse_null_sender(const struct module *m, const void *self)
{
	struct postern_destination to;

	memset(&to, 0, sizeof(to));
	if (m->table.backend == NULL)
		return false;
	m->table.backend->describe(self, "postmaster@example.org", &to);
	return (to.may_refuse & POSTERN_NULL_SENDER) != 0;
}

bool
module_check(struct module *m, const struct node *block, const char *what,
	     const struct module_access *access, struct module_found *found,
	     struct diags *d)
{
	struct instance_place nowhere = { .route = "" };
	AUTO(instance_free) struct postern_instance *me
		= instance_new(m, &nowhere);
	struct options_target to = { .what = what, .self = me->self,
				     .arena = me->arena, .access = access };
	struct error err;
	struct module_found ignored;

	found = found != NULL ? found : &ignored;
	if (!options_bind(m, block, &to, &found->print, d))
		return false;
	if (instance_check(me, &err)) {
		found->may_refuse_null_sender = may_refuse_null_sender(m,
								me->self);
		return true;
	}
	if (block == NULL)
		diag_error(d, NULL, "%s: %s", what, err.text);
	else
		diag_error(d, blamed(m, block, err.text), "%s", err.text);
	if (err.hint[0] != '\0')
		diag_hint(d, "%s", err.hint);
	return false;
}

/* The first of what is wrong, on one line. */
static bool
diags_error(const struct diags *d, const char *what, struct error *err)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(64 * 1024);
	struct span line, all;

	diags_show(d, &text);
	all = buf_span(&text);
	span_split(&all, '\n', &line);
	error_set(err, ERROR_CONFIG, "%.*s", SPAN_ARG(line));
	return error_prefix(err, "%s", what);
}

struct postern_instance *
instance_open(struct module *m, const struct node *block,
	      const struct instance_place *place, struct error *err)
{
	AUTO(instance_free) struct postern_instance *me
		= instance_new(m, place);
	AUTO(diags_free) struct diags *d = diags_new();
	char what[100];
	struct options_target to = { .what = what, .self = me->self,
				     .arena = me->arena };
	struct postern_instance *ret;
	uint64_t print;

	snprintf(what, sizeof(what), "module `%s'", m->table.name);
	if (!options_bind(m, block, &to, &print, d)) {
		diags_error(d, what, err);
		return NULL;
	}
	if (m->table.open != NULL) {
		me->failing = err;
		if (!ask(me, m->table.open(me->self, me), err)) {
			instance_questions_end(me);
			instance_timers_end(me);
			return NULL;
		}
	}
	ret = me;
	me = NULL;		/* handed over */
	return ret;
}

void
instance_close(struct postern_instance **ptr)
{
	struct postern_instance *me = *ptr;

	if (me == NULL)
		return;
	me->closing = true;
	if (me->module->table.close != NULL)
		me->module->table.close(me->self);
	instance_questions_end(me);
	instance_timers_end(me);
	instance_free(ptr);
}

/* A relay's next hop, and whom a filter asks, stand in the configuration; what
 * another backend asks for may come from strangers. */
enum dns_author
instance_author(const struct postern_instance *me)
{
	const struct postern_module *t = module_table(me->module);

	return t->backend == NULL || (t->flags & POSTERN_RELAY) != 0
	     ? DNS_BY_ADMINISTRATOR : DNS_BY_ANYBODY;
}

struct module *
instance_module(const struct postern_instance *me)
{
	return me->module;
}

void *
instance_self(struct postern_instance *me)
{
	return me->self;
}

const char *
postern_hostname(const postern_instance *me)
{
	return me->hostname;
}

const char *
postern_route(const postern_instance *me)
{
	return me->route;
}
