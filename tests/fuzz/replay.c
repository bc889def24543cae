/* replay.c - runs a fuzz target over its corpus
 *
 * The corpus of fuzz-NAME is $srcdir/tests/fuzz/corpus/NAME, or the folder
 * given as argument.  Each input is run whole and cut at every length, from a
 * copy of exactly its size, so that a sanitizer sees what reads past its end.
 * An empty corpus is a failure, for it would test nothing.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1024 * 1024, CUTS_MAX = 4096 };

static void
run_copy(struct span input)
{
	uint8_t *copy = mem_array(input.n ? input.n : 1, 1);

	if (input.n)
		memcpy(copy, input.p, input.n);
	LLVMFuzzerTestOneInput(copy, input.n);
	mem_free(copy);
}

static bool
run_file(const char *path)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(INPUT_MAX);
	struct error err;
	struct span input;

	if (!file_read(&b, path, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	printf("%s\n", path);
	fflush(stdout);
	input = buf_span(&b);
	run_copy(input);
	for (size_t n = 0; n < MIN(input.n, (size_t)CUTS_MAX); n++)
		run_copy(span_sub(input, 0, n));
	return true;
}

/* The number of inputs that were run; -1 when one could not be. */
static int
run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return 0;
	while (n >= 0 && (entry = readdir(dir)) != NULL) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", folder, entry->d_name);
		n = run_file(path) ? n + 1 : -1;
		mem_free(path);
	}
	closedir(dir);
	return n;
}

static char *
corpus_of(const char *program)
{
	const char *name = strrchr(program, '/');
	const char *srcdir = getenv("srcdir");

	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "fuzz-", 5) == 0)
		name += 5;
	return mem_printf("%s/tests/fuzz/corpus/%s",
			  srcdir != NULL ? srcdir : ".", name);
}

int
main(int argc, char **argv)
{
	char *folder = argc > 1 ? mem_strdup(argv[1]) : corpus_of(argv[0]);
	int n = run_folder(folder);

	if (n == 0)
		fprintf(stderr, "%s: no inputs there\n", folder);
	else if (n > 0)
		printf("%d inputs\n", n);
	mem_free(folder);
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
