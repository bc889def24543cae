/* tls_store.h - identities and trusts by the names of their files
 *
 * Lives on one loop (the delivery loop).  What is asked for is read by a
 * worker, kept, and given out again; when it has not been looked at for some
 * seconds a worker compares the files first (their times, sizes and numbers)
 * and reads them again when they changed.  When that fails the old one is
 * given out, and the failure is logged once.  So a certificate that is
 * renewed is used from the next message on, without a reload.
 */
#ifndef IO_TLS_STORE_H
#define IO_TLS_STORE_H

#include "base/loop.h"
#include "base/worker.h"
#include "io/tls.h"

struct tls_store;

/* trust_file: of the authorities where a request names none. */
struct tls_store *tls_store_new(struct loop *loop, struct workers *workers,
				const char *trust_file);
/* What is under way is forgotten. */
void tls_store_free(struct tls_store **s);
/* After a reload: copies. */
void tls_store_trust_file(struct tls_store *s, const char *trust_file);

struct tls_files {			/* copied */
	const char *certificate, *key;	/* NULL: no identity is wanted; key
					 * NULL: it is in the certificate's */
	bool trust;			/* authorities are wanted, */
	const char *trust_file;		/* from here; NULL: the store's */
};

struct tls_made {
	struct tls_identity *identity;	/* borrowed until done returns: take */
	struct tls_trust *trust;	/* a reference.  NULL: not wanted */
};
/* made is NULL when err is set.  May not free the store. */
typedef void tls_store_fn(void *arg, const struct tls_made *made,
			  const struct error *err);

/* A ticket for tls_store_forget(); 0 when done was called before this
 * returned, as it is when everything is there. */
uint64_t tls_store_get(struct tls_store *s, const struct tls_files *files,
		       tls_store_fn *done, void *arg);
void tls_store_forget(struct tls_store *s, uint64_t ticket);
/* What these gave has not served: before they are given out again they are
 * looked at, so that whoever mends them need not wait. */
void tls_store_doubt(struct tls_store *s, const struct tls_files *files);

/* Looks again every `every_ms' and calls changed (borrowed, take a
 * reference) when a new identity has been read, beginning with the first.
 * For the listeners' certificate.  NULL certificate: stops. */
void tls_store_watch(struct tls_store *s, const char *certificate,
		     const char *key, int64_t every_ms,
		     void (*changed)(void *arg, struct tls_identity *i),
		     void *arg);

#endif
