/* What a pulse's readings say: totals, flags, and when to stop (sections 14, 17 and 27). */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "kept.h"
#include "output.h"

void judge_totals(struct totals *of, uint8_t segment, const struct pulse *pulse, const struct reading *reading);
void judge_pulse(struct channel *channel, const struct pulse *pulse, const struct reading *reading, uint32_t t_us,
                 bool is_check);

#endif
