/* One life of the host build, from bytes: what a line brings, how time passes, resets in between.
 *
 *     clang -fsanitize=fuzzer,address,undefined    libFuzzer draws them
 *     cc -fsanitize=address,undefined -DREPLAY     a program that takes files, or standard input
 *
 * Pieces begin with a byte: its upper two bits say what follows, the lower six how much.
 *     0  so many bytes arrive as they are
 *     1  so many bytes arrive as a frame, with its CRC: what is in it is then looked at
 *     2  time passes: 2 to the power of so many microseconds, at most 34 s
 *     3  the next byte says what happens to the board: a reset, a load, a converter that breaks
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "host_board.h"

#define MOST_US 60000000u /* of one life, so that each is short */

static void happen(uint8_t what)
{
    uint8_t channel = (uint8_t)(1 + (what & 3));
    switch (what >> 2 & 3) {
    case 0: host_power_on(what); break;
    case 1: host_connect(channel, what & 16 ? 10e6 : 10, 0, 0, what & 32 ? 1 : 0, 500, what & 64 ? 300 : 0); break;
    case 2: host_break_dac(channel, 1, what & 16 ? 2500 : (double)NAN); break;
    default: host_cut_power_after(what >> 4); break;
    }
}

static void framed(const uint8_t *payload, uint8_t size)
{
    if (size >= 1 && size <= MAX_PAYLOAD) {
        uint8_t frame[MAX_FRAME];
        host_receive(frame, frame_make(frame, payload, size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[65536];
    static struct host_flow flows[4096];
    uint64_t now_us = 0;
    host_power_on(1);
    for (int channel = 1; channel <= 4; channel++)
        host_connect(channel, 1000, 0, 0, 0, 0, 0);
    while (size) {
        uint8_t kind = *data >> 6, count = *data & 63;
        data++, size--;
        uint8_t taken = (uint8_t)(count < size ? count : size);
        if (kind == 2) {
            uint64_t for_us = 1ull << (count < 25 ? count : 25);
            if (now_us + for_us > MOST_US)
                return 0;
            host_advance(now_us += for_us);
            taken = 0;
        } else if (kind == 3) {
            taken = size > 0;
            if (taken && (*data >> 2 & 3) == 0)
                now_us = 0; /* its clock begins anew */
            if (taken)
                happen(*data);
        } else if (kind == 1) {
            framed(data, taken);
        } else {
            host_receive(data, taken);
        }
        data += taken, size -= taken;
        (void)host_take(out, sizeof out);
        (void)host_flows(flows, 4096);
    }
    return 0;
}

#ifdef REPLAY
static void replay(FILE *file)
{
    static uint8_t data[1 << 20];
    if (file == NULL)
        exit(2);
    (void)LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
}

int main(int count, char **names)
{
    if (count == 1)
        replay(stdin);
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        replay(file);
        fclose(file);
    }
    return 0;
}
#endif
