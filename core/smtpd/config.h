/* config.h - what an administrator says about intake
 *
 * SLOT_SMTPD of a snapshot.
 */
#ifndef SMTPD_CONFIG_H
#define SMTPD_CONFIG_H

#include "base/ip.h"
#include "conf/schema.h"

enum listener_tls {			/* in the order of the schema's words */
	LISTENER_PLAIN,
	LISTENER_STARTTLS,		/* offered */
	LISTENER_REQUIRED,		/* no mail without STARTTLS */
	LISTENER_IMPLICIT,		/* before the greeting */
};

/* A list with [::]:PORT and no IPv4 address at that port gets one more entry,
 * with the same address text: 0.0.0.0:PORT.  So [::] serves IPv4, too. */
struct listener_config {
	char *address;			/* as written: "127.0.0.1:2525" */
	struct endpoint at;		/* as bound */
	int tls;			/* enum listener_tls */
};

struct smtpd_config {
	/* bound from YAML */
	struct blocks listen;		/* of struct listener_config */
	char *certificate, *key;	/* files; NULL: no TLS; key NULL: it is
					 * in the certificate's */
	struct strings relay_networks;	/* loopback, lan, CIDR */
	int64_t message_size;		/* limits.message_size */
	int64_t recipients;
	int64_t sessions;
	int64_t sessions_per_client;
	int64_t memory;			/* for bodies, in bytes */
	int64_t free_space;		/* of the spool's disk, in bytes */
	/* derived by smtpd_config_bind */
	int bare_lf;			/* enum bare_lf */
	const char *hostname;		/* the gateway's */
	const char *full_name;		/* the same, in a Message-ID */
	struct network *relay;
	size_t relay_count;
	const struct node *filters;	/* the gateway-wide list, or NULL */
};

extern const struct schema_key listen_keys[], tls_keys[], relay_keys[],
			       limits_keys[];

/* From the root of postern.yaml (its blocks listen, tls, relay, limits);
 * checks addresses and networks, but no files.  The hostname is borrowed from
 * the arena. */
bool smtpd_config_bind(struct smtpd_config *c, const struct node *root,
		       const char *hostname, struct arena *arena,
		       struct diags *d);

bool smtpd_may_relay(const struct smtpd_config *c, struct ip client);

#endif
