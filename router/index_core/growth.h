/* Arrays that grow by half, and how a failed allocation is told: functions that allocate return 0 then. */

#ifndef GROWTH_H
#define GROWTH_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

typedef struct {
    u32 *items;
    u32 count, capacity;
} Numbers;

static inline u32 grown(u32 capacity, u32 wanted)
{
    u32 half_more = capacity + capacity / 2 + 4;
    return half_more < wanted ? wanted : half_more;
}

/* Make room for `wanted` items of `size` bytes; 0 when there is no memory. */
static inline int reserve(void **items, u32 *capacity, u32 wanted, size_t size)
{
    if (wanted <= *capacity)
        return 1;
    u32 next = grown(*capacity, wanted);
    void *moved = realloc(*items, next * size);
    if (moved == NULL)
        return 0;
    *items = moved;
    *capacity = next;
    return 1;
}

static inline int numbers_reserve(Numbers *numbers, u32 wanted)
{
    return reserve((void **)&numbers->items, &numbers->capacity, wanted, sizeof(u32));
}

static inline int numbers_push(Numbers *numbers, u32 item)
{
    if (!numbers_reserve(numbers, numbers->count + 1))
        return 0;
    numbers->items[numbers->count++] = item;
    return 1;
}

#endif
