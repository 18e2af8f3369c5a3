/* From an article to the entries that it matches. */

#include "places.h"

#define SAMPLE 8            /* of the queries judged in vain, one in so many is looked at for better anchors */
#define AHEAD 12            /* entries between asking for memory and using it */
#define FORGET_AFTER 65536u /* articles after which what was seen counts half */

static void forget_half(Index *index)
{
    for (u32 number = 1; number < index->terms.leaves.count; number++)
        LEAF(&index->terms, number)->seen /= 2;
    index->articles_seen /= 2;
}

/* What is left of the article before goes first, for that may have ended early. */
static int begin_article(Index *index)
{
    bits_remove(&index->present_bits, &index->present);
    bits_remove(&index->candidate_bits, &index->candidates);
    index->present.count = index->candidates.count = index->undecided.count = 0;
    index->hits.count = index->misplaced.count = 0;
    if (++index->articles_seen >= FORGET_AFTER)
        forget_half(index);
    if (!bits_reserve(&index->present_bits, index->terms.leaves.count) ||
        !bits_reserve(&index->candidate_bits, index->entries.count))
        return 0;
    bits_add(&index->present_bits, 0);
    return 1;
}

/* --- what is present */

static int mark_leaf(Index *index, u32 number)
{
    if (bits_hold(&index->present_bits, number))
        return 1;
    if (!numbers_push(&index->present, number))
        return 0;
    bits_add(&index->present_bits, number);
    LEAF(&index->terms, number)->seen++;
    return 1;
}

static int mark_node(Index *index, u32 number, u32 place)
{
    const Node *node = NODE(&index->terms, number);
    return mark_leaf(index, node->leaf[ANYWHERE]) && (place == ANYWHERE || mark_leaf(index, node->leaf[IN_TITLE]));
}

/* Append to index->starts the tokens that are prefixes and begin the text; the text's own token is returned in
 * `token`, or 0. All hashes come out of one pass over it. */
static int look_up(Index *index, Text text, u32 *token)
{
    const Terms *terms = &index->terms;
    const Numbers *lengths = &terms->prefix_lengths;
    u64 hash = 0;
    for (u32 at = 0; at < text.length;) {
        hash = hash_step(hash, (unsigned char)text.bytes[at], terms->multiplier);
        if (++at >= lengths->count || lengths->items[at] == 0)
            continue;
        u32 start = token_find(terms, (Text){text.bytes, at}, hash_end(hash));
        if (start && TOKEN(terms, start)->prefixes && !numbers_push(&index->starts, start))
            return 0;
    }
    *token = token_find(terms, text, hash_end(hash));
    return 1;
}

/* Fill `tokens` with each text's token followed by where its prefixes end in index->starts. */
static int look_up_all(Index *index, Texts texts, Numbers *tokens)
{
    tokens->count = index->starts.count = 0;
    if (!numbers_reserve(tokens, 2 * texts.count))
        return 0;
    for (u32 at = 0; at < texts.count; at++) {
        u32 token;
        if (!look_up(index, texts.texts[at], &token))
            return 0;
        tokens->items[tokens->count++] = token;
        tokens->items[tokens->count++] = index->starts.count;
    }
    return 1;
}

static int mark_prefixes(Index *index, u32 parent, const Numbers *tokens, u32 at, u32 place)
{
    u32 start = at ? tokens->items[2 * at - 1] : 0, end = tokens->items[2 * at + 1];
    for (; start < end; start++) {
        u32 node = node_find(&index->terms, parent, index->starts.items[start] | IS_PREFIX);
        if (node && !mark_node(index, node, place))
            return 0;
    }
    return 1;
}

/* Mark every phrase that begins at a token: follow the trie for as long as there are such phrases. */
static int mark_from(Index *index, const Numbers *tokens, u32 at, u32 place)
{
    const Terms *terms = &index->terms;
    for (u32 node = WORDS; 2 * at < tokens->count; at++) {
        if (NODE(terms, node)->prefixes && !mark_prefixes(index, node, tokens, at, place))
            return 0;
        u32 token = tokens->items[2 * at];
        if (!token || !NODE(terms, node)->children || !(node = node_find(terms, node, token)))
            return 1;
        if (!mark_node(index, node, place))
            return 0;
    }
    return 1;
}

