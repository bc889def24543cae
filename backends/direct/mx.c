/* mx.c - choosing and ordering */
#include "mx.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int
by_preference(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->shuffle < y->shuffle ? -1 : x->shuffle > y->shuffle;
}

/* Strangers' words: names that no host can have are left out. */
static int
is_host_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < MX_NAME && strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_.") == n;
}

static int
is_null(const struct postern_dns_answer *a)
{
	return a->n == 1 && a->records[0]->text != NULL
	       && a->records[0]->text[0] == '\0';
}

/* Those that are better than ours stay. */
static size_t
without_own(struct mx *hosts, size_t n, const char *own)
{
	size_t at = 0, keep;

	while (at < n && strcasecmp(hosts[at].name, own) != 0)
		at++;
	if (at == n)
		return n;
	for (keep = at; keep > 0; keep--)
		if (hosts[keep - 1].preference < hosts[at].preference)
			break;
	return keep;
}

enum mx_result
mx_order(const struct postern_dns_answer *a, const char *own,
	 uint32_t (*chance)(void *arg), void *arg, struct mx *hosts, size_t *n)
{
	struct mx *all;
	size_t count = 0, usable;

	if (is_null(a))
		return MX_NULL;
	all = calloc(a->n + 1, sizeof(*all));
	if (all == NULL)
		abort();
	for (size_t i = 0; i < a->n; i++) {
		const struct postern_dns_record *r = a->records[i];

		if (r->text != NULL && is_host_name(r->text))
			all[count++] = (struct mx){ r->text, r->preference,
						    chance(arg) };
	}
	qsort(all, count, sizeof(*all), by_preference);
	usable = without_own(all, count, own);
	*n = usable < MX_MOST ? usable : MX_MOST;
	memcpy(hosts, all, *n * sizeof(*all));
	free(all);
	if (count == 0)
		return MX_UNUSABLE;
	return usable > 0 ? MX_HOSTS : MX_OURS;
}

int
mx_domain(const char *recipient, char *buf, size_t size)
{
	const char *at = strrchr(recipient, '@');
	char *ascii = NULL;
	size_t n;

	if (at == NULL || at[1] == '\0')
		return -1;
	at++;
	n = strlen(at);
	if (at[0] == '[') {
		if (n >= size)
			return -1;
		memcpy(buf, at, n + 1);
		return 0;
	}
	if (idn2_to_ascii_8z(at, &ascii, IDN2_NONTRANSITIONAL |
			     IDN2_NFC_INPUT) != IDN2_OK)
		return -1;
	n = strlen(ascii);
	while (n > 0 && ascii[n - 1] == '.')
		n--;
	if (n == 0 || n >= size) {
		free(ascii);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		buf[i] = ascii[i] >= 'A' && ascii[i] <= 'Z'
			 ? (char)(ascii[i] - 'A' + 'a') : ascii[i];
	buf[n] = '\0';
	free(ascii);
	return 0;
}
