/* tls_inside.h - what the files of TLS share
 *
 * Private to io/.  A layer has a part that is the same on both sides
 * (tls.c) and a side: the client's or the server's, which embeds it.
 */
#ifndef IO_TLS_INSIDE_H
#define IO_TLS_INSIDE_H

#include "base/buf.h"
#include "io/layer.h"
#include "io/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>

/* --- tls_cert.c ------------------------------------------------------ */

struct tls_identity {
	atomic_uint refs;
	uint64_t number;
	int64_t expires_ms;
	char *names;
	char *lacks_issuer;		/* NULL: its chain is more than itself */
	gnutls_pcert_st *chain;
	unsigned length;
	gnutls_privkey_t key;
};

struct tls_trust {
	atomic_uint refs;
	uint64_t number;
	/* with the callback that shows the layer's identity */
	gnutls_certificate_credentials_t credentials;
};

/* --- tls_names.c ----------------------------------------------------- */

/* The names a certificate is for, or its subject's where it has none; what
 * a stranger put there is made printable. */
void certificate_names(gnutls_x509_crt_t crt, struct buf *out);
/* "CN=Example CA,O=Example" of the subject or of the issuer. */
void certificate_subject(gnutls_x509_crt_t crt, struct buf *out);
void certificate_issuer(gnutls_x509_crt_t crt, struct buf *out);

/* --- tls_hint.c ------------------------------------------------------ */

/* What the file may be, in which no certificate (key) in PEM was found, and
 * the command that makes one of it; false. */
bool certificate_hint(const char *path, struct span bytes, struct error *err);
bool key_hint(const char *path, struct span bytes, struct error *err);

/* --- tls.c ----------------------------------------------------------- */

struct tls_layer;

struct tls_side {
	const char *peer;		/* whom words are about */
	bool may_begin_anew;		/* it may say so, in vain */
	/* All of these may be NULL. */
	void (*shaken)(struct tls_layer *t);	/* fills its facts */
	void (*heard)(struct tls_layer *t);	/* bytes of the user's came */
	void (*failed)(struct tls_layer *t);
	void (*fini)(struct tls_layer *t);
};

struct tls_layer {
	struct layer layer;
	const struct tls_side *side;
	gnutls_session_t session;
	struct tls_identity *identity;	/* a reference, or NULL */
	struct tls_facts facts;
	struct error *why;		/* owned: what GnuTLS cannot say */
	bool shaken;			/* the handshake is done */
	bool showed;			/* the peer has seen our certificate */
	bool sending;			/* a record is on its way out */
	unsigned char warnings;		/* that were passed over */
	bool heard;			/* the peer has sent a byte */
	enum tls_fault fault;
	char first;			/* byte that the peer sent; 0: none */
};

/* Begins a session; credentials are borrowed for its life. */
void tls_layer_init(struct tls_layer *t, const struct tls_side *side,
		    unsigned flags, gnutls_certificate_credentials_t credentials,
		    struct tls_identity *identity);

/* --- tls_shared.c: one for the program, made at first need ----------- */

gnutls_priority_t tls_shared_priority(void);
/* Credentials that trust nobody and show the layer's identity. */
gnutls_certificate_credentials_t tls_shared_credentials(void);
const gnutls_datum_t *tls_shared_ticket_key(void);
/* New credentials that show the layer's identity. */
gnutls_certificate_credentials_t tls_credentials_new(void);

/* --- tls_words.c ----------------------------------------------------- */

/* Why the session failed with this code of GnuTLS's. */
enum tls_fault tls_words(const struct tls_layer *t, int code,
			 struct error *err);

/* --- tls_session.c --------------------------------------------------- */

struct tls_kept {
	struct span session;		/* found: borrowed until the next call */
	enum tls_asked asked;
	int64_t proved_ms;		/* when there was a whole handshake */
};
bool tls_sessions_find(struct tls_sessions *s, const char *key,
		       struct tls_kept *ret);
void tls_sessions_keep(struct tls_sessions *s, const char *key,
		       const struct tls_kept *kept);	/* copied */
void tls_sessions_drop(struct tls_sessions *s, const char *key);

#endif