static int mark_words(Index *index, Texts texts, u32 place)
{
    Numbers *tokens = &index->words;
    if (!look_up_all(index, texts, tokens))
        return 0;
    for (u32 at = 0; at < texts.count; at++)
        if (!mark_from(index, tokens, at, place))
            return 0;
    return 1;
}

static int mark_names(Index *index, Texts names, u32 root)
{
    for (u32 at = 0; at < names.count; at++) {
        u32 token = token_find(&index->terms, names.texts[at], text_hash(&index->terms, names.texts[at]));
        u32 node = token ? node_find(&index->terms, root, token) : 0;
        if (node && !mark_node(index, node, ANYWHERE))
            return 0;
    }
    return 1;
}

static int mark(Index *index, const Article *article)
{
    return mark_words(index, article->title, IN_TITLE) && mark_words(index, article->summary, ANYWHERE) &&
           mark_names(index, article->sources, SOURCES) && mark_names(index, article->languages, LANGUAGES) &&
           mark_names(index, article->categories, CATEGORIES);
}

/* --- what matches */

static int in_vain(Index *index, u32 number)
{
    return ++index->vain % SAMPLE || numbers_push(&index->misplaced, number);
}

static int consider(Index *index, Posting posting)
{
    if (!bits_hold(&index->present_bits, posting.companion & ~ENOUGH))
        return in_vain(index, posting.entry);
    if (bits_hold(&index->candidate_bits, posting.entry))
        return 1;
    if (!numbers_push(&index->candidates, posting.entry))
        return 0;
    bits_add(&index->candidate_bits, posting.entry);
    return numbers_push(posting.companion & ENOUGH ? &index->hits : &index->undecided, posting.entry);
}

/* Gather the entries that match in index->hits, and those to be judged in index->undecided. */
static int gather(Index *index)
{
    for (u32 at = 0; at < index->present.count; at++) {
        const Leaf *leaf = LEAF(&index->terms, index->present.items[at]);
        if (leaf->alone && !numbers_push(&index->hits, leaf->alone))
            return 0;
        for (u32 posting = 0; posting < leaf->anchored.count; posting++)
            if (!consider(index, leaf->anchored.items[posting]))
                return 0;
    }
    return 1;
}

static int judge(Index *index, u32 number)
{
    if (program_holds(index, ENTRY(index, number)->program.words))
        return numbers_push(&index->hits, number);
    return in_vain(index, number);
}

/* Most of the time would go into waiting for memory, were it not asked for well before it is used. */
static void expect(const Index *index, const Numbers *entries, u32 at)
{
    if (at + 2 * AHEAD < entries->count)
        __builtin_prefetch(ENTRY(index, entries->items[at + 2 * AHEAD]));
    if (at + AHEAD < entries->count)
        __builtin_prefetch(ENTRY(index, entries->items[at + AHEAD])->program.words);
}

static u32 hits_expected(const Index *index, u32 at)
{
    const Numbers *hits = &index->hits;
    if (at + 2 * AHEAD < hits->count)
        __builtin_prefetch(ENTRY(index, hits->items[at + 2 * AHEAD]));
    if (at + AHEAD < hits->count) {
        const Entry *entry = ENTRY(index, hits->items[at + AHEAD]);
        if (entry->capacity)
            __builtin_prefetch(entry->ids.many);
    }
    return hits->items[at];
}

static int judge_all(Index *index)
{
    const Numbers *undecided = &index->undecided;
    for (u32 at = 0; at < undecided->count; at++) {
        expect(index, undecided, at);
        if (!judge(index, undecided->items[at]))
            return 0;
    }
    return 1;
}

/* Leave the entries that match in index->hits, and how many ids they have in `ids`. 0 when there is no memory. */
int index_match(Index *index, const Article *article, size_t *ids)
{
    if (!begin_article(index) || !mark(index, article) || !gather(index) || !judge_all(index))
        return 0;
    for (u32 at = 0; at < index->misplaced.count; at++)
        entry_place_better(index, index->misplaced.items[at]);
    *ids = 0;
    for (u32 at = 0; at < index->hits.count; at++)
        *ids += ENTRY(index, hits_expected(index, at))->count;
    return 1;
}

/* Write the ids of all entries in index->hits. */
void index_ids(const Index *index, int64_t *ids)
{
    for (u32 at = 0; at < index->hits.count; at++) {
        Entry *entry = ENTRY(index, index->hits.items[at]);
        memcpy(ids, entry_ids(entry), entry->count * sizeof(int64_t));
        ids += entry->count;
    }
}
