/* signer.h - DKIM signatures
 *
 * A key is checked when it is made and not changed after that; it may be
 * used by several threads.  A signing takes the message as it will be sent,
 * CRLF lines, in pieces of any size, and gives the DKIM-Signature field that
 * goes in front of it.  Blocks the processor, not the disk: for workers.
 *
 * RSA by libopendkim, ed25519 by GnuTLS, which also reads and makes the keys.
 * RFC 6376 (relaxed/relaxed, no l=), 8301 (rsa-sha256, 1024 to 4096 bits),
 * 8463 (ed25519-sha256).
 */
#ifndef MAIL_SIGNER_H
#define MAIL_SIGNER_H

#include "base/buf.h"
#include "base/error.h"

enum signer_algorithm { SIGNER_RSA, SIGNER_ED25519 };

struct signer_key;

/* Whether a key can be in a domain's records under that selector; err has a
 * hint.  `p2026._domainkey' is neither: it is where the record stands. */
bool signer_domain_check(const char *domain, struct error *err);
bool signer_selector_check(const char *selector, struct error *err);

/* The key as PEM (PKCS#8 or PKCS#1); copies all.  Fails when it is no key,
 * none of those two kinds, an RSA key of less than 1024 or more than 4096
 * bits, or one whose parts do not fit together; domain and selector must be
 * domain names. */
struct signer_key *signer_key_new(struct span pem, const char *domain,
				  const char *selector, struct error *err);
void signer_key_free(struct signer_key **k);	/* wipes it */
enum signer_algorithm signer_key_algorithm(const struct signer_key *k);
unsigned signer_key_bits(const struct signer_key *k);
const char *signer_key_domain(const struct signer_key *k);
const char *signer_key_selector(const struct signer_key *k);
/* Changes with key, domain and selector: a kept signature with another
 * number is out of date. */
uint64_t signer_key_number(const struct signer_key *k);

/* The TXT record, "v=DKIM1; k=rsa; p=MIIB..." (RFC 6376 section 3.6.1),
 * without quotes. */
bool signer_key_record(const struct signer_key *k, struct buf *out);
/* Whether a record that the DNS has is this key's; reason says what differs. */
bool signer_key_matches(const struct signer_key *k, struct span record,
			struct error *reason);
/* Whether it has t=y: receivers may treat bad signatures as none at all. */
bool signer_record_testing(struct span record);

/* A new key: bits for RSA, ignored for ed25519.  PEM, PKCS#8. */
bool signer_generate(enum signer_algorithm a, unsigned bits, struct buf *pem,
		     struct error *err);

/* --- signing: one thread at a time ----------------------------------- */

struct signing;

/* wall_s is the time of t=, above 0.  The keys are borrowed until
 * signing_free(). */
struct signing *signing_new(const struct signer_key *const *keys, size_t n,
			    int64_t wall_s);
/* Fails, then and ever after, at what cannot be signed so that all verifiers
 * agree: a CR or LF that stands alone, a line of the header that is no field,
 * no From or two of them, a control character in a signed field or one of more
 * than 60 KiB, a header section of more than LIMIT_HEADER. */
bool signing_feed(struct signing *s, struct span bytes, struct error *err);
/* One DKIM-Signature field for each key, with CRLF, folded, appended. */
bool signing_finish(struct signing *s, struct buf *out, struct error *err);
void signing_free(struct signing **s);

/* The t= of the first of such fields, in seconds; 0: there is none. */
int64_t signature_time(struct span fields);

/* The domain of the first address in From (RFC 6376 section 5.4 signs for
 * it), lower case and as A-labels, from the header section; fails when there
 * is none, or more than one From field. */
bool signer_from_domain(struct span header, struct buf *out,
			struct error *err);

#endif
