#include "terms.h"

/* Names of languages, sources and categories come with far more articles than most words do. */
static const float GUESSES[] = {[WORDS] = 0, [SOURCES] = 0.2f, [LANGUAGES] = 8, [CATEGORIES] = 0.8f};
static const float PREFIX_GUESS = 0.5f;

int terms_begin(Terms *terms, u64 secret)
{
    terms->multiplier = mixed(secret) % (((u64)1 << 61) - 3) + 2;
    for (u32 root = WORDS; root <= CATEGORIES; root++) {
        if (pool_take(&terms->nodes, sizeof(Node)) != root)
            return 0;
        NODE(terms, root)->references = 1;
    }
    return 1;
}

void terms_end(Terms *terms)
{
    for (u32 number = 1; number < terms->tokens.count; number++)
        free(TOKEN(terms, number)->bytes);
    for (u32 number = 1; number < terms->leaves.count; number++)
        free(LEAF(terms, number)->anchored.items);
    pool_release(&terms->tokens);
    pool_release(&terms->nodes);
    pool_release(&terms->leaves);
    free(terms->token_table.slots);
    free(terms->node_table.slots);
    free(terms->prefix_lengths.items);
}

/* --- tokens */

static void token_forget(Terms *terms, u32 number)
{
    free(TOKEN(terms, number)->bytes);
    TOKEN(terms, number)->bytes = NULL;
    pool_give_back(&terms->tokens, number);
}

/* Return the token of a text, without a reference yet, or 0 when there is no memory. */
static u32 token_get(Terms *terms, Text text)
{
    u32 hash = text_hash(terms, text), number = token_find(terms, text, hash);
    if (number || !(number = pool_take(&terms->tokens, sizeof(Token))))
        return number;
    char *bytes = malloc(text.length + 1);
    *TOKEN(terms, number) = (Token){.bytes = bytes, .length = text.length, .hash = hash};
    if (bytes == NULL || !table_add(&terms->token_table, hash, number)) {
        token_forget(terms, number);
        return 0;
    }
    memcpy(bytes, text.bytes, text.length);
    return number;
}

static void token_drop_unused(Terms *terms, u32 number)
{
    if (TOKEN(terms, number)->references)
        return;
    table_remove(&terms->token_table, TOKEN(terms, number)->hash, number);
    token_forget(terms, number);
}

static int prefix_length_reserve(Terms *terms, u32 length)
{
    Numbers *lengths = &terms->prefix_lengths;
    if (!numbers_reserve(lengths, length + 1))
        return 0;
    while (lengths->count <= length)
        lengths->items[lengths->count++] = 0;
    return 1;
}

static void prefix_count(Terms *terms, Node *node, int change)
{
    Token *token = TOKEN(terms, node->token & ~IS_PREFIX);
    u32 before = token->prefixes;
    token->prefixes += (u32)change;
    NODE(terms, node->parent)->prefixes += (u32)change;
    if ((before == 0) != (token->prefixes == 0))
        terms->prefix_lengths.items[token->length] += (u32)change;
}

/* --- nodes */

static void node_count(Terms *terms, u32 number, int change)
{
    Node *node = NODE(terms, number);
    TOKEN(terms, node->token & ~IS_PREFIX)->references += (u32)change;
    NODE(terms, node->parent)->references += (u32)change;
    if (node->token & IS_PREFIX)
        prefix_count(terms, node, change);
    else
        NODE(terms, node->parent)->children += (u32)change;
}

/* Take out a node that nothing refers to, and what only it referred to. */
static void node_drop_unused(Terms *terms, u32 number)
{
    while (NODE(terms, number)->references == 0) {
        Node node = *NODE(terms, number);
        table_remove(&terms->node_table, node_hash(terms, node.parent, node.token), number);
        node_count(terms, number, -1);
        token_drop_unused(terms, node.token & ~IS_PREFIX);
        pool_give_back(&terms->nodes, number);
        number = node.parent;
    }
}

/* Return the child of a node for a token, without a reference yet, or 0 when there is no memory. */
static u32 node_get(Terms *terms, u32 parent, Text text, u32 mark)
{
    u32 token = token_get(terms, text), number;
    if (!token || (number = node_find(terms, parent, token | mark)))
        return token ? number : 0;
    number = pool_take(&terms->nodes, sizeof(Node));
    if (!number || (mark && !prefix_length_reserve(terms, text.length)) ||
        !table_add(&terms->node_table, node_hash(terms, parent, token | mark), number)) {
        if (number)
            pool_give_back(&terms->nodes, number);
        token_drop_unused(terms, token);
        return 0;
    }
    NODE(terms, number)->parent = parent;
    NODE(terms, number)->token = token | mark;
    node_count(terms, number, +1);
    return number;
}

/* --- leaves */

static float guess(const Terms *terms, u32 number, u32 root)
{
    return GUESSES[root] + (NODE(terms, number)->token & IS_PREFIX ? PREFIX_GUESS : 0);
}

static u32 leaf_of(Terms *terms, u32 node, u32 root, u32 place)
{
    u32 leaf = NODE(terms, node)->leaf[place];
    if (leaf || !(leaf = pool_take(&terms->leaves, sizeof(Leaf))))
        return leaf;
    *LEAF(terms, leaf) = (Leaf){.node = node, .place = place, .guess = guess(terms, node, root)};
    NODE(terms, node)->leaf[place] = leaf;
    NODE(terms, node)->references++;
    return leaf;
}

u32 leaf_acquire(Terms *terms, u32 root, const Text *tokens, u32 count, int is_prefix, u32 place)
{
    u32 node = root, leaf = 0;
    for (u32 at = 0; at < count; at++) {
        u32 next = node_get(terms, node, tokens[at], is_prefix && at == count - 1 ? IS_PREFIX : 0);
        if (!next) {
            node_drop_unused(terms, node);
            return 0;
        }
        node = next;
    }
    leaf = leaf_of(terms, node, root, place);
    if (leaf)
        LEAF(terms, leaf)->references++;
    else
        node_drop_unused(terms, node);
    return leaf;
}

void leaf_release(Terms *terms, u32 number)
{
    Leaf *leaf = LEAF(terms, number);
    if (--leaf->references)
        return;
    u32 node = leaf->node;
    NODE(terms, node)->leaf[leaf->place] = 0;
    free(leaf->anchored.items);
    leaf->anchored = (Postings){0};
    pool_give_back(&terms->leaves, number);
    NODE(terms, node)->references--;
    node_drop_unused(terms, node);
}
