/* What goes out: Stopped ahead of all, answers and Events in their order, Status and Channels when nothing else waits
 * (R-67). */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "codes.h"
#include "frame.h"

void telemetry_boot(void);
void telemetry_event(uint64_t at_us, enum reason reason, uint8_t channel, uint32_t value);
void telemetry_picture(void); /* Status and Channels, of this instant */
void telemetry_answer(const uint8_t *payload, uint8_t size); /* stays where it is until it is sent */
bool telemetry_shows(uint64_t at_us); /* its picture waits to be sent */
bool telemetry_has_room(void); /* for an answer, and the Events of what it answers */
void telemetry_stopped(uint16_t sequence);
bool telemetry_waits(void);
void telemetry_send(void);

#endif
