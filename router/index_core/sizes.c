/* How much memory an index holds. */

#include "index.h"

static size_t pool_bytes(const Pool *pool, size_t size)
{
    return pool->capacity * size + pool->free.capacity * sizeof(u32);
}

static size_t terms_bytes(const Terms *terms)
{
    size_t bytes = pool_bytes(&terms->tokens, sizeof(Token)) + pool_bytes(&terms->nodes, sizeof(Node)) +
                   pool_bytes(&terms->leaves, sizeof(Leaf)) + terms->prefix_lengths.capacity * sizeof(u32) +
                   (terms->token_table.size + (size_t)terms->node_table.size) * sizeof(Slot);
    for (u32 number = 1; number < terms->tokens.count; number++)
        bytes += TOKEN(terms, number)->bytes ? TOKEN(terms, number)->length + 1 : 0;
    for (u32 number = 1; number < terms->leaves.count; number++)
        bytes += LEAF(terms, number)->anchored.capacity * sizeof(Posting);
    return bytes;
}

/* In bytes, without what the allocator adds. */
size_t index_bytes(const Index *index)
{
    size_t bytes = sizeof(Index) + terms_bytes(&index->terms) + pool_bytes(&index->entries, sizeof(Entry)) +
                   index->entry_table.size * sizeof(Slot) + index->places.size * sizeof(Where);
    for (u32 number = 1; number < index->entries.count; number++) {
        const Entry *entry = ENTRY(index, number);
        bytes += entry->capacity * sizeof(int64_t);
        if (entry->length > 1)
            bytes += (entry->length + entry->anchors) * sizeof(u32);
    }
    return bytes;
}
