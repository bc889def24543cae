/* dsn_inside.h - what the files behind dsn.h share; for no others */
#ifndef MAIL_DSN_INSIDE_H
#define MAIL_DSN_INSIDE_H

#include "base/limits.h"
#include "mail/dsn.h"

enum {
	DSN_WORDS_MAX = 2 * LIMIT_OUTCOME_TEXT,	/* of one line of a report */
};

/* Why the whole message is not returned to a sender who asked for it. */
enum dsn_partial {
	DSN_PARTIAL_NOT,		/* it is, or nobody asked */
	DSN_PARTIAL_LARGE,
	DSN_PARTIAL_BROKEN,		/* NUL, or a line that is too long */
};

/* What is decided before the first byte is written. */
struct dsn_shape {
	char boundary[64];
	struct span message_id;		/* of the original, or "" */
	struct span header;		/* its whole fields that are at hand */
	bool header_cut;		/* there are more */
	bool full;			/* all of it is returned */
	enum dsn_partial partial;
	struct span returned;
	const char *encoding;		/* of the returned part */
};

/* The words for an action: "failed", and the class of its status code. */
const char *dsn_action_name(enum dsn_action action);
unsigned dsn_action_class(enum dsn_action action);
bool dsn_has_action(const struct dsn_facts *f, enum dsn_action action);

/* s, made printable; outside of an SMTPUTF8 report made ASCII as well. */
bool dsn_add_clean(struct buf *b, struct span s, const struct dsn_facts *f);
/* A field of "prefix" and s made so; none when s is empty. */
bool dsn_add_field(struct buf *out, const char *name, const char *prefix,
		   struct span s, const struct dsn_facts *f);
bool dsn_add_date_field(struct buf *out, const char *name, int64_t wall_ms);

/* The parts: for a reader (UTF-8), and for a program. */
bool dsn_add_words(struct buf *out, const struct dsn_facts *f,
		   const struct dsn_shape *shape);
bool dsn_add_status(struct buf *out, const struct dsn_facts *f);

#endif
