/* signer_rsa.c - rsa-sha256, by libopendkim
 *
 * It canonicalises, hashes, signs and folds.  A library handle of its own for
 * each signature costs 2 microseconds and 8 KiB, and makes signatures
 * independent: t= is a property of that handle.  The first one in the process
 * takes a millisecond and 900 KiB, for OpenSSL.
 *
 * Of the 0.93 ms for a key of 2048 bits RSA itself takes 0.27; OpenSSL 3 spends
 * 0.37 on reading the key, anew for each message, and 0.26 on preparing it.
 * That is so for PEM and DER, for PKCS#8 and PKCS#1 alike, and nothing in the
 * interface of libopendkim goes around it: so sign once, keep the signature.
 * (GnuTLS, with the key read once, takes 1.4 ms.)
 *
 * While it reads, OpenSSL takes so many locks for reading that two threads
 * which do it at once need 1.5 ms each, most of it for moving the locks from
 * core to core.  So one reads at a time, and the others meanwhile sign.
 */
#include "mail/signer_inside.h"

#include "base/macros.h"
#include "base/mem.h"

#include <dkim.h>
#include <pthread.h>
#include <string.h>

#define FIELD_NAME DKIM_SIGNHEADER ": "

struct signature {
	DKIM_LIB *lib;
	DKIM *dkim;
	DKIM_STAT status;		/* of its beginning */
};

/* --- the library's memory -------------------------------------------- */

/* It copies the private key, and frees the copy as it is. */
struct piece {
	size_t n;
	_Alignas(max_align_t) char bytes[];
};

static void *
piece_new(void *closure, size_t n)
{
	struct piece *p = mem_new(sizeof(*p) + n);

	(void)closure;
	p->n = n;
	return p->bytes;
}

static void
piece_free(void *closure, void *bytes)
{
	struct piece *p = container_of(bytes, struct piece, bytes);

	(void)closure;
	explicit_bzero(p->bytes, p->n);
	mem_free(p);
}

/* --- signing --------------------------------------------------------- */

static DKIM_LIB *
library_new(int64_t wall_s)
{
	DKIM_LIB *lib = dkim_init(piece_new, piece_free);
	uint64_t t = (uint64_t)wall_s;

	must(lib != NULL);
	must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &t,
			  sizeof(t)) == DKIM_STAT_OK);
	must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS,
			  (void *)signer_oversigned,
			  sizeof(char **)) == DKIM_STAT_OK);
	return lib;
}

static struct signature *
rsa_begin(const struct signer_key *k, int64_t wall_s)
{
	struct signature *g = NEW(struct signature);

	g->lib = library_new(wall_s);
	g->dkim = dkim_sign(g->lib, (const unsigned char *)"", NULL,
			    (const dkim_sigkey_t)k->pem.data + k->pem.head,
			    (const unsigned char *)k->selector,
			    (const unsigned char *)k->domain,
			    DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
			    DKIM_SIGN_RSASHA256, -1, &g->status);
	return g;
}

static void
rsa_free(struct signature *g)
{
	if (g->dkim != NULL)
		dkim_free(g->dkim);
	dkim_close(g->lib);
	mem_free(g);
}

static bool
check(struct signature *g, DKIM_STAT status, struct error *err)
{
	const char *why = g->dkim != NULL ? dkim_geterror(g->dkim) : NULL;

	return status == DKIM_STAT_OK ||
	       error_set(err, ERROR_SYSTEM, "libopendkim: %s",
			 why != NULL && *why != '\0'
			 ? why : dkim_getresultstr(status));
}

static bool
rsa_field(struct signature *g, struct span field, struct error *err)
{
	return check(g, g->status, err) &&
	       check(g, dkim_header(g->dkim, (unsigned char *)field.p, field.n),
		     err);
}

static bool
rsa_header_end(struct signature *g, struct error *err)
{
	return check(g, dkim_eoh(g->dkim), err);
}

static DKIM_STAT
read_key(DKIM *dkim)
{
	static pthread_mutex_t one_reads = PTHREAD_MUTEX_INITIALIZER;
	DKIM_STAT status;

	pthread_mutex_lock(&one_reads);
	status = dkim_privkey_load(dkim);
	pthread_mutex_unlock(&one_reads);
	return status;
}

static bool
rsa_body(struct signature *g, struct span bytes, struct error *err)
{
	return check(g, dkim_body(g->dkim, (unsigned char *)bytes.p, bytes.n),
		     err);
}

static bool
rsa_finish(struct signature *g, struct buf *out, struct error *err)
{
	unsigned char *value;
	size_t n;

	if (!check(g, read_key(g->dkim), err) ||
	    !check(g, dkim_eom(g->dkim, NULL), err) ||
	    !check(g, dkim_getsighdr_d(g->dkim, sizeof(FIELD_NAME) - 1, &value,
				       &n), err))
		return false;
	return (buf_add(out, SPAN(FIELD_NAME)) &&
		buf_add(out, (struct span){ (const char *)value, n }) &&
		buf_add(out, SPAN("\r\n"))) ||
	       error_set(err, ERROR_LIMIT, "there is no room for the signature");
}

const struct signature_kind signature_rsa = {
	.begin = rsa_begin, .field = rsa_field, .header_end = rsa_header_end,
	.body = rsa_body, .finish = rsa_finish, .free = rsa_free,
};
