/* dns_anchor.c - the keys that DNSSEC begins with
 *
 * What the file's records say in detail is libunbound's to judge.
 */
#include "io/dns_anchor.h"

#include "base/file.h"
#include "base/macros.h"

enum { ANCHOR_FILE_MAX = 64 * 1024, WORDS = 4 };

/* data.iana.org/root-anchors: the keys made in 2017 and in 2024 */
const char *const dns_root_anchors[] = {
	". IN DS 20326 8 2 "
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". IN DS 38696 8 2 "
	"683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
	NULL,
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t
words_take(struct span line, struct span *words, size_t max)
{
	size_t n = 0, from = 0, to;

	while (n < max) {
		while (from < line.n && is_space(line.p[from]))
			from++;
		for (to = from; to < line.n && !is_space(line.p[to]); to++)
			continue;
		if (to == from)
			break;
		words[n++] = span_sub(line, from, to - from);
		from = to;
	}
	return n;
}

/* "OWNER [TTL] [CLASS] DS ..."; an owner may be left out, but not in the
 * first record. */
static bool
line_owner(struct span line, struct span *ret)
{
	struct span words[WORDS];
	size_t n;

	line = span_sub(line, 0, span_find(line, ';'));
	if (line.n == 0 || is_space(line.p[0]) || line.p[0] == '$')
		return false;
	n = words_take(line, words, WORDS);
	for (size_t i = 1; i < n; i++) {
		if (!span_eq_nocase(words[i], SPAN("DS")) &&
		    !span_eq_nocase(words[i], SPAN("DNSKEY")))
			continue;
		*ret = words[0];
		return true;
	}
	return false;
}

bool
dns_anchor_read(const char *path, struct buf *owner, struct error *err)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(ANCHOR_FILE_MAX);
	struct span rest, line, name;

	if (!file_read_regular(&text, path, err))
		return false;
	rest = buf_span(&text);
	while (span_split(&rest, '\n', &line)) {
		if (!line_owner(line, &name))
			continue;
		if (name.p[name.n - 1] == '.')
			name.n--;
		return buf_add(owner, name) ? true
			: error_set(err, ERROR_CONFIG, "%s: the name of a "
				    "zone is too long", path);
	}
	error_set(err, ERROR_CONFIG, "%s: there is no DS or DNSKEY record in "
		  "it", path);
	return error_hint(err, "Debian's package dns-root-data has the root's "
			  "in /usr/share/dns/root.ds");
}
