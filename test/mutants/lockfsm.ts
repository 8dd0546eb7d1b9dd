// Mistakes in the lock table: who is next, who is answered, what is remembered, what a reloaded copy does.
import type { Mutant } from './mutant.ts'

const servesWhoIsOver = {
  file: 'src/lockfsm/queue.ts',
  find: 'if (isRequestOver(next, state.time)) {',
  put: 'if (false) {',
}

export const lockMutants: readonly Mutant[] = [
  {
    number: 9,
    name: 'a loaded state knows no runs of nodes',
    breaks: 'S4, S7, B97',
    edits: [
      {
        file: 'src/lockfsm/load.ts',
        find: 'state.runs.set(record.node, { run: record.run, number: record.number, digested });',
        put: '',
      },
    ],
  },
  {
    number: 11,
    name: 'a lock is granted to a waiter that is past due',
    breaks: 'S1, B102',
    edits: [servesWhoIsOver],
  },
  {
    number: 12,
    name: 'a loaded state counts tokens from 1',
    breaks: 'S2',
    edits: [{ file: 'src/lockfsm/load.ts', find: 'state.nextToken = record.nextToken;', put: '' }],
  },
  {
    name: 'queues are served before all that is due has ended',
    breaks: 'H6',
    edits: [
      servesWhoIsOver,
      {
        file: 'src/lockfsm/expiry.ts',
        find: 'for (const grant of takeApart(step, due, touched))\n                grants.add(grant);',
        put: `for (const grant of takeApart(step, due, touched)) {
                endGrant(state, grant, grantEnding(grant, state.time));
                serveAll(step, new Set([grant.lock]), Infinity);
            }`,
      },
    ],
  },
  {
    name: 'grants of a session end in the order of a Map',
    breaks: 'H25, S7',
    edits: [{ file: 'src/lockfsm/sessions.ts', find: '.sort((a, b) => (a.token ?? 0) - (b.token ?? 0))', put: '' }],
  },
  {
    name: 'a lock goes to who came last',
    breaks: 'L2',
    edits: [
      { file: 'src/lockfsm/queue.ts', find: 'const next = lock.queue[0];', put: 'const next = lock.queue.at(-1);' },
    ],
  },
  {
    name: 'a withdrawal takes all attempts of the request',
    breaks: 'H10',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: 'attempt.node !== origin.node || attempt.run !== origin.run || attempt.number !== withdrawn.number',
        put: 'attempt === undefined',
      },
    ],
  },
  {
    name: 'a repeat takes the place of the attempts before',
    breaks: 'H11',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: 'change.attempts = [...request.attempts, attempt];',
        put: 'change.attempts = [attempt];',
      },
    ],
  },
  {
    name: 'a grant is answered to attempts that had left the set',
    breaks: 'H12, H13',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: 'for (const attempt of leaving)\n        say(step, attempt, leftWaiting(request));',
        put: 'request.left = [...(request.left ?? []), ...leaving];',
      },
      {
        file: 'src/lockfsm/queue.ts',
        find: 'for (const attempt of request.attempts)\n        say(step, attempt, granted',
        put: 'for (const attempt of [...(request.left ?? []), ...request.attempts])\n        say(step, attempt, granted',
      },
    ],
  },
  {
    name: 'a late copy of an acquire is taken for a new one',
    breaks: 'H15',
    edits: [
      { file: 'src/lockfsm/admission.ts', find: 'return state.time - takenInAt > ageMaxMs;', put: 'return false;' },
    ],
  },
  {
    name: 'a command that was sent again is applied again',
    breaks: 'S4, H20, B97',
    edits: [
      {
        file: 'src/lockfsm/admission.ts',
        find: '(origin.run === known.run && origin.number <= known.number)',
        put: 'false',
      },
    ],
  },
  {
    name: 'a command of an earlier run is applied',
    breaks: 'H24',
    edits: [{ file: 'src/lockfsm/admission.ts', find: 'origin.run < known.run || ', put: '' }],
  },
  {
    name: 'the attempts of a run stay in the sets when the node starts again',
    breaks: 'H12',
    edits: [
      {
        file: 'src/lockfsm/admission.ts',
        find: 'if (origin.run > known.run)\n        leaveOfNode(step, origin.node, known);',
        put: '',
      },
    ],
  },
  {
    name: 'a run says nothing of the disk',
    breaks: 'H24',
    edits: [{ file: 'src/lockfsm/runs.ts', find: 'rangeOf(state, node) * startsMax + starts', put: 'starts' }],
    faults: 'disk',
  },
  {
    name: 'a grant that nobody attends is kept as long as its session',
    breaks: 'H13, H14',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: 'request.token === null ? null : later(state, unattendedGrantOfSessionMs)',
        put: 'null',
      },
    ],
  },
  {
    name: 'a wait without a session stays when nobody attends it',
    breaks: 'H23',
    edits: [
      { file: 'src/lockfsm/attempts.ts', find: 'const unattendedMs = 2_000;', put: 'const unattendedMs = 600_000;' },
    ],
  },
  {
    name: 'ended requests are forgotten after 10 to 20 s',
    breaks: 'S4',
    edits: [{ file: 'src/lockfsm/remembered.ts', find: 'const bucketsKept = 7;', put: 'const bucketsKept = 2;' }],
  },
  {
    name: 'a loaded queue stands in the order of its records',
    breaks: 'H25, L2',
    edits: [{ file: 'src/lockfsm/load.ts', find: 'queue.sort((a, b) => a.sequence - b.sequence);', put: '' }],
  },
  {
    name: 'a record that changes while a checkpoint is encoded is written as it is then',
    breaks: 'S7, B117',
    edits: [
      {
        file: 'src/lockfsm/changes.ts',
        find: 'capture(changes, item);',
        put: '',
      },
    ],
  },
  {
    name: 'who names another session releases its grant',
    breaks: 'B116',
    edits: [
      {
        file: 'src/lockfsm/grants.ts',
        find: 'if (session !== null && session !== grant.session?.id)',
        put: 'if (false)',
      },
    ],
  },
  {
    name: 'any token releases the lock',
    breaks: 'B116, S1',
    edits: [
      {
        file: 'src/lockfsm/grants.ts',
        find: 'return holder?.token === token ? holder : null;',
        put: 'return holder;',
      },
    ],
  },
  {
    name: 'who fetches an unattended grant has it taken away all the same',
    breaks: 'S5, H14',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: 'change.giveBackAt = null;\n    scheduleRequest',
        put: 'scheduleRequest',
      },
    ],
  },
  {
    name: 'a renewal by token does not claim the grant',
    breaks: 'S5, H14',
    edits: [
      {
        file: 'src/lockfsm/grants.ts',
        find: 'change.claimed = true;\n    change.giveBackAt = null;',
        put: '',
      },
    ],
  },
  {
    name: 'a renewal does not claim the session',
    breaks: 'S5, H14',
    edits: [
      {
        file: 'src/lockfsm/sessions.ts',
        find: 'change.deadline = renewed;\n    claimSession(state, session);',
        put: 'change.deadline = renewed;',
      },
    ],
  },
  {
    name: 'an opening that is repeated after the end opens another session',
    breaks: 'S4',
    edits: [
      {
        file: 'src/lockfsm/sessions.ts',
        find: "if (ended !== null)\n        return refused({ code: 'session_ended', session: ended });",
        put: '',
      },
    ],
  },
  {
    name: 'a request that was cancelled before it came is granted',
    breaks: 'S4, H15',
    edits: [
      {
        file: 'src/lockfsm/requests.ts',
        find: "remember(state, key, { how: 'refused', token: null });",
        put: '',
      },
    ],
  },
  {
    name: 'a node that is lost loses attempts that came later',
    breaks: 'H12',
    edits: [
      {
        file: 'src/lockfsm/attempts.ts',
        find: '(attempt.run === run && attempt.number <= number)',
        put: 'attempt.run === run',
      },
    ],
  },
]
