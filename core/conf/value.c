/* value.c - numbers, sizes, durations and variables: text becomes a value */
#include "conf/schema.h"

#include "base/macros.h"
#include "base/mem.h"
#include "conf/bind.h"

#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 },
	{ "G", 1024 * 1024 * 1024 },
};

static const struct unit duration_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
};

static bool
parse_units(struct span s, const struct unit *units, size_t n, int64_t *ret)
{
	uint64_t number;
	int64_t value;
	size_t digits = 0;

	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (!span_u64(span_sub(s, 0, digits), INT64_MAX, &number))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!span_eq_nocase(span_from(s, digits),
				    span_of(units[i].name)))
			continue;
		if (__builtin_mul_overflow((int64_t)number, units[i].factor,
					   &value))
			return false;
		*ret = value;
		return true;
	}
	return false;
}

bool
parse_size(struct span s, int64_t *ret)
{
	return parse_units(s, size_units, ARRAY_SIZE(size_units), ret);
}

bool
parse_duration(struct span s, int64_t *ret_ms)
{
	if (span_eq(s, SPAN("0"))) {
		*ret_ms = 0;
		return true;
	}
	return parse_units(s, duration_units, ARRAY_SIZE(duration_units),
			   ret_ms);
}

bool
value_format(enum key_type type, int64_t value, struct buf *out)
{
	const struct unit *units = type == T_SIZE ? size_units : duration_units;
	size_t i = type == T_SIZE ? ARRAY_SIZE(size_units)
				  : ARRAY_SIZE(duration_units);

	if ((type != T_SIZE && type != T_DURATION) || value == 0)
		return buf_addf(out, "%lld", (long long)value);
	while (i > 1 && value % units[i - 1].factor != 0)
		i--;
	return buf_addf(out, "%lld%s",
			(long long)(value / units[i - 1].factor),
			units[i - 1].name);
}

static bool
is_name(char c, bool first)
{
	return c == '_' || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')
	       || (!first && c >= '0' && c <= '9');
}

/* s stands behind `${': the length of the name, 0 when it is none. */
static size_t
variable_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_name(s.p[n], n == 0))
		n++;
	return n < s.n && s.p[n] == '}' ? n : 0;
}

struct span
variable_find(struct span s)
{
	for (size_t at = 0; at + 3 < s.n; at++) {
		size_t n = s.p[at] == '$' && s.p[at + 1] == '{'
			? variable_length(span_from(s, at + 2)) : 0;

		if (n > 0)
			return span_sub(s, at + 2, n);
	}
	return SPAN_NONE;
}

static bool
variable_add(struct buf *out, struct span name, struct span *missing)
{
	char *copy = span_dup(name);
	const char *value = getenv(copy);

	mem_free(copy);
	if (value == NULL) {
		*missing = name;
		return false;
	}
	*missing = SPAN_NONE;
	return buf_add_str(out, value);
}

bool
expand_variables(struct buf *out, struct span s, struct span *missing)
{
	while (s.n > 0) {
		size_t n = span_find(s, '$');
		size_t skip = 1;

		*missing = SPAN_NONE;
		if (!buf_add(out, span_sub(s, 0, n)))
			return false;
		s = span_from(s, n);
		if (s.n == 0)
			return true;
		if (span_starts_nocase(s, SPAN("$${"))) {
			if (!buf_add_str(out, "${"))
				return false;
			skip = 3;
		} else if (span_starts_nocase(s, SPAN("${"))) {
			n = variable_length(span_from(s, 2));
			if (n == 0) {
				*missing = span_sub(s, 0, 0);
				return false;
			}
			if (!variable_add(out, span_sub(s, 2, n), missing))
				return false;
			skip = n + 3;
		} else if (!buf_add_char(out, '$')) {
			return false;
		}
		s = span_from(s, skip);
	}
	return true;
}
