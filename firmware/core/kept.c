#include "kept.h"

#include <stddef.h>
#include <string.h>

#include "board.h"
#include "flash.h"

#define SLOT_SIZE 128u
#define CHANNELS_AT 256u

struct kept kept;
struct totals totals[CHANNELS];

/* Behind a channel's totals in its record. */
struct tail {
    struct about about;
    uint32_t session;
};

_Static_assert(sizeof(struct totals) + sizeof(struct tail) + 6 <= SLOT_SIZE && sizeof(struct kept) + 6 <= SLOT_SIZE,
               "fits a slot");

static uint32_t generation_of_head, generation_of[CHANNELS];

/* A record goes out in one piece or two, and comes in so, without a copy of it in RAM that is short. */
struct piece {
    void *data;
    uint8_t size;
};

/* CRC-16/XMODEM, begun with the generation: a fifth of what CRC-32 takes, and a record goes out between two pulses. */
static uint16_t crc_over(uint16_t crc, const struct piece *piece)
{
    const uint8_t *at = piece->data;
    for (uint8_t left = piece->size; left; left--) {
        uint8_t high = (uint8_t)((crc >> 8) ^ *at++);
        high ^= (uint8_t)(high >> 4);
        crc = (uint16_t)(crc << 8 ^ high ^ (uint16_t)(high << 12) ^ (uint16_t)(high << 5));
    }
    return crc;
}

static uint16_t crc_of_pieces(uint32_t generation, const struct piece pieces[2])
{
    return crc_over(crc_over((uint16_t)(generation ^ generation >> 16), &pieces[0]), &pieces[1]);
}

OWN_FRAME static void write_slot(uint16_t base, uint32_t *generation, const struct piece pieces[2])
{
    uint32_t next = *generation + 1u;
    uint16_t crc = crc_of_pieces(next, pieces), at = (uint16_t)(base + (next & 1u) * SLOT_SIZE);
    board_keep(at, &next, 4);
    at = (uint16_t)(at + 4u);
    for (uint8_t i = 0; i < 2; i++) {
        board_keep(at, pieces[i].data, pieces[i].size);
        at = (uint16_t)(at + pieces[i].size);
    }
    board_keep(at, &crc, 2);
    *generation = next;
}

/* Whether a slot holds; what stands in it then is in the pieces. */
static bool read_slot(uint16_t at, uint32_t *generation, const struct piece pieces[2])
{
    uint16_t crc;
    board_recall(at, generation, 4);
    at = (uint16_t)(at + 4u);
    for (uint8_t i = 0; i < 2; i++) {
        board_recall(at, pieces[i].data, pieces[i].size);
        at = (uint16_t)(at + pieces[i].size);
    }
    board_recall(at, &crc, 2);
    return crc == crc_of_pieces(*generation, pieces);
}

/* The newer of two slots that hold; false when neither does. */
static bool read_slots(uint16_t base, uint32_t *generation, const struct piece pieces[2])
{
    uint32_t first = 0, second = 0;
    bool first_holds = read_slot(base, &first, pieces);
    bool second_holds = read_slot(base + SLOT_SIZE, &second, pieces);
    if (first_holds && (!second_holds || (int32_t)(first - second) > 0))
        second_holds = read_slot(base, &second, pieces);
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
    const struct piece pieces[2] = {{&kept, sizeof kept}, {NULL, 0}};
    write_slot(0, &generation_of_head, pieces);
}

static uint16_t base_of(uint8_t channel)
{
    return (uint16_t)(CHANNELS_AT + (channel - 1u) * 2u * SLOT_SIZE);
}

static void add_about(struct totals *of, const struct about *about, bool more)
{
    of->pulses[about->segment] += more ? 1u : UINT32_MAX;
    of->charge_pc[about->segment] += more ? about->charge_pc : -(uint64_t)about->charge_pc;
}

OWN_FRAME void kept_write_channel(uint8_t channel, const struct about *about)
{
    struct tail tail = {.session = kept.session.number};
    struct totals *own = &totals[channel - 1u];
    const struct piece pieces[2] = {{own, sizeof *own}, {&tail, sizeof tail}};
    if (about != NULL) {
        tail.about = *about;
        add_about(own, about, true);
    }
    write_slot(base_of(channel), &generation_of[channel - 1u], pieces);
    if (about != NULL)
        add_about(own, about, false);
}

/* Differs from that of the channel's pulse before, which was written about in an older record. */
uint8_t kept_mark(uint8_t channel)
{
    return (uint8_t)generation_of[channel - 1u];
}

/* A reset came while `about` was to be given: it stays counted if it was. */
static void find_out(uint8_t channel, const struct about *about)
{
    uint32_t until_us = about->t_us, second_us = about->second_us;
    uint8_t mark;
    board_recall((uint16_t)(MARKS_AT + channel - 1u), &mark, 1);
    if (mark != kept_mark(channel)) {
        add_about(&totals[channel - 1u], about, false);
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
    struct tail tail = {.session = 0};
    struct totals *own = &totals[channel - 1u];
    const struct piece pieces[2] = {{own, sizeof *own}, {&tail, sizeof tail}};
    bool holds = read_slots(base_of(channel), &generation_of[channel - 1u], pieces);
    if (!holds || !kept.session.number || tail.session != kept.session.number) {
        memset(own, 0, sizeof *own);
        return;
    }
    if (tail.about.charge_pc && session_is_open())
        find_out(channel, &tail.about);
}

void kept_boot(void)
{
    const struct piece pieces[2] = {{&kept, sizeof kept}, {NULL, 0}};
    if (!read_slots(0, &generation_of_head, pieces))
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
