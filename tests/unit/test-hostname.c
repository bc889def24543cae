/* test-hostname.c - the name of this host, by a resolver that is the test's */
#include "unit.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/macros.h"
#include "daemon/hostname.h"

#include <netdb.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

static const char *short_name, *full_name;
static bool silent;			/* answers when `late' is posted */
static sem_t late, ended;
static unsigned asked;

int
gethostname(char *name, size_t size)
{
	snprintf(name, size, "%s", short_name);
	return 0;
}

int
getaddrinfo(const char *restrict node, const char *restrict service,
	    const struct addrinfo *restrict hints,
	    struct addrinfo **restrict ret)
{
	(void)service, (void)hints;
	must(strcmp(node, short_name) == 0);
	asked++;
	if (silent)
		sem_wait(&late);
	if (full_name == NULL)
		return EAI_NONAME;
	*ret = calloc(1, sizeof(**ret));
	must(*ret != NULL);
	(*ret)->ai_canonname = strdup(full_name);
	return 0;
}

void
freeaddrinfo(struct addrinfo *ai)
{
	free(ai->ai_canonname);
	free(ai);
	sem_post(&ended);
}

static void
the_resolver_is_asked_for_a_short_name(void **state)
{
	static const struct {
		const char *host, *resolver, *want;
		unsigned asked;
	} rows[] = {
		{ "gw",         "gw.example.org", "gw.example.org", 1 },
		{ "gw",         "gw",             "gw",             1 },
		{ "gw",         NULL,             "gw",             1 },
		{ "gw.own.org", "gw.example.org", "gw.own.org",     0 },
		{ "",           "gw.example.org", "localhost",      0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena *arena = arena_new();

		short_name = rows[i].host;
		full_name = rows[i].resolver;
		asked = 0;
		CHECK_ROW(i, strcmp(hostname_find(arena), rows[i].want) == 0);
		CHECK_ROW(i, asked == rows[i].asked);
		arena_free(&arena);
	}
}

/* It hangs here when the resolver is waited for. */
static void
a_dead_resolver_holds_nobody_up(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	short_name = "gw";
	full_name = "gw.example.org";
	silent = true;
	while (sem_trywait(&ended) == 0)
		continue;
	assert_string_equal(hostname_find(arena), "gw");
	/* nobody reads what comes late */
	sem_post(&late);
	sem_wait(&ended);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_resolver_is_asked_for_a_short_name),
		cmocka_unit_test(a_dead_resolver_holds_nobody_up),
	};

	sem_init(&late, 0, 0);
	sem_init(&ended, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
