#!/bin/sh
# The examples in postern-plugin(3) compile, without a warning.
set -eu
srcdir=${srcdir:-.}
page=$srcdir/plugins/postern-plugin.3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v work="$work" '
	/^\.\\" example: / { file = work "/" $3; next }
	/^\.Bd/ && file != "" { next }
	/^\.Ed/ { file = ""; next }
	file != "" { gsub(/\\e/, "\\"); print > file }
' "$page"

found=0
for c in "$work"/*.c; do
	${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -fPIC -shared \
		-I"$srcdir/plugins" -o "${c%.c}.so" "$c"
	found=$((found + 1))
done
test "$found" -eq 2 || { echo "examples: $found instead of 2"; exit 1; }
