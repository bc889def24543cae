/* signers.c - reading the files of DKIM keys
 *
 * A key that cannot be read or used is an error: mail that leaves unsigned
 * is refused by those who matter.  What is only unwise is a warning.
 */
#include "daemon/signers.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "daemon/privileges.h"
#include "mail/signer.h"
#include "route/dkim.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BITS_WISE = 2048 };		/* RFC 8301 section 3.2 */

/* One that was read already. */
struct loaded {
	const struct dkim_entry *entry;
	const struct node *node;
	const struct signer_key *key;
	struct loaded *next;
};

struct signers_load {
	struct snapshot *snap;
	struct arena *arena;
	struct diags *d;
	struct identity user;
	struct loaded *first;
};

static void
key_free(void *arg)
{
	struct signer_key *k = arg;

	signer_key_free(&k);
}

/* --- the file -------------------------------------------------------- */

static void
file_warn(const struct signers_load *l, const char *path,
	  const struct mark *mark)
{
	if (file_is_public(path)) {
		diag_warning(l->d, mark, "every user of this host can read %s",
			     path);
		diag_hint(l->d, "whoever has it can sign in your name: chmod "
			  "o-rwx %s", path);
	}
}

static bool
file_failed(const struct signers_load *l, const struct dkim_entry *e,
	    const struct mark *mark, const struct error *err)
{
	int why = errno;

	diag_error(l->d, mark, "DKIM key: %s", err->text);
	if (err->hint[0] != '\0')
		return diag_hint(l->d, "%s", err->hint);
	if (why == ENOENT && e->domain != NULL && e->selector != NULL)
		return diag_hint(l->d, "make one with `postern dkim new %s "
				 "%s --out %s'", e->domain, e->selector,
				 e->key);
	if (why == EACCES)
		return diag_hint(l->d, "the user that the gateway runs as must "
				 "be able to read it");
	return false;
}

static const struct signer_key *
key_read(const struct signers_load *l, const struct dkim_entry *e,
	 const struct mark *mark)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(LIMIT_KEY_FILE);
	struct signer_key *k;
	struct error err;

	errno = 0;
	/* as whom it will be read at a reload */
	if (!file_read_regular(&pem, e->key, &err) ||
	    !identity_can_read(&l->user, e->key, &err)) {
		file_failed(l, e, mark, &err);
		return NULL;
	}
	k = signer_key_new(buf_span(&pem), e->domain ? e->domain : "invalid",
			   e->selector ? e->selector : "invalid", &err);
	if (k == NULL) {
		errno = 0;
		error_prefix(&err, "%s", e->key);
		file_failed(l, e, mark, &err);
		return NULL;
	}
	snapshot_on_free(l->snap, key_free, k);
	file_warn(l, e->key, mark);
	if (signer_key_algorithm(k) == SIGNER_RSA &&
	    signer_key_bits(k) < BITS_WISE) {
		diag_warning(l->d, mark, "an RSA key of %u bits is short",
			     signer_key_bits(k));
		diag_hint(l->d, "make one of %d with `postern dkim new %s'",
			  BITS_WISE, e->domain ? e->domain : "DOMAIN");
	}
	return k;
}

/* --- all of them ----------------------------------------------------- */

static const struct loaded *
loaded_find(const struct signers_load *l, const struct dkim_entry *e)
{
	const struct loaded *o = l->first;

	while (o != NULL && (strcasecmp(o->entry->domain, e->domain) != 0 ||
			     strcasecmp(o->entry->selector, e->selector) != 0))
		o = o->next;
	return o;
}

/* The record in the DNS is one, so the key is one, whatever files hold it. */
static const struct signer_key *
key_again(const struct signers_load *l, const struct loaded *o,
	  const struct dkim_entry *e, const struct node *node)
{
	const struct mark *mark = schema_mark(node, "key");
	const struct signer_key *k;

	if (strcmp(o->entry->key, e->key) == 0)
		return o->key;
	k = key_read(l, e, mark);
	if (k == NULL || signer_key_number(k) == signer_key_number(o->key))
		return k;
	diag_error(l->d, mark, "%s._domainkey.%s has another key in %s, line "
		   "%u", e->selector, e->domain, tree_path(o->node->mark.tree),
		   schema_mark(o->node, "key")->line);
	diag_hint(l->d, "give one of them another selector");
	return NULL;
}

/* Of one that is not the file is looked at nevertheless. */
static bool
entry_is_whole(const struct dkim_entry *e)
{
	return e->domain != NULL && e->selector != NULL && e->key != NULL;
}

static const struct signer_key *
entry_load(struct signers_load *l, const struct dkim_entry *e,
	   const struct node *node)
{
	const struct loaded *before = entry_is_whole(e) ? loaded_find(l, e)
							: NULL;
	struct loaded *o;
	const struct signer_key *k;

	if (!entry_is_whole(e)) {
		if (e->key != NULL)
			key_read(l, e, schema_mark(node, "key"));
		return NULL;
	}
	if (before != NULL)
		return key_again(l, before, e, node);
	k = key_read(l, e, schema_mark(node, "key"));
	if (k == NULL)
		return NULL;
	o = ARENA_NEW(l->arena, struct loaded);
	*o = (struct loaded){ e, node, k, l->first };
	l->first = o;
	return k;
}

/* Of two keys of a kind for one domain only the first one signs. */
static void
idle_warn(const struct signers_load *l, const struct route *r,
	  const struct signer_key *k, const struct node *node)
{
	for (size_t i = 0; i < r->signer_count; i++) {
		const struct signer_key *o = r->signers[i];

		if (signer_key_algorithm(o) != signer_key_algorithm(k) ||
		    strcmp(signer_key_domain(o), signer_key_domain(k)) != 0)
			continue;
		diag_warning(l->d, schema_mark(node, "selector"), "this key "
			     "never signs: `%s' of the same kind comes first",
			     signer_key_selector(o));
		diag_hint(l->d, "keep only the one that is to sign; the record "
			  "of the other may stay in the DNS");
		return;
	}
}

static bool
route_load(struct signers_load *l, struct route *r)
{
	const struct dkim_entry *v = r->dkim.v;
	const struct signer_key **keys = arena_array(l->arena, r->dkim.n,
						     sizeof(*keys));
	bool ok = true;

	r->signers = keys;
	for (size_t i = 0; i < r->dkim.n; i++) {
		const struct signer_key *k = entry_load(l, &v[i],
							r->dkim.nodes[i]);

		ok = ok && k != NULL;
		if (k == NULL)
			continue;
		idle_warn(l, r, k, r->dkim.nodes[i]);
		keys[r->signer_count++] = k;
	}
	return ok;
}

bool
signers_load(struct routes *routes, const struct identity *who,
	     struct snapshot *snap, struct diags *d)
{
	struct signers_load l = {
		.snap = snap, .arena = snapshot_arena(snap), .d = d,
		.user = *who,
	};
	bool ok = true;

	for (size_t i = 0; i < routes->n; i++)
		ok = route_load(&l, &routes->v[i]) && ok;
	return ok;
}
