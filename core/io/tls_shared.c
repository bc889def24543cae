/* tls_shared.c - what there is one of in the program
 *
 * Made when the first session begins, so that a gateway without TLS holds
 * none of it; read by all threads after that; wiped when the program ends.
 */
#include "io/tls_inside.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket_key;
} shared;

static pthread_once_t shared_made = PTHREAD_ONCE_INIT;

static void
shared_wipe(void)
{
	gnutls_memset(shared.ticket_key.data, 0, shared.ticket_key.size);
	gnutls_free(shared.ticket_key.data);
	gnutls_certificate_free_credentials(shared.credentials);
	gnutls_priority_deinit(shared.priority);
	memset(&shared, 0, sizeof(shared));
}

static void
shared_make(void)
{
	const char *where;
	int code;

	/* NORMAL alone has TLS 1.0 and 1.1 in it */
	code = gnutls_priority_init(&shared.priority, "NORMAL:-VERS-ALL:"
				    "+VERS-TLS1.3:+VERS-TLS1.2", &where);
	if (code < 0)
		bug("GnuTLS does not know `%s': %s", where,
		    gnutls_strerror(code));
	must(gnutls_session_ticket_key_generate(&shared.ticket_key) >= 0);
	shared.credentials = tls_credentials_new();
	atexit(shared_wipe);
}

gnutls_priority_t
tls_shared_priority(void)
{
	pthread_once(&shared_made, shared_make);
	return shared.priority;
}

gnutls_certificate_credentials_t
tls_shared_credentials(void)
{
	pthread_once(&shared_made, shared_make);
	return shared.credentials;
}

const gnutls_datum_t *
tls_shared_ticket_key(void)
{
	pthread_once(&shared_made, shared_make);
	return &shared.ticket_key;
}

/* --- credentials ----------------------------------------------------- */

/* Called when the peer wants to see who we are: a server's client always, a
 * client's server when it asks.  Whom it would believe, it says in vain: an
 * administrator who names a certificate means it, and what a server lists is
 * often not whole. */
static int
show_identity(gnutls_session_t session, const gnutls_datum_t *issuers, int n,
	      const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
	      gnutls_pcert_st **chain, unsigned *length, gnutls_privkey_t *key)
{
	struct tls_layer *t = gnutls_session_get_ptr(session);

	(void)issuers, (void)n, (void)algorithms, (void)algorithm_count;
	*chain = NULL;
	*length = 0;
	*key = NULL;
	t->facts.asked = TLS_ASKED_NOT_SENT;
	if (t->identity == NULL)
		return 0;
	t->showed = true;
	t->facts.asked = TLS_SENT;
	*chain = t->identity->chain;
	*length = t->identity->length;
	*key = t->identity->key;
	return 0;
}

gnutls_certificate_credentials_t
tls_credentials_new(void)
{
	gnutls_certificate_credentials_t c;

	must(gnutls_certificate_allocate_credentials(&c) >= 0);
	gnutls_certificate_set_retrieve_function2(c, show_identity);
	return c;
}
