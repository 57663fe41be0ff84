/* Frames of the line (section 2): one is taken in at a time, and a Stop behind it is still seen. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_PAYLOAD 58u
#define MAX_FRAME 64u
#define KIND_OF_STOP 0x1Fu

/* COBS of payload and CRC, and the delimiter; its size. */
uint8_t frame_make(uint8_t frame[MAX_FRAME], const uint8_t *payload, uint8_t size);

/* What came in: a frame other than Stop waits in `payload` while `size` is not 0; others are dropped meanwhile. */
struct inbox {
    uint8_t payload[MAX_PAYLOAD + 4]; /* its CRC stands behind it */
    uint8_t size;
    bool stop;              /* a Stop came; its number is `stop_sequence` */
    uint16_t stop_sequence;
};

extern struct inbox inbox;

void frame_reset(void);
void frame_take(uint8_t byte);

#endif
