/* hostname.c - a name is gone through label by label */
#include "mail/hostname.h"

#include "base/macros.h"

#include <string.h>

enum { NAME_MAX_OCTETS = 253, LABEL_MAX_OCTETS = 63 };	/* RFC 1035 2.3.4 */

/* YAML 1.1's words that are no text to many of its readers. */
static bool
is_word_of_yaml(struct span s)
{
	static const char *const words[] = {
		"yes", "no", "on", "off", "true", "false", "null", "~",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (span_eq_nocase(s, span_of(words[i])))
			return true;
	return false;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static const char *
character_fault(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return "has letters other than ASCII's; its other form "
			       "begins with xn--";
		if (s.p[i] == '_')
			return "has an underscore";
		if (!is_letter_or_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '.')
			return "has a character that is no letter, digit, "
			       "hyphen or dot";
	}
	return NULL;
}

static const char *
label_fault(struct span s)
{
	if (s.n == 0)
		return "begins or ends with a dot, or has two side by side";
	if (s.n > LABEL_MAX_OCTETS)
		return "has a part of more than 63 characters";
	if (s.p[0] == '-' || s.p[s.n - 1] == '-')
		return "has a part that begins or ends with a hyphen";
	return NULL;
}

static bool
is_number(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

const char *
hostname_fault(struct span name)
{
	const char *fault = character_fault(name);
	struct span rest = name, label = SPAN_NONE;

	if (is_word_of_yaml(name))
		return "is a word of YAML";
	if (name.n > NAME_MAX_OCTETS)
		return "has more than 253 characters";
	if (name.n == 0 || name.p[name.n - 1] == '.')
		fault = label_fault(SPAN_NONE);
	while (fault == NULL && span_split(&rest, '.', &label))
		fault = label_fault(label);
	if (fault == NULL && is_number(label))
		fault = "ends with a number, as only an address does";
	return fault;
}

bool
hostname_is_full(struct span name)
{
	return span_find(name, '.') < name.n;
}

const char *
hostname_full(const char *name, struct arena *a)
{
	return hostname_is_full(span_of(name))
		? name : arena_printf(a, "%s.localdomain", name);
}
