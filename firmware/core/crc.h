/* CRC-32/ISO-HDLC, a nibble at a time: sixteen words of table, and half a millisecond for the longest frame. */
#ifndef CRC_H
#define CRC_H

#include <stdint.h>

#define CRC_BEGIN 0xFFFFFFFFul
#define CRC_GOOD 0xDEBB20E3ul /* what is left, before the final xor, behind data that its own CRC follows */

uint32_t crc_add(uint32_t crc, uint8_t byte);
uint32_t crc_of(const void *data, uint8_t size); /* with the final xor */

#endif
