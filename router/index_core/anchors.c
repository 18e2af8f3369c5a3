/* Anchors: leaves of which one is present whenever the query holds. They bring the query up to be judged.
 *
 * A conjunction needs only the anchors of its rarest part, a disjunction those of every part. What is rare is
 * learned: from how often queries use a leaf at first, from the articles themselves later.
 */

#include "index.h"

#include <math.h>

#define GUESSED_ARTICLES 16 /* how many articles the guess weighs */

/* The share of articles that hold a leaf, up to a factor common to all. */
static double commonness(const Index *index, u32 number)
{
    const Leaf *leaf = LEAF(&index->terms, number);
    return leaf->seen + leaf->guess + (double)GUESSED_ARTICLES * leaf->references / (index->distinct + 1);
}

/* Append the best anchors of a part to index->chosen and return how common they are together; infinite, and
 * without any, for a part that holds although nothing of it is present. -1 when there is no memory. */
static double choose(Index *index, const u32 *word)
{
    Numbers *chosen = &index->chosen;
    u32 head = *word, start = chosen->count, best_end = start;
    if (head & NEGATED)
        return INFINITY;
    if (KIND(head) == A_LEAF)
        return numbers_push(chosen, VALUE(head)) ? commonness(index, VALUE(head)) : -1;
    int is_conjunction = KIND(head) == ALL_OF;
    double best = is_conjunction ? INFINITY : 0;
    const u32 *end = word + 1 + VALUE(head);
    for (word++; word < end; word += KIND(*word) == A_LEAF ? 1 : 1 + VALUE(*word)) {
        double cost = choose(index, word);
        if (cost < 0)
            return cost;
        if (!is_conjunction) {
            best += cost;
            best_end = chosen->count;
        } else if (cost < best) {
            u32 count = chosen->count - best_end;
            memmove(chosen->items + start, chosen->items + best_end, count * sizeof(u32));
            best = cost;
            best_end = start + count;
        }
        chosen->count = best_end;
    }
    if (best == INFINITY)
        chosen->count = start;
    return best;
}

static int by_number(const void *left, const void *right)
{
    u32 one = *(const u32 *)left, other = *(const u32 *)right;
    return (one > other) - (one < other);
}

static void drop_repeats(Numbers *numbers)
{
    u32 kept = 0;
    qsort(numbers->items, numbers->count, sizeof(u32), by_number);
    for (u32 at = 0; at < numbers->count; at++)
        if (kept == 0 || numbers->items[kept - 1] != numbers->items[at])
            numbers->items[kept++] = numbers->items[at];
    numbers->count = kept;
}

/* Leave the anchors of a program in index->chosen; none for one that looks for nothing. 0 without memory. */
int anchors_choose(Index *index, const u32 *words)
{
    index->chosen.count = 0;
    if (choose(index, words) < 0)
        return 0;
    drop_repeats(&index->chosen);
    return 1;
}

static u32 *anchors_of(const Entry *entry)
{
    return entry->program.words + entry->length;
}

static int is_among(u32 leaf, const u32 *leaves, u32 count)
{
    for (u32 at = 0; at < count; at++)
        if (leaves[at] == leaf)
            return 1;
    return 0;
}

/* The rarest of the other leaves that a conjunction needs by themselves, or 0. */
static u32 companion_of(const Index *index, const Entry *entry, const u32 *anchors, u32 count)
{
    const u32 *word = entry->program.words, *end = word + entry->length;
    u32 companion = 0;
    if (KIND(*word) != ALL_OF || *word & NEGATED)
        return 0;
    for (word++; word < end; word += KIND(*word) == A_LEAF ? 1 : 1 + VALUE(*word)) {
        u32 leaf = VALUE(*word);
        if (KIND(*word) != A_LEAF || *word & NEGATED || is_among(leaf, anchors, count))
            continue;
        if (!companion || commonness(index, leaf) < commonness(index, companion))
            companion = leaf;
    }
    return companion;
}

static int are_positive_leaves(const u32 *words, u32 count)
{
    for (u32 at = 0; at < count; at++)
        if (KIND(words[at]) != A_LEAF || words[at] & NEGATED)
            return 0;
    return 1;
}

