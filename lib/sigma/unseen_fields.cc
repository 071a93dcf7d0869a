#include "unseen_fields.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace imds::sigma {
namespace {

constexpr std::string_view kVerdict = "it is what a device decided, which no packet tells";
constexpr std::string_view kHost =
    "it is of a host's log: packets name neither processes nor users";
constexpr std::string_view kBody = "bodies of requests and answers are not compared";
constexpr std::string_view kOther = "it is another detector's finding";
constexpr std::string_view kSinglePackets =
    "events are of flows and messages, not of single packets; to the first packet of a flow "
    "listens "
    "imds.event: connection";
constexpr std::string_view kVolume =
    "bytes and packets of a flow are not counted for rules; events are counted by correlations";

struct Unseen {
  std::string_view name;
  std::string_view why;
};
constexpr std::array kUnseen{
    Unseen{"action", kVerdict},
    Unseen{"blocked", kVerdict},
    Unseen{"disposition", kVerdict},
    Unseen{"event.outcome", kVerdict},
    Unseen{"EventResult", kVerdict},
    Unseen{"DvcAction", kVerdict},
    Unseen{"rule_name", kVerdict},
    Unseen{"CommandLine", kHost},
    Unseen{"ComputerName", kHost},
    Unseen{"cs-username", kHost},
    Unseen{"EventID", kHost},
    Unseen{"Hostname", kHost},
    Unseen{"Image", kHost},
    Unseen{"Initiated", kHost},
    Unseen{"ParentImage", kHost},
    Unseen{"process.name", kHost},
    Unseen{"ProcessName", kHost},
    Unseen{"User", kHost},
    Unseen{"user.name", kHost},
    Unseen{"username", kHost},
    Unseen{"cs-body", kBody},
    Unseen{"file_data", kBody},
    Unseen{"http.request.body.content", kBody},
    Unseen{"http.response.body.content", kBody},
    Unseen{"request_body", kBody},
    Unseen{"response", kBody},
    Unseen{"response_body", kBody},
    Unseen{"alert.signature", kOther},
    Unseen{"class_desc", kOther},
    Unseen{"Classification", kOther},
    Unseen{"GeneratorID", kOther},
    Unseen{"gid", kOther},
    Unseen{"signature", kOther},
    Unseen{"signature_id", kOther},
    Unseen{"tcp_flags", kSinglePackets},
    Unseen{"tcp.flags", kSinglePackets},
    Unseen{"TcpFlags", kSinglePackets},
    Unseen{"bytes", kVolume},
    Unseen{"bytes_in", kVolume},
    Unseen{"bytes_out", kVolume},
    Unseen{"cs-bytes", kVolume},
    Unseen{"network.bytes", kVolume},
    Unseen{"question_length", kVolume},
    Unseen{"sc-bytes", kVolume},
};

}  // namespace

std::string_view why_unseen(std::string_view field) {
  const auto found = std::find_if(kUnseen.begin(), kUnseen.end(),
                                  [&](const Unseen& entry) { return iequals(entry.name, field); });
  return found == kUnseen.end() ? std::string_view() : found->why;
}

}  // namespace imds::sigma
