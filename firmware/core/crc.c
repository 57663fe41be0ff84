#include "crc.h"

#include "flash.h"

static const uint32_t TABLE[16] IN_FLASH = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

FAST uint32_t crc_add(uint32_t crc, uint8_t byte)
{
    crc = READ_LONG(&TABLE[(crc ^ byte) & 15u]) ^ (crc >> 4);
    return READ_LONG(&TABLE[(crc ^ (byte >> 4)) & 15u]) ^ (crc >> 4);
}

uint32_t crc_of(const void *data, uint8_t size)
{
    const uint8_t *at = data;
    uint32_t crc = CRC_BEGIN;
    while (size--)
        crc = crc_add(crc, *at++);
    return ~crc;
}
