// All mutants. They stand in files by what they are about; which of the list of RAFT.md 7 cannot occur here is said in README.md.
import { lockMutants } from './lockfsm.ts'
import type { Mutant } from './mutant.ts'
import { nodeMutants } from './node.ts'
import { raftMutants } from './raft.ts'
import { storageMutants } from './storage.ts'
import { timeMutants } from './time.ts'

export const mutants: readonly Mutant[] = [
  ...raftMutants,
  ...timeMutants,
  ...lockMutants,
  ...nodeMutants,
  ...storageMutants,
]
