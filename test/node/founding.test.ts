import fc from 'fast-check'
import t from 'tap'
import type { RejectReason } from '../../src/codec/frame.ts'
import type { Introduction } from '../../src/codec/introduction.ts'
import { asClusterId, asIncarnation, asIndex, asNodeId, asRun, asSequence, asTerm, asToken } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Founding } from '../../src/node/founding.ts'
import type { FoundingRecord, Restored } from '../../src/storage/founding-store.ts'

const members = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const [n1, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]

interface Disk {
  readonly incarnation: string
  readonly record: FoundingRecord | null
  readonly founded: boolean
}

const empty: Disk = { incarnation: 'first', record: null, founded: false }

function foundingOf(
  self: NodeId,
  disk: Partial<Disk> = {},
  limits: Record<string, number> = { locksMax: 1 },
  restored: Restored | null = null,
): Founding {
  const { incarnation, record, founded } = { ...empty, ...disk }
  const setup = { self, members, limits, restored, incarnation: asIncarnation(`${self}-${incarnation}`) }
  return new Founding({ ...setup, record, founded })
}

function introductionOf(node: NodeId, founding: Founding, incarnation = 'first'): Introduction {
  const version = 1
  return {
    version,
    node,
    incarnation: asIncarnation(`${node}-${incarnation}`),
    run: asRun(1),
    httpUrl: '',
    disk: { term: asTerm(0), lastIndex: asIndex(0) },
    founding: founding.view(),
  }
}

/** What `to` makes of somebody when no disk was ever replaced: those of the founding are in force. */
function judged(to: Founding, introduction: Introduction): RejectReason | null {
  const founder = to.record?.members.find(({ id }) => id === introduction.node)
  return to.judge(introduction, founder?.incarnation ?? null)
}

/** Does what is due, as far as it goes without hearing anything new. */
function pursue(founding: Founding): void {
  for (let duty = founding.nextDuty(); duty !== null; duty = founding.nextDuty()) {
    if (duty.kind === 'storeFounded') founding.foundedStored()
    else founding.recordStored(duty.record)
  }
}

function tell(to: Founding, node: NodeId, from: Founding): void {
  if (judged(to, introductionOf(node, from)) === null) to.introduced(introductionOf(node, from))
}

function raise(): never {
  throw new Error('there is no record')
}

/** A cluster founded in peace. */
function foundAll(restored: Restored | null = null): readonly [Founding, Founding, Founding] {
  const [a, b, c] = members.map((id) => foundingOf(id, {}, { locksMax: 1 }, restored))
  if (a === undefined || b === undefined || c === undefined) throw new Error('three members')
  const all = [a, b, c] as const
  for (let round = 0; round < 3; round++) {
    for (const [position, to] of all.entries()) {
      for (const [other, from] of all.entries()) if (other !== position) tell(to, members[other] ?? n1, from)
    }
    for (const founding of all) pursue(founding)
  }
  return all
}

t.test('a cluster is founded when every member has stored the same record', async (t) => {
  const all = foundAll()
  t.same(
    all.map(({ founded }) => founded),
    [true, true, true],
  )
  const [first] = all
  for (const { record } of all) t.same(record, first.record)
  t.same(
    first.record?.members.map(({ incarnation }) => incarnation),
    ['n1-first', 'n2-first', 'n3-first'],
  )
})

t.test('H27 a majority is not enough to compose the record', async (t) => {
  const founding = foundingOf(n1)
  tell(founding, n2, foundingOf(n2))
  t.equal(founding.nextDuty(), null)
  tell(founding, n3, foundingOf(n3))
  t.equal(founding.nextDuty()?.kind, 'storeRecord')
})

t.test('H27 a majority that has stored the record is not enough to serve', async (t) => {
  const [a, b, c] = [foundingOf(n1), foundingOf(n2), foundingOf(n3)]
  for (const [to, others] of [
    [a, [b, c]],
    [b, [a, c]],
  ] as const) {
    for (const [position, other] of others.entries()) tell(to, position === 0 ? (to === a ? n2 : n1) : n3, other)
  }
  pursue(a)
  pursue(b)
  tell(a, n2, b)
  t.equal(a.nextDuty(), null, 'n3 has stored nothing')
  a.news(n3, { clusterId: a.record?.clusterId ?? null, founded: false })
  t.equal(a.nextDuty()?.kind, 'storeFounded')
})

