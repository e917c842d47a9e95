/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fragments of pages, which packets on their way to the host's stack are copied to.
 *
 * A fragment holds a reference to its page, as one of napi_alloc_frag() does, and is
 * freed as that one is: by skb_free_frag(), or with the skb that it is part of.
 */
#ifndef _NB_FRAGS_H
#define _NB_FRAGS_H

/**
 * nb_frag_alloc() - a fragment of memory
 * @size: bytes, a multiple of SMP_CACHE_BYTES and at most PAGE_SIZE
 *
 * With bottom halves off.  What is in it may be of another packet: who writes less than
 * all of it makes sure that nobody reads the rest.
 *
 * Return: the fragment, which begins at a cache line; or NULL.
 */
void *nb_frag_alloc(unsigned int size);

/**
 * nb_frag_alloc_most() - as much memory in one fragment as there is at hand
 * @max: at most so many bytes, but for what is missing to a whole cache line
 * @size: out: bytes; at least PAGE_SIZE if that is less than @max
 *
 * As nb_frag_alloc().
 */
void *nb_frag_alloc_most(unsigned int max, unsigned int *size);

/* Let go of all pages; fragments that are still used keep theirs.  Process context. */
void nb_frags_exit(void);

#endif /* _NB_FRAGS_H */
