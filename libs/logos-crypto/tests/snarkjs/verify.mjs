// Verifies Groth16 proofs: each argument is a JSON file with a list of cases
// {verification_key, proof, public}. Prints one line per case: true or false.
import { readFileSync } from "node:fs";
import { groth16 } from "snarkjs";

for (const file of process.argv.slice(2)) {
  for (const { verification_key, proof, public: inputs } of JSON.parse(readFileSync(file, "utf8"))) {
    console.log(await groth16.verify(verification_key, inputs, proof));
  }
}
process.exit(0); // its worker threads would keep the process alive
