/* A C program over the C interface alone: every function, right, wrong and malformed input.
 * usage: ckzg_test SETUP_TEXT; prints the commitment of its blob and exits 0. */
#include <stdlib.h>
#include <string.h>

#include "ckzg.h"

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);  \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

static Blob blob;
static Blob blobs[2];
static Cell cells[CELLS_PER_EXT_BLOB], again[CELLS_PER_EXT_BLOB], half[CELLS_PER_BLOB];
static KZGProof proofs[CELLS_PER_EXT_BLOB], proofs_again[CELLS_PER_EXT_BLOB];

static void fill_blob(void) {
  for (size_t i = 0; i < sizeof(blob.bytes); ++i) {
    blob.bytes[i] = i % 32 == 0 ? 0 : (uint8_t)(i * 2654435761u >> 13);
  }
}

static void test_openings(const KZGSettings *s, KZGCommitment *commitment) {
  KZGProof proof;
  Bytes32 z = {{0}}, y;
  bool ok = false;
  z.bytes[31] = 9;
  EXPECT(blob_to_kzg_commitment(commitment, &blob, s) == C_KZG_OK);
  EXPECT(compute_kzg_proof(&proof, &y, &blob, &z, s) == C_KZG_OK);
  EXPECT(verify_kzg_proof(&ok, commitment, &z, &y, &proof, s) == C_KZG_OK);
  EXPECT(ok);
  y.bytes[31] ^= 1;
  EXPECT(verify_kzg_proof(&ok, commitment, &z, &y, &proof, s) == C_KZG_OK);
  EXPECT(!ok);
  memset(&y, 0xff, sizeof(y));
  EXPECT(verify_kzg_proof(&ok, commitment, &z, &y, &proof, s) == C_KZG_BADARGS);
  EXPECT(compute_kzg_proof(&proof, &z, &blob, &y, s) == C_KZG_BADARGS);
}

static void test_blob_proofs(const KZGSettings *s, const KZGCommitment *commitment) {
  KZGProof pair[2];
  KZGCommitment commitments[2];
  Bytes48 malformed = {{0x80}};
  bool ok = false;
  blobs[0] = blob;
  commitments[0] = *commitment;
  EXPECT(blob_to_kzg_commitment(&commitments[1], &blobs[1], s) == C_KZG_OK);
  EXPECT(commitments[1].bytes[0] == 0xc0);
  for (int i = 0; i < 2; ++i) {
    EXPECT(compute_blob_kzg_proof(&pair[i], &blobs[i], &commitments[i], s) == C_KZG_OK);
    EXPECT(verify_blob_kzg_proof(&ok, &blobs[i], &commitments[i], &pair[i], s) == C_KZG_OK);
    EXPECT(ok);
  }
  EXPECT(verify_blob_kzg_proof_batch(&ok, blobs, commitments, pair, 2, s) == C_KZG_OK);
  EXPECT(ok);
  EXPECT(verify_blob_kzg_proof_batch(&ok, NULL, NULL, NULL, 0, s) == C_KZG_OK);
  EXPECT(ok);
  pair[1] = pair[0];
  EXPECT(verify_blob_kzg_proof_batch(&ok, blobs, commitments, pair, 2, s) == C_KZG_OK);
  EXPECT(!ok);
  EXPECT(compute_blob_kzg_proof(&pair[0], &blob, &malformed, s) == C_KZG_BADARGS);
  EXPECT(verify_blob_kzg_proof_batch(&ok, NULL, commitments, pair, 2, s) == C_KZG_BADARGS);
  EXPECT(verify_blob_kzg_proof_batch(&ok, blobs, commitments, pair, UINT64_MAX, s) ==
         C_KZG_MALLOC);
}

