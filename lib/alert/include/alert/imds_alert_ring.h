/* The shared-memory alert ring of imds-inspector: layout and reading protocol, for C11 and C++
 * (GCC and Clang).
 *
 * The segment is a POSIX shared memory object (default name IMDS_ALERT_RING_NAME): one header,
 * then `capacity` record slots of `record_size` bytes, the first at offset `header_size`. There
 * are no pointers in it. One process writes; any number map it read-only. Integers are in the
 * machine's own byte order. Text is bytes as they came, not always UTF-8, without a terminating
 * zero. Reserved bytes are zero.
 *
 * Records are numbered from 1 for the life of the segment, also across restarts of the writer.
 * Record n stands in slot (n - 1) % capacity; capacity is a power of two.
 *
 * Writing record n, in this order:
 *   1. slot.sequence = IMDS_ALERT_SEQUENCE_WRITING (relaxed), then a release fence;
 *   2. the rest of the record, as relaxed 64-bit stores;
 *   3. slot.sequence = n (release);
 *   4. header.published = n (release).
 * The writer never waits for a reader, and never shrinks the segment or reuses it for another
 * layout: a new layout is a new object under the same name.
 *
 * Reading record n (imds_alert_ring_read() below does steps 2 to 4):
 *   1. header.published (acquire) must be at least n; records up to published - capacity are
 *      overwritten and lost to the reader, which so knows exactly how many;
 *   2. slot.sequence (acquire) must be n; anything else means overwritten: lost;
 *   3. copy the record with relaxed 64-bit loads, then an acquire fence;
 *   4. slot.sequence (relaxed) must still be n; else the copy is torn: lost.
 *
 * A writer killed at any point leaves at most one slot marked as being written; `published` does
 * not include it, so it is never shown, and the next writer writes it anew. Every record carries
 * the epoch of the writer that made it; a changed epoch is a restarted writer. A writer is alive
 * while it holds an open-file-description write lock on byte 0 of the object (fcntl F_OFD_GETLK
 * on a read-only descriptor tells).
 *
 * Versions: a reader accepts its own `abi_major` only. A higher `abi_minor` uses bytes that were
 * reserved, or makes records longer: step by `record_size`, read the part you know. Bound every
 * length by its field's capacity before use.
 */
#ifndef IMDS_ALERT_RING_H
#define IMDS_ALERT_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#define IMDS_ALERT_STATIC_ASSERT static_assert
#else
#define IMDS_ALERT_STATIC_ASSERT _Static_assert
#endif

#define IMDS_ALERT_RING_NAME "/imds-inspector"
#define IMDS_ALERT_RING_MAGIC UINT64_C(0x474e495253444d49) /* "IMDSRING", little endian */
#define IMDS_ALERT_RING_ABI_MAJOR 1
#define IMDS_ALERT_RING_ABI_MINOR 1
#define IMDS_ALERT_RECORD_SIZE 4096
#define IMDS_ALERT_SEQUENCE_WRITING UINT64_MAX

enum imds_alert_writer_state {
  IMDS_ALERT_WRITER_RUNNING = 1,
  IMDS_ALERT_WRITER_STOPPED = 2 /* closed in an orderly way; a killed writer stays "running" */
};

/* What the writer changes often stands on cache lines of its own. */
struct imds_alert_ring_header {
  /* Constant once `magic` is set, which happens last (release). */
  uint64_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t header_size; /* offset of the first record */
  uint32_t record_size; /* bytes from one record to the next */
  uint32_t capacity;    /* records; a power of two */
  uint8_t reserved0[40];

  /* Set when a writer starts; writer_epoch last (release). */
  uint64_t writer_epoch;       /* never the same for two writers */
  int64_t writer_start_ns;     /* Unix time */
  uint64_t published_at_start; /* `published` when this writer took over */
  uint32_t writer_pid;         /* as the writer sees itself; informational */
  uint32_t writer_state;       /* enum imds_alert_writer_state */
  uint8_t reserved1[32];

  uint64_t published; /* number of the newest complete record; 0: none yet */
  uint8_t reserved2[56];

  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC, at least every second while the writer is well */
  uint8_t reserved3[56];
};

struct imds_alert_text8 {
  uint16_t length;
  char data[8];
};
struct imds_alert_text16 {
  uint16_t length;
  char data[16];
};
struct imds_alert_text32 {
  uint16_t length;
  char data[32];
};
struct imds_alert_text64 {
  uint16_t length;
  char data[64];
};
struct imds_alert_text160 {
  uint16_t length;
  char data[160];
};
struct imds_alert_text256 {
  uint16_t length;
  char data[256];
};
struct imds_alert_text1024 {
  uint16_t length;
  char data[1024];
};

struct imds_alert_peer {
  uint8_t ip[16];  /* network order; IPv4 in the first 4 bytes, the rest zero */
  uint8_t family;  /* 4, 6, or 0: no address */
  uint8_t has_mac; /* 1: `mac` is known */
  uint16_t port;   /* host order; meaningful with IMDS_ALERT_HAS_PORTS */
  uint8_t mac[6];
  uint8_t reserved[6];
};

/* Since ABI 1.1. */
struct imds_alert_address {
  uint8_t ip[16]; /* network order; IPv4 in the first 4 bytes, the rest zero */
  uint8_t family; /* 4, 6, or 0: no address */
  uint8_t reserved[7];
};

/* How the packet came, if it came in a tunnel. Since ABI 1.1; all zero in older records. */
struct imds_alert_tunnel {
  uint32_t id;    /* VNI, key, TEID, session, label: the innermost one; see has_id */
  uint8_t depth;  /* encapsulations in `path`, 1..8; 0: no tunnel */
  uint8_t has_id; /* 1: `id` is set, which may be 0 */
  uint8_t reserved[2];
  struct imds_alert_address source; /* of the outermost IP header; none on link-layer tunnels */
  struct imds_alert_address destination;
  struct imds_alert_text160 path; /* "gre/vxlan", outermost first */
};

