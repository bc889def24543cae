/* tls_server.c - the server's side: a certificate, and tickets */
#include "io/tls_inside.h"

#include "base/mem.h"

static const struct tls_side server_side = { .peer = "the client" };

struct layer *
tls_server_layer(struct tls_identity *identity)
{
	struct tls_layer *t = NEW(struct tls_layer);

	tls_layer_init(t, &server_side, GNUTLS_SERVER,
		       tls_shared_credentials(), identity);
	must(gnutls_session_ticket_enable_server(t->session,
						 tls_shared_ticket_key()) >= 0);
	return &t->layer;
}
