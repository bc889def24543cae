/* test-spool-act.c - what the operator's acts say of themselves, when calls to
 * the disk fail */
#include "unit.h"

#include "spool-fault.h"
#include "spool-world.h"

#include "base/macros.h"

#include <string.h>

enum { SMALL = 3000 };

/* Of what an act met each is told once, whichever call failed meanwhile. */
static void
what_acts_meet_is_told_once(void **state)
{
	unsigned nth = 0;
	bool fired = true;

	(void)state;
	while (fired) {
		struct world *w = world_new("sqlite:", "?vfs=fault");
		struct error err;
		size_t told = 0;

		assert_true(world_open(w, &err));
		for (int i = 0; i < 3; i++)
			assert_int_not_equal(world_put(w, SMALL, false, 0), 0);
		w->tell = SIZE_MAX;
		fault_arm(FAULT_IO_ONCE, ++nth);
		assert_int_equal(world_act(w, SPOOL_HOLD, 0), 3);
		fired = fault_fired();
		fault_disarm();
		for (const char *p = w->met; (p = strchr(p, '\n')) != NULL; p++)
			told++;
		CHECK_ROW(nth, told == 3);
		world_free(&w);
	}
	assert_true(nth > 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_acts_meet_is_told_once),
	};

	fault_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
