/* What each command does: its checks in the order of R-73, then the machine, then the answer. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>

void commands_boot(void);
void commands_take(const uint8_t *payload, uint8_t size); /* anything but a Stop; its CRC stands behind it */

#endif
