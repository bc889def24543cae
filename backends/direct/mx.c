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

/* Strangers' words: names that no host can have are left out, and addresses,
 * which may not stand there (RFC 5321 section 5.1: a domain name). */
static int
is_host_name(const char *s)
{
	const char *last = strrchr(s, '.');
	size_t n = strlen(s);

	last = last != NULL ? last + 1 : s;
	return n > 0 && n < MX_NAME && last[strspn(last, "0123456789")] != '\0'
	       && strspn(s, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
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

static int
is_ascii(const char *s)
{
	while (*s != '\0' && (unsigned char)*s < 128)
		s++;
	return *s == '\0';
}

/* Lower case, and without the last dot. */
static int
domain_copy(const char *from, char *buf, size_t size)
{
	size_t n = strlen(from);

	if (n > 0 && from[n - 1] == '.')
		n--;
	if (n == 0 || n >= size)
		return -1;
	for (size_t i = 0; i < n; i++)
		buf[i] = from[i] >= 'A' && from[i] <= 'Z'
			 ? (char)(from[i] - 'A' + 'a') : from[i];
	buf[n] = '\0';
	return 0;
}

/* A name in ASCII is for the DNS to judge: there are domains that IDNA would
 * not have ("r3--x.example"). */
int
mx_domain(const char *recipient, char *buf, size_t size)
{
	const char *at = strrchr(recipient, '@');
	char *ascii = NULL;
	int ret;

	if (at == NULL)
		return -1;
	at++;
	if (is_ascii(at))
		return domain_copy(at, buf, size);
	if (idn2_to_ascii_8z(at, &ascii, IDN2_NONTRANSITIONAL |
			     IDN2_NFC_INPUT) != IDN2_OK)
		return -1;
	ret = domain_copy(ascii, buf, size);
	idn2_free(ascii);
	return ret;
}
