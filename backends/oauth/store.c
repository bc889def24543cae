/* store.c - the sign-in, as it is kept under the key `sign-in'
 *
 * One JSON object: the refresh token, for whom and by which provider it is,
 * and, for `grant: refresh_token', which token of the configuration it grew
 * out of, so that a new one there counts.
 */
#include "oauth.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "sign-in"

/* Tells one from another; it is no secret's keeper. */
static void
fingerprint(const char *s, char *buf, size_t size)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; s != NULL && *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	snprintf(buf, size, "%016llx", (unsigned long long)h);
}

static int
is(const json_t *j, const char *key, const char *value)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL && strcmp(s, value) == 0;
}

/* --- loading --------------------------------------------------------- */

/* Why the stored one is not ours; NULL: it is. */
static const char *
stranger(const struct oauth *o, const json_t *j)
{
	char seed[20];

	if (!json_is_string(json_object_get(j, "refresh_token")))
		return "the stored sign-in is damaged; sign in again";
	if (!is(j, "user", o->user))
		return "the stored sign-in is for another user; sign in again";
	if (!is(j, "client_id", o->client_id)
	    || !is(j, "token_endpoint", o->token_url))
		return "the stored sign-in is for another application; sign in "
		       "again";
	fingerprint(o->refresh_token, seed, sizeof(seed));
	if (o->grant == GRANT_REFRESH_TOKEN && !is(j, "seed", seed))
		return "there is a new refresh token in the configuration";
	return NULL;
}

static void
on_loaded(void *arg, const void *bytes, int64_t n)
{
	struct oauth *o = arg;
	const char *why = "nobody has signed in yet";
	char words[400];
	json_t *j = NULL;

	if (n == -2) {
		snprintf(words, sizeof(words), "the stored sign-in cannot be "
			 "read: %s", (const char *)bytes);
		why = words;
	} else if (n >= 0) {
		j = json_loadb(bytes, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
		why = stranger(o, j);
	}
	if (why == NULL)
		token_loaded(o, secret_copy(json_string_value(
			     json_object_get(j, "refresh_token"))), NULL);
	else if (o->grant == GRANT_REFRESH_TOKEN)
		token_loaded(o, secret_copy(o->refresh_token), NULL);
	else
		token_loaded(o, NULL, why);
	json_decref(j);
}

void
store_load(struct oauth *o)
{
	postern_state_get(o->me, KEY, on_loaded, o);
}

/* --- keeping --------------------------------------------------------- */

static void
on_kept(void *arg, int32_t ok, const char *why)
{
	token_kept(arg, ok, why);
}

void
store_keep(struct oauth *o)
{
	char seed[20], *text;
	json_t *j;

	fingerprint(o->refresh_token, seed, sizeof(seed));
	j = json_pack("{s:s, s:s, s:s, s:s, s:s}",
		      "refresh_token", o->token.refresh, "user", o->user,
		      "client_id", o->client_id,
		      "token_endpoint", o->token_url, "seed", seed);
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (text == NULL) {
		token_kept(o, 0, "it is no text");
		return;
	}
	postern_state_put(o->me, KEY, text, strlen(text), on_kept, o);
	secret_free(&text);
}
