// Mistakes in the core: votes, commits, logs, reads, replaced members.
import type { Mutant } from './mutant.ts'

export const raftMutants: readonly Mutant[] = [
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
    edits: [{ file: 'src/raft/quorum.ts', find: 'values.toSorted((a, b) => b - a)', put: '[...values]' }],
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
        find: 'return as !== null && as === inForce(state, member);',
        put: 'return as !== null;',
      },
      {
        file: 'src/raft/members.ts',
        find: "return state.ownCount === 'stored' && inForce(state, state.self) === state.incarnation;",
        put: "return state.ownCount === 'stored';",
      },
      {
        file: 'src/raft/replacement.ts',
        find: "if (state.ownCount !== 'unknown' || inForce(state, state.self) !== state.incarnation)",
        put: "if (state.ownCount !== 'unknown' || state.commitIndex === 0)",
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
        find: 'if (since > commitIndex || since > durability.durableIndex)\n        return;',
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
        find: 'return as !== null && as === inForce(state, member);',
        put: 'return as !== null;',
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
    name: 'a heartbeat is answered when the disk has caught up',
    breaks: 'H35, B62',
    edits: [{ file: 'src/raft/replication.ts', find: 'if (isNewRound || isRepeated ||', put: 'if (isRepeated ||' }],
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
