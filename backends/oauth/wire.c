/* wire.c - forms and answers
 *
 * Providers say that their words may change and must not be acted upon: what
 * is done depends on `error' alone (RFC 6749 section 5.2), the rest is shown.
 */
#include "wire.h"

#include <postern-plugin.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 12,		/* of a secret; a shorter one may be chance */
       EXPIRES_UNSAID_S = 3600, EXPIRES_MOST_S = 7 * 24 * 3600,
       INTERVAL_UNSAID_S = 5, DEVICE_UNSAID_S = 900 };

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* --- secrets and forms ----------------------------------------------- */

void
secret_free(char **s)
{
	if (*s != NULL)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

char *
secret_copy(const char *s)
{
	char *ret = s ? strdup(s) : NULL;

	if (s != NULL && ret == NULL)
		abort();
	return ret;
}

static void
form_room(struct form *f, size_t more)
{
	size_t room = f->room ? f->room : 1024;
	char *text;

	while (room - f->n < more)
		room *= 2;
	if (room == f->room)
		return;
	text = calloc(1, room);
	if (text == NULL)
		abort();
	if (f->text != NULL) {
		memcpy(text, f->text, f->n);
		explicit_bzero(f->text, f->room);
		free(f->text);
	}
	f->text = text;
	f->room = room;
}

static void
form_encode(struct form *f, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	static const char hex[] = "0123456789ABCDEF";

	form_room(f, 3 * strlen(s) + 3);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (strchr(plain, c) != NULL) {
			f->text[f->n++] = (char)c;
		} else {
			f->text[f->n++] = '%';
			f->text[f->n++] = hex[c >> 4];
			f->text[f->n++] = hex[c & 15];
		}
	}
}

void
form_add(struct form *f, const char *name, const char *value)
{
	if (value == NULL)
		return;
	form_room(f, 2);
	if (f->n > 0)
		f->text[f->n++] = '&';
	form_encode(f, name);
	f->text[f->n++] = '=';
	form_encode(f, value);
}

void
form_free(struct form *f)
{
	if (f->text != NULL)
		explicit_bzero(f->text, f->room);
	free(f->text);
	*f = (struct form){ NULL, 0, 0 };
}

/* How much of what stands at s is in the secret, too; 0 if it is little. */
static size_t
piece_at(const char *s, size_t n, const char *secret, size_t secret_n)
{
	size_t k = secret_n < PIECE ? secret_n : PIECE;

	if (k == 0 || n < k || memmem(secret, secret_n, s, k) == NULL)
		return 0;
	while (k < n && memmem(secret, secret_n, s, k + 1) != NULL)
		k++;
	return k;
}

void
words_hide(char *words, const char *secret)
{
	size_t n = strlen(words), secret_n = secret ? strlen(secret) : 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = piece_at(words + i, n - i, secret, secret_n);

		if (k == 0)
			continue;
		memset(words + i, '*', k);
		i += k - 1;
	}
}

/* --- JSON ------------------------------------------------------------ */

static json_t *
json_of(const struct postern_http_answer *a)
{
	json_t *j = json_loadb(a->body ? a->body : "", a->body_size,
			       JSON_REJECT_DUPLICATES, NULL);

	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static const char *
text_of(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static const char *
error_of(const json_t *j)
{
	const char *error = text_of(j, "error");

	return error != NULL && error[0] != '\0' ? error : NULL;
}

/* Some send numbers as strings. */
static int64_t
number_of(const json_t *j, const char *key, int64_t unsaid, int64_t most)
{
	const json_t *v = json_object_get(j, key);
	int64_t n = unsaid;

	if (json_is_integer(v))
		n = json_integer_value(v);
	else if (json_is_string(v))
		n = strtoll(json_string_value(v), NULL, 10);
	return n < 0 ? unsaid : n > most ? most : n;
}

/* One line that a terminal may see. */
static void
show(char *to, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s != '\0' && n + 1 < size; s++)
		to[n++] = (unsigned char)*s < ' ' || *s == 127 ? ' ' : *s;
	to[n] = '\0';
}

/* --- what went wrong ------------------------------------------------- */

static const struct {
	const char *error;
	enum reply_kind kind;
} errors[] = {
	{ "authorization_pending",   REPLY_PENDING },
	{ "slow_down",               REPLY_SLOW_DOWN },
	{ "temporarily_unavailable", REPLY_WAIT },
	{ "server_error",            REPLY_WAIT },
};

/* Any other error is the provider's word that this will not do. */
static enum reply_kind
kind_of(const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(errors[i].error, error) == 0)
			return errors[i].kind;
	return REPLY_REFUSED;
}

static void
words_of_error(const json_t *j, const char *error, char *why, size_t size)
{
	const char *said = text_of(j, "error_description");
	char name[60], shown[300] = "";

	show(name, sizeof(name), error);
	if (said != NULL)
		show(shown, sizeof(shown), said);
	snprintf(why, size, "%s%s%s", name, shown[0] ? ": " : "", shown);
}

