/* macros.h - the few macros that everything may use; none changes the flow */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A variable that is cleaned up when its scope ends: AUTO(buf_fini). */
#define AUTO(fn) __attribute__((cleanup(fn)))

#endif
