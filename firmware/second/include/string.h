#ifndef STRING_H
#define STRING_H
#include <stddef.h>
void *memset(void *to, int byte, size_t size);
#endif
