/* From an article to the entries that it matches. */

#include "places.h"

#define SAMPLE 8            /* of the queries judged in vain, one in so many is looked at for better anchors */
#define FORGET_AFTER 65536u /* articles after which what was seen counts half */

static void forget_half(Index *index)
{
    for (u32 number = 1; number < index->terms.leaves.count; number++)
        LEAF(&index->terms, number)->seen /= 2;
    index->articles_seen /= 2;
}

static void forget_articles(Index *index)
{
    for (u32 number = 1; number < index->terms.leaves.count; number++)
        LEAF(&index->terms, number)->article = 0;
    for (u32 number = 1; number < index->entries.count; number++)
        ENTRY(index, number)->article = 0;
    index->article = 0;
}

static void begin_article(Index *index)
{
    index->present.count = index->hits.count = index->misplaced.count = 0;
    if (index->article == UINT32_MAX)
        forget_articles(index);
    index->article++;
    if (++index->articles_seen >= FORGET_AFTER)
        forget_half(index);
}

/* --- what is present */

static int mark_leaf(Index *index, u32 number)
{
    Leaf *leaf = LEAF(&index->terms, number);
    if (number == 0 || leaf->article == index->article)
        return 1;
    leaf->article = index->article;
    leaf->seen++;
    return numbers_push(&index->present, number);
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

static int judge(Index *index, u32 number)
{
    Entry *entry = ENTRY(index, number);
    if (entry->anchors > 1) {
        if (entry->article == index->article)
            return 1;
        entry->article = index->article;
    }
    if (program_holds(index, entry->program.words))
        return numbers_push(&index->hits, number);
    if (++index->vain % SAMPLE == 0)
        return numbers_push(&index->misplaced, number);
    return 1;
}

static int judge_at(Index *index, u32 number)
{
    const Leaf *leaf = LEAF(&index->terms, number);
    if (leaf->alone && !numbers_push(&index->hits, leaf->alone))
        return 0;
    for (u32 at = 0; at < leaf->anchored.count; at++)
        if (!judge(index, leaf->anchored.items[at]))
            return 0;
    return 1;
}

/* Leave the entries that match in index->hits, and how many ids they have in `ids`. 0 when there is no memory. */
int index_match(Index *index, const Article *article, size_t *ids)
{
    begin_article(index);
    if (!mark(index, article))
        return 0;
    for (u32 at = 0; at < index->present.count; at++)
        if (!judge_at(index, index->present.items[at]))
            return 0;
    for (u32 at = 0; at < index->misplaced.count; at++)
        entry_place_better(index, index->misplaced.items[at]);
    *ids = 0;
    for (u32 at = 0; at < index->hits.count; at++)
        *ids += ENTRY(index, index->hits.items[at])->count;
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
