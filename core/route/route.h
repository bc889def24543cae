/* route.h - which way a message goes
 *
 * Routes are bound from the folder conf.d in the C-locale order of their file
 * names; the first that matches wins, for each recipient.  Everything here is
 * a pure function of the routes and of the facts.
 *
 * Matching is three-valued: a fact that is not known yet (headers and size,
 * at RCPT) makes MATCH_MAYBE.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/ip.h"
#include "conf/schema.h"
#include "mail/address.h"

struct match;				/* the bound rules of a route */
struct signer_key;

struct route {
	const char *name;		/* "": none that can be used, which is
					 * told; only while files are checked */
	const char *path;		/* of its file, as given */
	const char *backend;		/* the module's name, as written; "":
					 * none, which is told */
	const struct node *node;	/* the whole file */
	const struct node *backend_node;/* the block named so; NULL: none */
	const struct node *filters;	/* the list; NULL: none */
	struct match *match;
	/* limits of one destination; 0: as the backend knows it */
	int64_t connections;		/* at once */
	int64_t messages_per_minute;
	/* differs when the backend's options do, files of secrets included;
	 * filled in by who checks them */
	uint64_t options_print;
	/* its server may refuse the null sender; filled in as well */
	bool may_refuse_reports;
	struct blocks dkim;		/* struct dkim_entry of dkim.h */
	/* what signs its mail; read and filled in by who loads the files */
	const struct signer_key *const *signers;
	size_t signer_count;
	bool dkim_required;		/* mail that cannot be signed waits */
	unsigned index;			/* its place in the order */
};

struct routes {
	struct route *v;
	size_t n;
	bool incomplete;		/* a file gave no route, or none with a
					 * name: who misses one says nothing */
};

/* A backend, as who knows the modules sees it. */
struct route_backend {
	const char *name;
	const struct schema_key *keys;	/* of its block; NULL: not known */
};

/* Binds one file's tree and appends it to routes (grown in the arena), also
 * when something is wrong: then the rest of it is checked nevertheless.  meant
 * is the backend whose block may stand there, where the name of the backend
 * is mistyped or missing; NULL: none is known.  Does not look into the
 * backend's own block.  Names must be unique. */
bool route_bind(struct routes *routes, const struct tree *tree,
		const struct route_backend *meant, struct arena *arena,
		struct diags *d);
/* What only all of them together can tell: a route that can never match
 * because one before it takes everything (a warning), dangling names. */
void routes_check(const struct routes *routes, struct diags *d);
const struct route *routes_find(const struct routes *routes, const char *name);

/* What is known of a message and one of its recipients. */
struct facts {
	struct address sender;
	struct address recipient;
	struct ip client;
	struct span listener;		/* "0.0.0.0:25" as configured */
	bool own;			/* a report of ours: rules on the client
					 * and the listener are skipped */
	bool at_end;			/* header and size are known */
	struct span header;		/* the header section */
	uint64_t size;
	/* What the rules that do not ask about the recipient have said: a
	 * byte for each route, zeroed by the caller when anything but the
	 * recipient and at_end changes, and filled by route_match.  NULL:
	 * nothing is kept. */
	unsigned char *kept;
};

enum match_result { MATCH_NO, MATCH_MAYBE, MATCH_YES };

/* Why a route does not match, in printable words: "sender a@b is not among
 * @example.org".  reason may be NULL; then nothing is written (the hot path),
 * and a regular expression that comes to no end is told to the log. */
enum match_result route_match(const struct route *r, const struct facts *f,
			      struct buf *reason);

/* Whether it may take a delivery report of ours, which has the null sender:
 * what is left to the recipient, the header and the size may say no yet. */
bool route_may_take_reports(const struct route *r);
/* It takes each of them: no rule asks about more than the sender. */
bool route_takes_all_reports(const struct route *r);

/* The first route that matches; NULL when none does.  *maybe (may be NULL)
 * tells that an earlier or later one may still. */
const struct route *routes_pick(const struct routes *routes,
				const struct facts *f, bool *maybe);

/* The first that matches behind another one; after NULL: of all. */
const struct route *routes_pick_after(const struct routes *routes,
				      const struct facts *f,
				      const struct route *after);

/* The keys that sign a message whose From is of that domain: those of this
 * domain or else of its nearest parent, one for each algorithm, at most max.
 * How many. */
size_t signers_pick(const struct route *r, struct span from_domain,
		    const struct signer_key **ret, size_t max);

/* For `postern explain' and for the words of a refusal: every route in order
 * with its result and the reason. */
void routes_explain(const struct routes *routes, const struct facts *f,
	void (*row)(void *arg, const struct route *r, enum match_result m,
		    const char *reason), void *arg);

/* The keys of a route file, for the manual. */
extern const struct schema_key route_keys[];

#endif