t.test('one that knows that all have stored is enough', async (t) => {
  const [a] = foundAll()
  const late = foundingOf(n3, { record: a.record })
  t.equal(late.nextDuty(), null)
  tell(late, n1, a)
  t.equal(late.nextDuty()?.kind, 'storeFounded')
})

t.test('one that knows of another cluster proves nothing', async (t) => {
  const [a] = foundAll()
  const record = a.record
  if (record === null) throw new Error('founded')
  const late = foundingOf(n3, { record: { ...record, clusterId: asClusterId('another') } })
  late.introduced(introductionOf(n1, a))
  late.introduced(introductionOf(n2, a))
  t.equal(late.nextDuty(), null)
})

t.test('H27 an empty disk that comes to a founded cluster is a stranger', async (t) => {
  const [a] = foundAll()
  const wiped = foundingOf(n2, { incarnation: 'second' })
  t.equal(judged(a, introductionOf(n2, wiped, 'second')), 'stranger')
})

t.test('H27 an empty disk that was not taken in founds nothing with members of a founded cluster', async (t) => {
  const [a, , c] = foundAll()
  const wiped = foundingOf(n2, { incarnation: 'second' })
  wiped.introduced(introductionOf(n1, a))
  wiped.introduced(introductionOf(n3, c))
  t.equal(wiped.nextDuty(), null, 'it has heard everybody, and still composes no record of its own')
})

t.test('a disk that is in force and has nothing yet is taken in, and takes the record over', async (t) => {
  const [a, , c] = foundAll()
  const fresh = foundingOf(n2, { incarnation: 'second' })
  const introduction = introductionOf(n2, fresh, 'second')
  t.equal(a.judge(introduction, introduction.incarnation), null)
  t.equal(fresh.nextDuty(), null, 'before anybody welcomed it')
  fresh.introduced(introductionOf(n1, a))
  fresh.welcomedBy(introductionOf(n1, a))
  t.equal(fresh.isJoining, true)
  t.same(fresh.nextDuty(), { kind: 'join', record: a.record })
  fresh.recordStored(a.record ?? raise())
  t.equal(fresh.isFounder, false, 'so that it does not count before the log says so')
  t.equal(fresh.nextDuty()?.kind, 'storeFounded')
  fresh.foundedStored()
  t.equal(fresh.founded, true)
  t.equal(c.judge(introductionOf(n2, fresh, 'second'), asIncarnation('n2-first')), null, 'also by who lags behind')
})

t.test('a welcome of somebody who is not founded yet, or to a disk that has the record, takes nobody in', async (t) => {
  const [a, b] = foundAll()
  const fresh = foundingOf(n2)
  fresh.welcomedBy(introductionOf(n1, foundingOf(n1, { record: a.record })))
  t.equal(fresh.isJoining, false)
  b.welcomedBy(introductionOf(n1, a))
  t.equal(b.isJoining, false)
})

t.test('H28 a founder that comes without the record has lost more than that, and is no new disk', async (t) => {
  const [a] = foundAll()
  const [same, other] = [foundingOf(n2), foundingOf(n2, { incarnation: 'second' })]
  t.equal(same.hasForgotten(introductionOf(n1, a)), true)
  t.equal(other.hasForgotten(introductionOf(n1, a)), false)
  t.equal(foundingOf(n2, { record: a.record }).hasForgotten(introductionOf(n1, a)), false)
  const before = foundingOf(n1, { record: a.record })
  t.equal(same.hasForgotten(introductionOf(n1, before)), false, 'nobody is known to have stored it yet')
})

t.test('who took part in the founding is a founder, on that disk only', async (t) => {
  const [a] = foundAll()
  t.equal(a.isFounder, true)
  t.equal(foundingOf(n1, { record: a.record, incarnation: 'second' }).isFounder, false)
  t.equal(foundingOf(n1).isFounder, false)
})

