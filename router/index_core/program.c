/* Compiled queries, as core/query/compiled.py writes them, made into programs and run. */

#include "index.h"

enum { FORMAT = 1, AND = 1, OR, NOT, PHRASE, FIELD };
enum { FLAG_PREFIX = 1, FLAG_TITLE = 2 };
enum { MOST_LEVELS = 100 };

typedef struct {
    Index *index;
    const unsigned char *at, *end;
    Result result;
} Reader;

static void read_node(Reader *reader, u32 negated, u32 level);

static u32 fail(Reader *reader, Result result)
{
    if (reader->result == DONE)
        reader->result = result;
    return 0;
}

static unsigned char read_byte(Reader *reader)
{
    if (reader->at == reader->end)
        return (unsigned char)fail(reader, NOT_A_QUERY);
    return *reader->at++;
}

static u32 read_number(Reader *reader)
{
    u32 number = 0, byte;
    for (u32 shift = 0; shift < 28; shift += 7) {
        byte = read_byte(reader);
        number |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    return fail(reader, NOT_A_QUERY);
}

static Text read_text(Reader *reader)
{
    u32 length = read_number(reader);
    if (length > (size_t)(reader->end - reader->at))
        length = fail(reader, NOT_A_QUERY);
    Text text = {(const char *)reader->at, length};
    reader->at += length;
    return text;
}

static void emit(Reader *reader, u32 word)
{
    if (!numbers_push(&reader->index->program, word))
        fail(reader, NO_MEMORY);
}

static void emit_leaf(Reader *reader, u32 leaf, u32 negated)
{
    if (!leaf)
        fail(reader, NO_MEMORY);
    else if (!numbers_push(&reader->index->program, WORD(A_LEAF, leaf) | negated)) {
        leaf_release(&reader->index->terms, leaf);
        fail(reader, NO_MEMORY);
    }
}

static void read_phrase(Reader *reader, u32 negated)
{
    u32 flags = read_byte(reader), count = read_number(reader);
    if (count == 0 || count > (size_t)(reader->end - reader->at)) {
        fail(reader, NOT_A_QUERY);
        return;
    }
    Text *tokens = malloc(count * sizeof(Text));
    if (tokens == NULL) {
        fail(reader, NO_MEMORY);
        return;
    }
    for (u32 at = 0; at < count; at++)
        tokens[at] = read_text(reader);
    if (reader->result == DONE)
        emit_leaf(reader,
                  leaf_acquire(&reader->index->terms, WORDS, tokens, count, flags & FLAG_PREFIX,
                               flags & FLAG_TITLE ? IN_TITLE : ANYWHERE),
                  negated);
    free(tokens);
}

static void read_field(Reader *reader, u32 negated)
{
    u32 root = SOURCES + read_byte(reader);
    Text value = read_text(reader);
    if (root > CATEGORIES)
        fail(reader, NOT_A_QUERY);
    if (reader->result == DONE)
        emit_leaf(reader, leaf_acquire(&reader->index->terms, root, &value, 1, 0, ANYWHERE), negated);
}

static void read_group(Reader *reader, u32 kind, u32 negated, u32 level)
{
    u32 count = read_number(reader), head = reader->index->program.count;
    if (count == 0)
        fail(reader, NOT_A_QUERY);
    emit(reader, 0);
    for (; count && reader->result == DONE; count--)
        read_node(reader, 0, level + 1);
    if (reader->result != DONE)
        return;
    u32 length = reader->index->program.count - head - 1;
    if (length < MOST_WORDS)
        reader->index->program.items[head] = WORD(kind, length) | negated;
    else
        fail(reader, NOT_A_QUERY);
}

static void read_node(Reader *reader, u32 negated, u32 level)
{
    u32 operator= read_byte(reader);
    if (level > MOST_LEVELS)
        fail(reader, NOT_A_QUERY);
    if (reader->result != DONE)
        return;
    switch (operator) {
    case AND:
        read_group(reader, ALL_OF, negated, level);
        break;
    case OR:
        read_group(reader, ANY_OF, negated, level);
        break;
    case NOT:
        read_node(reader, negated ^ NEGATED, level + 1);
        break;
    case PHRASE:
        read_phrase(reader, negated);
        break;
    case FIELD:
        read_field(reader, negated);
        break;
    default:
        fail(reader, NOT_A_QUERY);
    }
}

Result program_read(Index *index, const unsigned char *code, size_t size)
{
    index->program.count = 0;
    if (size == 0 || code[0] != FORMAT)
        return OTHER_FORMAT;
    Reader reader = {index, code + 1, code + size, DONE};
    read_node(&reader, 0, 0);
    if (reader.at != reader.end)
        fail(&reader, NOT_A_QUERY);
    if (reader.result != DONE)
        program_release(index, index->program.items, index->program.count);
    return reader.result;
}

/* A group whose operands could not all be read has the head 0, which is no leaf. */
void program_release(Index *index, const u32 *words, u32 length)
{
    for (u32 at = 0; at < length; at++)
        if (KIND(words[at]) == A_LEAF && VALUE(words[at]))
            leaf_release(&index->terms, VALUE(words[at]));
}

int program_holds(const Index *index, const u32 *word)
{
    u32 head = *word, negated = head & NEGATED, kind = KIND(head);
    if (kind == A_LEAF)
        return bits_hold(&index->present_bits, VALUE(head)) ^ (int)negated;
    const u32 *end = word + 1 + VALUE(head);
    for (word++; word < end; word += KIND(*word) == A_LEAF ? 1 : 1 + VALUE(*word))
        if (program_holds(index, word) != (kind == ALL_OF))
            return (kind != ALL_OF) ^ (int)negated;
    return (kind == ALL_OF) ^ (int)negated;
}
