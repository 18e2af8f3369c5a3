/* Queries and the ids of who asked them: adding and removing. */

#include "places.h"

Index *index_new(u64 secret)
{
    Index *index = calloc(1, sizeof(Index));
    if (index != NULL && !terms_begin(&index->terms, secret)) {
        index_free(index);
        return NULL;
    }
    return index;
}

void index_free(Index *index)
{
    if (index == NULL)
        return;
    for (u32 number = 1; number < index->entries.count; number++) {
        Entry *entry = ENTRY(index, number);
        if (entry->capacity)
            free(entry->ids.many);
        if (entry->length > 1)
            free(entry->program.words);
    }
    pool_release(&index->entries);
    free(index->entry_table.slots);
    free(index->places.slots);
    free(index->present_bits.words);
    free(index->candidate_bits.words);
    terms_end(&index->terms);
    Numbers *rooms[] = {&index->words,     &index->starts, &index->present,   &index->candidates,
                        &index->undecided, &index->hits,   &index->misplaced, &index->program,
                        &index->chosen};
    for (size_t at = 0; at < sizeof rooms / sizeof *rooms; at++)
        free(rooms[at]->items);
    free(index);
}

/* --- entries by their programs */

static u32 program_hash(const Index *index, const u32 *words, u32 length)
{
    u64 hash = index->terms.multiplier;
    for (u32 at = 0; at < length; at++)
        hash = mixed(hash ^ words[at]);
    return (u32)(hash >> 32);
}

static const u32 *words_of(const Entry *entry)
{
    return entry->length == 1 ? &entry->program.word : entry->program.words;
}

static int is_entry(const void *index, u32 number, const void *key)
{
    const Entry *entry = ENTRY((const Index *)index, number);
    const Numbers *program = key;
    return entry->length == program->count &&
           memcmp(words_of(entry), program->items, program->count * sizeof(u32)) == 0;
}

/* Connect a new entry to what finds it when an article comes: its leaf alone, or its anchors. */
static int entry_connect(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    if (entry->length == 1) {
        entry->program.word = index->program.items[0];
        LEAF(&index->terms, VALUE(entry->program.word))->alone = number;
        return 1;
    }
    entry->program.words = malloc((entry->length + index->chosen.count) * sizeof(u32));
    if (entry->program.words == NULL)
        return 0;
    memcpy(entry->program.words, index->program.items, entry->length * sizeof(u32));
    return entry_anchor(index, number);
}

/* Give back an entry that is in no table any more. */
static void entry_release(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    if (entry->length > 1)
        free(entry->program.words);
    if (entry->capacity)
        free(entry->ids.many);
    *entry = (Entry){0};
    pool_give_back(&index->entries, number);
}

/* Make an entry of index->program, whose leaves it takes over, and index->chosen; 0 when there is no memory. */
static u32 entry_make(Index *index, u32 hash)
{
    u32 number = pool_take(&index->entries, sizeof(Entry));
    if (!number)
        return 0;
    ENTRY(index, number)->length = index->program.count;
    if (!table_add(&index->entry_table, hash, number)) {
        pool_give_back(&index->entries, number);
        return 0;
    }
    if (!entry_connect(index, number)) {
        table_remove(&index->entry_table, hash, number);
        entry_release(index, number);
        return 0;
    }
    index->distinct++;
    return number;
}

static void entry_drop(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    if (entry->length == 1)
        LEAF(&index->terms, VALUE(entry->program.word))->alone = 0;
    else
        entry_unanchor(index, number);
    table_remove(&index->entry_table, program_hash(index, words_of(entry), entry->length), number);
    program_release(index, words_of(entry), entry->length);
    entry_release(index, number);
    index->distinct--;
}

/* Return the entry of index->program, made if there is none; either way its leaves are taken over. */
static u32 entry_get(Index *index)
{
    u32 hash = program_hash(index, index->program.items, index->program.count);
    u32 number = table_find(&index->entry_table, hash, is_entry, index, &index->program);
    if (!number && (number = entry_make(index, hash)))
        return number;
    program_release(index, index->program.items, index->program.count);
    return number;
}

/* --- ids */

static int ids_resize(Entry *entry, u32 capacity)
{
    int64_t one = entry->ids.one;
    int64_t *ids = realloc(entry->capacity ? entry->ids.many : NULL, capacity * sizeof(int64_t));
    if (ids == NULL)
        return 0;
    if (entry->capacity == 0)
        ids[0] = one;
    entry->ids.many = ids;
    entry->capacity = capacity;
    return 1;
}

static int ids_reserve(Entry *entry, u32 wanted)
{
    u32 half_more = entry->capacity + entry->capacity / 2;
    if (wanted <= 1 || wanted <= entry->capacity)
        return 1;
    return ids_resize(entry, half_more < wanted ? wanted : half_more);
}

static int id_add(Index *index, u32 number, int64_t id)
{
    Entry *entry = ENTRY(index, number);
    if (!ids_reserve(entry, entry->count + 1))
        return 0;
    u32 position = entry->count++;
    entry_ids(entry)[position] = id;
    place_add(index, id, (Where){number, position});
    return 1;
}

/* The last id of the entry takes the place of the one that goes, so the cost does not depend on how many. */
static void id_remove(Index *index, Where *place)
{
    Where gone = *place;
    Entry *entry = ENTRY(index, gone.entry);
    int64_t *ids = entry_ids(entry), last = ids[entry->count - 1];
    place_remove(index, place);
    if (gone.position != entry->count - 1)
        place_find(index, last)->position = gone.position;
    ids[gone.position] = last;
    if (--entry->count == 0)
        entry_drop(index, gone.entry);
    else if (entry->capacity > 4 && entry->count < entry->capacity / 4)
        (void)ids_resize(entry, entry->capacity / 2);
}

static int id_move(Index *index, u32 number, int64_t id)
{
    Where *place = place_find(index, id);
    if (place != NULL && place->entry == number)
        return 1;
    if (place != NULL)
        id_remove(index, place);
    return id_add(index, number, id);
}

void index_discard(Index *index, int64_t id)
{
    Where *place = place_find(index, id);
    if (place != NULL)
        id_remove(index, place);
}

Result index_load(Index *index, const unsigned char *code, size_t size, const int64_t *ids, size_t count)
{
    Result result = program_read(index, code, size);
    if (result != DONE)
        return result;
    int enough = anchors_choose(index, index->program.items) && places_reserve(index, count);
    if (!enough || index->chosen.count == 0 || count == 0) {
        program_release(index, index->program.items, index->program.count);
        return !enough ? NO_MEMORY : index->chosen.count == 0 ? NOT_A_QUERY : DONE;
    }
    u32 number = entry_get(index);
    if (!number)
        return NO_MEMORY;
    if (ENTRY(index, number)->count == 0)
        enough = ids_reserve(ENTRY(index, number), (u32)count);
    for (size_t at = 0; at < count && enough; at++)
        enough = id_move(index, number, ids[at]);
    if (ENTRY(index, number)->count == 0)
        entry_drop(index, number);
    return enough ? DONE : NO_MEMORY;
}