/* Tell whether an anchor and the companion decide: in an alternative of leaves, or a pair of them. */
static int is_enough(const Entry *entry, u32 companion)
{
    const u32 *words = entry->program.words;
    if (*words & NEGATED || !are_positive_leaves(words + 1, entry->length - 1))
        return 0;
    return KIND(*words) == ANY_OF || (companion && entry->length == 3);
}

static Postings *anchored_at(Index *index, u32 leaf)
{
    return &LEAF(&index->terms, leaf)->anchored;
}

static int postings_push(Postings *postings, Posting posting)
{
    if (!reserve((void **)&postings->items, &postings->capacity, postings->count + 1, sizeof(Posting)))
        return 0;
    postings->items[postings->count++] = posting;
    return 1;
}

static Posting *postings_find(const Postings *postings, u32 entry)
{
    Posting *posting = postings->items;
    while (posting->entry != entry)
        posting++;
    return posting;
}

static void postings_remove(Postings *postings, u32 entry)
{
    *postings_find(postings, entry) = postings->items[postings->count - 1];
    if (--postings->count == 0) {
        free(postings->items);
        *postings = (Postings){0};
    }
}

static void remove_from(Index *index, u32 number, const u32 *leaves, u32 count, const u32 *kept, u32 kept_count)
{
    for (u32 at = 0; at < count; at++)
        if (!is_among(leaves[at], kept, kept_count))
            postings_remove(anchored_at(index, leaves[at]), number);
}

/* Add an entry to leaves where it is not yet; with 0, when there is no memory, it is at none of these. */
static int add_to(Index *index, Posting posting, const u32 *leaves, u32 count, const u32 *present,
                  u32 present_count)
{
    for (u32 at = 0; at < count; at++)
        if (!is_among(leaves[at], present, present_count) &&
            !postings_push(anchored_at(index, leaves[at]), posting)) {
            remove_from(index, posting.entry, leaves, at, present, present_count);
            return 0;
        }
    return 1;
}

/* Anchor an entry at index->chosen instead of where it was, if anywhere. 0, and no change, without memory. */
int entry_anchor(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    const Numbers *chosen = &index->chosen;
    u32 room = chosen->count > entry->anchors ? chosen->count : entry->anchors;
    u32 *words = realloc(entry->program.words, (entry->length + room) * sizeof(u32));
    if (words == NULL)
        return 0;
    entry->program.words = words;
    Posting posting = {number, companion_of(index, entry, chosen->items, chosen->count)};
    if (is_enough(entry, posting.companion))
        posting.companion |= ENOUGH;
    if (!add_to(index, posting, chosen->items, chosen->count, anchors_of(entry), entry->anchors))
        return 0;
    remove_from(index, number, anchors_of(entry), entry->anchors, chosen->items, chosen->count);
    memcpy(anchors_of(entry), chosen->items, chosen->count * sizeof(u32));
    entry->anchors = chosen->count;
    for (u32 at = 0; at < chosen->count; at++)
        postings_find(anchored_at(index, chosen->items[at]), number)->companion = posting.companion;
    return 1;
}

void entry_unanchor(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    remove_from(index, number, anchors_of(entry), entry->anchors, NULL, 0);
    entry->anchors = 0;
}

static double commonness_of(const Index *index, const u32 *leaves, u32 count)
{
    double sum = 0;
    for (u32 at = 0; at < count; at++)
        sum += commonness(index, leaves[at]);
    return sum;
}

/* Anchor an entry elsewhere if that would bring it up less than half as often. */
void entry_place_better(Index *index, u32 number)
{
    const Entry *entry = ENTRY(index, number);
    const Numbers *chosen = &index->chosen;
    if (!anchors_choose(index, entry->program.words))
        return;
    double present = commonness_of(index, anchors_of(entry), entry->anchors);
    if (commonness_of(index, chosen->items, chosen->count) * 2 < present)
        (void)entry_anchor(index, number); /* without memory it stays where it is */
}
