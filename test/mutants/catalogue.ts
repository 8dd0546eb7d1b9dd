// All mutants. They stand in files by what they are about; which of the list of RAFT.md 7 cannot occur here is said in README.md.
import { diskMutants } from './disks.ts'
import { electionMutants } from './elections.ts'
import { lockMutants } from './lockfsm.ts'
import type { Mutant } from './mutant.ts'
import { nodeMutants } from './node.ts'
import { replicationMutants } from './replication.ts'
import { storageMutants } from './storage.ts'
import { timeMutants } from './time.ts'

export const mutants: readonly Mutant[] = [
  ...electionMutants,
  ...replicationMutants,
  ...diskMutants,
  ...timeMutants,
  ...lockMutants,
  ...nodeMutants,
  ...storageMutants,
]

const sampled = new Set([
  'a vote that was given is not stored',
  'half of the members are a majority',
  'what is due at a time ends a millisecond later',
  'any token releases the lock',
  'one refusal speaks for all sendings of a command',
  'the chain of the log is not verified',
])

/** One of each folder, on trial in every `npm test`: that the trial itself can say yes and no. */
export const sample: readonly Mutant[] = mutants.filter(({ name }) => sampled.has(name))
