/* Little-endian numbers in a buffer. */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

uint8_t *put16(uint8_t *at, uint16_t value);
uint8_t *put32(uint8_t *at, uint32_t value);
uint8_t *put64(uint8_t *at, uint64_t value);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint64_t get64(const uint8_t *at);
uint16_t sequence_of(const uint8_t *payload, uint8_t size); /* one that is cut short has zeros in it */

#endif
