/* What the portable core asks of a board: time, one pulse at a time, readings, lasting memory, chance and a line.
 *
 * A current is told in quarters of a microampere and a voltage in halves of a millivolt: steps of the converters
 * that this was made for, so that nothing is divided while pulses are given. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define MARKS_AT 1280u /* in the memory that lasts: for each channel the mark of its last pulse */

/* One biphasic pulse. The board starts it at `at_us` of board_now_us, having kept its mark right before, and cuts it by
 * itself when an ammeter reads more than a `most_...`. */
struct pulse {
    uint64_t at_us;
    uint16_t first_ua, second_ua;
    uint16_t width_us, gap_us, second_width_us;
    uint16_t most_first_ua, most_second_ua, most_other_ua;
    uint8_t channel, mark;
};

/* What was read of it. Sizes: of a second phase what flowed back is positive. */
struct reading {
    int16_t first, second;       /* current, 0.25 uA */
    uint16_t first_v, second_v;  /* voltage at the end of each phase, 0.5 mV */
    uint16_t took_us;            /* from its start to its end or its cut */
    uint16_t cut_ua;             /* what was read where it was cut */
    uint8_t cut_channel;         /* 0: it ran to its end */
};

enum flight { NO_PULSE, WAITS, FLIES, DONE };

extern const struct identity {
    uint32_t calibrated_on, dac_step_na;
    uint16_t accuracy_ua, accuracy_permille;
    uint32_t net_floor_pc;
    uint16_t compliance_mv;
    uint8_t simulator;
} identity;

extern const uint16_t board_lead_us;   /* what a Start takes until its first pulse can be given */
extern const uint16_t board_replan_us; /* what it takes to make another pulse of the one that waits */

void board_names(uint8_t page, uint8_t *to);      /* 0: model and serial, 24 bytes each; 1: version and SHA-256, 35 */
uint64_t board_now_us(void);                      /* since the boot */
void board_stage(bool enabled);                   /* the output stage; disabled until it is enabled */
void board_arm(const struct pulse *pulse);        /* none waits or flies; it stays as it is until its reading is taken */
bool board_disarm(void);                          /* true: the pulse that waited will not be given */
enum flight board_pulse(struct reading *reading); /* DONE is told once, with `reading` */
uint16_t board_ammeter_ua(uint8_t channel);       /* what flows now, as a size */
uint8_t board_self_test(uint16_t *zero_ua);       /* outputs disconnected; failures but memory's */
void board_keep(uint16_t address, const void *data, uint8_t size);
void board_recall(uint16_t address, void *data, uint8_t size);
void board_noise(uint8_t bytes[32]);
bool board_line_free(void);
void board_send(const uint8_t *frame, uint8_t size); /* valid until the line is free again */

#endif
