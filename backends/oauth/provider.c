/* provider.c - presets as a table */
#include "oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct provider providers[] = {
	[PROVIDER_MICROSOFT] = {
		"https://login.microsoftonline.com/%s/oauth2/v2.0/token",
		"https://login.microsoftonline.com/%s/oauth2/v2.0/devicecode",
		"https://outlook.office.com/SMTP.Send offline_access",
		"https://outlook.office365.com/.default",
		"smtp.office365.com", 3, 30, 1, NULL },
	[PROVIDER_MICROSOFT_GOV] = {
		"https://login.microsoftonline.us/%s/oauth2/v2.0/token",
		"https://login.microsoftonline.us/%s/oauth2/v2.0/devicecode",
		"https://outlook.office365.us/SMTP.Send offline_access",
		"https://outlook.office365.us/.default",
		"smtp.office365.us", 3, 30, 1, NULL },
	[PROVIDER_MICROSOFT_CHINA] = {
		"https://login.partner.microsoftonline.cn/%s/oauth2/v2.0/token",
		"https://login.partner.microsoftonline.cn/%s/oauth2/v2.0/"
		"devicecode",
		"https://partner.outlook.cn/SMTP.Send offline_access",
		"https://partner.outlook.cn/.default",
		"smtp.partner.outlook.cn", 3, 30, 1, NULL },
	[PROVIDER_GOOGLE] = {
		"https://oauth2.googleapis.com/token", NULL,
		"https://mail.google.com/", NULL,
		"smtp.gmail.com", 0, 0, 0,
		"Google gives no mail permission by device code; use `grant: "
		"refresh_token' with a token that a person has obtained" },
	[PROVIDER_CUSTOM] = { .no_device = NULL },
};

const struct provider *
provider_of(const struct oauth *o)
{
	return &providers[o->provider];
}

/* The tenant was checked: it holds nothing that a URL would mind. */
static char *
with_tenant(const char *endpoint, const char *tenant)
{
	const char *at = strstr(endpoint, "%s");
	size_t size = strlen(endpoint) + strlen(tenant) + 1;
	char *ret = malloc(size);

	if (ret == NULL)
		abort();
	if (at == NULL)
		snprintf(ret, size, "%s", endpoint);
	else
		snprintf(ret, size, "%.*s%s%s", (int)(at - endpoint), endpoint,
			 tenant, at + 2);
	return ret;
}

static char *
endpoint(const struct oauth *o, const char *said, const char *preset)
{
	if (said != NULL)
		return with_tenant(said, "");
	return preset == NULL ? NULL
	       : with_tenant(preset, o->tenant ? o->tenant : "");
}

char *
provider_token_endpoint(const struct oauth *o)
{
	return endpoint(o, o->token_endpoint, provider_of(o)->token);
}

char *
provider_device_endpoint(const struct oauth *o)
{
	return endpoint(o, o->device_endpoint, provider_of(o)->device);
}

char *
provider_scope(const struct oauth *o)
{
	const struct provider *p = provider_of(o);
	const char *preset = o->grant == GRANT_CLIENT_CREDENTIALS
			     ? p->application : p->delegated;
	size_t size = 1, n = 0;
	char *ret;

	if (o->scope.n == 0)
		return preset ? with_tenant(preset, "") : NULL;
	for (size_t i = 0; i < o->scope.n; i++)
		size += strlen(o->scope.v[i]) + 1;
	ret = calloc(1, size);
	if (ret == NULL)
		abort();
	for (size_t i = 0; i < o->scope.n; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? " " : "",
				      o->scope.v[i]);
	return ret;
}

const char *
provider_host(const struct oauth *o)
{
	return o->host != NULL ? o->host : provider_of(o)->host;
}

int
provider_asks_tenant(const struct oauth *o)
{
	return provider_of(o)->has_tenant && o->token_endpoint == NULL;
}
