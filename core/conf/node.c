/* node.c - reading a file into a tree, and looking at it
 *
 * What can be wrong with the file and its bytes is said here; what can be
 * wrong with the YAML, in parse.c.  Lines end where libyaml ends them (also
 * at CR, NEL, LS and PS), so that its line numbers are ours.
 */
#include "conf/node.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "conf/tree.h"
#include "conf/utf8.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct tree *
tree_new(const char *path)
{
	struct tree *t = NEW(struct tree);

	t->path = mem_strdup(path);
	t->text = BUF_MAX(LIMIT_CONF_FILE);
	t->arena = arena_new();
	return t;
}

/* Any of them may have been a secret. */
static void
scalars_wipe(const struct node *n)
{
	if (n->scalar.n)
		explicit_bzero((char *)n->scalar.p, n->scalar.n);
	for (const struct node *child = n->first; child; child = child->next)
		scalars_wipe(child);
}

void
tree_free(struct tree **t)
{
	if (*t == NULL)
		return;
	if ((*t)->root != NULL)
		scalars_wipe((*t)->root);
	arena_free(&(*t)->arena);
	buf_wipe(&(*t)->text);
	mem_free((*t)->shown);
	mem_free((*t)->lines);
	mem_free((*t)->path);
	mem_free(*t);
	*t = NULL;
}

const struct node *
tree_root(const struct tree *t)
{
	return t->root;
}

const char *
tree_path(const struct tree *t)
{
	return t->path;
}

/* Bytes of the line end at p, 0 when there is none. */
static size_t
line_end(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] == '\r')
		return n > 1 && u[1] == '\n' ? 2 : 1;
	if (u[0] == '\n')
		return 1;
	if (n > 1 && u[0] == 0xc2 && u[1] == 0x85)
		return 2;
	return n > 2 && u[0] == 0xe2 && u[1] == 0x80
	       && (u[2] & 0xfe) == 0xa8 ? 3 : 0;
}

static void
tree_find_lines(struct tree *t)
{
	struct span s = buf_span(&t->text);
	size_t cap = 64, end;

	t->lines = mem_array(cap, sizeof(*t->lines));
	t->n_lines = 1;
	for (size_t i = 0; i < s.n; i += end ? end : 1) {
		end = line_end(s.p + i, s.n - i);
		if (!end)
			continue;
		if (t->n_lines == cap)
			t->lines = mem_resize(t->lines, cap *= 2,
					      sizeof(*t->lines));
		t->lines[t->n_lines++] = i + end;
	}
}

struct span
tree_line(const struct tree *t, unsigned line)
{
	size_t from, n, end = t->text.len;

	if (line == 0 || line > t->n_lines)
		return SPAN_NONE;
	from = t->lines[line - 1];
	if (line < t->n_lines)
		end = t->lines[line];
	for (n = 0; from + n < end; n++)
		if (line_end(t->shown + from + n, end - from - n))
			break;
	return (struct span){ t->shown + from, n };
}

