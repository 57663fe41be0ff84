/* The fields of answers (section 20). Each puts them at `to`, behind the header, and their size at `size`. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stdint.h>

#include "codes.h"

uint32_t answer_chance(uint32_t seed, uint32_t arms);
uint8_t answer_welcome(uint8_t *to);
enum kind answer_identity(uint8_t *to, uint8_t *size, uint8_t page);
enum kind answer_echo(uint8_t *to, uint8_t *size, enum kind kind, const uint8_t *fields, uint8_t count);
enum kind answer_timed(uint8_t *to, uint8_t *size, enum kind kind, uint8_t count); /* `count` bytes stand there */
enum kind answer_armed(uint8_t *to, uint8_t *size, const uint8_t *fields);
enum kind answer_started(uint8_t *to, uint8_t *size, const uint8_t *targets);
enum kind answer_state(uint8_t *to, uint8_t *size, enum kind kind);
enum kind answer_target(uint8_t *to, uint8_t *size, const uint8_t *fields, uint32_t t_us);
enum kind answer_holding(uint8_t *to, uint8_t *size);
enum kind answer_impedance(uint8_t *to, uint8_t *size, uint8_t channel);
enum kind answer_session(uint8_t *to, uint8_t *size);
enum kind answer_counters(uint8_t *to, uint8_t *size, uint8_t channel);
enum kind answer_measured(uint8_t *to, uint8_t *size, uint8_t channel);
enum kind answer_acknowledged(uint8_t *to, uint8_t *size, const uint8_t *fields);

#endif
