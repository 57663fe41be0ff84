#include "commands.h"

#include <string.h>

#include "answers.h"
#include "board.h"
#include "bytes.h"
#include "codes.h"
#include "flash.h"
#include "frame.h"
#include "kept.h"
#include "limits.h"
#include "machine.h"
#include "output.h"
#include "program.h"
#include "refusal.h"
#include "telemetry.h"

#define HEAD 3u

/* The one kept answer, and a place for what is not kept. */
static struct {
    uint32_t crc; /* of the command that `answer` answers */
    uint16_t newest;
    uint8_t size; /* 0: none is kept */
    uint8_t answer[MAX_PAYLOAD];
    uint8_t other[15];
} kept_answer;

static const uint8_t SIZE_OF[] IN_FLASH = {
    [HELLO] = 5, [READ_IDENTITY] = 4, [LOAD_PROGRAM] = 11, [LOAD_SEGMENT] = 18, [READ_DIGEST] = 3, [SELF_TEST] = 3,
    [ARM] = 21, [START] = 19, [KEEP_ALIVE] = 11, [SET_TARGET] = 14, [HOLD] = 3, [READ_IMPEDANCE] = 4,
    [READ_SESSION] = 3, [READ_COUNTERS] = 4, [READ_MEASURED] = 4, [ACKNOWLEDGE] = 7,
};

void commands_boot(void)
{
    memset(&kept_answer, 0, sizeof kept_answer);
}

static uint8_t make_refused(uint8_t *at, uint8_t command)
{
    uint8_t *begin = at;
    *at++ = command;
    *at++ = refused.reason;
    at = put32(at, refused.detail);
    at = put32(at, refused.limit);
    return (uint8_t)(at - begin);
}

/* Give an answer that is not kept. */
static void reply(enum kind kind, uint16_t sequence, uint8_t size)
{
    kept_answer.other[0] = (uint8_t)kind;
    put16(&kept_answer.other[1], sequence);
    telemetry_answer(kept_answer.other, (uint8_t)(HEAD + size));
}

static void reply_refused(const uint8_t *payload, uint8_t size)
{
    reply(REFUSED, sequence_of(payload, size), make_refused(&kept_answer.other[HEAD], payload[0]));
}

static bool is_known(const uint8_t *payload, uint8_t size)
{
    if (payload[0] < HELLO || payload[0] > ACKNOWLEDGE)
        return refuse(UNKNOWN_KIND, 0, 0);
    if (size != READ_BYTE(&SIZE_OF[payload[0]]))
        return refuse(WRONG_LENGTH, 0, 0);
    if (payload[0] == ARM && payload[HEAD] > CHECK_IMPEDANCE)
        return refuse(UNKNOWN_VALUE, 0, 0);
    return true;
}

static void hello(uint16_t sequence, uint16_t version)
{
    if (session_is_open())
        machine_end(HANDSHAKE, machine.now_us, 0, 0);
    if (version != PROTOCOL_VERSION) {
        (void)refuse(UNSUPPORTED_VERSION, version, PROTOCOL_VERSION);
        reply(REFUSED, sequence, make_refused(&kept_answer.other[HEAD], HELLO));
        return;
    }
    if (!machine.greeted) {
        machine.greeted = true;
        machine.due_us[T_STATUS] = machine.now_us + 100000u;
    }
    kept_answer.newest = sequence;
    kept_answer.size = 0;
    reply(WELCOME, sequence, answer_welcome(&kept_answer.other[HEAD]));
}

/* --- each command: false where it is refused ------------------------------------------------------ */

static bool nothing_waits(void)
{
    return !session_waits() || refuse(UNREAD_COUNTERS, kept.session.number, 0);
}

static bool memory_holds(void)
{
    return program_holds() || refuse(SELF_TEST_FAILED, FAILED_MEMORY, 0);
}

static bool nonce_is_ours(const uint8_t *fields)
{
    return (machine.arming.mask && get64(fields) == machine.arming.nonce) || refuse(WRONG_NONCE, 0, 0);
}

static bool channel_is_known(uint8_t channel)
{
    return (channel >= 1 && channel <= CHANNELS) || refuse(UNKNOWN_VALUE, channel, CHANNELS);
}

static bool load_program(const uint8_t *fields)
{
    if (!nothing_waits() || !machine_allows(E_LOAD) || !program_begin(fields))
        return false;
    machine_move(LOADING, machine.now_us);
    return true;
}

static bool load_segment(const uint8_t *fields)
{
    return nothing_waits() && machine_allows(E_SEGMENT) && program_add(fields);
}

static bool read_digest(uint8_t *digest)
{
    if (!machine_allows(E_DIGEST) || !program_seal(digest))
        return false;
    if (machine.state == LOADING)
        machine_move(LOADED, machine.now_us);
    return true;
}

