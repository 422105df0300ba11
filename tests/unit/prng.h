/* SPDX-License-Identifier: GPL-2.0-only */
/* Repeatable pseudo random numbers for tests: splitmix64 (Steele, Lea, Flood 2014). The state is the seed. */
#ifndef MIMIC_TEST_PRNG_H
#define MIMIC_TEST_PRNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline uint64_t prng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 .. below - 1 */
static inline uint32_t prng_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)(prng_next(state) >> 32) % below;
}

static inline void prng_fill(uint64_t *state, void *buffer, size_t len)
{
	uint8_t *byte = buffer;

	for (size_t i = 0; i < len; i++)
		byte[i] = (uint8_t)prng_next(state);
}

/* A number from the environment, for replaying and for longer runs. */
static inline uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

#endif
