/*
 * Signatures of Signature Version 4 in one call: the hash of a canonical request, and the HMAC-SHA256 of a string to sign that
 * ends with it. Node's crypto takes three calls for that, each with a digest of its own: five times as long as the hashing.
 *
 * hmacPads    the two states of an HMAC under one key, made once a key
 * signText    the signature, in hex
 * provesText  whether a given signature is that one
 *
 * SHA-256 is OpenSSL's, which the Node that loads this has inside. The names are weak: a Node that does not export them gets
 * no such functions, and signs by its own crypto.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define DIGEST 32
#define HEX (2 * DIGEST)
/* Longer texts are left to the caller's own way. */
#define MAX_TEXT 8192
#define MAX_OPENING 512

/* OpenSSL's SHA256_CTX is 112 bytes of words; the rest is room. */
struct state {
  uint64_t words[24];
};
struct pads {
  struct state inner, outer;
  /* The inner state behind the opening that was signed last: it stays the same for a second. */
  struct state opened;
  size_t opening_length;
  char opening[MAX_OPENING];
};

__attribute__((weak)) int SHA256_Init(struct state *);
__attribute__((weak)) int SHA256_Update(struct state *, const void *, size_t);
__attribute__((weak)) int SHA256_Final(unsigned char *, struct state *);

static void pad(struct state *state, const unsigned char *key, size_t length, unsigned char with) {
  unsigned char block[BLOCK];
  memset(block, with, BLOCK);
  for (size_t at = 0; at < length; at++) block[at] ^= key[at];
  SHA256_Init(state);
  SHA256_Update(state, block, BLOCK);
}

static void to_hex(const unsigned char *digest, char *text) {
  static const char digits[] = "0123456789abcdef";
  for (int at = 0; at < DIGEST; at++) {
    text[2 * at] = digits[digest[at] >> 4];
    text[2 * at + 1] = digits[digest[at] & 15];
  }
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

/* hmacPads(key: Buffer of at most 64 bytes) -> Buffer for signText. */
static napi_value hmac_pads(napi_env env, napi_callback_info info) {
  napi_value arg, result;
  size_t count = 1, length;
  void *key;
  struct pads pads = {0};
  if (napi_get_cb_info(env, info, &count, &arg, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_buffer_info(env, arg, &key, &length) != napi_ok || length > BLOCK) {
    return fail(env, "hmacPads takes (key)");
  }
  pad(&pads.inner, key, length, 0x36);
  pad(&pads.outer, key, length, 0x5c);
  return napi_create_buffer_copy(env, sizeof pads, &pads, NULL, &result) == napi_ok ? result : NULL;
}

enum outcome { SIGNED, TOO_LONG, MISUSED };

/* The signature, in hex, of an opening and a text, both strings. */
static enum outcome sign(napi_env env, const napi_value args[3], char hex[HEX]) {
  size_t size, opening_length, text_length;
  struct pads *pads;
  struct state state;
  unsigned char digest[DIGEST];
  char opening[MAX_OPENING], text[MAX_TEXT];
  if (napi_get_buffer_info(env, args[0], (void **)&pads, &size) != napi_ok || size != sizeof *pads ||
      napi_get_value_string_latin1(env, args[1], opening, MAX_OPENING, &opening_length) != napi_ok ||
      napi_get_value_string_latin1(env, args[2], text, MAX_TEXT, &text_length) != napi_ok) {
    return MISUSED;
  }
  /* What fills the room may have been cut. Buffers that were made here are aligned; others are not ours to read. */
  if ((uintptr_t)pads % _Alignof(struct pads) != 0 || opening_length >= MAX_OPENING - 1 || text_length >= MAX_TEXT - 1) return TOO_LONG;
  SHA256_Init(&state);
  SHA256_Update(&state, text, text_length);
  SHA256_Final(digest, &state);
  to_hex(digest, hex);
  if (opening_length == 0 || opening_length != pads->opening_length || memcmp(opening, pads->opening, opening_length) != 0) {
    pads->opened = pads->inner;
    SHA256_Update(&pads->opened, opening, opening_length);
    memcpy(pads->opening, opening, opening_length);
    pads->opening_length = opening_length;
  }
  state = pads->opened;
  SHA256_Update(&state, hex, HEX);
  SHA256_Final(digest, &state);
  state = pads->outer;
  SHA256_Update(&state, digest, DIGEST);
  SHA256_Final(digest, &state);
  to_hex(digest, hex);
  return SIGNED;
}

/*
 * signText(pads, opening, text) -> hex of HMAC(opening + hex of SHA-256(text)), of strings with a byte a character; undefined for
 * what is too long.
 */
static napi_value sign_text(napi_env env, napi_callback_info info) {
  napi_value args[3], result;
  size_t count = 3;
  char hex[HEX];
  enum outcome outcome = MISUSED;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok && count == 3) outcome = sign(env, args, hex);
  if (outcome == MISUSED) return fail(env, "signText takes (pads, opening, text)");
  return outcome == SIGNED && napi_create_string_latin1(env, hex, HEX, &result) == napi_ok ? result : NULL;
}

/*
 * provesText(pads, opening, text, given) -> whether the given signature is what signText gives; undefined for what is too long.
 * Which characters differ does not bear on the time.
 */
static napi_value proves_text(napi_env env, napi_callback_info info) {
  napi_value args[4], result;
  size_t count = 4, length;
  /* In UTF-8, where no other character is taken for a digit; longer ones fill the room. */
  char hex[HEX], given[HEX + 5];
  unsigned char differs = 0;
  enum outcome outcome = MISUSED;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok && count == 4 &&
      napi_get_value_string_utf8(env, args[3], given, sizeof given, &length) == napi_ok) {
    outcome = sign(env, args, hex);
  }
  if (outcome == MISUSED) return fail(env, "provesText takes (pads, opening, text, given)");
  if (outcome == TOO_LONG) return NULL;
  for (int at = 0; at < HEX; at++) differs |= (unsigned char)(hex[at] ^ given[at]);
  return napi_get_boolean(env, length == HEX && differs == 0, &result) == napi_ok ? result : NULL;
}

/* Adds the functions where OpenSSL's are there. */
void add_signatures(napi_env env, napi_value exports) {
  if (SHA256_Init == NULL || SHA256_Update == NULL || SHA256_Final == NULL) return;
  const napi_property_descriptor methods[] = {
    {"hmacPads", NULL, hmac_pads, NULL, NULL, NULL, napi_enumerable, NULL},
    {"signText", NULL, sign_text, NULL, NULL, NULL, napi_enumerable, NULL},
    {"provesText", NULL, proves_text, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
}
