/* tls.h - TLS as a layer of a stream, and what it is made with
 *
 * An identity is our certificate with its chain and key; a trust is a set of
 * authorities.  Both are read from files by a thread that may block, are not
 * changed after that, are counted by references (atomic), and may be used by
 * streams on any thread.  Who wants them to follow their files asks a
 * tls_store (io/tls_store.h).
 *
 * TLS 1.2 is the floor, both ways.  A layer is pushed onto an open stream;
 * `ready' follows when the handshake is done, `closed' with words when it
 * failed.  Before the push the user must throw away what lies in stream_in():
 * it came in the clear (RFC 3207 section 4.2).
 *
 * GnuTLS; RFC 8446, 5246, 6066 (SNI), 6125 and 9525 (names), 3207.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/error.h"
#include "base/span.h"

struct layer;
struct stream;

/* --- certificates: may block, any thread ----------------------------- */

struct tls_identity;

/* PEM files.  The certificate's file holds the leaf first and then its
 * issuers; when key is NULL it holds the key, too.  Fails, naming the file,
 * when a file cannot be read, the key is not the leaf's, or the chain is out
 * of order.  An expired one is taken: see tls_identity_expires_ms. */
struct tls_identity *tls_identity_read(const char *certificate,
				       const char *key, struct error *err);
struct tls_identity *tls_identity_ref(struct tls_identity *i);
void tls_identity_unref(struct tls_identity **i);	/* NULL is allowed */
/* Different for each that was read in the life of the program; whose reading
 * began later has the higher one. */
uint64_t tls_identity_number(const struct tls_identity *i);
int64_t tls_identity_expires_ms(const struct tls_identity *i);	/* wall */
/* Whether one of the two files could serve; what is wrong with both can be told
 * so.  alone: the key has a file of its own. */
bool tls_certificate_check(const char *certificate, struct error *err);
bool tls_key_check(const char *key, bool alone, struct error *err);
/* The name of its issuer, when neither the issuer's certificate stands behind
 * it nor it is its own issuer; else NULL.  Borrowed. */
const char *tls_identity_lacks_issuer(const struct tls_identity *i);
/* The names it is for, "a.example.org, b.example.org"; borrowed. */
const char *tls_identity_names(const struct tls_identity *i);

struct tls_trust;

struct tls_trust *tls_trust_read(const char *file, struct error *err);
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust **t);
uint64_t tls_trust_number(const struct tls_trust *t);
bool tls_trust_knows_issuer(const struct tls_trust *t,
			    const struct tls_identity *i);

/* --- clients --------------------------------------------------------- */

enum tls_policy {
	TLS_NONE,		/* plain */
	TLS_OPPORTUNISTIC,	/* if it is offered; any certificate */
	TLS_REQUIRED,		/* or not at all; any certificate */
	TLS_VERIFY,		/* and the certificate must be right */
};

/* Sessions to be taken up again, for the clients of one loop.  The key of a
 * session holds everything that it proved (host, port, policy, the name and
 * the authorities it was verified against, our identity), so that one which
 * was not verified never serves where that is asked for. */
struct tls_sessions;
struct tls_sessions *tls_sessions_new(size_t most);
void tls_sessions_free(struct tls_sessions **s);

struct tls_client {			/* copied; NULL-terminated strings */
	enum tls_policy policy;		/* not TLS_NONE */
	const char *server_name;	/* for SNI, and to be verified; an
					 * address is verified and not sent */
	struct tls_identity *identity;	/* shown when it is asked for; NULL */
	struct tls_trust *trust;	/* for TLS_VERIFY, else NULL */
	struct tls_sessions *sessions;	/* NULL: no resumption; outlives the
					 * stream */
	const char *peer;		/* "host:port", part of the key */
};
struct layer *tls_client_layer(const struct tls_client *c);

/* --- servers --------------------------------------------------------- */

/* Tickets let clients take a session up again on any loop: one key for all
 * of the program, made at first need. */
struct layer *tls_server_layer(struct tls_identity *identity);

/* --- what came of it ------------------------------------------------- */

enum tls_asked {
	TLS_NOT_ASKED,		/* the server did not ask who we are */
	TLS_ASKED_NOT_SENT,	/* it did, and we have nothing to show */
	TLS_SENT,		/* it did, and was shown our certificate */
};

struct tls_facts {
	char text[96];		/* "TLS1.3 AES-256-GCM" */
	char protocol[16];	/* "TLS1.3" */
	char cipher[40];	/* "AES-256-GCM" */
	char suite[64];		/* "TLS_AES_256_GCM_SHA384" */
	bool verified;		/* the certificate was right, by TLS_VERIFY */
	bool resumed;
	enum tls_asked asked;	/* clients; remembered with the session */
};
/* NULL while there is no TLS, or its handshake is not done.  Borrowed until
 * the stream closes. */
const struct tls_facts *stream_tls(const struct stream *s);
/* What kind of thing ended the session, for those who act on it; words for an
 * administrator are in the error that came with it. */
enum tls_fault {
	TLS_FAULT_OTHER,	/* or none */
	TLS_FAULT_CLEAR,	/* the peer does not speak TLS */
	TLS_FAULT_NO_COMMON,	/* no version, cipher or key exchange */
	TLS_FAULT_REFUSED,	/* the peer refused our certificate */
	TLS_FAULT_LEFT,		/* the connection ended, without a reason */
};
enum tls_fault stream_tls_fault(const struct stream *s);
/* Whether the peer has sent anything for the TLS layer; false without one. */
bool stream_heard(const struct stream *s);

#endif