struct mark
tree_mark_at(const struct tree *t, size_t offset, unsigned width)
{
	struct span s = buf_span(&t->text);
	size_t low = 0, high = t->n_lines, at = MIN(offset, s.n);

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (t->lines[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return (struct mark){
		.tree = t, .line = (unsigned)low + 1, .width = width,
		.column = 1 + (unsigned)utf8_count(span_sub(s, t->lines[low],
							 at - t->lines[low])),
	};
}

bool
tree_comment_follows(const struct tree *t, const struct node *n)
{
	struct span rest = span_from(buf_span(&t->text), n->to);
	size_t blanks = 0;

	while (blanks < rest.n
	       && (rest.p[blanks] == ' ' || rest.p[blanks] == '\t'))
		blanks++;
	return n->kind == NODE_SCALAR && !n->quoted && blanks > 0
	       && blanks < rest.n && rest.p[blanks] == '#';
}

void
tree_conceal(const struct tree *t, const struct node *n)
{
	size_t to = MIN(n->to, t->text.len);

	if (tree_comment_follows(t, n))
		while (to < t->text.len
		       && !line_end(t->shown + to, t->text.len - to))
			to++;
	for (size_t i = n->from; i < to; i++) {
		size_t end = line_end(t->shown + i, t->text.len - i);

		if (end)
			i += end - 1;
		else
			t->shown[i] = '*';
	}
}

void
tree_conceal_key(const struct tree *t, const struct node *n)
{
	const struct mark *m = &n->key_mark;
	struct span line = tree_line(t, m->line);
	size_t from = utf8_bytes(line, m->column - 1);
	size_t to = utf8_bytes(line, m->column - 1 + m->width);

	memset(t->shown + t->lines[m->line - 1] + from, '*', to - from);
}

/* libyaml would name the byte, but not the place. */
static bool
text_check(const struct tree *t, struct diags *d)
{
	struct span s = buf_span(&t->text);

	for (size_t i = 0, n; i < s.n; i += n) {
		struct mark mark;
		uint32_t c;

		n = utf8_decode(span_from(s, i), &c);
		if (n != 0 && utf8_is_text(c))
			continue;
		mark = tree_mark_at(t, i, 1);
		if (n == 0) {
			diag_error(d, &mark, "this is not UTF-8: byte 0x%02x",
				   (unsigned char)s.p[i]);
			return diag_hint(d, "save the file in UTF-8");
		}
		if (c == 0xfeff) {
			diag_error(d, &mark, "there is an invisible byte-order "
				   "mark here");
			return diag_hint(d, "delete the line, and type it "
					 "again");
		}
		diag_error(d, &mark, "a control character, U+%04X",
			   (unsigned)c);
		return diag_hint(d, "remove it; in a value, write it as an "
				 "escape in double quotes");
	}
	return true;
}

/* The text is in t; the rest follows.  Takes t over. */
static struct tree *
tree_finish(struct tree *t, struct diags *d)
{
	struct span s = buf_span(&t->text);

	if (s.n >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0)
		buf_drop(&t->text, 3);
	s = buf_span(&t->text);
	t->shown = span_dup(s);
	tree_find_lines(t);
	if (text_check(t, d) && tree_parse_text(t, d))
		return t;
	diags_keep_tree(d, t);
	return NULL;
}

static bool
too_large(const char *path, struct diags *d)
{
	diag_file_error(d, path, "larger than %d KiB", LIMIT_CONF_FILE / 1024);
	return diag_hint(d, "is this the right file? a configuration of that "
			 "size can be split into several routes");
}

struct tree *
tree_parse(const char *name, struct span text, struct diags *d)
{
	struct tree *t = tree_new(name);

	if (buf_add(&t->text, text))
		return tree_finish(t, d);
	too_large(name, d);
	tree_free(&t);
	return NULL;
}

/* The reason in words that need no path in front: path is in the place. */
static bool
unreadable(const char *path, int error, struct diags *d)
{
	diag_file_error(d, path, "cannot be read: %s", strerror(error));
	if (error == ENOENT)
		return diag_hint(d, "write this file, or name another one with "
				 "-c; samples are in " POSTERN_DOC_DIR);
	if (error == EACCES)
		return diag_hint(d, "make it, and the folders above it, "
				 "readable by the user that runs this");
	return false;
}

static bool
text_read(struct tree *t, const char *path, struct diags *d)
{
	struct error err;
	struct stat st;

	if (stat(path, &st) < 0)
		return unreadable(path, errno, d);
	if (S_ISDIR(st.st_mode)) {
		diag_file_error(d, path, "this is a folder, not a file");
		return diag_hint(d, "name the YAML file in it");
	}
	errno = 0;
	if (file_read_regular(&t->text, path, &err))
		return true;
	if (err.kind == ERROR_CONFIG)
		return diag_file_error(d, path, "this is not a regular file");
	if (err.kind == ERROR_LIMIT)
		return too_large(path, d);
	return unreadable(path, errno, d);
}

struct tree *
tree_read(const char *path, struct diags *d)
{
	struct tree *t = tree_new(path);

	if (text_read(t, path, d))
		return tree_finish(t, d);
	tree_free(&t);
	return NULL;
}

const struct node *
node_get(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n != NULL; n = n->next)
		if (span_eq(n->key, span_of(key)))
			return n;
	return NULL;
}
