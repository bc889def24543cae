/* fuzz-address-list.c - the value of a From field */
#include "fuzz.h"

#include "mail/address_list.h"

/* The address by itself is a list of one, which is the address. */
static void
check_one(struct address a)
{
	struct address_list_reader r = { .rest = a.text };
	char room[LIMIT_PATH];
	struct address again;
	struct error err;

	must(address_parse(a.text, ADDRESS_UTF8, &again, &err));
	must(span_eq(again.local, a.local) && span_eq(again.domain, a.domain));
	must(address_list_next(&r, room, &again, &err) == ADDRESS_LIST_ONE);
	must(span_eq(again.text, a.text));
	must(address_list_next(&r, room, &again, &err) == ADDRESS_LIST_END);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_list_reader r = { .rest = fuzz_span(data, size) };
	char room[LIMIT_PATH];
	struct address a;
	struct error err;

	for (;;) {
		struct span before = r.rest;

		if (address_list_next(&r, room, &a, &err) != ADDRESS_LIST_ONE)
			break;
		must(fuzz_within(r.rest, before) && r.rest.n < before.n);
		must(fuzz_within(a.text, (struct span){ room, LIMIT_PATH }));
		check_one(a);
	}
	return 0;
}
