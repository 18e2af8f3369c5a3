/* Hash tables from what their owner compares to the number of a record: open addressing, linear probing.
 *
 * A slot keeps the hash beside the number, so most misses cost one cache line. Number 0 marks an empty slot.
 */

#ifndef HASH_TABLE_H
#define HASH_TABLE_H

#include "growth.h"

typedef struct {
    u32 hash, number;
} Slot;

typedef struct {
    Slot *slots;
    u32 size, used; /* size is a power of two, or 0 */
} HashTable;

/* Tells whether the record of a number is the one that `key` looks for. */
typedef int (*IsSought)(const void *owner, u32 number, const void *key);

static inline u32 table_find(const HashTable *table, u32 hash, IsSought is_sought, const void *owner,
                             const void *key)
{
    if (table->size == 0)
        return 0;
    u32 mask = table->size - 1;
    for (u32 at = hash & mask; table->slots[at].number; at = (at + 1) & mask)
        if (table->slots[at].hash == hash && is_sought(owner, table->slots[at].number, key))
            return table->slots[at].number;
    return 0;
}

static inline void table_place(HashTable *table, u32 hash, u32 number)
{
    u32 mask = table->size - 1, at = hash & mask;
    while (table->slots[at].number)
        at = (at + 1) & mask;
    table->slots[at] = (Slot){hash, number};
    table->used++;
}

int table_add(HashTable *table, u32 hash, u32 number);
void table_remove(HashTable *table, u32 hash, u32 number);

/* Spread the bits of a key over all of it (the finalizer of MurmurHash3). */
static inline u64 mixed(u64 key)
{
    key = (key ^ (key >> 33)) * 0xff51afd7ed558ccdULL;
    key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return key ^ (key >> 33);
}

#endif
