/* The index: queries with the ids of who asked them, found by what an article holds. */

#ifndef INDEX_H
#define INDEX_H

#include "bits.h"
#include "terms.h"

/* Programs judge an article by the leaves present in it. A word is a leaf, or a group and the number of words
 * that its operands take; the lowest bit negates it. */
enum { A_LEAF = 0, ALL_OF = 1 << 1, ANY_OF = 2 << 1 };
#define NEGATED 1u
#define KIND(word) ((word) & 6u)
#define VALUE(word) ((word) >> 3)
#define WORD(kind, value) ((u32)(value) << 3 | (kind))
#define MOST_WORDS (1u << 29)

/* One distinct query. After its program stand the leaves that it is anchored at. */
typedef struct {
    union {
        int64_t one, *many; /* many when there is a capacity */
    } ids;
    u32 count, capacity; /* of ids */
    union {
        u32 word, *words; /* words when there are anchors; else the leaf that is the query */
    } program;
    u32 length, anchors;
} Entry;

typedef struct {
    u32 entry, position;
} Where;

/* Where each id is: in which entry, at which position. */
typedef struct {
    Where *slots;
    u32 size, used;
} Places;

typedef struct {
    Terms terms;
    Pool entries;
    HashTable entry_table;
    Places places;
    u32 distinct;
    u32 articles_seen; /* by which `seen` of the leaves is to be divided */
    u32 vain;          /* judged in vain, modulo the sample */
    Numbers words, starts, present, candidates, undecided, hits, misplaced; /* room to work in */
    Numbers program, chosen;
    Bits present_bits, candidate_bits; /* the same as present and candidates; leaf 0 is always present */
} Index;

#define ENTRY(index, number) ((Entry *)(index)->entries.records + (number))

typedef enum { DONE, NO_MEMORY, NOT_A_QUERY, OTHER_FORMAT } Result;

Index *index_new(u64 secret);
void index_free(Index *index);
size_t index_bytes(const Index *index);

/* program.c: compiled queries become programs in index->program, and programs judge. */
Result program_read(Index *index, const unsigned char *code, size_t size);
void program_release(Index *index, const u32 *words, u32 length);
int program_holds(const Index *index, const u32 *word);

/* anchors.c */
int anchors_choose(Index *index, const u32 *words);
int entry_anchor(Index *index, u32 number);
void entry_unanchor(Index *index, u32 number);
void entry_place_better(Index *index, u32 number);

/* entries.c */
Result index_load(Index *index, const unsigned char *code, size_t size, const int64_t *ids, size_t count);
void index_discard(Index *index, int64_t id);

/* matching.c: the entries that match are left in index->hits; returns how many ids they have. */
typedef struct {
    const Text *texts;
    u32 count;
} Texts;

typedef struct {
    Texts title, summary, sources, languages, categories;
} Article;

int index_match(Index *index, const Article *article, size_t *ids);
void index_ids(const Index *index, int64_t *ids);

#endif
