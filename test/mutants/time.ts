// Mistakes in cluster time, from the clock that is read to the moment at which something ends.
import type { Mutant } from './mutant.ts'

export const timeMutants: readonly Mutant[] = [
  {
    number: 10,
    name: 'what is due ends by the clock of the replica',
    breaks: 'S5, S7, B99',
    edits: [
      {
        file: 'src/node/applying.ts',
        find: 'apply(lock, { time: entry.time,',
        put: 'apply(lock, { time: Math.max(lock.time, entry.time, Math.floor(this.#parts.host.now())),',
      },
    ],
    tests: ['sim/histories/time', 'sim/histories/elections'],
  },
  {
    name: 'a new leader begins at the time that heartbeats told',
    breaks: 'H4, S5',
    edits: [
      {
        file: 'src/raft/replication.ts',
        find: 'role.leaderHeardAt = state.now;',
        put: `state.heardTime = Math.max(state.heardTime ?? 0, state.log.lastTime) + state.now - role.leaderHeardAt;
        role.leaderHeardAt = state.now;`,
      },
      {
        file: 'src/raft/roles.ts',
        find: 'startClock(state.log.lastTime, state.now)',
        put: 'startClock(Math.max(state.log.lastTime, state.heardTime ?? 0), state.now)',
      },
    ],
    tests: ['raft/cluster-time', 'sim/histories/time'],
  },
  {
    name: 'an entry is stamped with the clock as it was before the sockets were read',
    breaks: 'H2, S5',
    edits: [
      {
        file: 'src/node/turns.ts',
        find: 'const wokenAt = this.#host.now();',
        put: 'const wokenAt = (this.wokenAt = this.#host.now());',
      },
      { file: 'src/node/turns.ts', find: 'const now = this.#host.now();', put: 'const now = this.wokenAt;' },
    ],
    tests: ['sim/histories/time'],
  },
  {
    name: 'behind a stall time counts before the sockets were looked at again',
    breaks: 'H5, RAFT 9.1',
    edits: [
      { file: 'src/node/turns.ts', find: 'this.#host.now() - wokenAt < stallMs', put: 'this.#host.now() >= wokenAt' },
    ],
    tests: ['sim/histories/time', 'sim/histories/elections'],
  },
  {
    name: 'all of the time between two steps counts',
    breaks: 'H5',
    edits: [
      {
        file: 'src/raft/cluster-time.ts',
        find: 'Math.min(Math.max(0, now - clock.steppedAt), stepMaxMs)',
        put: 'Math.max(0, now - clock.steppedAt)',
      },
    ],
  },
  {
    name: 'time goes on without a majority',
    breaks: 'H5',
    edits: [
      {
        file: 'src/raft/cluster-time.ts',
        find: 'Math.min(clock.time + passed, clock.limit)',
        put: 'clock.time + passed',
      },
    ],
  },
  {
    name: 'without commands no entry is written until something is due',
    breaks: 'H7, L1',
    edits: [{ file: 'src/node/leading.ts', find: 'const idleEntryMs = 500;', put: 'const idleEntryMs = Infinity;' }],
    tests: ['node/leading', 'sim/histories/time'],
  },
  {
    name: 'an idle leader steps once a second',
    breaks: 'H9, L1',
    edits: [{ file: 'src/node/replica.ts', find: 'Math.min(now + 50,', put: 'Math.min(now + 1000,' }],
    tests: ['node/node'],
    unseen: 'its heartbeats come every 75 ms, and each is a step',
  },
  {
    name: 'what is due at a time ends a millisecond later',
    breaks: 'expiry off by one',
    edits: [
      {
        file: 'src/lockfsm/deadlines.ts',
        find: 'earliest > time ? null : item',
        put: 'earliest >= time ? null : item',
      },
    ],
  },
  {
    name: 'a session counts as ended a millisecond before its deadline',
    breaks: 'expiry off by one',
    edits: [
      {
        file: 'src/lockfsm/due.ts',
        find: 'return sessionEnd(session) <= time;',
        put: 'return sessionEnd(session) <= time + 1;',
      },
    ],
  },
  {
    name: 'clients are told all of the time that is left',
    breaks: 'H3, S5',
    edits: [
      {
        file: 'src/lockfsm/answers.ts',
        find: 'Math.floor(((deadline - carriedAt) * 399) / 400) - 1',
        put: 'deadline - carriedAt',
      },
    ],
  },
  {
    name: 'what a grant is valid for counts from the grant, not from the attempt',
    breaks: 'H8',
    edits: [
      {
        file: 'src/lockfsm/queue.ts',
        find: 'granted(request, attempt.carriedAt)',
        put: 'granted(request, step.state.time)',
      },
    ],
  },
  {
    name: 'the TTL of a lock runs while its request waits',
    breaks: 'H8',
    edits: [
      {
        file: 'src/lockfsm/queue.ts',
        find: 'later(state, request.ttlMs)',
        put: '(request.attempts[0]?.carriedAt ?? state.time) + request.ttlMs',
      },
    ],
  },
  {
    name: 'a renewal can bring a deadline forward',
    breaks: 'S5',
    edits: [
      {
        file: 'src/lockfsm/sessions.ts',
        find: 'if (renewed > session.deadline)\n        change.deadline = renewed;',
        put: 'change.deadline = renewed;',
      },
    ],
  },
  {
    name: 'a renewal is answered by another of the same session',
    breaks: 'H1, S5',
    edits: [
      {
        file: 'src/node/renewals.ts',
        find: 'this.#gathered.add(gathered);',
        put: `const [only] = gathered.renewals;
        const twin = gathered.renewals.length === 1
            ? this.underWay?.find(({ renewals: [one, two] }) => two === undefined && one?.session === only.session)
            : undefined;
        if (twin === undefined) this.#gathered.add(gathered);
        else {
            const first = twin.submission;
            twin.submission = { learn: (fate) => { first.learn(fate); submission.learn(fate); } };
        }`,
      },
      {
        file: 'src/node/renewals.ts',
        find: 'learn: (fate) => distribute(group, fate) });',
        put: 'learn: (fate) => { this.underWay = undefined; distribute(group, fate); } });\n        this.underWay = group;',
      },
    ],
    tests: ['node/renewals', 'sim/histories/requests', 'sim/histories/sending', 'sim/histories/time'],
  },
]
