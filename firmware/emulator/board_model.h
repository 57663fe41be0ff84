/* Everything around the chip: converters, memory, bridge and loads, driven by pins that change at a cycle. */
#ifndef BOARD_MODEL_H
#define BOARD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define CYCLES_A_US 16
#define FRAM_SIZE 2048

/* What changed, for a recorder. */
enum change_kind { C_FORWARD = 1, C_REVERSE, C_ENABLE, C_SELECT, C_TEST, C_DAC_A, C_DAC_B };

struct change {
    uint64_t cycle;
    uint16_t value;
    uint8_t kind;
} __attribute__((packed));

extern uint8_t fram[FRAM_SIZE];
extern uint32_t fram_writes_left; /* bytes until the power goes; 0: it stays */
extern bool fram_is_cut;           /* it has gone */
extern uint32_t adc_hurried;       /* how often the MCP3208 was given less time than its datasheet asks for */

void model_boot(void (*set_pin)(char port, int pin, int value), void (*note)(struct change change));
void model_pin(char port, int pin, int value, uint64_t cycle);
void model_break_dac(int channel, double gain, double stuck_ua); /* stuck_ua NaN: it is not */
/* An ammeter reads `gain` times what flows and `offset_ua` more; `leak_ua` flows while the outputs are disabled. */
void model_break_output(int channel, double gain, double offset_ua, double leak_ua, uint64_t cycle);

#endif
