/* The board model for a JavaScript emulator, as WebAssembly: plain numbers in and out. */
#include <stddef.h>

#include "board_model.h"
#include "circuit.h"

#define OFFERED(name) __attribute__((export_name(name)))

void js_set_pin(int port, int pin, int value);
void js_note(double cycle, int value, int kind);

void *memset(void *to, int byte, size_t size)
{
    for (uint8_t *at = to; size--; at++)
        *at = (uint8_t)byte;
    return to;
}

static void set_pin(char port, int pin, int value)
{
    js_set_pin(port, pin, value);
}

static void note(struct change change)
{
    js_note((double)change.cycle, change.value, change.kind);
}

OFFERED("boot") void boot(void)
{
    model_boot(set_pin, note);
}

OFFERED("pin") void pin(int port, int number, int value, double cycle)
{
    model_pin((char)port, number, value, (uint64_t)cycle);
}

OFFERED("connect") void connect_load(int channel, double ohm, double cdl_uf, double rct_ohm, int to, int leak, int earthed)
{
    circuit_connect(channel, (struct load){ohm, cdl_uf, rct_ohm, to, leak, earthed});
}

OFFERED("break_dac") void break_dac(int channel, double gain, double stuck_ua)
{
    model_break_dac(channel, gain, stuck_ua);
}

OFFERED("fram") uint8_t *fram_at(void)
{
    return fram;
}

OFFERED("reset_after") void reset_after(int bytes)
{
    fram_writes_left = (uint32_t)bytes;
    fram_is_cut = false;
}

OFFERED("is_cut") int is_cut(void)
{
    return fram_is_cut;
}
