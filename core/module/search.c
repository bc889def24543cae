/* search.c - where the files of modules are looked for */
#include "module/loaded.h"

#include "base/macros.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 1000 };

void
search_init(struct search *s)
{
	const char *path = secure_getenv("POSTERN_MODULE_PATH");
	struct span rest = span_of(path), folder;

	*s = (struct search){ .arena = arena_new() };
	while (path != NULL && s->n < SEARCH_FOLDERS - 1
	       && span_split(&rest, ':', &folder))
		if (folder.n > 0)
			s->folders[s->n++] = arena_span(s->arena, folder).p;
	s->folders[s->n++] = POSTERN_MODULE_DIR;
}

void
search_fini(struct search *s)
{
	arena_free(&s->arena);
}

static const char *
file_in(struct search *s, const char *folder, const char *name)
{
	const char *file = arena_printf(s->arena, "%s/%s.so", folder, name);

	if (access(file, F_OK) == 0)
		return file;
	file = arena_printf(s->arena, "%s/%s/.libs/%s.so", folder, name, name);
	return access(file, F_OK) == 0 ? file : NULL;
}

const char *
search_file(struct search *s, const char *name)
{
	const char *file = NULL;

	if (!module_name_valid(name))
		return NULL;
	for (size_t i = 0; i < s->n && file == NULL; i++)
		file = file_in(s, s->folders[i], name);
	return file;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* x.so, or a folder x with .libs/x.so in it: x.  Else NULL. */
static const char *
entry_name(struct search *s, const char *folder, const char *entry)
{
	struct span name = span_of(entry);
	const char *text;

	if (span_ends_nocase(name, SPAN(".so")))
		name.n -= 3;
	text = arena_span(s->arena, name).p;
	return module_name_valid(text) && file_in(s, folder, text) ? text
								   : NULL;
}

size_t
search_names(struct search *s, const char ***ret)
{
	const char **v = arena_array(s->arena, NAMES_MAX, sizeof(*v));
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		DIR *dir = opendir(s->folders[i]);
		struct dirent *e;

		while (dir != NULL && n < NAMES_MAX
		       && (e = readdir(dir)) != NULL) {
			v[n] = entry_name(s, s->folders[i], e->d_name);
			n += v[n] != NULL;
		}
		if (dir != NULL)
			closedir(dir);
	}
	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(v[kept - 1], v[i]) != 0)
			v[kept++] = v[i];
	*ret = v;
	return kept;
}

const char *
search_folders_text(struct search *s)
{
	const char *text = s->folders[0];

	for (size_t i = 1; i < s->n; i++)
		text = arena_printf(s->arena, "%s, %s", text, s->folders[i]);
	return text;
}
