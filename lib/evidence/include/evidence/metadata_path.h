// What a request for a metadata service asks for, by its path. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace imds::evidence {

enum class Asked : std::uint8_t {
  other,
  metadata,           // something else below meta-data or dynamic
  token,              // api/token
  credentials,        // of a role, a task (ECS) or a pod (EKS)
  identity_document,  // dynamic/instance-identity/document
  identity_proof,     // its signatures: pkcs7, signature, rsa2048
  role_info,          // meta-data/iam/info and identity-credentials/ec2/info
  user_data,
};

struct MetadataPath {
  Asked asked = Asked::other;
  // credentials: the role, as the path's last segment names it; empty if it is no name of IAM. ECS
  // and EKS name none.
  std::string_view role;
};

// `path`: normalised. Any version, and anything in front of it that a proxy may have put there.
[[nodiscard]] MetadataPath read_metadata_path(std::string_view path);

}  // namespace imds::evidence
