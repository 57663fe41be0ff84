/* SHA-256 of up to 55 bytes: one block, which is all that a program takes. */
#ifndef SHA256_H
#define SHA256_H

#include <stdint.h>

void sha256(uint8_t digest[32], const uint8_t *data, uint8_t size);

#endif
