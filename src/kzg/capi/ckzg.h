/* KZG for C: the function and structure names of the c-kzg-4844 C interface, so that a program
 * written for it is relinked with libslipway_kzg_c, not rewritten.
 *
 * Every function returns C_KZG_OK, C_KZG_BADARGS for malformed input or a null pointer,
 * C_KZG_MALLOC when memory is short, C_KZG_ERROR for a defect of the library. A proof that is
 * well-formed and wrong is C_KZG_OK with *ok false. Outputs are written with C_KZG_OK only. One
 * KZGSettings may be used by any number of threads at once; load and free are for one thread. */
#ifndef SLIPWAY_KZG_CAPI_CKZG_H_
#define SLIPWAY_KZG_CAPI_CKZG_H_

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BYTES_PER_FIELD_ELEMENT 32
#define BYTES_PER_COMMITMENT 48
#define BYTES_PER_PROOF 48
#define FIELD_ELEMENTS_PER_BLOB 4096
#define BYTES_PER_BLOB (FIELD_ELEMENTS_PER_BLOB * BYTES_PER_FIELD_ELEMENT)
#define FIELD_ELEMENTS_PER_EXT_BLOB 8192
#define FIELD_ELEMENTS_PER_CELL 64
#define BYTES_PER_CELL (FIELD_ELEMENTS_PER_CELL * BYTES_PER_FIELD_ELEMENT)
#define CELLS_PER_BLOB 64
#define CELLS_PER_EXT_BLOB 128

typedef enum { C_KZG_OK = 0, C_KZG_BADARGS = 1, C_KZG_ERROR = 2, C_KZG_MALLOC = 3 } C_KZG_RET;

typedef struct {
  uint8_t bytes[BYTES_PER_FIELD_ELEMENT];
} Bytes32;
typedef struct {
  uint8_t bytes[BYTES_PER_COMMITMENT];
} Bytes48;
typedef Bytes48 KZGCommitment;
typedef Bytes48 KZGProof;
typedef struct {
  uint8_t bytes[BYTES_PER_BLOB];
} Blob;
typedef struct {
  uint8_t bytes[BYTES_PER_CELL];
} Cell;

/* A loaded setup. Opaque; its size is that of the structure of this name elsewhere, so that objects
 * compiled against that one link. */
typedef struct {
  void* slipway_private[10];
} KZGSettings;

/* Loads a setup from compressed points: 4096 of G1 in monomial form, 4096 in Lagrange form (natural
 * order), 65 of G2. Every point is checked, and that all are the powers of one number: lists that
 * changed places are refused. `precompute` is accepted from 0 to 15 and changes nothing: tables of
 * 30 MB are always built, in less time than others need without. */
C_KZG_RET load_trusted_setup(KZGSettings* out, const uint8_t* g1_monomial_bytes,
                             uint64_t num_g1_monomial_bytes, const uint8_t* g1_lagrange_bytes,
                             uint64_t num_g1_lagrange_bytes, const uint8_t* g2_monomial_bytes,
                             uint64_t num_g2_monomial_bytes, uint64_t precompute);
/* The same from a text, from where `in` stands to its end; or in JSON. */
C_KZG_RET load_trusted_setup_file(KZGSettings* out, FILE* in, uint64_t precompute);
/* Frees what load made; afterwards every function refuses `s`. A null pointer, a setup that was
 * freed and one of zeros are fine. */
void free_trusted_setup(KZGSettings* s);

C_KZG_RET blob_to_kzg_commitment(KZGCommitment* out, const Blob* blob, const KZGSettings* s);
C_KZG_RET compute_kzg_proof(KZGProof* proof_out, Bytes32* y_out, const Blob* blob,
                            const Bytes32* z_bytes, const KZGSettings* s);
C_KZG_RET compute_blob_kzg_proof(KZGProof* out, const Blob* blob, const Bytes48* commitment_bytes,
                                 const KZGSettings* s);
C_KZG_RET verify_kzg_proof(bool* ok, const Bytes48* commitment_bytes, const Bytes32* z_bytes,
                           const Bytes32* y_bytes, const Bytes48* proof_bytes,
                           const KZGSettings* s);
C_KZG_RET verify_blob_kzg_proof(bool* ok, const Blob* blob, const Bytes48* commitment_bytes,
                                const Bytes48* proof_bytes, const KZGSettings* s);
C_KZG_RET verify_blob_kzg_proof_batch(bool* ok, const Blob* blobs, const Bytes48* commitments_bytes,
                                      const Bytes48* proofs_bytes, uint64_t n,
                                      const KZGSettings* s);

/* `cells` and `proofs` have room for 128; one of them may be null: it is not computed then. */
C_KZG_RET compute_cells_and_kzg_proofs(Cell* cells, KZGProof* proofs, const Blob* blob,
                                       const KZGSettings* s);
/* From at least 64 cells, whose indices ascend. `recovered_proofs` may be null. Cells that are not
 * of one blob are C_KZG_BADARGS where that shows. */
C_KZG_RET recover_cells_and_kzg_proofs(Cell* recovered_cells, KZGProof* recovered_proofs,
                                       const uint64_t* cell_indices, const Cell* cells,
                                       uint64_t num_cells, const KZGSettings* s);
C_KZG_RET verify_cell_kzg_proof_batch(bool* ok, const Bytes48* commitments_bytes,
                                      const uint64_t* cell_indices, const Cell* cells,
                                      const Bytes48* proofs_bytes, uint64_t num_cells,
                                      const KZGSettings* s);

#ifdef __cplusplus
}
#endif

#endif /* SLIPWAY_KZG_CAPI_CKZG_H_ */
