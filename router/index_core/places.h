/* Where each id is: a table without keys, for the id itself stands at its place in the entry. */

#ifndef PLACES_H
#define PLACES_H

#include "index.h"

static inline int64_t *entry_ids(Entry *entry)
{
    return entry->capacity ? entry->ids.many : &entry->ids.one;
}

Where *place_find(Index *index, int64_t id);
int places_reserve(Index *index, size_t more);
void place_add(Index *index, int64_t id, Where where);
void place_remove(Index *index, Where *place);

#endif
