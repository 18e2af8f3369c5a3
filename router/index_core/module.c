/* The Python module router._index_core: the type Index. Its methods are described in _index_core.pyi. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include "index.h"

typedef struct {
    PyObject_HEAD
    Index *index;
} IndexObject;

#define INDEX(self) (((IndexObject *)(self))->index)

static PyObject *index_type_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    unsigned long long secret;
    if (keywords != NULL && PyDict_Size(keywords))
        return PyErr_Format(PyExc_TypeError, "Index takes no keyword arguments");
    if (!PyArg_ParseTuple(arguments, "K:Index", &secret))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *self = allocate(type, 0);
    if (self == NULL)
        return NULL;
    INDEX(self) = index_new(secret);
    if (INDEX(self) == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return self;
}

static void index_type_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    index_free(INDEX(self));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *answer(Result result)
{
    switch (result) {
    case DONE:
        Py_RETURN_NONE;
    case NO_MEMORY:
        return PyErr_NoMemory();
    case OTHER_FORMAT:
        return PyErr_Format(PyExc_ValueError, "not a compiled query of this format");
    default:
        return PyErr_Format(PyExc_ValueError, "not a compiled query");
    }
}

static PyObject *index_type_load(PyObject *self, PyObject *arguments)
{
    Py_buffer code, ids;
    PyObject *answered = NULL;
    if (!PyArg_ParseTuple(arguments, "y*y*:load", &code, &ids))
        return NULL;
    if (ids.len % sizeof(int64_t) || (u64)ids.len / sizeof(int64_t) > INT32_MAX)
        PyErr_SetString(PyExc_ValueError, "ids must be packed 64-bit integers, at most 2^31 of them");
    else
        answered = answer(index_load(INDEX(self), code.buf, (size_t)code.len, ids.buf,
                                     (size_t)ids.len / sizeof(int64_t)));
    PyBuffer_Release(&code);
    PyBuffer_Release(&ids);
    return answered;
}

static PyObject *index_type_discard(PyObject *self, PyObject *argument)
{
    long long id = PyLong_AsLongLong(argument);
    if (id == -1 && PyErr_Occurred())
        return NULL;
    index_discard(INDEX(self), id);
    Py_RETURN_NONE;
}

/* --- matching */

enum { TITLE, SUMMARY, SOURCE_NAMES, LANGUAGE_TAGS, CATEGORY_NAMES, PARTS };

typedef struct {
    PyObject *sequences[PARTS];
    Text *texts;
} Asked;

static void asked_release(Asked *asked)
{
    for (int part = 0; part < PARTS; part++)
        Py_XDECREF(asked->sequences[part]);
    free(asked->texts);
}

/* Hold on to the sequences of texts and make room to point at all of them. */
static int asked_hold(Asked *asked, PyObject *const *parts)
{
    size_t count = 1;
    for (int part = 0; part < PARTS; part++) {
        asked->sequences[part] = PySequence_Fast(parts[part], "a collection of texts is needed");
        if (asked->sequences[part] == NULL)
            return 0;
        count += (size_t)PySequence_Size(asked->sequences[part]);
    }
    asked->texts = malloc(count * sizeof(Text));
    if (asked->texts == NULL)
        PyErr_NoMemory();
    return asked->texts != NULL;
}

static int text_of(PyObject *sequence, Py_ssize_t at, Text *text)
{
    PyObject *item = PySequence_GetItem(sequence, at); /* the sequence still holds it afterwards */
    Py_ssize_t length = 0;
    const char *bytes = item ? PyUnicode_AsUTF8AndSize(item, &length) : NULL;
    Py_XDECREF(item);
    *text = (Text){bytes, (u32)length};
    return bytes != NULL;
}

static int asked_article(Asked *asked, Article *article)
{
    Texts *parts[PARTS] = {&article->title, &article->summary, &article->sources, &article->languages,
                           &article->categories};
    Text *next = asked->texts;
    for (int part = 0; part < PARTS; part++) {
        Py_ssize_t count = PySequence_Size(asked->sequences[part]);
        *parts[part] = (Texts){next, (u32)count};
        for (Py_ssize_t at = 0; at < count; at++, next++)
            if (!text_of(asked->sequences[part], at, next))
                return 0;
    }
    return 1;
}

static PyObject *found_ids(Index *index, const Article *article)
{
    size_t count;
    if (!index_match(index, article, &count))
        return PyErr_NoMemory();
    PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof(int64_t)));
    if (packed != NULL)
        index_ids(index, (int64_t *)PyBytes_AsString(packed));
    return packed;
}

static PyObject *index_type_match(PyObject *self, PyObject *arguments)
{
    PyObject *parts[PARTS], *found = NULL;
    Asked asked = {0};
    Article article;
    if (!PyArg_ParseTuple(arguments, "OOOOO:match", &parts[TITLE], &parts[SUMMARY], &parts[SOURCE_NAMES],
                          &parts[LANGUAGE_TAGS], &parts[CATEGORY_NAMES]))
        return NULL;
    if (asked_hold(&asked, parts) && asked_article(&asked, &article))
        found = found_ids(INDEX(self), &article);
    asked_release(&asked);
    return found;
}

static Py_ssize_t index_type_length(PyObject *self)
{
    return INDEX(self)->places.used;
}

static PyObject *index_type_sizeof(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromSize_t(sizeof(IndexObject) + index_bytes(INDEX(self)));
}

static PyObject *index_type_queries(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(INDEX(self)->distinct);
}

static PyMethodDef methods[] = {
    {"load", index_type_load, METH_VARARGS, NULL},
    {"discard", index_type_discard, METH_O, NULL},
    {"match", index_type_match, METH_VARARGS, NULL},
    {"__sizeof__", index_type_sizeof, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"queries", index_type_queries, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, index_type_new},       {Py_tp_dealloc, index_type_dealloc}, {Py_tp_methods, methods},
    {Py_tp_getset, attributes},        {Py_sq_length, index_type_length},   {0, NULL},
};

static PyType_Spec type_spec = {
    .name = "router._index_core.Index",
    .basicsize = sizeof(IndexObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static int module_execute(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&type_spec);
    int failed = type == NULL || PyModule_AddObjectRef(module, "Index", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_execute},
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "router._index_core",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__index_core(void)
{
    return PyModuleDef_Init(&module);
}
