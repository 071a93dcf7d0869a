// Encapsulations for PacketBuilder::tunnel(), with right lengths, next-layer numbers and checksums:
//
//   PacketBuilder().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(50000, 4789).tunnel(vxlan(42))
//       .ethernet().ipv4("10.1.0.1", "169.254.169.254").tcp(40000, 80).payload("GET / ...")
//
// What the outer layer has to know is in `ether_type` and `protocol`; UDP ports are given by the
// caller. IP in IP needs none of these: ipv4() after ipv4().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "support/wire_bytes.h"

namespace imds::support {

// What an encapsulation is put around. `ether_type` of an Ethernet frame is 0x6558.
struct Inside {
  unsigned ether_type = 0;
  const Bytes& bytes;
};

struct Encapsulation {
  std::function<Bytes(const Inside&)> header;
  unsigned ether_type = 0x88b5;  // its own, where EtherTypes name it
  unsigned protocol = 253;       // its own IP protocol
};

inline unsigned ppp_protocol(unsigned ether_type) {
  switch (ether_type) {
    case 0x0800:
      return 0x0021;
    case 0x86dd:
      return 0x0057;
    case 0x8847:
      return 0x0281;
    default:
      return 0xc021;  // link control
  }
}
// Next-protocol number of NSH and VXLAN-GPE.
inline unsigned next_protocol(unsigned ether_type) {
  switch (ether_type) {
    case 0x0800:
      return 1;
    case 0x86dd:
      return 2;
    case 0x6558:
      return 3;
    case 0x894f:
      return 4;
    case 0x8847:
      return 5;
    default:
      return 254;  // experiment
  }
}

// These bytes and nothing more.
inline Encapsulation raw_header(Bytes header) {
  return {[header = std::move(header)](const Inside&) { return header; }};
}

inline Encapsulation mpls(std::vector<unsigned> labels) {
  Encapsulation e = raw_header({});
  e.header = [labels = std::move(labels)](const Inside&) {
    Bytes h;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      wire::append32(h, (labels[i] << 12) | (i + 1 == labels.size() ? 0x100u : 0u) | 64u);
    }
    return h;
  };
  e.ether_type = 0x8847;
  e.protocol = 137;
  return e;
}
// Of an Ethernet pseudowire, behind mpls().
inline Encapsulation control_word(unsigned sequence = 0) {
  return raw_header(
      {0, 0, static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence)});
}

enum class PppForm { plain, compressed_protocol, with_address };

inline void append_ppp(Bytes& h, unsigned ether_type, PppForm form) {
  if (form == PppForm::with_address) {
    wire::append16(h, 0xff03);
  }
  if (form == PppForm::compressed_protocol) {
    h.push_back(static_cast<std::uint8_t>(ppp_protocol(ether_type)));
  } else {
    wire::append16(h, ppp_protocol(ether_type));
  }
}
inline Encapsulation ppp(PppForm form = PppForm::with_address) {
  Encapsulation e;
  e.header = [form](const Inside& inside) {
    Bytes h;
    append_ppp(h, inside.ether_type, form);
    return h;
  };
  e.ether_type = 0x880b;
  return e;
}
inline Encapsulation pppoe(unsigned session, PppForm form = PppForm::plain) {
  Encapsulation e;
  e.header = [=](const Inside& inside) {
    Bytes frame;
    append_ppp(frame, inside.ether_type, form);
    Bytes h = {0x11, 0};
    wire::append16(h, session);
    wire::append16(h, static_cast<unsigned>(frame.size() + inside.bytes.size()));
    h.insert(h.end(), frame.begin(), frame.end());
    return h;
  };
  e.ether_type = 0x8864;
  return e;
}

// MD type 2 with `context` (a multiple of 4 bytes), or type 1.
inline Encapsulation nsh(unsigned path, std::optional<Bytes> context = {}) {
  Encapsulation e;
  e.header = [path, context](const Inside& inside) {
    const Bytes body = context.value_or(Bytes(16, 0));
    Bytes h = {0x0f, static_cast<std::uint8_t>(0xc0 | (2 + body.size() / 4)),
               static_cast<std::uint8_t>(context ? 2 : 1),
               static_cast<std::uint8_t>(next_protocol(inside.ether_type))};
    wire::append32(h, (path << 8) | 255);
    h.insert(h.end(), body.begin(), body.end());
    return h;
  };
  e.ether_type = 0x894f;
  return e;
}

