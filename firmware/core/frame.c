#include "frame.h"

#include <string.h>

#include "bytes.h"
#include "crc.h"

#define MAX_RAW (MAX_FRAME - 1u) /* without the delimiter */

struct inbox inbox;

/* The piece that is coming in, unstuffed as it comes. */
static struct {
    uint32_t crc;
    uint8_t raw;     /* bytes of it on the line */
    uint8_t left;    /* to the next code byte */
    uint8_t count;   /* bytes unstuffed */
    uint8_t head[3]; /* kind and number, also where nothing else is kept */
    bool keeps;      /* the inbox was empty when it began */
} coming;

uint8_t frame_make(uint8_t frame[MAX_FRAME], const uint8_t *payload, uint8_t size)
{
    uint8_t crc[4], code = 0, at = 1;
    put32(crc, crc_of(payload, size));
    for (uint8_t i = 0; i < size + 4u; i++) {
        uint8_t byte = i < size ? payload[i] : crc[i - size];
        if (byte) {
            frame[at++] = byte;
            continue;
        }
        frame[code] = (uint8_t)(at - code);
        code = at++;
    }
    frame[code] = (uint8_t)(at - code);
    frame[at++] = 0;
    return at;
}

static void begin(void)
{
    memset(&coming, 0, sizeof coming);
    coming.crc = CRC_BEGIN;
}

void frame_reset(void)
{
    memset(&inbox, 0, sizeof inbox);
    begin();
}

static void unstuffed(uint8_t byte)
{
    coming.crc = crc_add(coming.crc, byte);
    if (coming.count < sizeof coming.head)
        coming.head[coming.count] = byte;
    if (coming.keeps)
        inbox.payload[coming.count] = byte;
    coming.count++;
}

static void ended(void)
{
    bool whole = coming.raw <= MAX_RAW && coming.left == 0 && coming.count > 4 && coming.crc == CRC_GOOD;
    if (whole && coming.head[0] == KIND_OF_STOP) {
        inbox.stop = true;
        inbox.stop_sequence = sequence_of(coming.head, (uint8_t)(coming.count - 4u));
    } else if (whole && coming.keeps) {
        inbox.size = (uint8_t)(coming.count - 4u);
    }
    begin();
}

void frame_take(uint8_t byte)
{
    if (byte == 0) {
        if (coming.raw)
            ended();
        return;
    }
    if (coming.raw > MAX_RAW)
        return; /* too long already: dropped at its end */
    if (++coming.raw > MAX_RAW)
        return;
    if (coming.raw == 1)
        coming.keeps = inbox.size == 0;
    if (coming.left) {
        coming.left--;
        unstuffed(byte);
        return;
    }
    if (coming.raw > 1)
        unstuffed(0);
    coming.left = (uint8_t)(byte - 1u);
}