static bool self_test(uint8_t *answer)
{
    uint16_t zero_ua = 0;
    if (!nothing_waits() || !machine_allows(E_TEST))
        return false;
    uint8_t failures = board_self_test(&zero_ua);
    if (!program_holds())
        failures |= FAILED_MEMORY;
    machine_move(failures ? LOADED : TESTED, machine.now_us);
    put16(put16(answer, failures), zero_ua);
    return true;
}

static bool arm_is_lawful(const uint8_t *fields)
{
    const struct session *session = session_is_open() ? &kept.session : NULL;
    uint8_t mask = fields[1], allowed = session != NULL ? session->mask : program.mask;
    if (get64(&fields[10]) != program.digest_head)
        return refuse(WRONG_DIGEST, 0, 0);
    if (!mask_is_lawful(mask))
        return false;
    if (mask & ~allowed)
        return refuse(NOT_IN_PROGRAM, mask, allowed);
    return between(get16(&fields[2]), MIN_CEILING_UA, session != NULL ? session->ceiling_ua : MAX_AMPLITUDE_UA) &&
           between(get32(&fields[4]), session != NULL ? session->limit_us : MIN_STIMULATION_US,
                   session != NULL ? session->limit_us : MAX_STIMULATION_US) &&
           between(get16(&fields[8]), MIN_TIME_TO_LIVE_MS, MAX_TIME_TO_LIVE_MS);
}

static void open_session(const uint8_t *fields)
{
    kept.session = (struct session){
        .number = ++kept.sessions,
        .boot_id = kept.boots,
        .mask = fields[1],
        .ceiling_ua = get16(&fields[2]),
        .limit_us = get32(&fields[4]),
        .digest_head = program.digest_head,
    };
    machine.due_us[T_SESSION] = machine.now_us + SESSION_US;
    output_new_session();
}

/* chance above, the count of arms below; the seed is replaced before the nonce is given. */
static uint64_t new_nonce(void)
{
    kept.arms++;
    kept.seed = answer_chance(kept.seed, kept.arms);
    return (uint64_t)kept.seed << 32 | kept.arms;
}

static bool arm(const uint8_t *fields)
{
    if (!nothing_waits() || !machine_allows(E_ARM) || !memory_holds() || !arm_is_lawful(fields))
        return false;
    if (!session_is_open())
        open_session(fields);
    struct arming arming = {
        .nonce = new_nonce(), .purpose = fields[0], .mask = fields[1], .ceiling_ua = get16(&fields[2]),
    };
    machine_arm(&arming, get16(&fields[8]));
    return true;
}

static bool start(const uint8_t *fields)
{
    uint16_t targets_ua[CHANNELS];
    bool checks = machine.arming.purpose == CHECK_IMPEDANCE;
    if (!machine_allows(E_START) || !memory_holds() || !nonce_is_ours(fields))
        return false;
    for (uint8_t i = 0; i < CHANNELS; i++) {
        targets_ua[i] = get16(&fields[8 + 2 * i]);
        if (targets_ua[i] && !HAS(machine.arming.mask, i + 1u))
            return refuse(NOT_IN_PROGRAM, i + 1u, machine.arming.mask);
        if (!between(targets_ua[i], 0, checks ? 0 : machine.arming.ceiling_ua))
            return false;
    }
    if (checks)
        machine_check();
    else
        machine_start(targets_ua);
    return true;
}

static bool keep_alive(const uint8_t *fields)
{
    if (!machine_allows(E_KEEP_ALIVE) || !nonce_is_ours(fields))
        return false;
    machine_alive();
    return true;
}

static bool raise_is_lawful(const struct channel *own, uint16_t target_ua)
{
    uint16_t rise_ua = (uint16_t)(target_ua - own->train.target_ua);
    uint64_t passed_us = machine.now_us - own->raised_us;
    if (target_ua <= own->train.target_ua)
        return true;
    if (rise_ua > MAX_RISE_UA)
        return refuse(RAISE_TOO_LARGE, rise_ua, MAX_RISE_UA);
    if (own->raised && passed_us < RAISE_INTERVAL_US)
        return refuse(RAISE_TOO_SOON, (uint32_t)passed_us, RAISE_INTERVAL_US);
    return true;
}

static bool set_target(const uint8_t *fields, uint32_t *t_us)
{
    uint8_t number = fields[8];
    uint16_t target_ua = get16(&fields[9]);
    if (!machine_allows(E_TARGET) || !nonce_is_ours(fields) || !channel_is_known(number))
        return false;
    if (!HAS(machine.arming.mask, number))
        return refuse(NOT_IN_PROGRAM, number, machine.arming.mask);
    struct channel *own = &channels[number - 1u];
    if (!between(target_ua, 0, machine.arming.ceiling_ua) || !raise_is_lawful(own, target_ua))
        return false;
    if (target_ua > own->train.target_ua) {
        own->raised = true;
        own->raised_us = machine.now_us;
    }
    *t_us = output_instant();
    train_aim(&own->train, target_ua);
    if (machine.state == RAMPING && output_at_target())
        machine_move(RUNNING, machine.now_us);
    return true;
}

