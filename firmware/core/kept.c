#include "kept.h"

#include <stddef.h>
#include <string.h>

#include "board.h"

#define SLOT_SIZE 128u
#define CHANNELS_AT 256u

struct kept kept;
struct totals totals[CHANNELS];

struct channel_record {
    struct totals totals;
    struct about about;
    uint32_t session;
};

_Static_assert(sizeof(struct channel_record) + 6 <= SLOT_SIZE && sizeof(struct kept) + 6 <= SLOT_SIZE, "fits a slot");

static uint32_t generation_of_head, generation_of[CHANNELS];

/* CRC-16/XMODEM, begun with the generation: a fifth of what CRC-32 takes, and a record goes out between two pulses. */
static uint16_t crc_over(uint32_t generation, const void *data, uint8_t size)
{
    const uint8_t *at = data;
    uint16_t crc = (uint16_t)(generation ^ generation >> 16);
    while (size--) {
        uint8_t high = (uint8_t)((crc >> 8) ^ *at++);
        high ^= (uint8_t)(high >> 4);
        crc = (uint16_t)(crc << 8 ^ high ^ (uint16_t)(high << 12) ^ (uint16_t)(high << 5));
    }
    return crc;
}

static void write_slot(uint16_t base, uint32_t *generation, const void *data, uint8_t size)
{
    uint32_t next = *generation + 1u;
    uint16_t crc = crc_over(next, data, size);
    uint16_t at = (uint16_t)(base + (next & 1u) * SLOT_SIZE);
    board_keep(at, &next, 4);
    board_keep((uint16_t)(at + 4u), data, size);
    board_keep((uint16_t)(at + 4u + size), &crc, 2);
    *generation = next;
}

/* Whether a slot holds; what stands in it then is at `data`. */
static bool read_slot(uint16_t at, uint32_t *generation, void *data, uint8_t size)
{
    uint16_t crc;
    board_recall(at, generation, 4);
    board_recall((uint16_t)(at + 4u), data, size);
    board_recall((uint16_t)(at + 4u + size), &crc, 2);
    return crc == crc_over(*generation, data, size);
}

/* The newer of two slots that hold; false when neither does. */
static bool read_slots(uint16_t base, uint32_t *generation, void *data, uint8_t size)
{
    uint32_t first = 0, second = 0;
    bool first_holds = read_slot(base, &first, data, size);
    bool second_holds = read_slot(base + SLOT_SIZE, &second, data, size);
    if (first_holds && (!second_holds || (int32_t)(first - second) > 0))
        second_holds = read_slot(base, &second, data, size);
    *generation = second_holds ? second : 0;
    return second_holds;
}

bool session_is_open(void)
{
    return kept.session.number && kept.session.end_reason == NONE;
}

bool session_waits(void)
{
    return kept.session.number && kept.session.end_reason != NONE;
}

void kept_write(void)
{
    write_slot(0, &generation_of_head, &kept, sizeof kept);
}

static uint16_t base_of(uint8_t channel)
{
    return (uint16_t)(CHANNELS_AT + (channel - 1u) * 2u * SLOT_SIZE);
}

void kept_write_channel(uint8_t channel, const struct about *about)
{
    struct channel_record record;
    memset(&record, 0, sizeof record);
    record.totals = totals[channel - 1u];
    record.session = kept.session.number;
    if (about != NULL) {
        record.about = *about;
        record.totals.pulses[about->segment]++;
        record.totals.charge_pc[about->segment] += about->charge_pc;
    }
    write_slot(base_of(channel), &generation_of[channel - 1u], &record, sizeof record);
}

/* A reset came while `about` was to be given: it is counted if it had begun, or if nobody can know. */
static void find_out(struct totals *of, const struct about *about)
{
    uint32_t begun = board_begun(), until_us = about->t_us, second_us = about->second_us;
    if (begun && (int32_t)(begun - about->number) < 0) {
        of->pulses[about->segment]--;
        of->charge_pc[about->segment] -= about->charge_pc;
    } else {
        until_us++;
        second_us += about->segment;
    }
    if (until_us > kept.session.stimulation_us) {
        kept.session.stimulation_us = until_us;
        kept.session.second_us = second_us;
    }
}

static void recall_channel(uint8_t channel)
{
    struct channel_record record;
    struct totals *own = &totals[channel - 1u];
    memset(own, 0, sizeof *own);
    if (!read_slots(base_of(channel), &generation_of[channel - 1u], &record, sizeof record))
        return;
    if (!kept.session.number || record.session != kept.session.number)
        return;
    *own = record.totals;
    if (record.about.number && session_is_open())
        find_out(own, &record.about);
}

void kept_boot(void)
{
    if (!read_slots(0, &generation_of_head, &kept, sizeof kept))
        memset(&kept, 0, sizeof kept);
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        recall_channel(channel);
    if (session_is_open()) {
        kept_write(); /* its stimulation time, before the channels forget what was about to be */
        for (uint8_t channel = 1; channel <= CHANNELS; channel++)
            kept_write_channel(channel, NULL);
        kept.session.end_reason = RESET;
    }
    kept.boots++;
    kept_write();
}
