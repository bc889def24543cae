/* fuzz-oauth.c - what a token endpoint answers
 *
 * The first octet chooses the status; the rest is the body.
 */
#include "fuzz.h"

#include "../../backends/oauth/wire.h"

#include <postern-plugin.h>

#include <string.h>

static const int statuses[] = { 200, 400, 401, 429, 500, 0 };

/* What a terminal may see. */
static void
check_words(const char *words, size_t size)
{
	must(strlen(words) < size);
	for (; *words != '\0'; words++)
		must((unsigned char)*words >= ' ' && *words != 127);
}

static void
check_token(const struct postern_http_answer *a)
{
	struct token_reply r;

	token_reply_parse(a, &r);
	must((r.kind == REPLY_TOKEN) == (r.access != NULL));
	must((r.kind == REPLY_TOKEN) == (r.why[0] == '\0'));
	if (r.kind == REPLY_TOKEN) {
		must(a->status == 200 && r.access[0] != '\0');
		must(r.expires_s >= 0 && r.expires_s <= 7 * 24 * 3600);
	}
	must(r.access != NULL || r.refresh == NULL);
	check_words(r.why, sizeof(r.why));
	check_words(r.who, sizeof(r.who));
	token_reply_free(&r);
}

static void
check_device(const struct postern_http_answer *a)
{
	struct device_reply r;

	device_reply_parse(a, &r);
	if (r.device_code != NULL) {
		must(r.expires_s >= 0 && r.interval_s >= 0);
		check_words(r.user_code, sizeof(r.user_code));
		check_words(r.uri, sizeof(r.uri));
	} else {
		must(r.why[0] != '\0');
	}
	check_words(r.why, sizeof(r.why));
	device_reply_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct postern_http_answer a = { .why = "no answer", .type = "" };

	if (size == 0)
		return 0;
	a.status = statuses[data[0] % (sizeof(statuses) / sizeof(*statuses))];
	a.body = data + 1;
	a.body_size = size - 1;
	check_token(&a);
	check_device(&a);
	return 0;
}
