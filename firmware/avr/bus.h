/* Converters and memory on bit-banged pins, in the words of their datasheets. */
#ifndef BUS_H
#define BUS_H

#include <stdint.h>

void bus_boot(void);
void dac_set(uint16_t first_code, uint16_t second_code); /* MCP4922, outputs A and B */
uint16_t adc_read(uint8_t input);                        /* MCP3208, single-ended; may be called in an interrupt */
void fram_write(uint16_t address, const uint8_t *data, uint8_t size); /* FM25, two address bytes */
void fram_read(uint16_t address, uint8_t *data, uint8_t size);

#endif
