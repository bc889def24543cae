/* mem.h - small allocations, which succeed or end the program
 *
 * For what we size ourselves.  What a stranger sizes is a struct buf with a
 * maximum, which can fail.  All memory from here is zeroed.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* Like realloc for an array; new elements are not zeroed. */
void *mem_resize(void *p, size_t n, size_t size);
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), malloc, returns_nonnull));
void mem_free(void *p);

/* Typed: struct job *j = NEW(struct job); */
#define NEW(type) ((type *)mem_new(sizeof(type)))

#endif
