// Mistakes of the log in the core: what is appended, acknowledged, committed and read.
import type { Mutant } from './mutant.ts'

export const replicationMutants: readonly Mutant[] = [
  {
    number: 3,
    name: 'an entry of an earlier term is committed by counting',
    breaks: 'B13, C08',
    edits: [
      {
        file: 'src/raft/commit.ts',
        find: 'if (index <= state.commitIndex || termAt(state.log, index) !== state.currentTerm)\n        return;',
        put: `if (index <= state.commitIndex) return;
    if (termAt(state.log, index) !== state.currentTerm) return commitUpTo(state, index, effects);`,
      },
    ],
  },
  {
    number: 4,
    name: 'a follower commits what the leader has committed, whatever it has of it',
    breaks: 'B20',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'Math.min(follower.leaderCommit, follower.verifiedIndex)',
        put: 'Math.min(follower.leaderCommit, state.log.lastIndex)',
      },
    ],
  },
  {
    number: 5,
    name: 'an append replaces all that it overlaps, equal or not',
    breaks: 'B25, B26',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'entries.findIndex(({ index, term }) => !holds(state, index, term))',
        put: 'entries.findIndex(({ index }) => index > log.start.index)',
      },
    ],
  },
  {
    number: 7,
    name: 'a new leader answers reads before it has committed an entry of its own term',
    breaks: 'S6, B65',
    edits: [
      {
        file: 'src/raft/reads.ts',
        find: 'leader.reads.waiting.length > 0 && hasCommittedInTerm(state, leader);',
        put: 'leader.reads.waiting.length > 0;',
      },
    ],
  },
  {
    number: 8,
    name: 'an answer to an earlier round confirms a read',
    breaks: 'S6, B67',
    edits: [
      {
        file: 'src/raft/reads.ts',
        find: 'reachedByMajority(answered) < confirming.round',
        put: 'reachedByMajority(answered) < confirming.round - 1',
      },
    ],
  },
  {
    number: 13,
    name: 'a follower acknowledges entries before they are on disk',
    breaks: 'S3, B11, C11',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'return asIndex(Math.min(follower.verifiedIndex, state.durability.durableIndex));',
        put: 'return follower.verifiedIndex;',
      },
    ],
  },
  {
    number: 17,
    name: 'what was durable before a truncation is acknowledged after it',
    breaks: 'B22, B23, H29',
    edits: [
      {
        file: 'src/raft/durability.ts',
        find: 'if (first.index <= durability.durableIndex)\n        durability.durableIndex = asIndex(first.index - 1);',
        put: '',
      },
    ],
  },
  {
    number: 18,
    name: 'a rejection raises what is counted of a member',
    breaks: 'B15',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'if (counts(state, from, as))\n        noteContact(leader, progress, message.round);',
        put: `if (counts(state, from, as)) {
        noteContact(leader, progress, message.round);
        progress.countedIndex = Math.max(progress.countedIndex, message.hintIndex);
    }`,
      },
    ],
  },
  {
    name: 'a leader counts its own log before it is on disk',
    breaks: 'S3, B11, B12',
    edits: [
      {
        file: 'src/raft/commit.ts',
        find: 'const durable = [state.durability.durableIndex];',
        put: 'const durable = [state.log.lastIndex];',
      },
    ],
  },
  {
    name: 'reads are answered without a round',
    breaks: 'S6, B66',
    edits: [
      {
        file: 'src/raft/reads.ts',
        find: 'if (reachedByMajority(answered) < confirming.round)\n        return;',
        put: '',
      },
    ],
  },
  {
    name: 'what is written last is durable when an older write of it completes',
    breaks: 'H29, B23',
    edits: [
      {
        file: 'src/raft/durability.ts',
        find: 'while ((durability.unsynced.at(-1)?.firstIndex ?? -1) >= first.index)\n        durability.unsynced.pop();',
        put: `const older = durability.unsynced.findLast((span) => span.firstIndex <= first.index);
    while ((durability.unsynced.at(-1)?.firstIndex ?? -1) >= first.index) durability.unsynced.pop();
    if (older !== undefined) return void effects.push({ kind: 'persist', io, hardState: null,
        truncateFrom: write.replaced ? first.index : null, entries: write.entries, trimTo: null });`,
      },
    ],
  },
  {
    name: 'a heartbeat is answered when the disk has caught up',
    breaks: 'H35, B62',
    edits: [{ file: 'src/raft/replication.ts', find: 'if (isNewRound || isRepeated ||', put: 'if (isRepeated ||' }],
  },
  {
    name: 'a late answer proves contact now',
    breaks: 'B54',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'roundStartedAt(leader.rounds, round)',
        put: 'roundStartedAt(leader.rounds, leader.rounds.current)',
      },
    ],
  },
  {
    name: 'what a member had before it started again is counted',
    breaks: 'B22',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'progress.matchIndex = asIndex(0);\n        progress.countedIndex = asIndex(0);',
        put: '',
      },
    ],
  },
  {
    name: 'behind a truncation time goes on from what was dropped',
    breaks: 'S5, B24',
    edits: [
      {
        file: 'src/raft/log.ts',
        find: 'log.lastTime = log.window.at(-1)?.time ?? asClusterTime(0);',
        put: '',
      },
    ],
  },
]
