/* signer_inside.h - what the files behind signer.h share; for no others */
#ifndef MAIL_SIGNER_INSIDE_H
#define MAIL_SIGNER_INSIDE_H

#include "mail/signer.h"

#include <gnutls/abstract.h>

struct signer_key {
	enum signer_algorithm algorithm;
	unsigned bits;
	char *domain, *selector;	/* lower case, as written */
	gnutls_privkey_t private;	/* for GnuTLS; only read */
	struct buf pem;			/* RSA: for libopendkim; wiped */
	struct buf public;		/* what p= holds: base64 */
	uint64_t number;
};

enum { SIGNER_BITS_MIN = 1024, SIGNER_BITS_MAX = 4096 };	/* RFC 8301 3.2 */

/* "rsa", "ed25519": what k= holds. */
const char *signer_algorithm_name(enum signer_algorithm a);

/* --- one signature under way ----------------------------------------- */

struct signature;

/* What is handed on has been looked at: fields are "Name: value", unfolded
 * and without control characters, bodies have whole lines, CRLF at their end,
 * in pieces of any size. */
struct signature_kind {
	struct signature *(*begin)(const struct signer_key *k, int64_t wall_s);
	bool (*field)(struct signature *g, struct span field,
		      struct error *err);
	bool (*header_end)(struct signature *g, struct error *err);
	bool (*body)(struct signature *g, struct span bytes,
		     struct error *err);
	/* The field as it goes in front of the message, appended. */
	bool (*finish)(struct signature *g, struct buf *out,
		       struct error *err);
	void (*free)(struct signature *g);
};

extern const struct signature_kind signature_rsa, signature_ed25519;

/* Fields that h= names once more than they occur, so that nobody can add
 * another one; NULL ends. */
enum { OVERSIGNED = 9 };
extern const char *const signer_oversigned[OVERSIGNED + 1];

enum {
	SIGNER_FIELD_MAX = 60 * 1024,	/* libopendkim's buffer is 64 KiB */
	SIGNER_NAMES_MAX = 4095,	/* names in h=: its DKIM_MAXHEADER */
};

#endif
