#include "sha256.h"

#include <string.h>

#include "flash.h"

static const uint32_t K[64] IN_FLASH = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t START[8] IN_FLASH = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t turned(uint32_t word, uint8_t by)
{
    return word >> by | word << (32u - by);
}

static void round_of(uint32_t s[8], uint32_t word)
{
    uint32_t big_1 = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25);
    uint32_t big_0 = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22);
    uint32_t first = s[7] + big_1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + word;
    uint32_t second = big_0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(&s[1], &s[0], 7 * sizeof s[0]);
    s[4] += first;
    s[0] = first + second;
}

void sha256(uint8_t digest[32], const uint8_t *data, uint8_t size)
{
    uint32_t w[16] = {0}, s[8];
    for (uint8_t i = 0; i <= size; i++)
        w[i / 4u] |= (uint32_t)(i < size ? data[i] : 0x80u) << (24u - 8u * (i % 4u));
    w[15] = size * 8u;
    for (uint8_t i = 0; i < 8; i++)
        s[i] = READ_LONG(&START[i]);
    for (uint8_t i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t before = w[(i + 1u) % 16u], late = w[(i + 14u) % 16u];
            w[i % 16u] += (turned(before, 7) ^ turned(before, 18) ^ before >> 3) + w[(i + 9u) % 16u] +
                          (turned(late, 17) ^ turned(late, 19) ^ late >> 10);
        }
        round_of(s, READ_LONG(&K[i]) + w[i % 16u]);
    }
    for (uint8_t i = 0; i < 32; i++)
        digest[i] = (uint8_t)((s[i / 4u] + READ_LONG(&START[i / 4u])) >> (24u - 8u * (i % 4u)));
}
