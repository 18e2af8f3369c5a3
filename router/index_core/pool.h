/* Records of one kind, known by their number from 1 on; numbers given back are used again. */

#ifndef POOL_H
#define POOL_H

#include <string.h>

#include "growth.h"

typedef struct {
    void *records;
    u32 count, capacity; /* record 0 is counted and never used */
    Numbers free;
} Pool;

/* Return the number of a zeroed record, or 0 when there is no memory. */
static inline u32 pool_take(Pool *pool, size_t size)
{
    u32 number = pool->count ? pool->count : 1;
    if (pool->free.count)
        number = pool->free.items[--pool->free.count];
    else if (!reserve(&pool->records, &pool->capacity, number + 1, size))
        return 0;
    else
        pool->count = number + 1;
    memset((char *)pool->records + number * size, 0, size);
    return number;
}

/* When the list of free numbers cannot grow, the record is merely not used again. */
static inline void pool_give_back(Pool *pool, u32 number)
{
    (void)numbers_push(&pool->free, number);
}

static inline void pool_release(Pool *pool)
{
    free(pool->records);
    free(pool->free.items);
}

#endif
