/* Sets of numbers, a bit for each. */

#ifndef BITS_H
#define BITS_H

#include "growth.h"

typedef struct {
    u32 *words;
    u32 capacity; /* of words */
} Bits;

/* Make room for the numbers below `count`; 0 when there is no memory. */
static inline int bits_reserve(Bits *bits, u32 count)
{
    u32 before = bits->capacity;
    if (!reserve((void **)&bits->words, &bits->capacity, count / 32 + 1, sizeof(u32)))
        return 0;
    memset(bits->words + before, 0, (bits->capacity - before) * sizeof(u32));
    return 1;
}

static inline int bits_hold(const Bits *bits, u32 number)
{
    return bits->words[number / 32] >> number % 32 & 1;
}

static inline void bits_add(Bits *bits, u32 number)
{
    bits->words[number / 32] |= (u32)1 << number % 32;
}

static inline void bits_remove(Bits *bits, const Numbers *numbers)
{
    for (u32 at = 0; at < numbers->count; at++)
        bits->words[numbers->items[at] / 32] &= ~((u32)1 << numbers->items[at] % 32);
}

#endif
