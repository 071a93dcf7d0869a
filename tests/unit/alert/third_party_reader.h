/* A reader as somebody else would write it in C, with nothing but the installed header; as the
 * example in docs/alerts.md. */
#ifndef THIRD_PARTY_READER_H
#define THIRD_PARTY_READER_H

#include <stdint.h>

#include "alert/imds_alert_ring.h"

#ifdef __cplusplus
extern "C" {
#endif

struct third_party_ring {
  const struct imds_alert_ring_header* header;
  uint64_t mapped_bytes;
  uint64_t next; /* number of the record to read next */
  uint64_t lost;
};

/* 0: success; -1: no such ring, or not one this reader knows. */
int third_party_open(struct third_party_ring* ring, const char* name);
/* 1: a record; 0: nothing new. */
int third_party_next(struct third_party_ring* ring, struct imds_alert_record* out);
/* The tunnel as "path id", or "path" without an id; 0: the record has none, or an older writer made
 * it. Returns what snprintf does. */
int third_party_tunnel(const struct imds_alert_record* record, char* out, size_t size);
void third_party_close(struct third_party_ring* ring);

#ifdef __cplusplus
}
#endif

#endif
