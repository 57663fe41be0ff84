#include "core.h"

#include "flash.h"
#include "board.h"
#include "commands.h"
#include "frame.h"
#include "kept.h"
#include "machine.h"
#include "output.h"
#include "program.h"
#include "telemetry.h"

/* What is begun while a pulse is on its way is done before it ends, because the next one may begin 600 us behind it. */
#define PLAN_US 1500u
#define SEND_US 800u

void core_boot(void)
{
    program_forget();
    frame_reset();
    kept_boot();
    machine_boot();
    output_boot();
    telemetry_boot();
    commands_boot();
}

void core_receive(uint8_t byte)
{
    frame_take(byte);
}

static void take_stop(void)
{
    inbox.stop = false;
    machine_stop();
    telemetry_stopped(inbox.stop_sequence);
}

static bool take_command(void)
{
    if (inbox.size == 0 || output_is_near() || !telemetry_has_room())
        return false;
    uint8_t size = inbox.size;
    commands_take(inbox.payload, size);
    inbox.size = 0;
    return true;
}

/* Everything waits for a pulse that is on its way, but for the line, and for what makes the next one ready. Of what takes
 * its time one thing is done in a turn: a pulse may have begun and ended meanwhile, and the next one waits to be given. */
OWN_FRAME void core_poll(void)
{
    struct reading reading = {0};
    uint64_t now_us = board_now_us();
    enum flight flight = board_pulse(&reading);
    bool starts = now_us + 1u < machine.now_us; /* a Start's instant lies a moment ahead: all but a Stop waits */
    bool busy = false;
    if (now_us < machine.now_us)
        now_us = machine.now_us;
    if (flight == FLIES)
        output_begun();
    if (flight == DONE)
        output_done(&reading, true);
    if (flight != FLIES) {
        if (inbox.stop && machine.due_us[T_STATUS] <= now_us)
            machine.due_us[T_STATUS] = now_us + 1u;
        if (!starts)
            busy = machine_do_due(now_us);
        if ((inbox.stop || inbox.size) && telemetry_shows(machine.now_us))
            (void)machine_do_due(machine.now_us + 1u); /* or what is told would not show what was done at its instant */
        if (inbox.stop)
            take_stop();
        else if (!busy && !starts)
            busy = take_command();
    }
    uint32_t left_us = flight == FLIES ? output_left_us(now_us) : UINT32_MAX;
    if (!busy && left_us > PLAN_US)
        busy = output_plan();
    if (flight != FLIES)
        output_give();
    if (!busy && left_us > SEND_US)
        telemetry_send();
}

OWN_FRAME uint64_t core_next_us(void)
{
    uint64_t next_us = output_next_us();
    for (uint8_t timer = 0; timer < (uint8_t)TIMERS; timer++)
        if (machine.due_us[timer] < next_us)
            next_us = machine.due_us[timer];
    return next_us;
}
