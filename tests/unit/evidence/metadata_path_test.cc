#include "evidence/metadata_path.h"

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

TEST(MetadataPath, SaysWhatIsAskedFor) {
  struct Case {
    const char* path;
    Asked asked;
    const char* role = "";
  };
  for (const Case& c : {
           Case{"/latest/api/token", Asked::token},
           Case{"/2021-07-15/api/token/", Asked::token},
           Case{"/latest/meta-data/iam/security-credentials", Asked::metadata},
           Case{"/latest/meta-data/iam/security-credentials/", Asked::metadata},
           Case{"/latest/meta-data/iam/security-credentials/deploy", Asked::credentials, "deploy"},
           Case{"/1.0/meta-data/iam/security-credentials-extended/a.b", Asked::credentials, "a.b"},
           Case{"/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
                Asked::credentials, "ec2-instance"},
           Case{"/latest/meta-data/iam/security-credentials/a b", Asked::credentials},
           Case{"/v2/credentials/0f6e2c5c", Asked::credentials},
           Case{"/v1/credentials", Asked::credentials},
           Case{"/latest/dynamic/instance-identity/document", Asked::identity_document},
           Case{"/latest/dynamic/instance-identity/rsa2048", Asked::identity_proof},
           Case{"/latest/meta-data/iam/info", Asked::role_info},
           Case{"/latest/meta-data/identity-credentials/ec2/info", Asked::role_info},
           Case{"/latest/user-data", Asked::user_data},
           Case{"/proxy/latest/user-data/", Asked::user_data},
           Case{"/latest/meta-data/instance-id", Asked::metadata},
           Case{"/latest/meta-data/iam/security-credentials-x/y", Asked::metadata},
           Case{"/", Asked::other},
           Case{"", Asked::other},
           Case{"/latest/token", Asked::other},
       }) {
    const MetadataPath found = read_metadata_path(c.path);
    EXPECT_EQ(found.asked, c.asked) << c.path;
    EXPECT_EQ(found.role, c.role) << c.path;
  }
}

}  // namespace
}  // namespace imds::evidence
