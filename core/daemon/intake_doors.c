/* intake_doors.c - the sockets at work on one loop, by its snapshot
 *
 * All of it is on that loop, or when no loop runs.
 */
#include "daemon/intake_inside.h"

#include "base/mem.h"
#include "daemon/ports.h"
#include "io/listen.h"

/* One socket at work on one loop. */
struct door {
	struct door *next;
	struct intake_loop *on;
	struct listener *listener;
	struct endpoint at;
	const struct listener_config *config;
};

static void
on_accepted(void *arg, int fd, struct endpoint peer)
{
	struct door *door = arg;

	smtpd_accept(door->on->smtpd, fd, peer, door->config);
}

/* The array of fds is touched by this loop at its own index only. */
void
doors_open(struct intake_loop *on)
{
	for (struct ports *p = on->intake->ports; p != NULL; p = p->next) {
		const struct listener_config *config =
			ports_config(on->snap, p->config->at);
		struct door *door;

		/* bound for a snapshot that some loop did not take */
		if (p->fds[on->index] < 0 || config == NULL)
			continue;
		door = NEW(struct door);
		door->on = on;
		door->at = p->config->at;
		door->config = config;
		door->listener = listener_start(on->loop, p->fds[on->index],
						on_accepted, door);
		p->fds[on->index] = -1;
		door->next = on->doors;
		on->doors = door;
	}
}

void
doors_refresh(struct intake_loop *on)
{
	for (struct door **at = &on->doors; *at != NULL;) {
		struct door *door = *at;

		door->config = on->snap ? ports_config(on->snap, door->at) : NULL;
		if (door->config != NULL) {
			at = &door->next;
			continue;
		}
		*at = door->next;
		listener_stop(&door->listener);
		mem_free(door);
	}
}

void
doors_take_snapshot(struct intake_loop *on, struct snapshot *snap)
{
	snapshot_unref(&on->snap);
	on->snap = snapshot_ref(snap);
}
