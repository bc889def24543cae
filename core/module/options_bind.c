/* options_bind.c - from a block of YAML into a module's self */
#include "module/options.h"

#include "base/macros.h"

#include <string.h>

/* The list and its texts are copied: an instance outlives its file's tree. */
static struct postern_strings
strings_copy(const struct strings *from, struct arena *arena)
{
	const char **v = arena_array(arena, from->n + 1, sizeof(*v));

	for (size_t i = 0; i < from->n; i++)
		v[i] = arena_strdup(arena, from->v[i]);
	return (struct postern_strings){ v, from->n };
}

static void
field_fill(const struct postern_option *o, const union slot *from,
	   char *self, struct arena *arena)
{
	void *field = self + o->offset;

	switch (option_types[o->type].conf) {
	case T_BOOL:
		*(int32_t *)field = from->truth;
		break;
	case T_ENUM:
		*(int32_t *)field = from->word;
		break;
	case T_STRINGS:
		*(struct postern_strings *)field
			= strings_copy(&from->list, arena);
		break;
	case T_STRING:
	case T_PATH:
		*(const char **)field = from->text;
		break;
	case T_SECRET:
		*(const char **)field = from->secret.bytes;
		break;
	default:
		*(int64_t *)field = from->number;
		break;
	}
}

/* A walk over the rows, the slots and the block, side by side. */
struct walk {
	const struct module *module;
	const union slot *slot;
	char *self;
	struct arena *arena;
	const struct module_access *access;	/* NULL: no file is looked at */
	struct diags *d;
	struct smtp_advice advice;
	const char *host, *host_key;	/* the next hop, or NULL */
	uint64_t print;
	bool complete;				/* no value is missing or wrong */
	bool ok;
};

static void
print_add(struct walk *w, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		w->print = (w->print ^ p[i]) * 0x100000001b3u;
	w->print = (w->print ^ n) * 0x100000001b3u;
}

static void
print_text(struct walk *w, const char *s)
{
	print_add(w, s, s != NULL ? strlen(s) : 0);
}

static void
wrong_at(struct walk *w, const struct node *block, const char *key,
	 const struct error *err)
{
	diag_error(w->d, schema_mark(block, key), "%s", err->text);
	if (err->hint[0] != '\0')
		diag_hint(w->d, "%s", err->hint);
	w->ok = false;
}

static void
readable(struct walk *w, const struct node *block, const char *key,
	 const char *path)
{
	struct error err;

	if (w->access == NULL || path == NULL ||
	    w->access->can_read(w->access->arg, path, &err))
		return;
	error_prefix(&err, "`%s'", key);
	wrong_at(w, block, key, &err);
}

/* A start reads secrets while it still is root; whom it becomes reads them
 * again, at each reload and for each instance. */
static void
secret_readable(struct walk *w, const struct node *block, const char *key,
		const struct secret *s)
{
	for (size_t i = 1; i < SECRET_FORMS && s->file != NULL; i++) {
		const char *form = arena_printf(w->arena, "%s%s", key,
						secret_suffixes[i]);

		if (node_get(block, form) != NULL)
			readable(w, block, form, s->file);
	}
}

static void
showable(struct walk *w, const struct node *block,
	 const struct smtp_options *o)
{
	const struct module_certificate c = {
		.file = o->certificate, .key = o->key,
		.mark = schema_mark(block, "certificate"),
		.key_mark = schema_mark(block, "key"),
	};

	if (w->access != NULL && c.file != NULL)
		w->ok = w->access->can_show(w->access->arg, &c, w->d) && w->ok;
}

/* --- values ---------------------------------------------------------- */

