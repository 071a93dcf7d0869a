#define _POSIX_C_SOURCE 200809L
#include "third_party_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int third_party_open(struct third_party_ring* ring, const char* name) {
  struct stat object;
  void* mapped;
  const struct imds_alert_ring_header* header;
  const int fd = shm_open(name, O_RDONLY, 0);
  if (fd < 0) {
    return -1;
  }
  if (fstat(fd, &object) != 0 || (uint64_t)object.st_size < sizeof *header) {
    close(fd);
    return -1;
  }
  mapped = mmap(NULL, (size_t)object.st_size, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) {
    return -1;
  }
  header = (const struct imds_alert_ring_header*)mapped;
  ring->header = header;
  ring->mapped_bytes = (uint64_t)object.st_size;
  ring->lost = 0;
  if (__atomic_load_n(&header->magic, __ATOMIC_ACQUIRE) != IMDS_ALERT_RING_MAGIC ||
      header->abi_major != IMDS_ALERT_RING_ABI_MAJOR ||
      header->record_size < sizeof(struct imds_alert_record) || header->capacity == 0 ||
      header->header_size + (uint64_t)header->capacity * header->record_size > ring->mapped_bytes) {
    third_party_close(ring);
    return -1;
  }
  ring->next = 1;
  return 0;
}

int third_party_next(struct third_party_ring* ring, struct imds_alert_record* out) {
  const struct imds_alert_ring_header* header = ring->header;
  for (;;) {
    const uint64_t published = __atomic_load_n(&header->published, __ATOMIC_ACQUIRE);
    const char* slot;
    if (ring->next > published) {
      return 0;
    }
    if (published - ring->next >= header->capacity) {
      ring->lost += published - header->capacity + 1 - ring->next;
      ring->next = published - header->capacity + 1;
    }
    slot = (const char*)header + header->header_size +
           ((ring->next - 1) % header->capacity) * header->record_size;
    if (imds_alert_ring_read(slot, ring->next, out)) {
      ++ring->next;
      return 1;
    }
    ++ring->next;
    ++ring->lost;
  }
}

int third_party_tunnel(const struct imds_alert_record* record, char* out, size_t size) {
  const struct imds_alert_tunnel* tunnel = &record->tunnel;
  const int length = tunnel->path.length < sizeof tunnel->path.data ? tunnel->path.length
                                                                    : (int)sizeof tunnel->path.data;
  if (tunnel->depth == 0) {
    return 0;
  }
  return tunnel->has_id
             ? snprintf(out, size, "%.*s %lu", length, tunnel->path.data, (unsigned long)tunnel->id)
             : snprintf(out, size, "%.*s", length, tunnel->path.data);
}

void third_party_close(struct third_party_ring* ring) {
  munmap((void*)(uintptr_t)ring->header, (size_t)ring->mapped_bytes);
  ring->header = NULL;
}
