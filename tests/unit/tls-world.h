/* tls-world.h - certificates made for a test, and two ends of a connection
 *
 * Everything lies in a folder of its own, which world_close() removes.
 */
#ifndef TESTS_TLS_WORLD_H
#define TESTS_TLS_WORLD_H

#include "unit.h"

#include "io/stream.h"
#include "io/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>

/* --- certificates ---------------------------------------------------- */

struct cert {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

struct wish {
	const char *cn, *dns, *dns2, *ip;
	const struct cert *issuer;	/* NULL: signs itself */
	bool ca, weak, staple;		/* staple: vows to send OCSP answers */
	const char *purpose;		/* NULL: any */
	int from, to;			/* days from now; 0: a week ago, and
					 * a year from now */
};

void cert_make(struct cert *c, const struct wish *w);
void cert_fini(struct cert *c);
/* PEM: certificates, and behind them a key; either may be NULL. */
void pem_save(const char *path, const struct cert *const *chain, size_t n,
	      const struct cert *key);

/* --- what most tests use --------------------------------------------- */

enum who {
	WHO_CA, WHO_OTHER_CA, WHO_MIDDLE,	/* authorities */
	WHO_SERVER,			/* mx.example.org, 127.0.0.1, by CA */
	WHO_CLIENT,			/* gw.example.org, by MIDDLE by CA */
	WHO_EXPIRED, WHO_NOT_YET, WHO_STRANGER, WHO_ALONE, WHO_NO_SERVER,
	WHO_WEAK, WHO_STAPLE,
	WHO_COUNT,
};

struct tls_world {
	char folder[64];
	struct cert certs[WHO_COUNT];
	struct tls_trust *trust;		/* CA alone */
	struct tls_trust *other_trust;
	struct tls_identity *server;		/* with the chain it needs */
	struct tls_identity *client;
};

void world_open(struct tls_world *w);
void world_close(struct tls_world *w);
/* In the folder; freed with mem_free(). */
char *world_path(const struct tls_world *w, const char *name);
struct tls_identity *world_identity(const struct tls_world *w, enum who who);

/* --- two ends on one loop -------------------------------------------- */

struct end {
	struct stream *stream;
	struct pair *pair;
	struct buf got;
	bool ready, drained, ended;
	char error[400];		/* "" when none */
	size_t sent;			/* of a large transfer */
};

struct pair {
	struct loop *loop;
	struct end a, b;		/* b may have no stream: bare is its */
	int bare;			/* descriptor then, else -1 */
	struct timer watchdog;
	bool late;
	bool (*until)(struct pair *p);
	void (*fill)(struct end *e);	/* when drained; NULL: nothing more */
};

/* Connected; streams are made on both ends, or on a alone. */
void pair_open(struct pair *p, bool both);
/* Makes a stream of the bare end, b's. */
void end_adopt(struct pair *p);
void pair_close(struct pair *p);
/* Runs the loop until the condition holds; fails when it takes too long. */
void pair_run(struct pair *p, bool (*until)(struct pair *p));
void pair_run_for(struct pair *p, int64_t ms);
void end_say(struct end *e, const char *s);
bool end_got(const struct end *e, const char *s);

/* Conditions. */
bool both_ready(struct pair *p);
bool a_over(struct pair *p);		/* ended, or an error */
bool both_over(struct pair *p);
bool a_ready(struct pair *p);

/* A layer that reads one byte at a time, writes a few, and does neither every
 * other time. */
struct layer *drip_new(void);

/* --- a bare peer on a thread of its own ------------------------------ */

struct raw {
	int fd;				/* owned */
	bool server;
	const char *priority;
	const struct cert *cert;	/* to show; NULL: none */
	gnutls_certificate_request_t demand;
	const struct cert *authority;	/* for its clients; NULL: none */
	bool trusting;			/* believes any client */
	const gnutls_datum_t *ticket_key;	/* NULL: no tickets */
	unsigned patience_ms;		/* for whatever it waits; 0: any */
	/* After the handshake; NULL: one line is read, and "ok\n" said. */
	int (*play)(struct raw *r);
	/* what came of it */
	int code;
	unsigned chain;			/* certificates that the client sent */
	char sni[64];
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	pthread_t thread;
};

/* The parts of its life, for who has a thread and a descriptor himself: the
 * handshake (what GnuTLS said: below 0 it failed), and the end of the session
 * without a word, whatever the handshake said. */
int raw_shake(struct raw *r);
void raw_end(struct raw *r);

/* Starts it at the bare end. */
void raw_take(struct raw *r, struct pair *p);
void raw_join(struct raw *r);

#endif
