/* The pulses of a run or of an impedance check: planned, past the gate, given, counted and judged. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "codes.h"
#include "train.h"

/* One output, as telemetry tells it and as its pulses are judged. */
struct channel {
    struct train train;
    uint64_t raised_us;
    int32_t window;       /* measured net charge since `window_us`, 0.25 pC */
    uint32_t window_us;
    uint16_t last_ua, applied_ua, measured_ua, ohm;
    uint8_t flags, astray, shorted;
    bool raised, window_on;
};

struct impedance {
    uint32_t current, voltage; /* sums of 0.25 uA and 0.5 mV */
    uint8_t pulses;
};

extern struct channel channels[CHANNELS];
extern struct impedance impedances[CHANNELS];

void output_boot(void);
void output_new_session(void);
void output_begin(const uint16_t targets_ua[CHANNELS]);
void output_check(void);
bool output_check_next(void);     /* the next channel's turn; false: that was the last */
bool output_plan(void);           /* make the next pulse ready, count it as about to be given */
void output_give(void);           /* hand it to the board when its time is near */
uint64_t output_end(uint64_t at_us); /* nothing begins any more; the instant at which that holds */
uint32_t output_instant(void);    /* a change takes effect now: the stimulation time that it holds from */
void output_begun(void);          /* the pulse that was handed over is on its way */
void output_done(const struct reading *reading, bool goes_on); /* it is over; with `goes_on` the next is handed over */
void output_pass(uint64_t at_us); /* scheduled pulses of amplitude 0, before that */
uint64_t output_next_us(void);    /* when there is something to do */
uint32_t output_left_us(uint64_t now_us); /* to the end of the pulse that is on its way */
bool output_is_near(void);        /* a pulse is so near that a command had better wait */
bool output_at_target(void);
uint16_t ohm_of(uint32_t voltage, uint32_t current);

#endif
