// SHA-256 of what c-kzg computes for each function of the peer's benchmark, as JSON on stdout: to be
// compared with `kzg bench --json`, whose inputs are the same. Run in a folder where c-kzg is installed.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import process from 'node:process';

const k = createRequire(process.cwd() + '/')('c-kzg');
k.loadTrustedSetup(8);
const sha256 = (parts) => {
  const hash = createHash('sha256');
  for (const part of parts.flat(2)) hash.update(part);
  return hash.digest('hex');
};

// The comment on blob() in the peer's bench.mjs says how.
function blob(index) {
  const out = new Uint8Array(131072);
  const seed = Buffer.alloc(8);
  seed.writeUInt32BE(index, 0);
  for (let j = 0; j < 4096; ++j) {
    seed.writeUInt32BE(j, 4);
    const element = createHash('sha256').update('slipway-bench').update(seed).digest();
    element[0] &= 0x3f;
    out.set(element, j * 32);
  }
  return out;
}

const b = blob(0);
const z = b.slice(32, 64);
const inside = new Uint8Array(32);
inside[31] = 1;
const commitment = k.blobToKzgCommitment(b);
const cells = k.computeCells(b);
const row = k.computeCellsAndKzgProofs(b);
const even = [...Array(64).keys()].map((i) => 2 * i);
const first = [...Array(64).keys()];
const rest = [...Array(127).keys()].map((i) => i + 1);
const recover = (indices) => k.recoverCellsAndKzgProofs(indices, indices.map((i) => row[0][i]));
console.log(JSON.stringify({
  blob_to_kzg_commitment: sha256([commitment]),
  compute_kzg_proof: sha256(k.computeKzgProof(b, z)),
  compute_kzg_proof_in_domain: sha256(k.computeKzgProof(b, inside)),
  compute_blob_kzg_proof: sha256([k.computeBlobKzgProof(b, commitment)]),
  compute_cells: sha256([cells]),
  compute_cells_and_kzg_proofs: sha256(row),
  'recover_cells_and_kzg_proofs/half_every_other': sha256(recover(even)),
  'recover_cells_and_kzg_proofs/first_half': sha256(recover(first)),
  'recover_cells_and_kzg_proofs/one_missing': sha256(recover(rest)),
}));