t.test('H27 two empty disks out of three never found anything beside the one that knows', async (t) => {
  const [a] = foundAll()
  const [b, c] = [foundingOf(n2, { incarnation: 'second' }), foundingOf(n3, { incarnation: 'second' })]
  // Whatever they are told of the survivor, even if it had not learned yet that the cluster is founded.
  const survivor = foundingOf(n1, { record: a.record })
  for (const known of [a, survivor]) {
    for (const [self, other, founding] of [
      [n2, n3, b],
      [n3, n2, c],
    ] as const) {
      founding.introduced(introductionOf(n1, known))
      founding.introduced(introductionOf(other, other === n2 ? b : c, 'second'))
      pursue(founding)
      known.introduced(introductionOf(self, founding, 'second'))
    }
  }
  t.same([b.founded, c.founded], [false, false])
})

t.test('a member of another cluster, with other members, or under our own name is refused', async (t) => {
  const [a] = foundAll()
  const other = foundingOf(n2)
  const view = introductionOf(n2, other)
  const foreign = { ...view, founding: { ...view.founding, clusterId: asClusterId('other') } }
  t.equal(judged(a, foreign), 'foreign_cluster')
  t.equal(judged(a, { ...view, founding: { ...view.founding, members: 'n1,n2' } }), 'other_members')
  t.equal(judged(a, { ...view, node: n1 }), 'not_a_member')
  t.equal(judged(a, { ...view, node: asNodeId('n9') }), 'not_a_member')
  t.equal(judged(a, view), null)
})

t.test('the limits of the first member become those of the cluster', async (t) => {
  const all = [foundingOf(n1, {}, { a: 1 }), foundingOf(n2, {}, { a: 2 }), foundingOf(n3, {}, { a: 3 })] as const
  for (const [position, to] of all.entries()) {
    for (const [other, from] of all.entries()) if (other !== position) tell(to, members[other] ?? n1, from)
  }
  for (const founding of all) pursue(founding)
  t.same(
    all.map(({ record }) => record?.limits),
    [{ a: 1 }, { a: 1 }, { a: 1 }],
  )
  t.equal(all[0].record?.clusterId, all[2].record?.clusterId)
})

t.test('a duty is given once until it is reported as done', async (t) => {
  const founding = foundingOf(n1)
  tell(founding, n2, foundingOf(n2))
  tell(founding, n3, foundingOf(n3))
  t.ok(founding.nextDuty())
  t.equal(founding.nextDuty(), null)
})

t.test('nobody goes back in a founding: what was said before may arrive later', async (t) => {
  const [a, b] = foundAll()
  const late = foundingOf(n3, { record: a.record })
  late.introduced(introductionOf(n1, a))
  late.introduced(introductionOf(n1, foundingOf(n1)))
  late.introduced(introductionOf(n2, b))
  t.equal(late.nextDuty()?.kind, 'storeFounded')
})

t.test('what a disk that was replaced had said does not count for the new one', async (t) => {
  const founding = foundingOf(n1)
  tell(founding, n2, foundingOf(n2))
  tell(founding, n3, foundingOf(n3))
  pursue(founding)
  founding.news(n2, { clusterId: founding.record?.clusterId ?? null, founded: false })
  founding.introduced(introductionOf(n2, foundingOf(n2, { incarnation: 'second' }), 'second'))
  founding.news(n3, { clusterId: founding.record?.clusterId ?? null, founded: false })
  t.equal(founding.nextDuty(), null, 'the disk that had stored the record is gone')
})

t.test('news of somebody who never introduced itself is no news', async (t) => {
  const founding = foundingOf(n1)
  founding.news(n2, { clusterId: asClusterId('c'), founded: true })
  t.equal(founding.nextDuty(), null)
})

