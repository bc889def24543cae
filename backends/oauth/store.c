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

/* What to do about one that is not there, or not ours. */
static const char *
remedy_of(const struct oauth *o, char *buf, size_t size)
{
	if (o->grant == GRANT_REFRESH_TOKEN)
		return "obtain a new refresh token, write it into the "
		       "configuration, and reload";
	snprintf(buf, size, "sign in again: postern login %s",
		 postern_route(o->me));
	return buf;
}

static const char *
damaged(const struct oauth *o, char *buf, size_t size)
{
	char remedy[100];

	snprintf(buf, size, "the stored sign-in is damaged (the file "
		 "routes/%s/" KEY " in the state folder); %s", postern_route(o->me),
		 o->grant == GRANT_REFRESH_TOKEN
		 ? "delete the file, and the gateway uses the refresh token "
		   "of the configuration"
		 : remedy_of(o, remedy, sizeof(remedy)));
	return buf;
}

/* Why the stored one is not ours, and what to do; NULL: it is. */
static const char *
stranger(const struct oauth *o, const json_t *j, char *buf, size_t size)
{
	/* whose the seed is, the operator knows */
	int other_user = o->grant != GRANT_REFRESH_TOKEN
			 && !is(j, "user", o->user);
	char remedy[100];

	if (!json_is_string(json_object_get(j, "refresh_token")))
		return damaged(o, buf, size);
	if (is(j, "client_id", o->client_id)
	    && is(j, "token_endpoint", o->token_url) && !other_user)
		return NULL;
	snprintf(buf, size, "the stored sign-in is for another %s; %s",
		 other_user ? "user" : "application",
		 remedy_of(o, remedy, sizeof(remedy)));
	return buf;
}

/* Another than the stored one grew out of. */
static int
seed_is_new(const struct oauth *o, const json_t *j)
{
	char seed[20];

	fingerprint(o->refresh_token, seed, sizeof(seed));
	return json_is_string(json_object_get(j, "seed"))
	       && !is(j, "seed", seed);
}

/* A seed that was used once may end everything that grew out of it: it is
 * taken where there is nothing, or when it is new, and in no other case. */
static void
on_loaded(void *arg, const void *bytes, int64_t n)
{
	struct oauth *o = arg;
	int seeded = o->grant == GRANT_REFRESH_TOKEN;
	const char *why = NULL;
	char words[450];
	json_t *j = NULL;

	if (n == -2) {
		snprintf(words, sizeof(words), "the stored sign-in cannot be "
			 "read: %s; correct this", (const char *)bytes);
		why = words;
	} else if (n >= 0) {
		j = json_loadb(bytes, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
		seeded = seeded && seed_is_new(o, j);
		why = seeded ? NULL : stranger(o, j, words, sizeof(words));
	} else if (!seeded) {
		snprintf(words, sizeof(words), "nobody has signed in yet: "
			 "postern login %s", postern_route(o->me));
		why = words;
	}
	if (why != NULL)
		token_loaded(o, NULL, why);
	else if (seeded)
		token_loaded(o, secret_copy(o->refresh_token), NULL);
	else
		token_loaded(o, secret_copy(json_string_value(
			     json_object_get(j, "refresh_token"))), NULL);
	json_decref(j);
}

uint64_t
store_load(struct oauth *o)
{
	return postern_state_get(o->me, KEY, on_loaded, o);
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
		token_kept(o, 0, "the sign-in is not valid UTF-8");
		return;
	}
	postern_state_put(o->me, KEY, text, strlen(text), on_kept, o);
	secret_free(&text);
}
