/* The pulse on its way: each edge by an interrupt that comes early and waits on the counter. */
#ifndef FLIGHT_H
#define FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

#define TICKS_A_US 2u /* Timer 1 at 16 MHz over 8 */

void flight_boot(void);
bool flight_is_over(void);
void flight_halt(void); /* zero, at most a pulse later */ /* its reading waits */
uint8_t ammeter_input(uint8_t channel);
int16_t quarters_of(uint16_t code);
uint16_t half_mv_now(bool fine);

#endif
