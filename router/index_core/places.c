#include "places.h"

#define SMALLEST 16

static int64_t id_at(Index *index, Where where)
{
    return entry_ids(ENTRY(index, where.entry))[where.position];
}

static u32 home_of(const Index *index, int64_t id)
{
    return (u32)(mixed((u64)id ^ index->terms.multiplier) >> 32) & (index->places.size - 1);
}

Where *place_find(Index *index, int64_t id)
{
    Places *places = &index->places;
    if (places->size == 0)
        return NULL;
    for (u32 at = home_of(index, id); places->slots[at].entry; at = (at + 1) & (places->size - 1))
        if (id_at(index, places->slots[at]) == id)
            return &places->slots[at];
    return NULL;
}

/* Make room for more ids; 0 when there is no memory, or their number too large. */
int places_reserve(Index *index, size_t more)
{
    Places old = index->places;
    u64 wanted = old.used + (u64)more, size = old.size ? old.size : SMALLEST;
    while (wanted > size / 4 * 3)
        size *= 2;
    if (size == old.size)
        return 1;
    if (size > (u64)1 << 31)
        return 0;
    Where *slots = calloc(size, sizeof(Where));
    if (slots == NULL)
        return 0;
    index->places = (Places){slots, (u32)size, 0};
    for (u32 at = 0; at < old.size; at++)
        if (old.slots[at].entry)
            place_add(index, id_at(index, old.slots[at]), old.slots[at]);
    free(old.slots);
    return 1;
}

/* Note where an id is that was not in any entry; room was reserved. */
void place_add(Index *index, int64_t id, Where where)
{
    Places *places = &index->places;
    u32 at = home_of(index, id);
    while (places->slots[at].entry)
        at = (at + 1) & (places->size - 1);
    places->slots[at] = where;
    places->used++;
}

/* Forget a place; to be called while every id still stands in its entry. */
void place_remove(Index *index, Where *place)
{
    Places *places = &index->places;
    u32 mask = places->size - 1, hole = (u32)(place - places->slots);
    for (u32 at = (hole + 1) & mask; places->slots[at].entry; at = (at + 1) & mask) {
        u32 home = home_of(index, id_at(index, places->slots[at]));
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            places->slots[hole] = places->slots[at];
            hole = at;
        }
    }
    places->slots[hole].entry = 0;
    places->used--;
}
