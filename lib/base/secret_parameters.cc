#include "base/secret_parameters.h"

namespace imds {

std::vector<std::string> default_secret_parameters() {
  return {
      "token",
      "access_token",
      "refresh_token",
      "id_token",
      "session_token",
      "auth",
      "authorization",
      "jwt",
      "x-amz-security-token",
      "x-amz-signature",
      "x-amz-credential",
      "x-aws-ec2-metadata-token",
      "aws_secret_access_key",
      "secretaccesskey",
      "secret",
      "client_secret",
      "password",
      "passwd",
      "pwd",
      "passphrase",
      "credential",
      "credentials",
      "api_key",
      "apikey",
      "api-key",
      "key",
      "sig",
      "signature",
  };
}

}  // namespace imds
