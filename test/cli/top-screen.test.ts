// The screen of `holdfast top` from snapshots.
import t from 'tap'
import type { ClusterNow, LockSummary } from '../../src/cli/connection.ts'
import type { NodeNow } from '../../src/cli/nodes.ts'
import { widthOf } from '../../src/cli/table.ts'
import { screenOf } from '../../src/cli/top-screen.ts'
import type { Size, Snapshot } from '../../src/cli/top-screen.ts'

const ids = ['n1', 'n2', 'n3']
const paper = { columns: 100, rows: 30 }

function view(self: string, leader: string | null, commitIndex: number): ClusterNow {
  return {
    clusterId: 'c',
    self,
    leader,
    term: 4,
    members: ids.map((id) => ({
      id,
      httpUrl: `http://${id}`,
      peerUrl: `tcp://${id}`,
      role: id === leader ? 'leader' : 'follower',
      incarnation: null,
      reachable: id !== 'n3',
      matchIndex: null,
    })),
    commitIndex,
    appliedIndex: commitIndex,
    clusterTimeMs: 0,
    log: { firstIndex: 1, lastIndex: commitIndex, bytes: 3 * 1024 * 1024 },
    digest: null,
  }
}

function lock(name: string, facts: { heldMs?: number; queueLength?: number; owner?: string }): LockSummary {
  const { heldMs, queueLength = 0, owner = 'worker' } = facts
  const rest = { session: null, owner, mode: 'exclusive', token: 5, sequence: 6, expiresInMs: 9000 } as const
  return { lock: name, queueLength, holders: heldMs === undefined ? [] : [{ ...rest, heldMs, metadata: null }] }
}

function snapshot(facts: Partial<Snapshot> & { commitIndex?: number }): Snapshot {
  const nodes: readonly NodeNow[] = [
    { kind: 'answered', url: 'http://n1', view: view('n1', 'n1', facts.commitIndex ?? 100) },
    { kind: 'answered', url: 'http://n2', view: view('n2', 'n1', 100) },
    { kind: 'silent', url: 'http://n3', why: 'down' },
  ]
  return { at: new Date('2026-01-02T03:04:05Z'), monotonicMs: 0, nodes, locks: [], isCut: false, ...facts }
}

function text(now: Snapshot, before: Snapshot | null = null, size: Size = paper): string {
  return screenOf(now, before, size)
    .map((line) => line.text)
    .join('\n')
}

t.test('the cluster, the locks held for longest, the longest queues', async (t) => {
  const locks = [
    lock('young', { heldMs: 2000, queueLength: 3 }),
    lock('old', { heldMs: 3_700_000 }),
    lock('orphan', { queueLength: 1 }),
  ]
  const now = snapshot({ locks, monotonicMs: 2000, commitIndex: 500 })
  t.equal(
    text(now, snapshot({})),
    `holdfast 03:04:05   leader n1, term 4   2 of 3 nodes   200 entries/s

NODE  ROLE      TERM  LEADER  COMMIT  APPLIED  LOG      ADDRESS
n1    leader    4     n1      500     500      3.0 MiB  http://n1
n2    follower  4     n1      100     100      3.0 MiB  http://n2
n3    down      -     -       -       -        -        http://n3

HELD 2, longest first
LOCK   HOLDER  TOKEN  HELD   EXPIRES  IN LINE
old    worker  5      1h01m  in 9.0s  0
young  worker  5      2.0s   in 9.0s  3

QUEUES 2, 4 in line, longest first
LOCK    IN LINE  HOLDER  TOKEN  HELD
young   3        worker  5      2.0s
orphan  1        -       -      -`,
  )
})

t.test('a leader without a majority is none', async (t) => {
  const alone: readonly NodeNow[] = [
    {
      kind: 'answered',
      url: 'http://n1',
      view: {
        ...view('n1', 'n1', 5),
        members: view('n1', 'n1', 5).members.map((member) => ({ ...member, reachable: member.id === 'n1' })),
      },
    },
    { kind: 'silent', url: 'http://n2', why: 'no answer' },
  ]
  t.match(text(snapshot({ nodes: alone, locks: null })), /no leader {3}1 of 3 nodes[^]*The cluster does not answer/)
})

t.test('it fits the screen, however much there is', async (t) => {
  const many = Array.from({ length: 500 }, (_, n) =>
    lock(`lock-${'x'.repeat(60)}-${n}`, { heldMs: n * 1000, queueLength: n % 7, owner: '名前'.repeat(30) }),
  )
  for (const size of [paper, { columns: 40, rows: 12 }, { columns: 10, rows: 3 }, { columns: 1, rows: 1 }]) {
    const lines = screenOf(snapshot({ locks: many, isCut: true }), null, size)
    t.ok(lines.length <= size.rows, `${lines.length} lines`)
    for (const line of lines) t.ok(widthOf(line.text) <= size.columns, line.text)
  }
  const shown = text(snapshot({ locks: many, isCut: true }))
  t.match(shown, /HELD 500 of the first 500 by name/)
  // Both parts have room.
  t.match(shown, /QUEUES 428/)
})

t.test('what one part does not need the other gets', async (t) => {
  const held = Array.from({ length: 100 }, (_, n) => lock(`held-${n}`, { heldMs: n }))
  t.equal(text(snapshot({ locks: held })).match(/^held-/gm)?.length, 18)
  const queued = Array.from({ length: 100 }, (_, n) => lock(`queued-${n}`, { queueLength: 1 + n }))
  t.equal(text(snapshot({ locks: queued })).match(/^queued-/gm)?.length, 18)
})

t.test('titles are marked, for who paints', async (t) => {
  const lines = screenOf(snapshot({ locks: [lock('a', { heldMs: 1 })] }), null, paper)
  t.same(
    lines.filter(({ isTitle }) => isTitle).map(({ text }) => text.split(' ')[0]),
    ['holdfast', 'NODE', 'HELD', 'LOCK', 'QUEUES'],
  )
})
