/* dns_config.h - the block dns of postern.yaml: SLOT_DNS of a snapshot
 *
 * io, which obeys it, may not know of configurations.
 */
#ifndef DAEMON_DNS_CONFIG_H
#define DAEMON_DNS_CONFIG_H

#include "conf/schema.h"
#include "io/dns.h"

struct dns_config {
	struct strings servers;
	int dnssec;			/* enum dns_dnssec */
	char *trust_anchor_file;
	bool special_names;
	struct blocks stubs;
	struct dns_settings settings;	/* all of it, for dns_configure() */
};

extern const struct schema_key dns_keys[];

/* From the root of postern.yaml. */
bool dns_config_bind(struct dns_config *c, const struct node *root,
		     struct arena *arena, struct diags *d);

#endif
