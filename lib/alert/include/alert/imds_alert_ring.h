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
#define IMDS_ALERT_RING_ABI_MINOR 4
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
struct imds_alert_text96 {
  uint16_t length;
  char data[96];
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

/* Values of imds_alert_evidence.answer. Since ABI 1.3. */
enum imds_alert_answer {
  IMDS_ALERT_ANSWER_NONE = 0,
  IMDS_ALERT_ANSWER_SYN_ACK = 1,
  IMDS_ALERT_ANSWER_UDP = 2,
  IMDS_ALERT_ANSWER_RST = 3,
  IMDS_ALERT_ANSWER_ICMP = 4
};

/* Values of imds_alert_evidence.claim. More may come with a higher minor version. Since ABI 1.3. */
enum imds_alert_claim {
  IMDS_ALERT_CLAIM_NONE = 0,
  IMDS_ALERT_CLAIM_ARP_REPLY = 1,
  IMDS_ALERT_CLAIM_ARP_GRATUITOUS = 2,
  IMDS_ALERT_CLAIM_ARP_ANNOUNCEMENT = 3,
  IMDS_ALERT_CLAIM_ARP_PROBE = 4,
  IMDS_ALERT_CLAIM_ARP_SENDER = 5,
  IMDS_ALERT_CLAIM_ND_ADVERTISEMENT = 6,
  IMDS_ALERT_CLAIM_ND_PROBE = 7,
  IMDS_ALERT_CLAIM_ND_SENDER = 8,
  IMDS_ALERT_CLAIM_RA_PREFIX = 9,
  IMDS_ALERT_CLAIM_RA_ROUTE = 10,
  IMDS_ALERT_CLAIM_ICMP_REDIRECT = 11,
  IMDS_ALERT_CLAIM_ICMPV6_REDIRECT = 12,
  IMDS_ALERT_CLAIM_DHCP_ROUTE = 13,
  IMDS_ALERT_CLAIM_DHCP_ROUTE_249 = 14,
  IMDS_ALERT_CLAIM_DHCP_STATIC_ROUTE = 15,
  IMDS_ALERT_CLAIM_DHCP_ROUTER = 16,
  IMDS_ALERT_CLAIM_DHCP_LEASE = 17,
  IMDS_ALERT_CLAIM_DHCPV6_LEASE = 18,
  IMDS_ALERT_CLAIM_DHCPV6_PREFIX = 19,
  IMDS_ALERT_CLAIM_DNS_ADDRESS = 20,
  IMDS_ALERT_CLAIM_DNS_METADATA_NAME = 21
};

/* Bits of imds_alert_evidence.signs. Since ABI 1.3. */
enum imds_alert_sign {
  IMDS_ALERT_SIGN_MAC_MISMATCH = 0x0001, /* the MAC claimed is not the frame's source */
  IMDS_ALERT_SIGN_OWNER_CHANGED = 0x0002,
  IMDS_ALERT_SIGN_BROADCAST = 0x0004,
  IMDS_ALERT_SIGN_ROUTER = 0x0008,     /* neighbour advertisement: flag R */
  IMDS_ALERT_SIGN_SOLICITED = 0x0010,  /* flag S */
  IMDS_ALERT_SIGN_OVERRIDE = 0x0020,   /* flag O */
  IMDS_ALERT_SIGN_ON_LINK = 0x0040,    /* prefix information: flag L */
  IMDS_ALERT_SIGN_AUTONOMOUS = 0x0080, /* flag A */
  IMDS_ALERT_SIGN_RELAYED = 0x0100,    /* DHCP through a relay */
  IMDS_ALERT_SIGN_OVERLOADED = 0x0200  /* DHCP options in `sname` or `file` */
};

/* Who answered, or who claimed which address and how. All zero for other events and in records
 * older than ABI 1.3. */
struct imds_alert_evidence {
  uint8_t answer;       /* enum imds_alert_answer; of the event responder */
  uint8_t claim;        /* enum imds_alert_claim; of the event address_claim */
  uint8_t ttl;          /* of the answer; 0: not known */
  uint8_t has_hops;     /* 1: hop_distance is known */
  uint8_t hop_distance; /* routers on the way, inferred from the TTL; 0: on the link */
  uint8_t prefix_length;
  uint16_t signs;                    /* enum imds_alert_sign */
  struct imds_alert_address prefix;  /* what is claimed */
  struct imds_alert_address gateway; /* next hop of a claimed route */
  uint8_t claimed_mac[6];            /* who has it, by the claim; all zero: it does not say */
  uint8_t previous_mac[6];           /* who had it, or answered, before; all zero: nobody */
  struct imds_alert_text96 dns_name; /* asked for */
  uint8_t reserved[2];
};

/* Bits of imds_alert_story.reached; the highest one set is `imds.stage`. Since ABI 1.3. */
enum imds_alert_stage {
  IMDS_ALERT_STAGE_CLAIMED = 0x01,     /* somebody claimed the endpoint's address */
  IMDS_ALERT_STAGE_ATTEMPTED = 0x02,   /* the client tried to connect */
  IMDS_ALERT_STAGE_ANSWERED = 0x04,    /* and was answered */
  IMDS_ALERT_STAGE_TOKEN = 0x08,       /* and got a session token */
  IMDS_ALERT_STAGE_CREDENTIALS = 0x10, /* and got credentials */
  IMDS_ALERT_STAGE_USED = 0x20,        /* and connected to AWS since */
  IMDS_ALERT_STAGES = 0x3f             /* all that this version knows */
};

/* How far the story of this client with this endpoint had come. Since ABI 1.3; all zero: the event
 * belongs to no story, or the record is older. */
struct imds_alert_story {
  uint8_t reached; /* enum imds_alert_stage */
  uint8_t reserved[3];
  /* Milliseconds from the first stage to each that was reached, in the order of their bits;
   * UINT32_MAX: or longer. */
  uint32_t after_ms[6];
};

/* Codes of imds_alert_exchange. 0 is always: nothing known. */
enum imds_alert_delivered {
  IMDS_ALERT_DELIVERED_CREDENTIALS = 1,
  IMDS_ALERT_DELIVERED_IDENTITY_DOCUMENT = 2,
  IMDS_ALERT_DELIVERED_ROLE_INFO = 3,
  IMDS_ALERT_DELIVERED_USER_DATA = 4
};
enum imds_alert_account_source {
  IMDS_ALERT_ACCOUNT_OF_KEY_ID = 1,
  IMDS_ALERT_ACCOUNT_OF_DOCUMENT = 2,
  IMDS_ALERT_ACCOUNT_OF_ARN = 3,
  IMDS_ALERT_ACCOUNT_CONFLICTING = 4 /* the sources name different accounts */
};
enum imds_alert_account_expected {
  IMDS_ALERT_ACCOUNT_EXPECTED = 1,
  IMDS_ALERT_ACCOUNT_UNEXPECTED = 2,
  IMDS_ALERT_ACCOUNT_ON_WRONG_NETWORK = 3
};
enum imds_alert_content {
  IMDS_ALERT_CONTENT_EMPTY = 1,
  IMDS_ALERT_CONTENT_JSON = 2,
  IMDS_ALERT_CONTENT_SHELL_SCRIPT = 3,
  IMDS_ALERT_CONTENT_CLOUD_CONFIG = 4,
  IMDS_ALERT_CONTENT_CLOUD_INIT = 5, /* another format of cloud-init */
  IMDS_ALERT_CONTENT_MIME = 6,
  IMDS_ALERT_CONTENT_POWERSHELL = 7,
  IMDS_ALERT_CONTENT_GZIP = 8,
  IMDS_ALERT_CONTENT_TEXT = 9,
  IMDS_ALERT_CONTENT_BINARY = 10
};

/* What a request of the metadata service came to. Never a secret. Since ABI 1.3; all zero in older
 * records. */
struct imds_alert_exchange {
  uint64_t aws_account_id; /* meaningful with account_source */
  int64_t expiration;      /* of credentials, Unix time in seconds; 0: not known */
  uint64_t body_bytes;     /* of the answer's body, decompressed; see has_body_bytes */
  uint32_t token_length;   /* bytes of the token issued; 0: none */
  uint32_t token_ttl;      /* its life in seconds; 0: not said */
  uint16_t http_status;    /* of the answer; 0: none */
  uint8_t has_body_bytes;
  uint8_t imds_version;     /* 1, 2; 0: not known */
  uint8_t forwarded;        /* 1: the request had X-Forwarded-For */
  uint8_t delivered;        /* enum imds_alert_delivered */
  uint8_t content;          /* enum imds_alert_content */
  uint8_t account_source;   /* enum imds_alert_account_source */
  uint8_t account_expected; /* enum imds_alert_account_expected */
  uint8_t reserved[7];
  struct imds_alert_text16 region;
  struct imds_alert_text32 client_kind;
  struct imds_alert_text32 access_key_id;
  struct imds_alert_text32 server;
  struct imds_alert_text64 mime_type;
  struct imds_alert_text64 role;
  uint8_t reserved1[4];
};

/* Where the packets of the exchange are kept, if evidence capture is on: a file of the worker that
 * saw it, named after `run` (as UTC), the worker and `file`:
 *   imds-20251008T120000Z-w0-000001.pcapng
 * and numbers in it as readers of captures count packets, from 1. The file is written a moment
 * after the alert. Since ABI 1.4; all zero: nothing is kept, or the record is older. */
struct imds_alert_packets {
  uint32_t run;      /* Unix time in seconds */
  uint32_t file;     /* from 1; 0: nothing is kept */
  uint32_t last;     /* number of the exchange's last packet when the alert was raised */
  uint8_t completes; /* 1: that packet completed the event */
  uint8_t reserved[3];
  uint64_t before; /* bit i: packet last - 1 - i is of the exchange, too */
};

/* Bits of imds_alert_record.flags. */
enum imds_alert_flags {
  IMDS_ALERT_HAS_PORTS = 0x01, /* the peers' ports are set */
  IMDS_ALERT_IS_TEST = 0x02    /* made by imds-inspector --inject-test */
};

/* Bits of imds_alert_record.visibility, and from 0x100 on, shifted right by 8, of visibility_more:
 * what was not seen, or had to be guessed. */
enum imds_alert_visibility {
  IMDS_ALERT_DIRECTION_GUESSED = 0x01,
  IMDS_ALERT_MID_STREAM = 0x02,
  IMDS_ALERT_RESPONSES_ONLY = 0x04,
  IMDS_ALERT_CAPTURE_TRUNCATED = 0x08,
  IMDS_ALERT_STREAM_GAP = 0x10,      /* since ABI 1.1 */
  IMDS_ALERT_SECOND_READING = 0x20,  /* since ABI 1.1 */
  IMDS_ALERT_REQUESTS_ONLY = 0x40,   /* since ABI 1.3 */
  IMDS_ALERT_REQUEST_UNSEEN = 0x80,  /* since ABI 1.3 */
  IMDS_ALERT_BODY_INCOMPLETE = 0x100 /* since ABI 1.3 */
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
  IMDS_ALERT_CUT_RULES = 0x1000, /* the event hit more rules than one finding can name */
  /* Since ABI 1.3. */
  IMDS_ALERT_CUT_DNS_NAME = 0x2000,
  IMDS_ALERT_CUT_SERVER = 0x4000,
  IMDS_ALERT_CUT_MIME_TYPE = 0x8000
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
  uint8_t vlan_count;      /* 0..4 */
  uint16_t vlans[4];       /* outermost first */
  uint8_t worker;          /* index of the worker that saw it */
  uint8_t visibility_more; /* since ABI 1.3 */
  uint8_t reserved0[2];
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
  struct imds_alert_text256 url_domain;    /* of credentials_used, the TLS server name */
  struct imds_alert_text256 user_agent;
  struct imds_alert_text64 hostname;       /* the inspector's own */
  struct imds_alert_text64 interface_name; /* where the packet came in */
  struct imds_alert_tunnel tunnel;         /* since ABI 1.1 */
  /* Alerts of the same rule and the same source, destination or flow that throttling has withheld
   * since the last one like this. Since ABI 1.2. */
  uint32_t suppressed_repeats;
  struct imds_alert_evidence evidence; /* since ABI 1.3 */
  struct imds_alert_story story;       /* since ABI 1.3 */
  struct imds_alert_exchange exchange; /* since ABI 1.3 */
  struct imds_alert_packets packets;   /* since ABI 1.4 */
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
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, suppressed_repeats) == 3568,
                         "record layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_evidence) == 168, "evidence layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_evidence, prefix) == 8, "evidence layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_evidence, dns_name) == 68, "evidence layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, evidence) == 3572, "record layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_story) == 28, "story layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, story) == 3740, "record layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, exchange) == 3768, "record layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_exchange) == 304, "exchange layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_exchange, http_status) == 32,
                         "exchange layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_exchange, region) == 48, "exchange layout");
IMDS_ALERT_STATIC_ASSERT(sizeof(struct imds_alert_packets) == 24, "packets layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_packets, before) == 16, "packets layout");
IMDS_ALERT_STATIC_ASSERT(offsetof(struct imds_alert_record, packets) == 4072, "record layout");
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
