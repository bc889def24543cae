/* instance.c - opening, checking and closing what a block asks for */
#include "module/instance.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"
#include "conf/secret.h"

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

/* check or open has answered; its -1 has words in me->failures. */
static bool
answer_take(struct postern_instance *me, int answer)
{
	if (answer != 0 && me->failures == NULL)
		postern_fail(me, "it failed and did not say why");
	me->failing = false;
	return me->failures == NULL;
}

/* --- what check() and open() say, and where -------------------------- */

/* The key that words begin with, as in "`host' must be ...". */
static struct span
blamed_key(const char *text)
{
	struct span s = span_of(text);

	return text[0] == '`' ? span_sub(s, 1, span_find(s, '\'') - 1)
			      : SPAN_NONE;
}

/* It is that key, or the same secret in a file. */
static bool
is_blamed(const struct node *n, struct span key)
{
	for (size_t i = 0; i < SECRET_FORMS; i++)
		if (n->key.n >= key.n && span_eq(span_sub(n->key, 0, key.n), key)
		    && span_eq(span_from(n->key, key.n),
			       span_of(secret_suffixes[i])))
			return true;
	return false;
}

/* The first child of a block from n on that is blamed, or NULL. */
static const struct node *
blamed_next(const struct node *n, struct span key)
{
	while (n != NULL && (key.n == 0 || !is_blamed(n, key)))
		n = n->next;
	return n;
}

static const struct node *
blamed_node(const struct node *block, struct span key)
{
	return blamed_next(block->kind == NODE_MAP ? block->first : NULL, key);
}

static const struct mark *
blamed_mark(const struct node *block, const char *text)
{
	const struct node *n = blamed_node(block, blamed_key(text));

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

/* Options are missing or wrong, and so told: what check() says of one of them
 * follows from that. */
static bool
was_told(const struct module *m, const struct node *block, const char *text,
	 const struct diags *d)
{
	struct span key = blamed_key(text);
	const struct node *n = blamed_node(block, key);
	char name[80];

	for (; n != NULL; n = blamed_next(n->next, key))
		if (diags_mark_told(d, n))
			return true;
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(span_sub(key, 0, 79)));
	return name[0] != '\0' && schema_was_meant(m->schema, block, name);
}

static void
failure_tell(const struct postern_instance *me, const struct failure *f,
	     const struct node *block, const char *what, struct diags *d)
{
	const char *name = me->module->table.name;

	if (block == NULL)
		diag_error(d, NULL, "%s: module `%s': %s", what, name,
			   f->err.text);
	else
		diag_error(d, blamed_mark(block, f->err.text), "module `%s': "
			   "%s", name, f->err.text);
	if (f->err.hint[0] != '\0')
		diag_hint(d, "%s", f->err.hint);
}

/* In the order in which they were said. */
static void
failures_tell(const struct postern_instance *me, const struct failure *f,
	      const struct node *block, const struct options_target *to,
	      struct diags *d)
{
	if (f == NULL)
		return;
	failures_tell(me, f->before, block, to, d);
	if (to->complete || block == NULL ||
	    !was_told(me->module, block, f->err.text, d))
		failure_tell(me, f, block, to->what, d);
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
	struct module_found ignored;
	bool ok;

	found = found != NULL ? found : &ignored;
	ok = options_bind(m, block, &to, &found->print, d);
	if (m->table.check != NULL &&
	    (to.complete || (m->table.flags & POSTERN_CHECKS_PARTS))) {
		me->failing = true;
		ok = answer_take(me, m->table.check(me->self, me)) && ok;
		failures_tell(me, me->failures, block, &to, d);
	}
	ok = options_advise(&to, d) && ok;
	if (ok)
		found->may_refuse_null_sender = may_refuse_null_sender(m,
								me->self);
	return ok;
}

/* The first of what open() said, with its place: a reload and a start tell
 * it. */
static bool
failures_first(const struct postern_instance *me, const struct node *block,
	       struct error *err)
{
	const struct failure *f = me->failures;
	const struct mark *mark;

	while (f->before != NULL)
		f = f->before;
	*err = f->err;
	error_prefix(err, "module `%s'", me->module->table.name);
	if (block == NULL)
		return false;
	mark = blamed_mark(block, f->err.text);
	return mark->tree == NULL ? false
		: error_prefix(err, "%s:%u:%u", tree_path(mark->tree),
			       mark->line, mark->column);
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
		diags_first(d, err);
		return NULL;
	}
	if (m->table.open != NULL) {
		me->failing = true;
		if (!answer_take(me, m->table.open(me->self, me))) {
			failures_first(me, block, err);
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