static void test_cells(const KZGSettings *s, const KZGCommitment *commitment) {
  uint64_t indices[CELLS_PER_EXT_BLOB];
  KZGCommitment commitments[CELLS_PER_EXT_BLOB];
  bool ok = false;
  EXPECT(compute_cells_and_kzg_proofs(cells, proofs, &blob, s) == C_KZG_OK);
  EXPECT(compute_cells_and_kzg_proofs(again, NULL, &blob, s) == C_KZG_OK);
  EXPECT(memcmp(cells, again, sizeof(cells)) == 0);
  EXPECT(compute_cells_and_kzg_proofs(NULL, proofs_again, &blob, s) == C_KZG_OK);
  EXPECT(memcmp(proofs, proofs_again, sizeof(proofs)) == 0);
  EXPECT(compute_cells_and_kzg_proofs(NULL, NULL, &blob, s) == C_KZG_BADARGS);
  for (uint64_t i = 0; i < CELLS_PER_EXT_BLOB; ++i) {
    indices[i] = i;
    commitments[i] = *commitment;
  }
  EXPECT(verify_cell_kzg_proof_batch(&ok, commitments, indices, cells, proofs, CELLS_PER_EXT_BLOB,
                                     s) == C_KZG_OK);
  EXPECT(ok);
  indices[3] = 4;
  EXPECT(verify_cell_kzg_proof_batch(&ok, commitments, indices, cells, proofs, CELLS_PER_EXT_BLOB,
                                     s) == C_KZG_OK);
  EXPECT(!ok);
  indices[3] = CELLS_PER_EXT_BLOB;
  EXPECT(verify_cell_kzg_proof_batch(&ok, commitments, indices, cells, proofs, CELLS_PER_EXT_BLOB,
                                     s) == C_KZG_BADARGS);
  for (uint64_t i = 0; i < CELLS_PER_BLOB; ++i) {
    indices[i] = 2 * i + 1;
    half[i] = cells[2 * i + 1];
  }
  memset(again, 0, sizeof(again));
  EXPECT(recover_cells_and_kzg_proofs(again, proofs_again, indices, half, CELLS_PER_BLOB, s) ==
         C_KZG_OK);
  EXPECT(memcmp(cells, again, sizeof(cells)) == 0);
  EXPECT(memcmp(proofs, proofs_again, sizeof(proofs)) == 0);
  EXPECT(recover_cells_and_kzg_proofs(again, NULL, indices, half, CELLS_PER_BLOB, s) == C_KZG_OK);
  EXPECT(recover_cells_and_kzg_proofs(again, NULL, indices, half, CELLS_PER_BLOB - 1, s) ==
         C_KZG_BADARGS);
  indices[1] = indices[0];
  EXPECT(recover_cells_and_kzg_proofs(again, NULL, indices, half, CELLS_PER_BLOB, s) ==
         C_KZG_BADARGS);
}

static void test_settings(const char *path) {
  KZGSettings s;
  KZGCommitment commitment;
  FILE *file = fopen(path, "r");
  EXPECT(file != NULL);
  EXPECT(load_trusted_setup_file(&s, file, 16) == C_KZG_BADARGS);
  EXPECT(fseek(file, 10, SEEK_SET) == 0);
  EXPECT(load_trusted_setup_file(&s, file, 0) == C_KZG_BADARGS);
  fclose(file);
  EXPECT(blob_to_kzg_commitment(&commitment, &blob, &s) == C_KZG_BADARGS);
  EXPECT(load_trusted_setup_file(NULL, NULL, 0) == C_KZG_BADARGS);
  EXPECT(load_trusted_setup(&s, blob.bytes, 1, blob.bytes, 1, blob.bytes, 1, 0) == C_KZG_BADARGS);
  free_trusted_setup(&s);
  free_trusted_setup(NULL);
}

#define POINTS 4096
#define G2_POINTS 65
static uint8_t lagrange[POINTS * 48], monomial[POINTS * 48], g2[G2_POINTS * 96];

static void read_hex(FILE *file, uint8_t *out, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    unsigned byte;
    EXPECT(fscanf(file, "%2x", &byte) == 1);
    out[i] = (uint8_t)byte;
  }
}

/* Lists that changed places, and points that belong to no number. */
static void test_inconsistent_settings(const char *path) {
  KZGSettings s;
  unsigned count;
  FILE *file = fopen(path, "r");
  EXPECT(file != NULL);
  EXPECT(fscanf(file, "%u", &count) == 1 && count == POINTS);
  EXPECT(fscanf(file, "%u", &count) == 1 && count == G2_POINTS);
  read_hex(file, lagrange, sizeof(lagrange));
  read_hex(file, g2, sizeof(g2));
  read_hex(file, monomial, sizeof(monomial));
  fclose(file);
  EXPECT(load_trusted_setup(&s, lagrange, sizeof(lagrange), monomial, sizeof(monomial), g2,
                            sizeof(g2), 0) == C_KZG_BADARGS);
  EXPECT(load_trusted_setup(&s, monomial, sizeof(monomial), monomial, sizeof(monomial), g2,
                            sizeof(g2), 0) == C_KZG_BADARGS);
  memset(g2 + 7 * 96, 0, 96);
  g2[7 * 96] = 0xc0; /* infinity */
  EXPECT(load_trusted_setup(&s, monomial, sizeof(monomial), lagrange, sizeof(lagrange), g2,
                            sizeof(g2), 0) == C_KZG_BADARGS);
}

int main(int argc, char **argv) {
  KZGSettings s;
  KZGCommitment commitment;
  FILE *file;
  EXPECT(argc == 2);
  fill_blob();
  test_settings(argv[1]);
  test_inconsistent_settings(argv[1]);
  file = fopen(argv[1], "r");
  EXPECT(file != NULL);
  EXPECT(load_trusted_setup_file(&s, file, 8) == C_KZG_OK);
  fclose(file);
  test_openings(&s, &commitment);
  test_blob_proofs(&s, &commitment);
  test_cells(&s, &commitment);
  for (int i = 0; i < BYTES_PER_COMMITMENT; ++i) printf("%02x", commitment.bytes[i]);
  printf("\n");
  free_trusted_setup(&s);
  free_trusted_setup(&s);
  EXPECT(blob_to_kzg_commitment(&commitment, &blob, &s) == C_KZG_BADARGS);
  return 0;
}