static void
smtp_fill(struct walk *w, const struct node *block,
	  const struct postern_option *o)
{
	const struct smtp_options *from = (const void *)w->slot;
	struct postern_smtp_plan plan;

	w->slot += SMTP_SLOTS;
	if (w->complete)
		w->advice = (struct smtp_advice){ .options = from,
						  .block = block };
	showable(w, block, from);
	readable(w, block, "trust_file", from->trust_file);
	print_text(w, from->server_name);
	print_text(w, from->certificate);
	print_text(w, from->key);
	print_text(w, from->trust_file);
	print_text(w, from->helo);
	print_text(w, from->source);
	print_add(w, &from->port, sizeof(from->port));
	print_add(w, &from->idle, sizeof(from->idle));
	print_add(w, &from->reuse, sizeof(from->reuse));
	print_add(w, from->timeouts, sizeof(from->timeouts));
	print_add(w, &from->tls, sizeof(from->tls));
	smtp_options_plan(from, &plan);
	if (from->tls < 0)		/* told; the rest is seen as if verified */
		plan.tls = POSTERN_TLS_VERIFY;
	memcpy(w->self + o->offset, &plan, option_size(w->module, o));
}

static void
value_print(struct walk *w, const struct postern_option *o,
	    const union slot *from)
{
	switch (option_types[o->type].conf) {
	case T_BOOL:
		print_add(w, &from->truth, sizeof(from->truth));
		break;
	case T_ENUM:
		print_add(w, &from->word, sizeof(from->word));
		break;
	case T_STRINGS:
		for (size_t i = 0; i < from->list.n; i++)
			print_text(w, from->list.v[i]);
		print_add(w, &from->list.n, sizeof(from->list.n));
		break;
	case T_STRING:
	case T_PATH:
		print_text(w, from->text);
		break;
	case T_SECRET:
		print_add(w, from->secret.bytes, from->secret.n);
		break;
	default:
		print_add(w, &from->number, sizeof(from->number));
		break;
	}
}

static void
rows_fill(struct walk *w, const struct postern_option *o,
	  const struct node *block)
{
	for (; o->key != NULL; o++) {
		if (o->type == POSTERN_BLOCK) {
			rows_fill(w, o->block,
				  block ? node_get(block, o->key) : NULL);
			continue;
		}
		if (o->type == POSTERN_SMTP) {
			smtp_fill(w, block, o);
			continue;
		}
		field_fill(o, w->slot, w->self, w->arena);
		value_print(w, o, w->slot);
		if (o->flags & POSTERN_READABLE)
			readable(w, block, o->key, w->slot->text);
		if (o->flags & POSTERN_NEXT_HOP) {
			w->host = w->slot->text;
			w->host_key = o->key;
		}
		if (o->type == POSTERN_SECRET)
			secret_readable(w, block, o->key, &w->slot->secret);
		w->slot++;
	}
}

/* A word that is not known: what is checked in spite of mistakes must not take
 * it for the first one. */
static void
words_unknow(const struct schema_key *keys, union slot *slots)
{
	for (; keys->name != NULL; keys++) {
		if (keys->type == T_BLOCK)
			words_unknow(keys->keys, slots);
		else if (keys->type == T_ENUM)
			*(int *)(void *)((char *)slots + keys->offset) = -1;
	}
}

/* When all is well a word that nobody gave is the first one. */
static void
words_settle(const struct schema_key *keys, union slot *slots, bool complete)
{
	for (; keys->name != NULL; keys++) {
		int *word = (void *)((char *)slots + keys->offset);

		if (keys->type == T_BLOCK)
			words_settle(keys->keys, slots, complete);
		else if (keys->type == T_ENUM && *word < 0 && complete)
			*word = 0;
	}
}

bool
options_bind(const struct module *m, const struct node *block,
	     struct options_target *to, uint64_t *print, struct diags *d)
{
	union slot *slots = arena_array(to->arena, m->slots + 1,
					sizeof(*slots));
	struct walk w = {
		.module = m, .slot = slots, .self = to->self,
		.arena = to->arena, .access = to->access, .d = d,
		.print = 0xcbf29ce484222325u, .ok = true,
	};

	words_unknow(m->schema, slots);
	to->complete = schema_bind(m->schema, block, to->what, slots,
				   to->arena, d);
	words_settle(m->schema, slots, to->complete);
	w.complete = to->complete;
	rows_fill(&w, m->options, block);
	w.advice.host = w.host;
	w.advice.host_key = w.host_key;
	to->advice = w.advice;
	*print = w.print;
	return to->complete && w.ok;
}
