/* What queries look for: words, phrases, prefixes and names, each known by a number, its leaf.
 *
 * Phrases are paths of a trie over tokens: every node but a root is a token (or the start of one) after those
 * on the way to it. A node can be a leaf twice, looked for anywhere or in the title only. Tokens, nodes and
 * leaves live while something refers to them.
 */

#ifndef TERMS_H
#define TERMS_H

#include "hash_table.h"
#include "pool.h"

typedef struct {
    const char *bytes;
    u32 length;
} Text;

enum Root { WORDS = 1, SOURCES, LANGUAGES, CATEGORIES };
enum Place { ANYWHERE, IN_TITLE };

#define IS_PREFIX 0x80000000u /* of a node's token: it need only begin a word */

typedef struct {
    char *bytes;
    u32 length, hash;
    u32 references; /* nodes of it */
    u32 prefixes;   /* those of them that it need only begin */
} Token;

typedef struct {
    u32 parent, token;
    u32 references; /* children and leaves */
    u32 prefixes;   /* children that are prefixes */
    u32 children;
    u32 leaf[2]; /* by place, or 0 */
} Node;

/* An entry, and its companion: a leaf without which it cannot match, or 0. With ENOUGH, it matches if the
 * companion is there. So most entries need not be looked at to be judged. */
typedef struct {
    u32 entry, companion;
} Posting;

#define ENOUGH 0x80000000u

typedef struct {
    Posting *items;
    u32 count, capacity;
} Postings;

typedef struct {
    u32 node, place;
    u32 references; /* uses in queries */
    u32 seen;       /* articles that held it, of the latest ones */
    u32 alone;      /* the entry of the query that is nothing but this leaf, or 0 */
    float guess;    /* how common it is taken to be before any article was seen, in articles of 16 */
    Postings anchored; /* entries to judge when it is present */
} Leaf;

typedef struct {
    Pool tokens, nodes, leaves;
    HashTable token_table, node_table;
    Numbers prefix_lengths; /* how many tokens that are prefixes have each length in bytes */
    u64 multiplier;         /* secret, so that nobody can choose words that collide */
} Terms;

#define TOKEN(terms, number) ((Token *)(terms)->tokens.records + (number))
#define NODE(terms, number) ((Node *)(terms)->nodes.records + (number))
#define LEAF(terms, number) ((Leaf *)(terms)->leaves.records + (number))

int terms_begin(Terms *terms, u64 secret);
void terms_end(Terms *terms);

/* Return the leaf for the path of tokens from a root, with one more reference, or 0 when there is no memory. */
u32 leaf_acquire(Terms *terms, u32 root, const Text *tokens, u32 count, int is_prefix, u32 place);
void leaf_release(Terms *terms, u32 leaf);

/* Polynomial hashing modulo 2^61 - 1: two texts collide for few multipliers, and every prefix has its own. */
static inline u64 hash_step(u64 hash, unsigned char byte, u64 multiplier)
{
    const u64 prime = ((u64)1 << 61) - 1;
    __uint128_t product = (__uint128_t)(hash + byte + 1) * multiplier;
    u64 sum = ((u64)product & prime) + (u64)(product >> 61);
    return sum >= prime ? sum - prime : sum;
}

static inline u32 hash_end(u64 hash)
{
    return (u32)(mixed(hash) >> 32);
}

static inline u32 text_hash(const Terms *terms, Text text)
{
    u64 hash = 0;
    for (u32 at = 0; at < text.length; at++)
        hash = hash_step(hash, (unsigned char)text.bytes[at], terms->multiplier);
    return hash_end(hash);
}

static inline int is_token(const void *terms, u32 number, const void *key)
{
    const Token *token = TOKEN((const Terms *)terms, number);
    const Text *text = key;
    return token->length == text->length && memcmp(token->bytes, text->bytes, text->length) == 0;
}

static inline u32 token_find(const Terms *terms, Text text, u32 hash)
{
    return table_find(&terms->token_table, hash, is_token, terms, &text);
}

static inline u32 node_hash(const Terms *terms, u32 parent, u32 token)
{
    return (u32)(mixed(((u64)parent << 32 | token) ^ terms->multiplier) >> 32);
}

static inline int is_node(const void *terms, u32 number, const void *key)
{
    const Node *node = NODE((const Terms *)terms, number), *sought = key;
    return node->parent == sought->parent && node->token == sought->token;
}

/* `token` may carry IS_PREFIX. */
static inline u32 node_find(const Terms *terms, u32 parent, u32 token)
{
    Node sought = {.parent = parent, .token = token};
    return table_find(&terms->node_table, node_hash(terms, parent, token), is_node, terms, &sought);
}

#endif
