/* provider.h - what is known of each provider; pure */
#ifndef OAUTH_PROVIDER_H
#define OAUTH_PROVIDER_H

#include <stdint.h>

struct oauth;

/* By the place of the word in the option `provider'. */
struct provider {
	const char *token, *device;	/* endpoints; %s: the tenant */
	const char *delegated;		/* scope of a person's sign-in */
	const char *application;	/* scope of client credentials */
	const char *host;		/* that takes submissions */
	uint32_t connections, per_minute;	/* what it allows; 0: not known */
	int has_tenant;
	const char *no_device;		/* why no device code, or NULL */
};
#define OAUTH_PROVIDERS "microsoft|microsoft-gov|microsoft-china|google|custom"

const struct provider *provider_of(const struct oauth *o);

/* The provider's, or what the options say.  Caller frees; NULL when nobody
 * says. */
char *provider_token_endpoint(const struct oauth *o);
char *provider_device_endpoint(const struct oauth *o);
char *provider_scope(const struct oauth *o);	/* words with blanks between */
/* Whether `tenant' has a part in where tokens come from. */
int provider_asks_tenant(const struct oauth *o);
const char *provider_host(const struct oauth *o);	/* borrowed */

#endif
