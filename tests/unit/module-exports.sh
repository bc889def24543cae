#!/bin/sh
# A program that loads modules exports every function of postern-plugin.h,
# and nothing else of its own.
set -eu
srcdir=${srcdir:-.}
program=tests/unit/test-module-backend
test -x "$program" || exit 77
command -v nm >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed 's|/\*.*||; /^ \*/d' "$srcdir/plugins/postern-plugin.h" |
	grep -o '\bpostern_[a-z_]*(' | tr -d '(' | sort -u >"$work/declared"
nm -D --defined-only "$program" | sed 's/.* //' |
	grep '^postern_' | sort -u >"$work/exported"
diff "$work/declared" "$work/exported"

nm -D --defined-only "$program" | sed 's/.* //' |
	grep -E '^(arena|buf|loop|module|instance|node|schema|reply)_' &&
	exit 1
test "$(wc -l <"$work/declared")" -gt 30