struct GreOptions {
  std::optional<std::uint32_t> key = {};
  std::optional<std::uint32_t> sequence = {};
  bool checksum = false;
  Bytes routes = {};  // RFC 1701, with the entry that ends them
  std::optional<unsigned> protocol = {};
};
inline Encapsulation gre(GreOptions options = {}) {
  Encapsulation e;
  e.header = [o = std::move(options)](const Inside& inside) {
    Bytes h;
    wire::append16(h, (o.checksum ? 0x8000u : 0u) | (o.routes.empty() ? 0u : 0x4000u) |
                          (o.key ? 0x2000u : 0u) | (o.sequence ? 0x1000u : 0u));
    wire::append16(h, o.protocol.value_or(inside.ether_type));
    if (o.checksum || !o.routes.empty()) {
      wire::append32(h, 0);
    }
    if (o.key) {
      wire::append32(h, *o.key);
    }
    if (o.sequence) {
      wire::append32(h, *o.sequence);
    }
    h.insert(h.end(), o.routes.begin(), o.routes.end());
    if (o.checksum) {
      Bytes whole = h;
      whole.insert(whole.end(), inside.bytes.begin(), inside.bytes.end());
      wire::put16(h, 4, wire::fold(wire::sum16(whole, 0)));
    }
    return h;
  };
  e.protocol = 47;
  return e;
}
inline Encapsulation nvgre(unsigned vsid) {
  GreOptions options;
  options.key = vsid << 8;
  return gre(options);
}
// GRE version 1, around ppp().
inline Encapsulation pptp(unsigned call, bool acknowledges = false) {
  Encapsulation e;
  e.header = [=](const Inside& inside) {
    Bytes h = {0x30, static_cast<std::uint8_t>(acknowledges ? 0x81 : 0x01), 0x88, 0x0b};
    wire::append16(h, static_cast<unsigned>(inside.bytes.size()));
    wire::append16(h, call);
    wire::append32(h, 7);
    if (acknowledges) {
      wire::append32(h, 6);
    }
    return h;
  };
  e.protocol = 47;
  return e;
}
// GRE with ERSPAN of type 1 to 3; `subheader` is the platform specific one of type 3.
inline Encapsulation erspan(unsigned type, unsigned session = 0, bool subheader = false) {
  Encapsulation e;
  e.header = [=](const Inside&) {
    Bytes h;
    wire::append16(h, type == 1 ? 0 : 0x1000);
    wire::append16(h, type == 3 ? 0x22eb : 0x88be);
    if (type == 1) {
      return h;
    }
    wire::append32(h, 99);  // sequence number
    wire::append16(h, ((type == 3 ? 2u : 1u) << 12) | 100);
    wire::append16(h, session);
    wire::append32(h, 5);  // index, or time stamp
    if (type == 3) {
      wire::append16(h, 0);
      wire::append16(h, subheader ? 1 : 0);
    }
    h.resize(h.size() + (subheader ? 8 : 0));
    return h;
  };
  e.protocol = 47;
  return e;
}

inline Encapsulation ether_ip() {
  Encapsulation e = raw_header({0x30, 0});
  e.protocol = 97;
  return e;
}