t.test(
  'H32 whatever is heard in whatever order, with restarts at any moment, one record at most is founded',
  async (t) => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('all tell' as const), to: fc.constant(0), from: fc.constant(0) }),
      },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('tell' as const), to: fc.nat(2), from: fc.nat(2) }) },
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('pursue' as const), to: fc.nat(2), from: fc.constant(0) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('restart' as const), to: fc.nat(2), from: fc.constant(0) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), to: fc.nat(2), from: fc.constant(0) }) },
    )
    let foundedOften = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const disks = members.map(() => ({ ...empty }))
        const foundings = members.map((self, position) => foundingOf(self, disks[position]))
        const everFounded = new Set<string>()
        for (const [number, { kind, to, from }] of steps.entries()) {
          const [self, founding, disk] = [members[to], foundings[to], disks[to]]
          if (self === undefined || founding === undefined || disk === undefined) continue
          const say = (listener: Founding, speaker: number) => {
            const speaking = foundings[speaker]
            if (speaking === undefined || speaking === listener) return
            const introduction = introductionOf(members[speaker] ?? n1, speaking, disks[speaker]?.incarnation)
            if (judged(listener, introduction) === null) listener.introduced(introduction)
          }
          if (kind === 'tell') say(founding, from)
          else if (kind === 'all tell')
            for (const listener of foundings) for (const speaker of [0, 1, 2]) say(listener, speaker)
          else if (kind === 'pursue') pursue(founding)
          else if (kind === 'restart' || kind === 'wipe') {
            // With every disk goes every trace of the cluster: who comes then may found another.
            if (kind === 'wipe' && disks.every(({ incarnation }, other) => other === to || incarnation !== 'first'))
              continue
            const { record, founded } = founding
            disks[to] = kind === 'wipe' ? { ...empty, incarnation: `wiped-${number}` } : { ...disk, record, founded }
            foundings[to] = foundingOf(self, disks[to])
          }
          for (const { founded, record } of foundings) if (founded && record !== null) everFounded.add(record.clusterId)
          if (everFounded.size > 1) throw new Error(`two clusters: ${[...everFounded].join(' ')}`)
        }
        foundedOften += everFounded.size
      }),
      { numRuns: 2000 },
    )
    t.ok(foundedOften > 30, `clusters are founded at all: ${foundedOften}`)
  },
)

const restored: Restored = {
  from: asClusterId('of old'),
  sha256: 'a'.repeat(64),
  firstToken: asToken(1000),
  firstSequence: asSequence(2000),
}
const byBackup = (id: NodeId, from: Restored | null, disk: Partial<Disk> = {}) => foundingOf(id, disk, {}, from)

t.test('a cluster that takes over a backup says so in its record, and has an id of its own', async (t) => {
  const [first, ...others] = foundAll(restored)
  t.same(first.record?.restored, restored)
  for (const { record } of others) t.same(record, first.record)
  const [plain] = foundAll()
  t.equal(plain.record?.restored, null)
  t.not(first.record?.clusterId, plain.record?.clusterId)
  const [another] = foundAll({ ...restored, sha256: 'b'.repeat(64) })
  t.not(first.record?.clusterId, another.record?.clusterId)
})

t.test('members with different backups, or one with and one without, found nothing together', async (t) => {
  const [with1, with2] = [byBackup(n1, restored), byBackup(n2, { ...restored, sha256: 'b'.repeat(64) })]
  const without = byBackup(n3, null)
  t.equal(judged(with1, introductionOf(n2, with2)), 'other_backup')
  t.equal(judged(with1, introductionOf(n3, without)), 'other_backup')
  t.equal(judged(without, introductionOf(n1, with1)), 'other_backup')
  t.equal(judged(with1, introductionOf(n2, byBackup(n2, restored))), null)
})

t.test('a member that starts anew without the backup, in the middle of a founding, is refused', async (t) => {
  const all = [byBackup(n1, restored), byBackup(n2, restored), byBackup(n3, restored)] as const
  const [a, b, c] = all
  tell(a, n2, b)
  tell(a, n3, c)
  pursue(a)
  t.ok(a.record !== null && !a.founded)
  t.equal(judged(a, introductionOf(n2, byBackup(n2, null))), 'other_backup')
  t.equal(judged(byBackup(n2, null), introductionOf(n1, a)), 'other_backup')
})

t.test('when the cluster is founded a restart needs no backup, and neither does who comes later', async (t) => {
  const [a, b] = foundAll(restored)
  const again = byBackup(n1, null, { record: a.record, founded: true })
  t.equal(judged(again, introductionOf(n2, b)), null)
  t.equal(judged(b, introductionOf(n1, again)), null)
  const newcomer = byBackup(n3, null, { incarnation: 'second' })
  t.not(judged(a, introductionOf(n3, newcomer, 'second')), 'other_backup')
  t.equal(judged(newcomer, introductionOf(n1, a)), null)
  const other = byBackup(n3, { ...restored, sha256: 'b'.repeat(64) }, { incarnation: 'second' })
  t.equal(judged(a, introductionOf(n3, other, 'second')), 'other_backup')
})