static bool hold(void)
{
    if (!machine_allows(E_HOLD))
        return false;
    machine_hold(HELD_BY_HOST, machine.now_us, 0, 0);
    return true;
}

static bool acknowledge(uint32_t number)
{
    if (!machine_allows(E_ACKNOWLEDGE))
        return false;
    if (!session_waits() || number != kept.session.number)
        return refuse(WRONG_SESSION, number, session_waits() ? kept.session.number : 0);
    machine_acknowledge();
    return true;
}

/* Carry out a command: the kind of its answer, whose fields then stand at `to`, or REFUSED. */
OWN_FRAME static enum kind execute(const uint8_t *payload, uint8_t *to, uint8_t *size)
{
    const uint8_t *fields = payload + HEAD;
    uint32_t t_us = 0;
    *size = 0;
    switch ((enum kind)payload[0]) {
    case READ_IDENTITY:
        return fields[0] <= 2 || refuse(UNKNOWN_VALUE, fields[0], 2) ? answer_identity(to, size, fields[0]) : REFUSED;
    case LOAD_PROGRAM:
        return load_program(fields) ? answer_echo(to, size, PROGRAM_OPEN, fields, 8) : REFUSED;
    case LOAD_SEGMENT:
        return load_segment(fields) ? answer_echo(to, size, SEGMENT_LOADED, fields, 15) : REFUSED;
    case READ_DIGEST:
        return read_digest(to) ? answer_timed(to, size, PROGRAM_DIGEST, 32) : REFUSED;
    case SELF_TEST:
        return self_test(to) ? answer_timed(to, size, SELF_TEST_DONE, 4) : REFUSED;
    case ARM:
        return arm(fields) ? answer_armed(to, size, fields) : REFUSED;
    case START:
        return start(fields) ? answer_started(to, size, &fields[8]) : REFUSED;
    case KEEP_ALIVE:
        return keep_alive(fields) ? answer_state(to, size, ALIVE) : REFUSED;
    case SET_TARGET:
        return set_target(fields, &t_us) ? answer_target(to, size, &fields[8], t_us) : REFUSED;
    case HOLD:
        return hold() ? answer_holding(to, size) : REFUSED;
    case READ_IMPEDANCE:
        return channel_is_known(fields[0]) ? answer_impedance(to, size, fields[0]) : REFUSED;
    case READ_SESSION:
        return answer_session(to, size);
    case READ_COUNTERS:
        return channel_is_known(fields[0]) ? answer_counters(to, size, fields[0]) : REFUSED;
    case READ_MEASURED:
        return channel_is_known(fields[0]) ? answer_measured(to, size, fields[0]) : REFUSED;
    case ACKNOWLEDGE:
        return acknowledge(get32(fields)) ? answer_acknowledged(to, size, fields) : REFUSED;
    default:
        return REFUSED;
    }
}

static void in_turn(const uint8_t *payload, uint8_t size, uint16_t sequence)
{
    uint32_t crc = get32(payload + size);
    uint16_t ahead = (uint16_t)(sequence - kept_answer.newest);
    if (kept_answer.size && ahead == 0 && crc == kept_answer.crc) {
        telemetry_answer(kept_answer.answer, kept_answer.size);
        return;
    }
    if (ahead == 0 || ahead >= 0x8000u) {
        (void)refuse(STALE_SEQUENCE, sequence, 0);
        reply_refused(payload, size);
        return;
    }
    uint8_t fields = 0;
    enum kind kind = execute(payload, &kept_answer.answer[HEAD], &fields);
    if (kind == REFUSED)
        fields = make_refused(&kept_answer.answer[HEAD], payload[0]);
    kept_answer.answer[0] = (uint8_t)kind;
    put16(&kept_answer.answer[1], sequence);
    kept_answer.crc = crc;
    kept_answer.newest = sequence;
    kept_answer.size = (uint8_t)(HEAD + fields);
    telemetry_answer(kept_answer.answer, kept_answer.size);
}

OWN_FRAME void commands_take(const uint8_t *payload, uint8_t size)
{
    uint16_t sequence = sequence_of(payload, size);
    bool known = is_known(payload, size);
    if (known && payload[0] == HELLO)
        hello(sequence, get16(payload + HEAD));
    else if (known && (machine.greeted || refuse(NO_HANDSHAKE, 0, 0)))
        in_turn(payload, size, sequence);
    else
        reply_refused(payload, size);
}