// The session header of L2TPv3 over IP; over UDP flags and a reserved field precede it. `between`:
// cookie and L2-specific sublayer.
inline Encapsulation l2tp_v3(std::uint32_t session, Bytes between = {}, bool over_udp = false) {
  Bytes h;
  if (over_udp) {
    wire::append32(h, 0x00030000);
  }
  wire::append32(h, session);
  h.insert(h.end(), between.begin(), between.end());
  Encapsulation e = raw_header(h);
  e.protocol = 115;
  return e;
}
struct L2tpOptions {
  bool length = false;
  bool sequence = false;
  std::optional<unsigned> offset = {};
  PppForm form = PppForm::with_address;
};
// Data message of version 2 with the PPP header.
inline Encapsulation l2tp_v2(unsigned tunnel, unsigned session, L2tpOptions o = {}) {
  Encapsulation e;
  e.header = [=](const Inside& inside) {
    Bytes h;
    wire::append16(h, 0x0002u | (o.length ? 0x4000u : 0u) | (o.sequence ? 0x0800u : 0u) |
                          (o.offset ? 0x0200u : 0u));
    if (o.length) {
      wire::append16(h, 0);
    }
    wire::append16(h, tunnel);
    wire::append16(h, session);
    if (o.sequence) {
      wire::append32(h, 0x00010002);
    }
    if (o.offset) {
      wire::append16(h, *o.offset);
      h.resize(h.size() + *o.offset);
    }
    append_ppp(h, inside.ether_type, o.form);
    if (o.length) {
      wire::put16(h, 2, static_cast<unsigned>(h.size() + inside.bytes.size()));
    }
    return h;
  };
  return e;
}

inline Encapsulation vxlan(unsigned vni, unsigned flags = 0x08000000) {
  Bytes h;
  wire::append32(h, flags);
  wire::append32(h, vni << 8);
  return raw_header(h);
}
inline Encapsulation vxlan_gpe(unsigned vni) {
  Encapsulation e;
  e.header = [vni](const Inside& inside) {
    Bytes h = {0x0c, 0, 0, static_cast<std::uint8_t>(next_protocol(inside.ether_type))};
    wire::append32(h, vni << 8);
    return h;
  };
  return e;
}
// `options` is padded to a multiple of 4.
inline Encapsulation geneve(unsigned vni, Bytes options = {}) {
  options.resize((options.size() + 3) / 4 * 4);
  Encapsulation e;
  e.header = [vni, options](const Inside& inside) {
    Bytes h = {static_cast<std::uint8_t>(options.size() / 4), 0};
    wire::append16(h, inside.ether_type);
    wire::append32(h, vni << 8);
    h.insert(h.end(), options.begin(), options.end());
    return h;
  };
  return e;
}

// The indications of RFC 4380; the authentication one has a client id and a value of 4 bytes each.
inline Encapsulation teredo(bool authentication = false, bool origin = false) {
  Bytes h;
  if (authentication) {
    h.assign(4 + 17, 0x60);
    wire::put16(h, 0, 1);
    wire::put16(h, 2, 0x0404);
  }
  if (origin) {
    const Bytes indication = {0, 0, 0x11, 0x22, 0xf5, 0xff, 0xff, 0xfe};
    h.insert(h.end(), indication.begin(), indication.end());
  }
  return raw_header(h);
}

struct GtpOptions {
  bool sequence = false;
  std::vector<Bytes> extensions = {};  // contents of 2, 6, 10… bytes each
  unsigned message_type = 255;
};
inline Encapsulation gtp_u(std::uint32_t teid, GtpOptions options = {}) {
  Encapsulation e;
  e.header = [teid, o = std::move(options)](const Inside& inside) {
    constexpr std::uint8_t kExtensionType = 0x85;  // PDU session container
    Bytes h = {
        static_cast<std::uint8_t>(0x30 | (o.sequence ? 2 : 0) | (o.extensions.empty() ? 0 : 4)),
        static_cast<std::uint8_t>(o.message_type)};
    wire::append16(h, 0);
    wire::append32(h, teid);
    if (o.sequence || !o.extensions.empty()) {
      wire::append32(h, 0x00070000);
    }
    for (const Bytes& content : o.extensions) {
      h.back() = kExtensionType;
      h.push_back(static_cast<std::uint8_t>((content.size() + 2) / 4));
      h.insert(h.end(), content.begin(), content.end());
      h.push_back(0);
    }
    wire::put16(h, 2, static_cast<unsigned>(h.size() - 8 + inside.bytes.size()));
    return h;
  };
  return e;
}

}  // namespace imds::support
