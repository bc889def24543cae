/* sign-message.c - the signer as a program, for tests in other languages
 *
 *   sign-message generate rsa|ed25519      prints a key
 *   sign-message record DOMAIN SELECTOR KEY_FILE
 *   sign-message sign SEED DOMAIN SELECTOR KEY_FILE [...] < MESSAGE
 *   sign-message bench N DOMAIN SELECTOR KEY_FILE [...] < MESSAGE
 *
 * Signs in one piece where SEED is 0, else in pieces that the seed makes;
 * prints the fields, or the error and exits with 1.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "mail/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS_MAX = 4, MESSAGE_MAX = 64 * 1024 * 1024, WHEN = 1700000000 };

static int
failed(const struct error *err)
{
	printf("error: %s\n", err->text);
	return 1;
}

static struct signer_key *
key_read(char **argv, struct error *err)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(64 * 1024);

	if (!file_read(&pem, argv[2], err))
		return NULL;
	return signer_key_new(buf_span(&pem), argv[0], argv[1], err);
}

static bool
message_read(struct buf *b)
{
	for (;;) {
		char *to = buf_room(b, 65536);
		ssize_t n = to != NULL ? read(0, to, 65536) : -1;

		if (n <= 0)
			return n == 0;
		buf_added(b, (size_t)n);
	}
}

static bool
sign(const struct signer_key *const *keys, size_t n, struct span message,
     unsigned seed, struct buf *out, struct error *err)
{
	struct signing *s = signing_new(keys, n, WHEN);
	bool ok = true;

	while (ok && message.n > 0) {
		size_t piece = seed ? (size_t)rand_r(&seed) % 80 : message.n;

		ok = signing_feed(s, span_sub(message, 0, piece), err);
		message = span_from(message, piece);
	}
	ok = ok && signing_finish(s, out, err);
	signing_free(&s);
	return ok;
}

static int
run(bool bench, char **argv, const struct signer_key *const *keys, size_t n)
{
	AUTO(buf_fini) struct buf message = BUF_MAX(MESSAGE_MAX);
	AUTO(buf_fini) struct buf out = BUF_MAX(1024 * 1024);
	unsigned number = (unsigned)strtoul(argv[0], NULL, 10);
	int64_t start = clock_now_ms();
	struct error err;

	if (!message_read(&message))
		return 2;
	for (unsigned i = 0; i < (bench ? number : 1); i++) {
		buf_clear(&out);
		if (!sign(keys, n, buf_span(&message), bench ? 0 : number,
			  &out, &err))
			return failed(&err);
	}
	if (bench)
		printf("%.0f/s\n", 1000.0 * number /
		       (double)(clock_now_ms() - start));
	else
		fputs(buf_str(&out), stdout);
	return 0;
}

static int
generate(const char *kind)
{
	AUTO(buf_wipe) struct buf pem = BUF_MAX(64 * 1024);
	struct error err;

	if (!signer_generate(strcmp(kind, "rsa") ? SIGNER_ED25519 : SIGNER_RSA,
			     2048, &pem, &err))
		return failed(&err);
	fputs(buf_str(&pem), stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	AUTO(buf_fini) struct buf record = BUF_MAX(4096);
	struct signer_key *keys[KEYS_MAX];
	struct error err;
	size_t n = 0;
	int rc = 2, first;

	if (argc == 3 && strcmp(argv[1], "generate") == 0)
		return generate(argv[2]);
	first = argc > 1 && strcmp(argv[1], "record") == 0 ? 2 : 3;
	for (int i = first; i + 2 < argc && n < KEYS_MAX; i += 3) {
		keys[n] = key_read(argv + i, &err);
		if (keys[n] == NULL)
			return failed(&err);
		n++;
	}
	if (first == 2 && n == 1) {
		signer_key_record(keys[0], &record);
		puts(buf_str(&record));
		rc = 0;
	} else if (argc > 2) {
		rc = run(strcmp(argv[1], "bench") == 0, argv + 2,
			 (const struct signer_key *const *)keys, n);
	}
	while (n > 0)
		signer_key_free(&keys[--n]);
	return rc;
}
