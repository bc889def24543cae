/* verify-message.c - what libopendkim says of messages, without a DNS
 *
 *   verify-message RECORDS MESSAGE...
 *
 * RECORDS has lines "NAME<tab>VALUE".  For each message a line: pass or fail
 * for each of its signatures, from the top.  We make ed25519 signatures
 * without libopendkim, so of those it is a stranger's judgement.
 */
#include "base/file.h"
#include "base/macros.h"

#include <dkim.h>
#include <stdio.h>
#include <string.h>

static bool
feed(DKIM *d, struct span message)
{
	return dkim_chunk(d, (unsigned char *)message.p, message.n) ==
	       DKIM_STAT_OK &&
	       dkim_chunk(d, NULL, 0) == DKIM_STAT_OK;
}

static void
print(DKIM *d, bool fed)
{
	DKIM_SIGINFO **v;
	int n = 0;

	if (dkim_getsiglist(d, &v, &n) != DKIM_STAT_OK)
		n = 0;
	for (int i = 0; i < n; i++) {
		bool ok = fed && dkim_sig_process(d, v[i]) == DKIM_STAT_OK &&
			  DKIM_SIG_CHECK(v[i]);

		printf("%s%s", i > 0 ? " " : "", ok ? "pass" : "fail");
	}
	printf("\n");
}

int
main(int argc, char **argv)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	dkim_query_t how = DKIM_QUERY_FILE;

	if (argc < 2)
		return 2;
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYMETHOD, &how,
		     sizeof(how));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYINFO, argv[1],
		     strlen(argv[1]));
	for (int i = 2; i < argc; i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(64 * 1024 * 1024);
		struct error err;
		DKIM_STAT status;
		DKIM *d = dkim_verify(lib, (unsigned char *)"x", NULL, &status);
		bool fed;

		if (!file_read(&b, argv[i], &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		fed = feed(d, buf_span(&b));
		dkim_eom(d, NULL);
		print(d, fed);
		dkim_free(d);
	}
	dkim_close(lib);
	return 0;
}
