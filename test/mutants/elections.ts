// Mistakes of elections in the core: who votes, when, for whom, and what is a majority.
import type { Mutant } from './mutant.ts'

export const electionMutants: readonly Mutant[] = [
  {
    number: 1,
    name: 'a vote, like everything that is said, leaves before it is on disk',
    breaks: 'B01, C11',
    edits: [
      {
        file: 'src/raft/durability.ts',
        find: 'after: hardStateIo > doneIo ? hardStateIo : null,',
        put: 'after: null,',
      },
    ],
  },
  {
    number: 2,
    name: 'a vote that was given is not stored',
    breaks: 'B02, B05, C10',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'state.votedFor = from;\n        persistHardState(state, effects);',
        put: 'state.votedFor = from;',
      },
    ],
  },
  {
    number: 20,
    name: 'to grant a pre-vote puts off the own election',
    breaks: 'B46, L3',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'const term = granted ? message.term : state.currentTerm;',
        put: `const term = granted ? message.term : state.currentTerm;
    if (granted) state.role.electionDeadline = state.now + drawElectionTimeout(state);`,
      },
    ],
  },
  {
    number: 21,
    name: 'a leader that no majority hears goes on leading',
    breaks: 'B51, L3',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'state.now - reachedByMajority(contacts) <= state.options.electionTimeoutMaxMs',
        put: 'contacts.length > 0',
      },
    ],
  },
  {
    number: 23,
    name: 'half of the members are a majority',
    breaks: 'B18',
    edits: [
      {
        file: 'src/raft/quorum.ts',
        find: 'return Math.floor(memberCount / 2) + 1;',
        put: 'return Math.max(1, Math.floor(memberCount / 2));',
      },
    ],
  },
  {
    number: 24,
    name: 'what members have reached is counted unsorted',
    breaks: 'B16',
    edits: [{ file: 'src/raft/quorum.ts', find: 'let greatest = null;', put: 'return values[needed - 1] ?? 0;' }],
  },
  {
    name: 'a candidate counts its own vote before it is on disk',
    breaks: 'B01',
    edits: [
      {
        file: 'src/raft/roles.ts',
        find: "{ kind: 'candidate', voteIo, grantedBy: new Set(),",
        put: "{ kind: 'candidate', voteIo, grantedBy: new Set([state.self]),",
      },
    ],
    unseen: 'its clusters have three or five members, whose votes are asked for when the own is stored',
  },
  {
    name: 'the longer log gets the vote, whatever its last term',
    breaks: '§5.4.1, C04',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'if (theirs.lastLogTerm !== ours)\n        return theirs.lastLogTerm > ours;',
        put: '',
      },
    ],
  },
  {
    name: 'who hears a leader votes for another all the same',
    breaks: 'L3, B48',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'return state.now - role.leaderHeardAt < state.options.electionTimeoutMinMs;',
        put: 'return false;',
      },
    ],
  },
  {
    name: 'a leader told to hand over is obeyed by who lacks entries',
    breaks: 'B56',
    edits: [
      {
        file: 'src/raft/transfer.ts',
        find: 'state.log.lastIndex < message.lastLogIndex || ',
        put: '',
      },
    ],
  },
  {
    name: 'an answer to an earlier poll counts for this one',
    breaks: 'B45',
    edits: [
      {
        file: 'src/raft/election.ts',
        find: 'message.poll !== role.poll || ',
        put: '',
      },
    ],
  },
  {
    name: 'who is granted a pre-vote enters its term',
    breaks: 'B47',
    edits: [
      {
        file: 'src/raft/step.ts',
        find: 'return !message.granted;',
        put: 'return true;',
      },
    ],
  },
]
