#include "evidence/metadata_path.h"

#include <array>

#include "evidence/access_key.h"

namespace imds::evidence {

namespace {

std::string_view last_segment(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// What stands behind "…<tree>/" in the path, without a slash at its end. False: it is not below it.
bool behind(std::string_view path, std::string_view tree, std::string_view& rest) {
  const std::size_t at = path.find(tree);
  if (at == std::string_view::npos) {
    return false;
  }
  rest = path.substr(at + tree.size());
  return true;
}

MetadataPath credentials_of(std::string_view role) {
  if (role.empty()) {
    return {Asked::metadata, {}};  // the list of roles
  }
  role = last_segment(role);
  return {Asked::credentials, is_iam_name(role) ? role : std::string_view()};
}

}  // namespace

MetadataPath read_metadata_path(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.remove_suffix(1);
  }
  std::string_view rest;
  const std::size_t meta_data = path.find("/meta-data");
  if (meta_data != std::string_view::npos) {
    const std::string_view from_there = path.substr(meta_data);
    for (const std::string_view tree :
         {"/meta-data/iam/security-credentials-extended", "/meta-data/iam/security-credentials",
          "/meta-data/identity-credentials/ec2/security-credentials"}) {
      if (behind(from_there, tree, rest) && (rest.empty() || rest.front() == '/')) {
        return credentials_of(rest);
      }
    }
  }
  if (behind(path, "/dynamic/instance-identity/", rest)) {
    return {rest == "document" ? Asked::identity_document : Asked::identity_proof, {}};
  }
  if (path.ends_with("/meta-data/iam/info") ||
      path.ends_with("/meta-data/identity-credentials/ec2/info")) {
    return {Asked::role_info, {}};
  }
  if (path.ends_with("/api/token")) {
    return {Asked::token, {}};
  }
  if (path.ends_with("/user-data")) {
    return {Asked::user_data, {}};
  }
  // ECS: a path of /v2 (also /v3, /v4 task endpoints name no credentials); EKS Pod Identity.
  if (path.starts_with("/v2/credentials") || path == "/v1/credentials") {
    return {Asked::credentials, {}};
  }
  const bool metadata =
      meta_data != std::string_view::npos || path.find("/dynamic") != std::string_view::npos;
  return {metadata ? Asked::metadata : Asked::other, {}};
}

}  // namespace imds::evidence
