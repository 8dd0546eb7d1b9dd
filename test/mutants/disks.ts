// Mistakes of the core about disks: which one of a member counts, and what of the log a snapshot stands for.
import type { Mutant } from './mutant.ts'

export const diskMutants: readonly Mutant[] = [
  {
    name: 'a snapshot at or below what is committed here is installed',
    breaks: 'B79, B89',
    edits: [
      {
        file: 'src/raft/snapshot.ts',
        find: 'return canServe ? index > commitIndex : index >= log.start.index;',
        put: 'return index >= log.start.index;',
      },
    ],
  },
  {
    name: 'entries of another history stay behind an installed snapshot',
    breaks: 'B79',
    edits: [
      {
        file: 'src/raft/snapshot.ts',
        find: 'termAt(log, snapshot.index) === snapshot.term;',
        put: 'termAt(log, snapshot.index) !== null;',
      },
    ],
  },
  {
    name: 'the log is trimmed behind what is on disk of it',
    breaks: 'H30',
    edits: [
      {
        file: 'src/raft/snapshot.ts',
        find: 'Math.min(upTo, state.appliedIndex, durability.durableIndex)',
        put: 'Math.min(upTo, state.appliedIndex)',
      },
    ],
  },
  {
    name: 'a wiped node is counted when it has caught up',
    breaks: 'H28, B90',
    edits: [
      {
        file: 'src/node/founding.ts',
        find: "inForce === incarnation ? null : 'stranger'",
        put: "inForce !== undefined ? null : 'stranger'",
      },
      {
        file: 'src/raft/members.ts',
        find: 'return as !== null && as.disk === inForce(state, member) && as.since >= namedAt(state, member);',
        put: 'return as !== null;',
      },
      {
        file: 'src/raft/members.ts',
        find: 'return countedBy !== null && inForce(state, self) === incarnation && countedBy >= namedAt(state, self);',
        put: 'return countedBy !== null;',
      },
      {
        file: 'src/raft/replacement.ts',
        find: 'if (state.countedByStoring !== null || inForce(state, state.self) !== state.incarnation || isCounted(state))',
        put: 'if (state.countedByStoring !== null || state.commitIndex === 0 || isCounted(state))',
      },
    ],
    tests: ['sim/histories/replaced-disks', 'sim/histories/lost-nodes'],
    faults: 'disk',
  },
  {
    name: 'a new disk votes as soon as its replacement is in its log',
    breaks: 'H28',
    edits: [
      {
        file: 'src/raft/replacement.ts',
        find: 'if (by > state.commitIndex || by > state.durability.durableIndex)\n        return;',
        put: '',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'what a replaced disk still says is counted',
    breaks: 'H28, B21',
    edits: [
      {
        file: 'src/raft/members.ts',
        find: 'return as !== null && as.disk === inForce(state, member) && as.since >= namedAt(state, member);',
        put: 'return as !== null;',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'a disk that is named again counts by the entry before',
    breaks: 'H28',
    edits: [
      {
        file: 'src/raft/members.ts',
        find: '&& as.since >= namedAt(state, member);',
        put: ';',
      },
      {
        file: 'src/raft/members.ts',
        find: '&& countedBy >= namedAt(state, self);',
        put: ';',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'a member is replaced while another replacement is not committed',
    breaks: 'B94',
    edits: [
      {
        file: 'src/raft/replacement.ts',
        find: "(log.replacements.at(-1)?.index ?? 0) > state.commitIndex ? 'underWay' : null",
        put: 'null',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'a member is replaced before the leader has committed an entry of its term',
    breaks: 'B93',
    edits: [
      {
        file: 'src/raft/replacement.ts',
        find: "if (!hasCommittedInTerm(state, role))\n        return 'takingOver';",
        put: '',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'entries are trimmed while they are read',
    breaks: 'B80',
    edits: [
      {
        file: 'src/raft/snapshot.ts',
        find: 'end = Math.min(end, from - 1);',
        put: 'void from;',
      },
    ],
  },
]