/* Neither what was asked for nor an error that we understand: whose page is
 * it?  j is NULL where it is no JSON. */
static void
words_of_answer(const struct postern_http_answer *a, const json_t *j,
		char *why, size_t size)
{
	const char *error = error_of(j);
	char type[60] = "something";

	if (a->type != NULL && a->type[0] != '\0')
		show(type, sizeof(type), a->type);
	if (error != NULL)
		words_of_error(j, error, why, size);
	else if (a->status == 0)
		snprintf(why, size, "%s", a->why ? a->why : "no answer");
	else if (j != NULL)
		snprintf(why, size, "the token endpoint answered %d with JSON "
			 "that holds neither a token nor an error", a->status);
	else
		snprintf(why, size, "the token endpoint answered %d with %s "
			 "instead of JSON", a->status, type);
}

/* --- whom a token is for --------------------------------------------- */

static int
base64url_value(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* The claims of a JWT, unverified: for words alone. */
static json_t *
claims_of(const char *jwt)
{
	const char *from = jwt ? strchr(jwt, '.') : NULL, *to;
	unsigned bits = 0, have = 0;
	char *text;
	size_t n = 0;
	json_t *ret;

	if (from == NULL || (to = strchr(++from, '.')) == NULL)
		return NULL;
	text = calloc(1, (size_t)(to - from) + 1);
	if (text == NULL)
		abort();
	for (; from < to && base64url_value(*from) >= 0; from++) {
		bits = bits << 6 | (unsigned)base64url_value(*from);
		have += 6;
		if (have >= 8) {
			have -= 8;
			text[n++] = (char)(bits >> have);
		}
	}
	ret = from == to ? json_loadb(text, n, 0, NULL) : NULL;
	explicit_bzero(text, n);
	free(text);
	return ret;
}

static void
find_who(const json_t *j, struct token_reply *ret)
{
	static const char *const tokens[] = { "id_token", "access_token" };
	static const char *const claims[] = { "preferred_username", "upn",
					      "unique_name", "email" };

	for (size_t i = 0; i < ARRAY_SIZE(tokens) && !ret->who[0]; i++) {
		json_t *c = claims_of(text_of(j, tokens[i]));

		for (size_t k = 0; k < ARRAY_SIZE(claims); k++)
			if (!ret->who[0] && text_of(c, claims[k]) != NULL)
				show(ret->who, sizeof(ret->who),
				     text_of(c, claims[k]));
		json_decref(c);
	}
}

/* --- answers --------------------------------------------------------- */

static void
take_token(const json_t *j, struct token_reply *ret)
{
	ret->kind = REPLY_TOKEN;
	ret->access = secret_copy(text_of(j, "access_token"));
	ret->refresh = secret_copy(text_of(j, "refresh_token"));
	ret->expires_s = number_of(j, "expires_in", EXPIRES_UNSAID_S,
				   EXPIRES_MOST_S);
	find_who(j, ret);
}

void
token_reply_parse(const struct postern_http_answer *a,
		  struct token_reply *ret)
{
	json_t *j = a->status != 0 ? json_of(a) : NULL;
	const char *error = error_of(j);
	const char *access = text_of(j, "access_token");

	*ret = (struct token_reply){ .kind = REPLY_WAIT,
				     .retry_after_ms = a->retry_after_ms };
	if (a->status == 200 && access != NULL && access[0] != '\0') {
		take_token(j, ret);
		json_decref(j);
		return;
	}
	if (a->status >= 400 && a->status < 500 && a->status != 429
	    && error != NULL) {
		ret->kind = kind_of(error);
		ret->dead = strcmp(error, "invalid_grant") == 0;
	}
	words_of_answer(a, j, ret->why, sizeof(ret->why));
	json_decref(j);
}

void
token_reply_free(struct token_reply *r)
{
	secret_free(&r->access);
	secret_free(&r->refresh);
}

void
device_reply_parse(const struct postern_http_answer *a,
		   struct device_reply *ret)
{
	json_t *j = a->status != 0 ? json_of(a) : NULL;
	const char *code = text_of(j, "device_code");
	const char *user = text_of(j, "user_code");
	const char *uri = text_of(j, "verification_uri");

	*ret = (struct device_reply){ .device_code = NULL };
	if (uri == NULL)
		uri = text_of(j, "verification_url");	/* before RFC 8628 */
	if (a->status == 200 && code != NULL && user != NULL && uri != NULL) {
		ret->device_code = secret_copy(code);
		show(ret->user_code, sizeof(ret->user_code), user);
		show(ret->uri, sizeof(ret->uri), uri);
		ret->expires_s = number_of(j, "expires_in", DEVICE_UNSAID_S,
					   24 * 3600);
		ret->interval_s = number_of(j, "interval", INTERVAL_UNSAID_S,
					    300);
	} else {
		words_of_answer(a, j, ret->why, sizeof(ret->why));
	}
	json_decref(j);
}

void
device_reply_free(struct device_reply *r)
{
	secret_free(&r->device_code);
}
