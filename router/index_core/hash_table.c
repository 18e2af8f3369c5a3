#include "hash_table.h"

#define SMALLEST 16

static int resized(HashTable *table, u32 size)
{
    HashTable next = {calloc(size, sizeof(Slot)), size, 0};
    if (next.slots == NULL)
        return 0;
    for (u32 at = 0; at < table->size; at++)
        if (table->slots[at].number)
            table_place(&next, table->slots[at].hash, table->slots[at].number);
    free(table->slots);
    *table = next;
    return 1;
}

int table_add(HashTable *table, u32 hash, u32 number)
{
    if (table->used + 1 > table->size / 4 * 3)
        if (!resized(table, table->size ? table->size * 2 : SMALLEST))
            return 0;
    table_place(table, hash, number);
    return 1;
}

void table_remove(HashTable *table, u32 hash, u32 number)
{
    u32 mask = table->size - 1, hole = hash & mask;
    while (table->slots[hole].number != number)
        hole = (hole + 1) & mask;
    /* Move back what was pushed past the hole, so that no probe ends there too early. */
    for (u32 at = (hole + 1) & mask; table->slots[at].number; at = (at + 1) & mask) {
        u32 home = table->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole].number = 0;
    table->used--;
}
