/* The stimulator's firmware as a board's main loop sees it. */
#ifndef CORE_H
#define CORE_H

#include <stdint.h>

void core_boot(void);
void core_receive(uint8_t byte); /* a byte from the line */
void core_poll(void);            /* do what is due */
uint64_t core_next_us(void);     /* when there is something to do again, unless a byte or a pulse's end comes first */

#endif
