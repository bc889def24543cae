/* rot13.h - a layer for tests: says "?", wants "!", then turns letters round,
 * three bytes a write; says "." at the end */
#ifndef TESTS_ROT13_H
#define TESTS_ROT13_H

#include "io/layer.h"

/* *freed becomes true with it. */
struct layer *rot_new(bool *freed);

#endif
