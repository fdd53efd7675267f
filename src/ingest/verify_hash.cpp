// SHA-256, cut to 16 bytes: the same in the command and, by pg_catalog.sha256, in the destination.
#include "verify_hash.hpp"

#include <cstring>
#include <openssl/evp.h>

#include "errors.hpp"

namespace bemi::ingest {

Hash HashOf(std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    static const EVP_MD* const algorithm = EVP_sha256();
    if (EVP_Digest(text.data(), text.size(), digest, &size, algorithm, nullptr) != 1 ||
        size < sizeof(Hash))
        throw Failure(Exit::kFailed, "OpenSSL cannot compute SHA-256 here");
    Hash hash;
    std::memcpy(hash.data(), digest, hash.size());
    return hash;
}

std::string HashSql(const std::string& text) {
    return "pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(" + text +
           ", 'UTF8')), 1, 16)";
}

}  // namespace bemi::ingest