/* Bits of imds_alert_record.flags. */
enum imds_alert_flags {
  IMDS_ALERT_HAS_PORTS = 0x01, /* the peers' ports are set */
  IMDS_ALERT_IS_TEST = 0x02    /* made by imds-inspector --inject-test */
};

/* Bits of imds_alert_record.visibility: what was not seen, or had to be guessed. */
enum imds_alert_visibility {
  IMDS_ALERT_DIRECTION_GUESSED = 0x01,
  IMDS_ALERT_MID_STREAM = 0x02,
  IMDS_ALERT_RESPONSES_ONLY = 0x04,
  IMDS_ALERT_CAPTURE_TRUNCATED = 0x08,
  IMDS_ALERT_STREAM_GAP = 0x10,    /* since ABI 1.1 */
  IMDS_ALERT_SECOND_READING = 0x20 /* since ABI 1.1 */
};

/* Bits of imds_alert_record.truncated: fields that were longer than their capacity and keep their
 * beginning. */
enum imds_alert_truncated {
  IMDS_ALERT_CUT_RULE_ID = 0x0001,
  IMDS_ALERT_CUT_RULE_NAME = 0x0002,
  IMDS_ALERT_CUT_RULE_LEVEL = 0x0004,
  IMDS_ALERT_CUT_ENDPOINT = 0x0008,
  IMDS_ALERT_CUT_HTTP_METHOD = 0x0010,
  IMDS_ALERT_CUT_HTTP_VERSION = 0x0020,
  IMDS_ALERT_CUT_URL_ORIGINAL = 0x0040,
  IMDS_ALERT_CUT_URL_PATH = 0x0080,
  IMDS_ALERT_CUT_URL_DOMAIN = 0x0100,
  IMDS_ALERT_CUT_USER_AGENT = 0x0200,
  IMDS_ALERT_CUT_HOSTNAME = 0x0400,
  IMDS_ALERT_CUT_INTERFACE = 0x0800,
  IMDS_ALERT_CUT_RULES = 0x1000 /* the event hit more rules than one finding can name */
};

/* One alert: one event, one rule. Empty text is an absent field. Secrets are already masked. */
struct imds_alert_record {
  uint64_t sequence; /* number of the record; written last */
  uint64_t epoch;    /* writer_epoch of its writer */
  int64_t time_ns;   /* Unix time of the packet that completed the event */
  uint8_t id[16];    /* UUID (RFC 4122, version 5): the same for the same event and rule */
  uint32_t flags;
  uint32_t truncated;
  uint8_t severity; /* 1 informational … 5 critical */
  uint8_t ip_protocol;
  uint8_t visibility;
  uint8_t vlan_count; /* 0..4 */
  uint16_t vlans[4];  /* outermost first */
  uint8_t worker;     /* index of the worker that saw it */
  uint8_t reserved0[3];
  struct imds_alert_peer source;      /* the client; of an address claim, the claimant */
  struct imds_alert_peer destination; /* the server */
  struct imds_alert_text16 rule_level;
  struct imds_alert_text32 event; /* imds.event */
  struct imds_alert_text32 community_id;
  struct imds_alert_text64 rule_id;
  struct imds_alert_text256 rule_name;
  struct imds_alert_text64 endpoint;
  struct imds_alert_text32 http_method;
  struct imds_alert_text8 http_version;
  struct imds_alert_text1024 url_original; /* request-target as sent, masked */
  struct imds_alert_text1024 url_path;     /* normalised, masked */
  struct imds_alert_text256 url_domain;
  struct imds_alert_text256 user_agent;
  struct imds_alert_text64 hostname;       /* the inspector's own */
  struct imds_alert_text64 interface_name; /* where the packet came in */
  struct imds_alert_tunnel tunnel;         /* since ABI 1.1 */
  uint8_t reserved[528];
};

IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_ring_header) == 256, "header layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_ring_header, writer_epoch) == 64, "layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_ring_header, published) == 128, "layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_ring_header, heartbeat_ns) == 192, "layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_peer) == 32, "peer layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_tunnel) == 220, "tunnel layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_tunnel, source) == 8, "tunnel layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_tunnel, path) == 56, "tunnel layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, id) == 24, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, flags) == 40, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, severity) == 48, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, source) == 64, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, rule_level) == 128, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, rule_id) == 214, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, url_original) == 648, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, url_path) == 1674, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, tunnel) == 3348, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, reserved) == 3568, "record layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_record) == IMDS_ALERT_RECORD_SIZE, "record size");

/* Copies record `number` out of its slot. 1: *out holds it whole. 0: it has been overwritten, is
 * being overwritten, or is not there yet; *out is then unspecified. `slot` is the address of slot
 * (number - 1) % capacity, aligned to 8 bytes. */
static inline int imds_alert_ring_read(const void* slot, uint64_t number,
                                       struct imds_alert_record* out) {
  const uint64_t* words = (const uint64_t*)slot;
  size_t i;
  if (__atomic_load_n(&words[0], __ATOMIC_ACQUIRE) != number) {
    return 0;
  }
  for (i = 1; i < sizeof *out / sizeof(uint64_t); ++i) {
    const uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    memcpy((char*)out + i * sizeof word, &word, sizeof word);
  }
  out->sequence = number;
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return __atomic_load_n(&words[0], __ATOMIC_RELAXED) == number;
}

#ifdef __cplusplus
}
#endif

#endif
